//! Opening a database: what is set on every connection, and how long anything may take.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use auth_core::StoreError;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, SqliteTransactionMode, Statement, TransactionOptions, sqlx};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::error::Trouble;
use crate::tables::Tables;
use crate::writability::Writability;

mod call;
mod encoding;
mod hosts;
mod in_step;
mod look_up;
mod place;
mod pooler;
mod relay;
mod retry;
mod servers;
mod session;
mod sqlite;
mod sqlite_release;
pub(crate) mod standing;
mod transaction;
mod url;

use call::Distrust;
use look_up::LookUps;
pub(crate) use look_up::{Key, LookUp};
use place::Place;
pub use pooler::Statements;
pub(crate) use retry::Earlier;
use servers::Opened;
pub use standing::NotPrimary;
pub(crate) use standing::Standing;
pub use transaction::WriteTransaction;
use url::Target;
pub use url::{DatabaseUrl, UrlError};

/// Opens the database that `url` names: `sqlite://path`, `sqlite::memory:`, `postgres://…` or `mysql://…`, parsed by
/// [`DatabaseUrl::parse`].
///
/// # Errors
///
/// When the URL breaks a rule, and as [`connect_to`]. No error repeats the URL or its password.
///
/// # Panics
///
/// As [`connect_to`].
pub async fn connect(url: &str, options: ConnectOptions) -> Result<Database, ConnectError> {
    connect_to(&DatabaseUrl::parse(url)?, options).await
}

/// Opens the database of a parsed URL.
///
/// A SQLite file that is absent is created, readable by its owner only; its folder must exist. Once it has been moved, removed
/// or replaced under an open [`Database`], every call is an error of kind
/// [`Unavailable`](auth_core::StoreErrorKind::Unavailable) until it is back. One connection to a server is
/// opened and closed again, so that a wrong password or address is known at once. The tables are made by `auth-migrations`.
///
/// # Errors
///
/// When a file that the URL names cannot be read, or the database cannot be opened or reached within
/// [`ConnectOptions::acquire_timeout`]. No error repeats the URL or its password.
///
/// # Panics
///
/// Outside a tokio runtime, here and in every call of what is opened: it drives the sockets and the timeouts.
pub async fn connect_to(url: &DatabaseUrl, options: ConnectOptions) -> Result<Database, ConnectError> {
    url.check_files()?;
    let kind = url.kind();
    let (distrust, writability) = Default::default();
    let (Opened { connection, standing, prelude }, place) = match &url.0 {
        Target::Sqlite(url) => {
            let (connection, place) = sqlite::open(url, &options, &distrust).await?;
            (Opened { connection, standing: Standing::Always, prelude: None }, place)
        }
        Target::Postgres(url) => (servers::open_postgres(url, &options, &distrust).await?, None),
        Target::MySql(url) => (servers::open_mysql(url, &options, &distrust).await?, None),
    };
    let write_turn = (kind == DatabaseKind::Sqlite).then(Arc::default);
    let statements = Statements::new(connection, prelude.map(Arc::from));
    let look_ups = LookUps::new(kind, &statements, &distrust);
    Ok(Database {
        statements,
        look_ups,
        kind,
        place,
        call_timeout: options.call_timeout,
        write_turn,
        distrust,
        standing,
        writability,
        tables: Tables::default(),
    })
}

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// The most connections at a time. Default: 10, on SQLite 4. A SQLite database in memory always has exactly one.
    pub max_connections: Option<u32>,
    /// How long to wait for a connection, be it a free or a new one. A call that gets none is an error of kind
    /// [`Unavailable`](auth_core::StoreErrorKind::Unavailable). Default: 2 s.
    pub acquire_timeout: Duration,
    /// How long one call of a store may take in all; then it is an error of kind
    /// [`Unavailable`](auth_core::StoreErrorKind::Unavailable). Default: 5 s.
    pub call_timeout: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self { max_connections: None, acquire_timeout: Duration::from_secs(2), call_timeout: Duration::from_secs(5) }
    }
}

/// Which kind of database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DatabaseKind {
    /// A SQLite file, or SQLite in memory.
    Sqlite,
    /// PostgreSQL, or what speaks its protocol.
    Postgres,
    /// MySQL or MariaDB.
    MySql,
}

