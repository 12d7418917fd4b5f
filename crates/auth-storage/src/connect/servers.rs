//! PostgreSQL and MySQL: everything is bounded in time, by them and by us.

use std::sync::{Arc, Weak};
use std::time::Duration;

use sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlPool};
use sea_orm::sqlx::pool::PoolOptions;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPool};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Connection, Executor, Pool};
use sea_orm::{DatabaseConnection, SqlxMySqlConnector, SqlxPostgresConnector};
use tokio::time::{sleep, timeout};

use super::call::Distrust;
use super::{ConnectError, ConnectOptions};

const DEFAULT_CONNECTIONS: u32 = 10;

/// A connection that nobody used for so long is asked for a sign of life before it is used again.
const DOUBTFUL_AFTER: Duration = Duration::from_secs(1);

/// How long a connection may take for that sign, or to get ready for the next user.
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);

/// Between two attempts to replace a connection whose server does not answer.
const RECONNECT_PAUSE: Duration = Duration::from_millis(250);

/// On a Galera cluster every statement first waits until this node has applied what the cluster had committed when the statement
/// was sent: reads and `BEGIN` (1), `UPDATE` and `DELETE` (2), `INSERT` (4). Otherwise a node whose applier is behind would
/// accept tokens for seconds after their logout, and update rows that are not what the cluster has.
const CAUSAL_ON_GALERA: &str = "SET SESSION wsrep_sync_wait = 7";

/// The server has no variable of this name (MySQL and MariaDB).
const UNKNOWN_VARIABLE: u16 = 1193;

