//! The check that the next answer on a connection to MySQL belongs to the next statement.
//!
//! The driver of MySQL does not survive being dropped while it prepares a statement: it takes the rest of that answer for the answer
//! to the next statement, and may panic on it. The calls of the stores are not dropped, but a program that uses
//! [`Database::connection`](crate::Database::connection) may drop its own, so every connection is checked before it is lent again.

use sea_orm::sqlx::mysql::MySqlConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Row as _};

/// Selects a random number, which no earlier answer contains.
pub(super) async fn is_in_sync(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
    let number = getrandom::u32().map_err(|error| sqlx::Error::Io(error.into()))?;
    let row = sqlx::raw_sql(AssertSqlSafe(format!("SELECT {number}"))).fetch_one(connection).await?;
    Ok(row.try_get::<i64, _>(0)? == i64::from(number))
}
