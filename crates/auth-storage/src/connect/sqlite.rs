//! Opening SQLite: a file with a write-ahead log, or a database in memory.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::SqlxSqliteConnector;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sea_orm::sqlx::{self, ConnectOptions as _};

use super::ConnectOptions;
use super::database::OpenedPool;
use super::database_file::DatabaseFile;
use super::error::ConnectError;
use super::look_up::LookUps;
use super::pool_health::PoolHealth;
use super::primary::PrimaryCheck;
use super::statements::Statements;
use super::url::SqliteUrl;

mod release;

use release::{FileConnections, MemoryConnection};

/// Few are enough: each connection is a thread, one connection writes at a time, and readers do not wait for it.
const DEFAULT_CONNECTIONS: u32 = 4;

/// Opens the database of a URL.
pub(super) async fn open(
    url: &SqliteUrl,
    options: &ConnectOptions,
    health: &Arc<PoolHealth>,
) -> Result<OpenedPool, ConnectError> {
    let sqlite = url.options().map_err(ConnectError::Unreachable)?;
    let sqlite = sqlite
        .journal_mode(SqliteJournalMode::Wal)
        // With the write-ahead log, a weaker setting may lose acknowledged writes when the machine loses power.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(busy_timeout(options))
        .disable_statement_logging();
    let mut pool = SqlitePoolOptions::new().acquire_timeout(options.acquire_timeout).test_before_acquire(false);
    let mut file = None;
    match url {
        // A second connection would be an empty database of its own, and closing the last one deletes the data.
        SqliteUrl::Memory { .. } => {
            let memory = MemoryConnection::new(Arc::downgrade(health));
            pool = pool
                .max_connections(1)
                .idle_timeout(None)
                .max_lifetime(None)
                .after_release(move |connection, _| Box::pin(memory.clone().release(connection)));
        }
        SqliteUrl::File(_) => {
            if !url.is_read_only() {
                create_private(sqlite.get_filename()).map_err(ConnectError::File)?;
            }
            let opened = DatabaseFile::new(sqlite.get_filename());
            file = Some(opened.clone());
            let connections = FileConnections::new(sqlite.clone(), opened.clone());
            pool = pool
                .max_connections(options.max_connections.unwrap_or(DEFAULT_CONNECTIONS).max(1))
                // The first connection records the identity of the file. A later one may be to a replacement.
                .after_connect(move |_, _| {
                    let checked = opened.check_connection();
                    Box::pin(async move { checked })
                })
                .after_release(move |connection, _| Box::pin(connections.clone().release(connection)));
        }
    }
    let pool = pool.connect_with(sqlite).await.map_err(|error| match error {
        sqlx::Error::PoolTimedOut => ConnectError::TimedOut(options.acquire_timeout),
        error => ConnectError::Unreachable(error),
    })?;
    let statements = Statements::new(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.clone()), None);
    let look_ups = LookUps::sqlite(pool, Arc::clone(health));
    Ok(OpenedPool { statements, look_ups, primary_check: PrimaryCheck::Sqlite, file })
}

/// Maximum time to wait for a lock: shorter than a call, so that the error is "busy" and not "timed out".
fn busy_timeout(options: &ConnectOptions) -> Duration {
    options.call_timeout * 4 / 5
}

/// Creates the file, readable by its owner only, because it holds password hashes. SQLite gives the write-ahead log beside it the
/// same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut file = OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    match file.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}
