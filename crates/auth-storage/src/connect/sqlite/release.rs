//! The check of a SQLite connection that returns to the pool.
//!
//! SQLite ends a transaction by itself when it meets `SQLITE_FULL`, `SQLITE_IOERR`, `SQLITE_NOMEM`, `SQLITE_BUSY` or
//! `SQLITE_INTERRUPT` (<https://www.sqlite.org/lang_transaction.html>, section 3). The driver does not notice: it counts
//! transactions itself and lowers its count only when its `COMMIT` or `ROLLBACK` succeeds. From then on it takes every
//! `BEGIN` for a `SAVEPOINT` and every `COMMIT` for a `RELEASE`, inside a transaction that is never committed: what it
//! acknowledges is lost. So a connection is used again only if the driver and SQLite both report that it is in no transaction.

use std::mem;
use std::sync::{Arc, Weak};
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteTransactionManager};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use sqlx_core::transaction::TransactionManager as _;
use tokio::time::sleep;

use super::super::database_file::DatabaseFile;
use super::super::pool_health::PoolHealth;

/// Pause between two attempts to end the transaction of a connection that cannot be replaced.
const PAUSE: Duration = Duration::from_millis(50);

/// The connections to a file. One in a transaction, or in an unknown state, is replaced.
#[derive(Clone)]
pub(super) struct FileConnections {
    options: Arc<SqliteConnectOptions>,
    file: DatabaseFile,
}

impl FileConnections {
    pub(super) fn new(options: SqliteConnectOptions, file: DatabaseFile) -> Self {
        Self { options: Arc::new(options), file }
    }

    /// Prepares a connection for its next user. Returns false when the pool is to close it.
    pub(super) async fn release(self, connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
        if is_clean(connection).await.is_ok_and(|clean| clean) {
            return Ok(true);
        }
        // Frees the lock of a transaction that is still open. An error says that SQLite has ended it already.
        let _ = connection.execute("ROLLBACK").await;
        // The new connection is opened first: closing the last one deletes the index of the write-ahead log, and a full disk has no
        // space for a new index.
        let Ok(fresh) = self.open().await else { return Ok(false) };
        let _ = mem::replace(connection, fresh).close().await;
        Ok(true)
    }

    async fn open(&self) -> Result<SqliteConnection, sqlx::Error> {
        let fresh = self.options.connect().await?;
        self.file.check_connection()?;
        Ok(fresh)
    }
}

/// The only connection to a database in memory. It cannot be replaced, because closing it deletes the database; so its
/// transaction is ended in place.
#[derive(Clone)]
pub(super) struct MemoryConnection {
    /// Alive as long as a handle of the database is.
    health: Weak<PoolHealth>,
}

impl MemoryConnection {
    pub(super) fn new(health: Weak<PoolHealth>) -> Self {
        Self { health }
    }

    /// Prepares the connection for its next user. It is kept back until it is in no transaction.
    pub(super) async fn release(self, connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
        loop {
            match is_clean(connection).await {
                Ok(true) => return Ok(true),
                Err(sqlx::Error::WorkerCrashed) => return Err(sqlx::Error::WorkerCrashed),
                Ok(false) | Err(_) => {}
            }
            if end_transaction(connection).await.is_err() {
                if self.health.strong_count() == 0 {
                    return Ok(false);
                }
                sleep(PAUSE).await;
            }
        }
    }
}

/// Returns true when SQLite and the driver both report that the connection is in no transaction.
///
/// `begin_with` asks both: it sends nothing while the driver counts a transaction, and fails when the statement has *not* begun one
/// in SQLite.
async fn is_clean(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    match connection.begin_with("SELECT 1").await {
        Err(sqlx::Error::BeginFailed) => Ok(true),
        Ok(_) | Err(sqlx::Error::InvalidSavePointStatement) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Ends the transaction in SQLite and in the count of the driver.
async fn end_transaction(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    // An error says that SQLite has ended it already.
    let _ = connection.execute("ROLLBACK").await;
    let depth = SqliteTransactionManager::get_transaction_depth(connection);
    // The driver lowers its count only when its statement succeeds. So there must be something to roll back: a transaction, and a
    // savepoint with the driver's name for each level within it.
    connection.execute("BEGIN").await?;
    for level in 1..depth {
        connection.execute(AssertSqlSafe(format!("SAVEPOINT _sqlx_savepoint_{level}"))).await?;
    }
    for _ in 0..depth {
        SqliteTransactionManager::rollback(connection).await?;
    }
    if depth == 0 {
        connection.execute("ROLLBACK").await?;
    }
    Ok(())
}