pub(super) async fn open_postgres(
    url: &str,
    options: &ConnectOptions,
    distrust: &Arc<Distrust>,
) -> Result<DatabaseConnection, ConnectError> {
    let server: PgConnectOptions = url.parse().map_err(|_| INVALID)?;
    let server = server.disable_statement_logging();
    probe(&server, options.acquire_timeout).await?;
    let millis = options.call_timeout.as_millis();
    let session = vec![
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE".to_owned(),
        format!("SET statement_timeout = {millis}"),
        format!("SET lock_timeout = {millis}"),
        format!("SET idle_in_transaction_session_timeout = {}", 2 * millis),
        // Commits are durable even where the server's default is that they are not; a stricter default stays.
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
            .to_owned(),
    ];
    let pool: PgPool = pool(Recipe { server, session, session_if_known: Vec::new() }, options, distrust);
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

pub(super) async fn open_mysql(
    url: &str,
    options: &ConnectOptions,
    distrust: &Arc<Distrust>,
) -> Result<DatabaseConnection, ConnectError> {
    let server: MySqlConnectOptions = url.parse().map_err(|_| INVALID)?;
    let server = server.timezone(Some("+00:00".to_owned())).disable_statement_logging();
    probe(&server, options.acquire_timeout).await?;
    let seconds = options.call_timeout.as_secs().max(1);
    let session = vec![
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE".to_owned(),
        // Strict: what does not fit is an error and is never cut off.
        "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO')".to_owned(),
        format!("SET SESSION innodb_lock_wait_timeout = {seconds}, SESSION lock_wait_timeout = {seconds}"),
    ];
    let session_if_known = vec![CAUSAL_ON_GALERA.to_owned()];
    let pool: MySqlPool = pool(Recipe { server, session, session_if_known }, options, distrust);
    Ok(SqlxMySqlConnector::from_sqlx_mysql_pool(pool))
}

/// The driver's own words are dropped: they may repeat a part of the URL.
const INVALID: ConnectError = ConnectError::InvalidUrl("it is no URL, or an option has no such value");

/// Connects once. The pool would go on trying until its time is up, and then not know why it failed.
async fn probe<O>(server: &O, limit: Duration) -> Result<(), ConnectError>
where
    O: sqlx::ConnectOptions,
    O::Connection: Sized,
{
    let connect = async {
        let connection = server.connect().await?;
        connection.close().await
    };
    match timeout(limit, connect).await {
        Ok(outcome) => outcome.map_err(ConnectError::Unreachable),
        Err(_) => Err(ConnectError::TimedOut(limit)),
    }
}

/// How a connection is made.
struct Recipe<C: Connection> {
    server: C::Options,
    session: Vec<String>,
    /// Statements that set variables which not every server has.
    session_if_known: Vec<String>,
}

impl<C> Recipe<C>
where
    C: Connection,
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
{
    async fn set_up(&self, connection: &mut C) -> Result<(), sqlx::Error> {
        for statement in &self.session {
            connection.execute(AssertSqlSafe(statement.clone())).await?;
        }
        for statement in &self.session_if_known {
            match connection.execute(AssertSqlSafe(statement.clone())).await {
                Err(sqlx::Error::Database(error))
                    if error
                        .try_downcast_ref::<MySqlDatabaseError>()
                        .is_some_and(|error| error.number() == UNKNOWN_VARIABLE) => {}
                outcome => drop(outcome?),
            }
        }
        Ok(())
    }

    /// Puts a new connection into the place of one that does not answer.
    ///
    /// The pool would close the old one, and closing says goodbye and waits for the server: on a connection with TLS
    /// whose server is silent that never ends, and a slot of the pool is lost with it. Here the old one is dropped.
    async fn replace(&self, connection: &mut C) -> Result<(), sqlx::Error> {
        let mut fresh = self.server.connect().await?;
        self.set_up(&mut fresh).await?;
        *connection = fresh;
        Ok(())
    }
}

fn pool<DB, C>(recipe: Recipe<C>, options: &ConnectOptions, distrust: &Arc<Distrust>) -> Pool<DB>
where
    DB: sqlx::Database<Connection = C>,
    C: Connection<Database = DB> + 'static,
    for<'c> &'c mut C: Executor<'c, Database = DB>,
{
    let server = recipe.server.clone();
    let (on_connect, limit) = (Arc::new(recipe), options.acquire_timeout);
    let (on_acquire, on_release) = (Arc::clone(&on_connect), Arc::clone(&on_connect));
    // The pool's own task must not keep alive what tells it that nobody needs the pool any more.
    let distrust = Arc::downgrade(distrust);
    PoolOptions::new()
        .max_connections(options.max_connections.unwrap_or(DEFAULT_CONNECTIONS).max(1))
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let recipe = Arc::clone(&on_connect);
            Box::pin(async move { recipe.set_up(connection).await })
        })
        .before_acquire(move |connection: &mut C, meta| {
            let recipe = Arc::clone(&on_acquire);
            Box::pin(async move {
                if meta.idle_for >= DOUBTFUL_AFTER && bounded(SIGN_OF_LIFE, connection.ping()).await.is_err() {
                    recipe.replace(connection).await?;
                }
                Ok(true)
            })
        })
        .after_release(move |connection, _| {
            let (recipe, distrust) = (Arc::clone(&on_release), Weak::clone(&distrust));
            Box::pin(async move {
                let trusted = || distrust.upgrade().is_some_and(|distrust| !distrust.holds());
                if trusted() && bounded(SIGN_OF_LIFE, is_clean(connection)).await.is_ok_and(|clean| clean) {
                    return Ok(true);
                }
                // Until the server is back, or nobody waits for it any more.
                while distrust.strong_count() > 0 {
                    if bounded(limit, recipe.replace(connection)).await.is_ok() {
                        return Ok(true);
                    }
                    sleep(RECONNECT_PAUSE).await;
                }
                Ok(false)
            })
        })
        .connect_lazy_with(server)
}

/// Whether a connection may serve somebody else: not when it is inside a transaction, whose end would undo what the next
/// user wrote.
///
/// The driver's own check of what the server says about the session is behind `begin_with`, which fails when the statement
/// has *not* begun a transaction. On a connection whose server is silent this ends in time, so a slot of the pool is
/// never lost to it.
async fn is_clean<C: Connection>(connection: &mut C) -> Result<bool, sqlx::Error> {
    match connection.begin_with("SELECT 1").await {
        Err(sqlx::Error::BeginFailed) => Ok(true),
        Ok(_) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn bounded<T>(limit: Duration, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(limit, work).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}