impl DatabaseKind {
    /// The kind that a URL asks for, by its scheme: `sqlite`, `postgres`, `postgresql`, `mysql` or `mariadb`. The rest of the URL
    /// is not looked at.
    ///
    /// # Errors
    ///
    /// [`ConnectError::UnknownScheme`], when it is another one.
    pub fn of_url(url: &str) -> Result<Self, ConnectError> {
        let (scheme, _) = url.split_once(':').ok_or(ConnectError::UnknownScheme)?;
        match scheme {
            "sqlite" => Ok(Self::Sqlite),
            "postgres" | "postgresql" => Ok(Self::Postgres),
            "mysql" | "mariadb" => Ok(Self::MySql),
            _ => Err(ConnectError::UnknownScheme),
        }
    }

    /// The kind as a word, for logs and metrics: `sqlite`, `postgres` or `mysql`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
        }
    }
}

impl fmt::Display for DatabaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a database could not be opened. It never repeats the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL begins with none of the schemes that we know.
    #[error("the database URL must begin with sqlite:, postgres: or mysql:")]
    UnknownScheme,
    /// The URL breaks a rule.
    #[error("the database URL cannot be used: {0}")]
    InvalidUrl(#[from] UrlError),
    /// The texts of the database are stored in an encoding other than UTF-8.
    #[error(
        "the encoding of the database is {0}, and it must be UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding(String),
    /// The file cannot be made or opened.
    #[error("the database file cannot be opened")]
    File(#[source] std::io::Error),
    /// The server did not answer in time.
    #[error("the database did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The server must not be used, because what it answers may be out of date.
    #[error(transparent)]
    NotPrimary(NotPrimary),
    /// A connection pooler is in front of PostgreSQL, and it does not keep the statements of a transaction together.
    #[error(
        "the connection pooler in front of PostgreSQL must hold a transaction together (pool_mode session or transaction)"
    )]
    Pooler(#[source] sqlx::Error),
    /// The server refused, or is not there.
    #[error("the database cannot be reached")]
    Unreachable(#[source] sqlx::Error),
}

/// How long [`Database::ping`] waits for a connection before it answers why the last one was refused.
const REASON_AFTER: Duration = Duration::from_millis(500);

/// An open database: a pool of connections, shared by all clones.
#[derive(Clone)]
pub struct Database {
    statements: Statements,
    look_ups: LookUps,
    kind: DatabaseKind,
    /// Where the file is, of a SQLite database that has one.
    place: Option<Place>,
    call_timeout: Duration,
    /// SQLite has one writer. Its own queue for that is a race of sleepers, in which one can starve; this one is fair.
    write_turn: Option<Arc<Mutex<()>>>,
    distrust: Arc<Distrust>,
    standing: Standing,
    writability: Arc<Writability>,
    tables: Tables,
}

/// How many connections a pool has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Open connections.
    pub open: u32,
    /// Those of them that nobody uses.
    pub idle: u32,
    /// The most that may be open.
    pub max: u32,
}

impl Database {
    /// Which kind of database it is.
    #[must_use]
    pub fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// The same database with tables of these names, for every store that is made of it from now on.
    #[must_use]
    pub fn with_tables(self, tables: Tables) -> Self {
        Self { tables, ..self }
    }

    /// The names of the tables.
    #[must_use]
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The connections themselves, for `auth-migrations`. What runs on them is not bounded by [`ConnectOptions::call_timeout`]. Where its
    /// future may be dropped, as a request's is when the client goes away, run it in [`run`](Self::run): the drivers do not all
    /// survive being dropped in the middle of a statement.
    /// Behind a connection pooler in transaction mode nothing else may run on them: use [`statements`](Self::statements).
    #[must_use]
    pub fn connection(&self) -> &DatabaseConnection {
        self.statements.pool()
    }

    /// What runs single statements of a store of your own, also behind a connection pooler. They are not bounded by
    /// [`ConnectOptions::call_timeout`] unless they are part of [`run`](Self::run).
    #[must_use]
    pub fn statements(&self) -> Statements {
        self.statements.clone()
    }

