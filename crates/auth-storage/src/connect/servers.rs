//! PostgreSQL and MySQL: everything is bounded in time, by them and by us.

use std::time::Duration;

use sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPoolOptions};
use sea_orm::sqlx::pool::PoolOptions;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Connection, Executor as _};
use sea_orm::{DatabaseConnection, SqlxMySqlConnector, SqlxPostgresConnector};
use tokio::time::timeout;

use super::call::Distrust;
use super::{ConnectError, ConnectOptions};

const DEFAULT_CONNECTIONS: u32 = 10;

/// A connection that nobody used for so long is asked for a sign of life before it is used again.
const DOUBTFUL_AFTER: Duration = Duration::from_secs(1);

/// How long a connection may take for that sign, or to get ready for the next user.
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);

pub(super) async fn open_postgres(
    url: &str,
    options: &ConnectOptions,
    distrust: &Distrust,
) -> Result<DatabaseConnection, ConnectError> {
    let server: PgConnectOptions = url.parse().map_err(|_| INVALID)?;
    let server = server.disable_statement_logging();
    probe(&server, options.acquire_timeout).await?;
    let millis = options.call_timeout.as_millis();
    // Commits are durable even where the server's default is that they are not; a stricter setting of its own stays.
    let session = format!(
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE; \
         SET statement_timeout = {millis}; SET lock_timeout = {millis}; \
         SET idle_in_transaction_session_timeout = {}; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        2 * millis
    );
    let pool: PgPoolOptions = pool_options(options, distrust).after_connect(move |connection: &mut PgConnection, _| {
        let session = session.clone();
        Box::pin(async move { connection.execute(AssertSqlSafe(session)).await.map(drop) })
    });
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool.connect_lazy_with(server)))
}

pub(super) async fn open_mysql(
    url: &str,
    options: &ConnectOptions,
    distrust: &Distrust,
) -> Result<DatabaseConnection, ConnectError> {
    let server: MySqlConnectOptions = url.parse().map_err(|_| INVALID)?;
    let server = server.timezone(Some("+00:00".to_owned())).disable_statement_logging();
    probe(&server, options.acquire_timeout).await?;
    let seconds = options.call_timeout.as_secs().max(1);
    // Strict: what does not fit is an error and is never cut off.
    let session = format!(
        "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO'), \
         SESSION innodb_lock_wait_timeout = {seconds}, SESSION lock_wait_timeout = {seconds}"
    );
    let pool: MySqlPoolOptions =
        pool_options(options, distrust).after_connect(move |connection: &mut MySqlConnection, _| {
            let session = session.clone();
            Box::pin(async move {
                connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
                connection.execute(AssertSqlSafe(session)).await.map(drop)
            })
        });
    Ok(SqlxMySqlConnector::from_sqlx_mysql_pool(pool.connect_lazy_with(server)))
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

fn pool_options<DB: sqlx::Database>(options: &ConnectOptions, distrust: &Distrust) -> PoolOptions<DB> {
    let distrust = distrust.clone();
    PoolOptions::new()
        .max_connections(options.max_connections.unwrap_or(DEFAULT_CONNECTIONS).max(1))
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection: &mut DB::Connection, meta| {
            Box::pin(async move {
                if meta.idle_for < DOUBTFUL_AFTER {
                    return Ok(true);
                }
                bounded(connection.ping()).await.map(|()| true)
            })
        })
        .after_release(move |connection, _| {
            let trusted = !distrust.holds();
            Box::pin(async move { Ok(trusted && bounded(is_clean(connection)).await?) })
        })
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

async fn bounded<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(SIGN_OF_LIFE, work).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}
