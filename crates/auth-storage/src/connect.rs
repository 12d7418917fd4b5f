//! Opening a database, and running calls on it within a time limit.

use std::sync::Arc;
use std::time::Duration;

mod call;
mod database;
#[cfg(feature = "sqlite")]
mod database_file;
mod error;
mod kind;
mod look_up;
#[cfg(feature = "mysql")]
mod mysql;
mod pool_health;
mod pool_stats;
#[cfg(feature = "postgres")]
mod postgres;
mod primary;
mod relay;
mod retry;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod servers;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statements;
mod transaction;
mod url;
mod write_health;

pub use database::Database;
pub use error::{ConnectError, UrlError};
pub use kind::DatabaseKind;
pub(crate) use look_up::{Key, LookUp};
use pool_health::PoolHealth;
pub use pool_stats::PoolStats;
pub use primary::NotPrimary;
pub(crate) use primary::{PrimaryCheck, check as check_primary};
pub(crate) use retry::EarlierAttempts;
pub use statements::Statements;
pub use transaction::WriteTransaction;
pub use url::DatabaseUrl;
use url::Target;

/// Opens the database that `url` names: `sqlite://path`, `sqlite::memory:`, `postgres://…` or `mysql://…`, parsed by
/// [`DatabaseUrl::parse`].
///
/// # Errors
///
/// Fails when the URL breaks a rule, and as [`connect_to`] does. No error repeats the URL or its password.
///
/// # Panics
///
/// Panics as [`connect_to`] does.
pub async fn connect(url: &str, options: ConnectOptions) -> Result<Database, ConnectError> {
    connect_to(&DatabaseUrl::parse(url)?, options).await
}

/// Opens the database of a parsed URL.
///
/// A SQLite file that is absent is created, readable by its owner only; its folder must exist. Once it has been moved, removed
/// or replaced under an open [`Database`], every call is an error of kind
/// [`Unavailable`](auth_core::StoreErrorKind::Unavailable) until it is back. One connection to a server is opened and closed again,
/// so a wrong password or address is an error here. `auth-migrations` creates the tables.
///
/// # Errors
///
/// Fails when a file that the URL names cannot be read, or when the database cannot be opened or reached within
/// [`ConnectOptions::acquire_timeout`]. No error repeats the URL or its password.
///
/// # Panics
///
/// Panics outside a tokio runtime, which drives the sockets and the timeouts. So does every call on the database.
pub async fn connect_to(url: &DatabaseUrl, options: ConnectOptions) -> Result<Database, ConnectError> {
    url.check_files()?;
    let turns = match &url.0 {
        // Its connections are opened without a server.
        #[cfg(feature = "sqlite")]
        Target::Sqlite(_) => tokio::sync::Semaphore::MAX_PERMITS,
        #[cfg(any(feature = "postgres", feature = "mysql"))]
        _ => servers::connections(&options) as usize,
    };
    let pool_health = Arc::new(PoolHealth::new(options.acquire_timeout, turns));
    let opened = match &url.0 {
        #[cfg(feature = "sqlite")]
        Target::Sqlite(url) => sqlite::open(url, &options, &pool_health).await?,
        #[cfg(feature = "postgres")]
        Target::Postgres(url) => postgres::open(url, &options, &pool_health).await?,
        #[cfg(feature = "mysql")]
        Target::MySql(url) => mysql::open(url, &options, &pool_health).await?,
    };
    Ok(Database::new(url.kind(), opened, pool_health, options.call_timeout))
}

/// Limits of a database connection.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Maximum number of connections. Default: 10, on SQLite 4. A SQLite database in memory always has exactly one.
    pub max_connections: Option<u32>,
    /// Maximum time to wait for a connection, idle or new. A call that gets none is an error of kind
    /// [`Unavailable`](auth_core::StoreErrorKind::Unavailable). When all connections are in use, a call first waits as long for its
    /// turn. Default: 2 s.
    pub acquire_timeout: Duration,
    /// Maximum duration of one call of a store. A longer one is an error of kind
    /// [`Unavailable`](auth_core::StoreErrorKind::Unavailable). Default: 5 s.
    pub call_timeout: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self { max_connections: None, acquire_timeout: Duration::from_secs(2), call_timeout: Duration::from_secs(5) }
    }
}