    /// Asks the database for a sign of life, and a server whether it may be read from.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](auth_core::StoreErrorKind::Unavailable), when there is no answer within
    /// [`ConnectOptions::call_timeout`], or the server may not be read from; then the source is a [`NotPrimary`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        let (statements, standing) = (self.statements(), self.standing);
        let query = Statement::from_string(statements.get_database_backend(), standing.query());
        let mut read = pin!(self.read(async move { Ok(statements.query_one_raw(query).await?) }));
        let row = match (timeout(REASON_AFTER, &mut read).await, self.distrust.refusal()) {
            (Ok(row), _) => row?,
            // The pool goes on trying to connect, but why it is refused is known.
            (Err(_), Some(reason)) => return Err(reason.into()),
            (Err(_), None) => read.await?,
        };
        let row = row.ok_or_else(|| StoreError::corrupt("a SELECT without FROM has no row"))?;
        let value = row.try_get_by_index(0).map_err(|error| StoreError::from(Trouble::from(error)))?;
        Ok(standing::check(value)?)
    }

    /// How the server is asked, in the same statement that reads, whether it may be read from.
    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    /// How many connections there are at this moment. It asks the pool and not the database.
    #[must_use]
    pub fn pool_stats(&self) -> PoolStats {
        fn of<DB: sqlx::Database>(pool: &sqlx::Pool<DB>, parked: usize) -> PoolStats {
            PoolStats {
                open: pool.size(),
                idle: u32::try_from(pool.num_idle() + parked).unwrap_or(u32::MAX),
                max: pool.options().get_max_connections(),
            }
        }
        let parked = self.look_ups.parked();
        match self.kind {
            DatabaseKind::Sqlite => of(self.connection().get_sqlite_connection_pool(), parked),
            DatabaseKind::Postgres => of(self.connection().get_postgres_connection_pool(), parked),
            DatabaseKind::MySql => of(self.connection().get_mysql_connection_pool(), parked),
        }
    }

    /// Waits for calls that are under way and closes every connection. Calls that come later fail.
    ///
    /// # Errors
    ///
    /// When the connections did not end within [`ConnectOptions::call_timeout`]; they are dropped then.
    pub async fn close(&self) -> Result<(), StoreError> {
        let connection = self.connection().clone();
        self.call(async move { Ok(connection.close_by_ref().await?) }).await
    }

    /// Begins a transaction that will write, for a store of your own in the same database. On SQLite it is the writer from the
    /// start, so it cannot find out half-way that somebody else is. A transaction that is dropped is undone. Bound its statements by
    /// running all of it in [`run`](Self::run): [`ConnectOptions::call_timeout`] holds for our own calls only.
    ///
    /// # Errors
    ///
    /// When there is no connection to be had within [`ConnectOptions::acquire_timeout`], or on SQLite no turn to write while
    /// the driver waits for one.
    pub async fn begin_write(&self) -> Result<WriteTransaction, StoreError> {
        self.is_in_place()?;
        Ok(self.begin().await?)
    }

    /// Looks whether the file that was opened is still the one that its name leads to.
    fn is_in_place(&self) -> Result<(), StoreError> {
        self.place.as_ref().map_or(Ok(()), Place::check).map_err(StoreError::unavailable)
    }

    /// Begins a transaction that will write. On SQLite it is the writer from the start, so it cannot find out half-way
    /// that somebody else is.
    pub(crate) async fn begin(&self) -> Result<WriteTransaction, Trouble> {
        let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode, ..TransactionOptions::default() };
        Ok(WriteTransaction::new(self.statements.begin(options).await?))
    }

    /// Ends a transaction: commits what went well, and rolls everything back when it did not. The locks are gone when
    /// this returns, so a repetition does not wait for them.
    pub(crate) async fn end<T>(
        &self,
        transaction: WriteTransaction,
        outcome: Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        match outcome {
            Ok(value) => transaction.commit().await.map(|()| value).map_err(Trouble::from),
            Err(trouble) => {
                // A rollback that fails has lost its connection, and the server then rolls back by itself.
                drop(transaction.rollback().await);
                Err(trouble)
            }
        }
    }

    pub(crate) fn writability(&self) -> &Writability {
        &self.writability
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("kind", &self.kind).field("pool", &self.pool_stats()).finish_non_exhaustive()
    }
}
