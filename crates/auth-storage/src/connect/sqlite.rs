//! SQLite: a file with a write-ahead log, or a database in memory.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sea_orm::sqlx::{self, ConnectOptions as _};
use sea_orm::{DatabaseConnection, SqlxSqliteConnector};

use super::call::Distrust;
use super::place::Place;
use super::sqlite_release::{FileConnections, MemoryConnection};
use super::url::SqliteUrl;
use super::{ConnectError, ConnectOptions};

/// One writes at a time and readers do not wait for it; each connection is a thread, so few are enough.
const DEFAULT_CONNECTIONS: u32 = 4;

/// Opens the database; with it comes the place of its file, if it has one.
pub(super) async fn open(
    url: &SqliteUrl,
    options: &ConnectOptions,
    distrust: &Arc<Distrust>,
) -> Result<(DatabaseConnection, Option<Place>), ConnectError> {
    let sqlite = url.options().map_err(ConnectError::Unreachable)?;
    let sqlite = sqlite
        .journal_mode(SqliteJournalMode::Wal)
        // With the write-ahead log, anything less may lose what was acknowledged when the machine loses power.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(busy_timeout(options))
        .disable_statement_logging();
    let mut pool = SqlitePoolOptions::new().acquire_timeout(options.acquire_timeout).test_before_acquire(false);
    let mut place = None;
    match url {
        // Every further connection would be an empty database of its own, and the last one to go takes the data along.
        SqliteUrl::Memory { .. } => {
            let memory = MemoryConnection::new(Arc::downgrade(distrust));
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
            let opened = Place::of(sqlite.get_filename());
            place = Some(opened.clone());
            let file = FileConnections::new(sqlite.clone(), opened.clone());
            pool = pool
                .max_connections(options.max_connections.unwrap_or(DEFAULT_CONNECTIONS).max(1))
                // The first one says which file it is. One that is made in the moment of a replacement is to another.
                .after_connect(move |_, _| {
                    let checked = opened.check_connection();
                    Box::pin(async move { checked })
                })
                .after_release(move |connection, _| Box::pin(file.clone().release(connection)));
        }
    }
    let pool = pool.connect_with(sqlite).await.map_err(|error| match error {
        sqlx::Error::PoolTimedOut => ConnectError::TimedOut(options.acquire_timeout),
        error => ConnectError::Unreachable(error),
    })?;
    Ok((SqlxSqliteConnector::from_sqlx_sqlite_pool(pool), place))
}

/// Shorter than the whole call, so that "busy" is what the caller hears and not "timed out".
fn busy_timeout(options: &ConnectOptions) -> Duration {
    options.call_timeout * 4 / 5
}

/// Makes the file before SQLite would, readable by nobody else: it holds password hashes. The write-ahead log beside it takes
/// over its mode.
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
