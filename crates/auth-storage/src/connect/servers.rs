//! Pools of connections to a database server, PostgreSQL or MySQL. The server and this process both bound every wait.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use sea_orm::sqlx::pool::PoolOptions;
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Connection, Executor, Pool};
use tokio::time::{sleep, timeout};

use super::ConnectOptions;
use super::error::ConnectError;
use super::pool_health::PoolHealth;
use super::primary::{self, NotPrimary, PrimaryCheck};
use super::relay::HELD_FOR;
use super::transaction::GALERA_RESET;

mod hosts;

pub(super) use hosts::Hosts;

const DEFAULT_CONNECTIONS: u32 = 10;

/// Maximum age of a connection. After it the address is looked up again, so a server that has moved is followed even while the old
/// one goes on answering.
const MAX_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Idle time after which a connection is checked before it is used again: that it answers, and that its server is still the primary.
/// Together with the time for which look-ups pass a connection on, the last check is at most a second old.
const DOUBTFUL_AFTER: Duration = Duration::from_secs(1).saturating_sub(HELD_FOR);

/// Maximum duration of that check, and of the one when a connection returns to the pool.
const CHECK_TIMEOUT: Duration = Duration::from_millis(500);

/// Pause between two attempts to replace a connection whose server does not answer.
const RECONNECT_PAUSE: Duration = Duration::from_millis(250);

/// Bounds work that connects, and returns its error as that of opening a database.
pub(super) async fn bounded_connect<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, ConnectError> {
    match timeout(limit, work).await {
        Ok(outcome) => outcome.map_err(|error| match (not_primary(&error), error) {
            (Some(reason), _) => ConnectError::NotPrimary(reason),
            (None, sqlx::Error::PoolTimedOut) => ConnectError::TimedOut(limit),
            (None, error) => ConnectError::Unreachable(error),
        }),
        Err(_) => Err(ConnectError::TimedOut(limit)),
    }
}

/// Returns the part of `limit` that each of several servers may take.
pub(super) fn share(limit: Duration, servers: usize) -> Duration {
    limit / u32::try_from(servers).unwrap_or(u32::MAX).max(1)
}

/// The reason why [`Connector::set_up`] refused a server, if that is the error.
fn not_primary(error: &sqlx::Error) -> Option<NotPrimary> {
    match error {
        sqlx::Error::Configuration(error) => error.downcast_ref().copied(),
        _ => None,
    }
}

/// A connection to a server.
pub(super) trait ServerConnection:
    Connection<Database: sqlx::Database<Connection = Self>> + Sized + 'static
{
    /// Returns the integer in the first column of a row.
    fn number(row: &<Self::Database as sqlx::Database>::Row) -> Result<i64, sqlx::Error>;

    /// Returns true when the error says that the server has no variable of that name.
    fn is_unknown_variable(error: &sqlx::Error) -> bool;

    /// Returns true when the next answer will belong to the next statement, even if the driver was dropped in the middle of one.
    fn is_in_sync(&mut self) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;
}

/// Everything that is needed to make a connection.
pub(super) struct Connector<C: Connection> {
    pub(super) hosts: Hosts<C::Options>,
    /// Maximum time to connect.
    pub(super) limit: Duration,
    /// Statements that set up a session.
    pub(super) session: Vec<String>,
    /// Statements that set variables which not every server has.
    pub(super) session_if_known: Vec<String>,
    pub(super) primary_check: PrimaryCheck,
}

