//! The encoding of a PostgreSQL database.
//!
//! A database with another encoding than UTF-8 refuses characters that it lacks. `SQL_ASCII` accepts any bytes, and compares names
//! with bytes that other programs wrote in encodings of their own. MySQL and MariaDB need no such check: the tables name their
//! character set, and every session names that of its text.

use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, Executor as _, Row as _};
use tokio::time::timeout;

use super::super::error::ConnectError;

/// Refuses a database whose encoding is not UTF-8.
pub(super) async fn check(server: &PgConnectOptions, limit: Duration) -> Result<(), ConnectError> {
    let ask = async {
        let mut connection: PgConnection = server.connect().await?;
        // Not prepared, because a pooler in between may lose a prepared statement.
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
