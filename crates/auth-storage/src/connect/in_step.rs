//! Whether the next answer on a connection to MySQL will be that to the next statement.
//!
//! The driver of MySQL does not survive being dropped while it prepares a statement: it takes the rest of that answer for the
//! answer to what is sent next, and may panic on it. Our own calls are not dropped, but a program that uses
//! [`Database::connection`](super::Database::connection) may drop its own, so every connection is asked before it is lent again.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use sea_orm::sqlx::mysql::MySqlConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Row as _};

/// Asks for a number that no earlier answer holds.
pub(super) async fn look(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
    let number = getrandom::u32().map_err(|error| sqlx::Error::Io(error.into()))?;
    let row = sqlx::raw_sql(AssertSqlSafe(format!("SELECT {number}"))).fetch_one(connection).await?;
    Ok(row.try_get::<i64, _>(0)? == i64::from(number))
}

/// Turns a panic of the driver into an error. The connection is not used after it.
pub(super) async fn catching_panics<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let mut work = pin!(work);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        polled.unwrap_or(Poll::Ready(Err(sqlx::Error::WorkerCrashed)))
    })
    .await
}