impl<C> Connector<C>
where
    C: ServerConnection,
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
{
    /// Connects to the first primary among the servers, from the current one on.
    pub(super) async fn connect(&self) -> Result<C, sqlx::Error> {
        let each = share(self.limit, self.hosts.count());
        let mut failure = sqlx::Error::PoolTimedOut;
        for (index, server) in self.hosts.iter_from_current() {
            match bounded(each, Box::pin(self.connect_to(server))).await {
                Ok(connection) => {
                    self.hosts.remember(index);
                    return Ok(connection);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn connect_to(&self, server: &C::Options) -> Result<C, sqlx::Error> {
        let mut connection = server.connect().await?;
        self.set_up(&mut connection).await?;
        Ok(connection)
    }

    /// Sets up a session, and refuses a server that is not the primary.
    async fn set_up(&self, connection: &mut C) -> Result<(), sqlx::Error> {
        for statement in &self.session {
            connection.execute(AssertSqlSafe(statement.clone())).await?;
        }
        for statement in &self.session_if_known {
            match connection.execute(AssertSqlSafe(statement.clone())).await {
                Err(error) if C::is_unknown_variable(&error) => {}
                outcome => {
                    outcome?;
                }
            }
        }
        let row = connection.fetch_one(AssertSqlSafe(self.primary_check.query())).await?;
        primary::check(C::number(&row)?).map_err(|reason| sqlx::Error::Configuration(Box::new(reason)))
    }

    /// Replaces a connection that does not answer, or whose server is not the primary. The name of the server is looked up again,
    /// so a server that has moved is followed.
    ///
    /// The pool would close the old connection, and closing one with TLS waits for the server: if that is silent, a slot of the
    /// pool is lost for ever. Here the old connection is dropped.
    async fn replace(&self, connection: &mut C) -> Result<(), sqlx::Error> {
        *connection = self.connect().await?;
        Ok(())
    }

    /// Returns true when the connection is in no transaction. Inside one, its end would undo the writes of the next user. The
    /// statement fails when the server is not the primary.
    ///
    /// The driver reads the server's report of the transaction state in `begin_with` only, which fails when the statement has
    /// *not* begun a transaction.
    async fn is_clean(&self, connection: &mut C) -> Result<bool, sqlx::Error> {
        match connection.begin_with(AssertSqlSafe(self.primary_check.assertion())).await {
            Err(sqlx::Error::BeginFailed) => Ok(true),
            Ok(_) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns true when the connection may serve another caller. It ends in time also when the server is silent.
    async fn is_usable(&self, connection: &mut C) -> bool {
        let look = async {
            if self.primary_check.is_galera() {
                connection.execute(AssertSqlSafe(GALERA_RESET)).await?;
            }
            Ok(self.is_clean(connection).await? && connection.is_in_sync().await?)
        };
        bounded(CHECK_TIMEOUT, catching_panics(look)).await.is_ok_and(|usable| usable)
    }
}

/// Returns the maximum number of connections to a server.
pub(super) fn connections(options: &ConnectOptions) -> u32 {
    options.max_connections.unwrap_or(DEFAULT_CONNECTIONS).max(1)
}

/// Makes a pool whose connections are made and checked by `connector`.
pub(super) fn pool<DB, C>(connector: Connector<C>, options: &ConnectOptions, health: &Arc<PoolHealth>) -> Pool<DB>
where
    DB: sqlx::Database<Connection = C>,
    C: ServerConnection<Database = DB>,
    for<'c> &'c mut C: Executor<'c, Database = DB>,
{
    let server = connector.hosts.current().clone();
    let (on_connect, limit) = (Arc::new(connector), options.acquire_timeout);
    let (on_acquire, on_release) = (Arc::clone(&on_connect), Arc::clone(&on_connect));
    // Weak, because the end of the health ends the tasks of the pool.
    let health = Arc::downgrade(health);
    let (following, followed) = (Arc::clone(&on_connect), Weak::clone(&health));
    let (noting_connect, noting_acquire) = (Weak::clone(&health), Weak::clone(&health));
    let pool = PoolOptions::new()
        .max_connections(connections(options))
        .acquire_timeout(options.acquire_timeout)
        .max_lifetime(MAX_LIFETIME)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let (connector, health) = (Arc::clone(&on_connect), Weak::clone(&noting_connect));
            Box::pin(async move { noting(&health, connector.set_up(connection).await) })
        })
        .before_acquire(move |connection: &mut C, meta| {
            let (connector, health) = (Arc::clone(&on_acquire), Weak::clone(&noting_acquire));
            Box::pin(async move {
                if meta.idle_for >= DOUBTFUL_AFTER && !connector.is_usable(connection).await {
                    noting(&health, connector.replace(connection).await)?;
                }
                Ok(true)
            })
        })
        .after_release(move |connection, _| {
            let (connector, health) = (Arc::clone(&on_release), Weak::clone(&health));
            Box::pin(async move {
                let trusted = health.upgrade().is_some_and(|health| !health.is_suspect());
                if trusted && connector.is_usable(connection).await {
                    return Ok(true);
                }
                // Until the server is back, or every handle of the database is dropped.
                while health.strong_count() > 0 {
                    if noting(&health, bounded(limit, connector.replace(connection)).await).is_ok() {
                        return Ok(true);
                    }
                    sleep(RECONNECT_PAUSE).await;
                }
                Ok(false)
            })
        })
        .connect_lazy_with(server);
    if following.hosts.count() > 1 {
        tokio::spawn(follow(pool.clone(), following, followed));
    }
    pool
}

/// Keeps the pool informed about which server is the primary. The pool itself connects to one server only, even when that is gone.
async fn follow<DB, C>(pool: Pool<DB>, connector: Arc<Connector<C>>, health: Weak<PoolHealth>)
where
    DB: sqlx::Database<Connection = C>,
    C: ServerConnection<Database = DB>,
    for<'c> &'c mut C: Executor<'c, Database = DB>,
{
    while let Some(owned) = health.upgrade() {
        let has_failed = timeout(RECONNECT_PAUSE, owned.failure()).await.is_ok();
        drop(owned);
        if has_failed {
            // It remembers the primary that it finds. A failure is known to the call that wanted a connection.
            drop(connector.connect().await);
        }
        pool.set_connect_options(connector.hosts.current().clone());
    }
}

/// Records why a server was refused, for the calls that get no connection meanwhile.
fn noting<T>(health: &Weak<PoolHealth>, outcome: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
    if let Some(health) = health.upgrade() {
        health.note_refusal(outcome.as_ref().err().and_then(not_primary));
        if outcome.is_err() {
            health.note_failure();
        }
    }
    outcome
}

async fn bounded<T>(limit: Duration, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(limit, work).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Turns a panic of the driver into an error. The connection must not be used after it.
async fn catching_panics<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let mut work = pin!(work);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        polled.unwrap_or(Poll::Ready(Err(sqlx::Error::WorkerCrashed)))
    })
    .await
}
