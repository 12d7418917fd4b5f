//! The encoding of a PostgreSQL database.
//!
//! A database of another encoding than UTF-8 refuses characters that it does not have, or, as `SQL_ASCII`, takes bytes without
//! looking and compares names byte by byte with what other programs wrote in their own encoding. MySQL and MariaDB need no such
//! check: the tables name their own character set, and every session names that of its texts.

use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, Executor as _, Row as _};
use tokio::time::timeout;

use super::ConnectError;

/// Refuses a database whose encoding is not UTF-8.
pub(super) async fn check_postgres(server: &PgConnectOptions, limit: Duration) -> Result<(), ConnectError> {
    let ask = async {
        let mut connection: PgConnection = server.connect().await?;
        // Without a prepared statement, which a pooler in between may not know.
        let row = connection.fetch_one("SHOW server_encoding").await?;
        connection.close().await?;
        row.try_get(0)
    };
    let encoding: Result<String, sqlx::Error> = timeout(limit, ask).await.map_err(|_| ConnectError::TimedOut(limit))?;
    match encoding.map_err(ConnectError::Unreachable)? {
        encoding if encoding == "UTF8" => Ok(()),
        other => Err(ConnectError::Encoding(other)),
    }
}
