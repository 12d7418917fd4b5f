//! PostgreSQL and MySQL: everything is bounded in time, by them and by us.

use std::sync::{Arc, Weak};
use std::time::Duration;

use sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlPool, MySqlRow};
use sea_orm::sqlx::pool::PoolOptions;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgRow};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Connection, Executor, Pool, Row as _};
use sea_orm::{DatabaseConnection, SqlxMySqlConnector, SqlxPostgresConnector};
use tokio::time::{sleep, timeout};

use super::call::Distrust;
use super::encoding;
use super::hosts::Hosts;
use super::relay::HELD_FOR;
use super::session::{self, Scope};
use super::standing::{self, NotPrimary, Standing};
use super::url::{MySqlUrl, PostgresUrl};
use super::{ConnectError, ConnectOptions};
use super::{in_step, pooler};

const DEFAULT_CONNECTIONS: u32 = 10;

/// A connection is replaced at this age, so that an address which has moved is followed also where the old server goes on
/// to answer.
const MAX_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// A connection that nobody used for so long is asked for a sign of life, and whether its server is still the primary, before it is
/// used again. With the time for which reads pass a connection on, the last answer is at most a second old.
const DOUBTFUL_AFTER: Duration = Duration::from_secs(1).saturating_sub(HELD_FOR);

/// How long a connection may take for that sign, or to get ready for the next user.
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);

/// Between two attempts to replace a connection whose server does not answer.
const RECONNECT_PAUSE: Duration = Duration::from_millis(250);

/// A pool of connections to a server, and how the server is asked whether it may be read from.
pub(super) struct Opened {
    pub(super) connection: DatabaseConnection,
    pub(super) standing: Standing,
    /// Behind a connection pooler: what every transaction begins with.
    pub(super) prelude: Option<String>,
}

pub(super) async fn open_postgres(
    url: &PostgresUrl,
    options: &ConnectOptions,
    distrust: &Arc<Distrust>,
) -> Result<Opened, ConnectError> {
    // No number of ours is a float, and older versions of PgBouncer refuse the parameter.
    let ready = |server: PgConnectOptions| server.extra_float_digits(None).disable_statement_logging();
    let mut servers: Vec<PgConnectOptions> = url.options().into_iter().map(ready).collect();
    let limit = options.acquire_timeout;
    let standing = Standing::Postgres;
    let is_pooled = reachable(&servers, limit).await?;
    let prelude = is_pooled.then(|| pooler::prelude(options.call_timeout));
    let mut session = Vec::new();
    if is_pooled {
        servers = servers.into_iter().map(|server| server.statement_cache_capacity(0)).collect();
    } else {
        session.push(session::postgres(options.call_timeout, Scope::Session));
    }
    let recipe: Recipe<PgConnection> =
        Recipe { hosts: Hosts::new(servers), limit, session, session_if_known: Vec::new(), standing };
    // The pool would go on trying until its time is up, and then not know why it failed.
    let mut probed = bounded_connect(limit, recipe.connect()).await?;
    if let Some(prelude) = &prelude {
        let tried = timeout(limit, pooler::try_transaction(&mut probed, prelude)).await;
        tried.map_err(|_| ConnectError::TimedOut(limit))?.map_err(ConnectError::Pooler)?;
    }
    bounded_connect(limit, probed.close()).await?;
    encoding::check_postgres(recipe.hosts.current(), limit).await?;
    let pool: PgPool = pool(recipe, options, distrust);
    Ok(Opened { connection: SqlxPostgresConnector::from_sqlx_postgres_pool(pool), standing, prelude })
}

pub(super) async fn open_mysql(
    url: &MySqlUrl,
    options: &ConnectOptions,
    distrust: &Arc<Distrust>,
) -> Result<Opened, ConnectError> {
    // Our own session settings set the whole mode.
    let server = url.options().pipes_as_concat(false).no_engine_substitution(false).disable_statement_logging();
    let session = session::mysql(options.call_timeout).to_vec();
    let session_if_known = session::mysql_if_known(options.call_timeout);
    let (hosts, limit) = (Hosts::new(vec![server]), options.acquire_timeout);
    let mut recipe: Recipe<MySqlConnection> =
        Recipe { hosts, limit, session, session_if_known, standing: Standing::MySql };
    recipe.standing = bounded_connect(limit, galera(recipe.hosts.current())).await?;
    // The pool would go on trying until its time is up, and then not know why it failed.
    bounded_connect(limit, async { recipe.connect().await?.close().await }).await?;
    let standing = recipe.standing;
    let pool: MySqlPool = pool(recipe, options, distrust);
    Ok(Opened { connection: SqlxMySqlConnector::from_sqlx_mysql_pool(pool), standing, prelude: None })
}

/// Whether a connection pooler is in front of the first server that answers, be it the primary or not.
async fn reachable(servers: &[PgConnectOptions], limit: Duration) -> Result<bool, ConnectError> {
    let each = share(limit, servers.len());
    let mut failure = ConnectError::TimedOut(limit);
    for server in servers {
        match bounded_connect(each, pooler::is_between(server)).await {
            Ok(is_pooled) => return Ok(is_pooled),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// What one of several servers may take of the time that a connection may take.
fn share(limit: Duration, servers: usize) -> Duration {
    limit / u32::try_from(servers).unwrap_or(u32::MAX).max(1)
}

/// Looks whether the server is a node of a Galera cluster, and where it shows its state then.
async fn galera(server: &MySqlConnectOptions) -> Result<Standing, sqlx::Error> {
    let mut connection = server.connect().await?;
    let galera = connection.fetch_one("SELECT CAST(@@global.wsrep_on AS SIGNED)").await;
    let standing = match galera.and_then(|row| row.try_get::<i64, _>(0)) {
        Ok(0) => Standing::MySql,
        Ok(_) => {
            let shown = connection.fetch_one(AssertSqlSafe(Standing::MariaDbGalera.query())).await;
            if shown.is_ok() { Standing::MariaDbGalera } else { Standing::MySqlGalera }
        }
        Err(error) if is_unknown_variable(&error) => Standing::MySql,
        Err(error) => return Err(error),
    };
    connection.close().await?;
    Ok(standing)
}

async fn bounded_connect<T>(
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

/// The reason why [`Recipe::set_up`] refused a server, if that is the error.
fn not_primary(error: &sqlx::Error) -> Option<NotPrimary> {
    match error {
        sqlx::Error::Configuration(error) => error.downcast_ref().copied(),
        _ => None,
    }
}

/// Whether the server has no variable of this name (MySQL and MariaDB).
fn is_unknown_variable(error: &sqlx::Error) -> bool {
    const UNKNOWN_SYSTEM_VARIABLE: u16 = 1193;
    error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>())
        .is_some_and(|error| error.number() == UNKNOWN_SYSTEM_VARIABLE)
}

/// A connection whose server can be asked for a number.
trait Session: Connection<Database: sqlx::Database<Connection = Self>> + Sized + 'static {
    fn number(row: &<Self::Database as sqlx::Database>::Row) -> Result<i64, sqlx::Error>;

    /// Whether the next answer will be that to the next statement, also when the driver was dropped in the middle of one.
    fn is_in_step(&mut self) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;
}

impl Session for PgConnection {
    fn number(row: &PgRow) -> Result<i64, sqlx::Error> {
        row.try_get(0)
    }

    /// The driver counts the answers that are due.
    async fn is_in_step(&mut self) -> Result<bool, sqlx::Error> {
        Ok(true)
    }
}

impl Session for MySqlConnection {
    fn number(row: &MySqlRow) -> Result<i64, sqlx::Error> {
        row.try_get(0)
    }

    async fn is_in_step(&mut self) -> Result<bool, sqlx::Error> {
        in_step::look(self).await
    }
}

/// How a connection is made.
struct Recipe<C: Connection> {
    hosts: Hosts<C::Options>,
    /// How long a connection may take.
    limit: Duration,
    session: Vec<String>,
    /// Statements that set variables which not every server has.
    session_if_known: Vec<String>,
    standing: Standing,
}

impl<C> Recipe<C>
where
    C: Session,
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
{
    /// Connects to the primary: to the first server that may be used, from the current one on.
    async fn connect(&self) -> Result<C, sqlx::Error> {
        let each = share(self.limit, self.hosts.count());
        let mut failure = sqlx::Error::PoolTimedOut;
        for (place, server) in self.hosts.in_turn() {
            match bounded(each, Box::pin(self.connect_to(server))).await {
                Ok(connection) => {
                    self.hosts.remember(place);
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

    /// Sets what a session relies on, and refuses a server that must not be read from.
    async fn set_up(&self, connection: &mut C) -> Result<(), sqlx::Error> {
        for statement in &self.session {
            connection.execute(AssertSqlSafe(statement.clone())).await?;
        }
        for statement in &self.session_if_known {
            match connection.execute(AssertSqlSafe(statement.clone())).await {
                Err(error) if is_unknown_variable(&error) => {}
                outcome => {
                    outcome?;
                }
            }
        }
        let row = connection.fetch_one(AssertSqlSafe(self.standing.query())).await?;
        standing::check(C::number(&row)?).map_err(|reason| sqlx::Error::Configuration(Box::new(reason)))
    }

    /// Puts a new connection into the place of one that does not answer, or whose server must not be read from. The name
    /// of the server is looked up again, so that an address that has moved is followed.
    ///
    /// The pool would close the old one, and closing says goodbye and waits for the server: on a connection with TLS
    /// whose server is silent that never ends, and a slot of the pool is lost with it. Here the old one is dropped.
    async fn replace(&self, connection: &mut C) -> Result<(), sqlx::Error> {
        *connection = self.connect().await?;
        Ok(())
    }

    /// Whether a connection may serve somebody else: not when it is inside a transaction, whose end would undo what the
    /// next user wrote, and not when its server has stopped to be the primary.
    ///
    /// The driver's own check of what the server says about the session is behind `begin_with`, which fails when the statement
    /// has *not* begun a transaction. On a connection whose server is silent this ends in time, so a slot of the pool is
    /// never lost to it.
    async fn is_clean(&self, connection: &mut C) -> Result<bool, sqlx::Error> {
        match connection.begin_with(AssertSqlSafe(self.standing.assertion())).await {
            Err(sqlx::Error::BeginFailed) => Ok(true),
            Ok(_) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn is_usable(&self, connection: &mut C) -> bool {
        let look = async { Ok(self.is_clean(connection).await? && connection.is_in_step().await?) };
        bounded(SIGN_OF_LIFE, in_step::catching_panics(look)).await.is_ok_and(|usable| usable)
    }
}

fn pool<DB, C>(recipe: Recipe<C>, options: &ConnectOptions, distrust: &Arc<Distrust>) -> Pool<DB>
where
    DB: sqlx::Database<Connection = C>,
    C: Session<Database = DB>,
    for<'c> &'c mut C: Executor<'c, Database = DB>,
{
    let server = recipe.hosts.current().clone();
    let (on_connect, limit) = (Arc::new(recipe), options.acquire_timeout);
    let (on_acquire, on_release) = (Arc::clone(&on_connect), Arc::clone(&on_connect));
    // The pool's own task must not keep alive what tells it that nobody needs the pool any more.
    let distrust = Arc::downgrade(distrust);
    let (following, followed) = (Arc::clone(&on_connect), Weak::clone(&distrust));
    let (noting_connect, noting_acquire) = (Weak::clone(&distrust), Weak::clone(&distrust));
    let pool = PoolOptions::new()
        .max_connections(options.max_connections.unwrap_or(DEFAULT_CONNECTIONS).max(1))
        .acquire_timeout(options.acquire_timeout)
        .max_lifetime(MAX_LIFETIME)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let (recipe, distrust) = (Arc::clone(&on_connect), Weak::clone(&noting_connect));
            Box::pin(async move { noting(&distrust, recipe.set_up(connection).await) })
        })
        .before_acquire(move |connection: &mut C, meta| {
            let (recipe, distrust) = (Arc::clone(&on_acquire), Weak::clone(&noting_acquire));
            Box::pin(async move {
                if meta.idle_for >= DOUBTFUL_AFTER && !recipe.is_usable(connection).await {
                    noting(&distrust, recipe.replace(connection).await)?;
                }
                Ok(true)
            })
        })
        .after_release(move |connection, _| {
            let (recipe, distrust) = (Arc::clone(&on_release), Weak::clone(&distrust));
            Box::pin(async move {
                let trusted = distrust.upgrade().is_some_and(|distrust| !distrust.holds());
                if trusted && recipe.is_usable(connection).await {
                    return Ok(true);
                }
                // Until the server is back, or nobody waits for it any more.
                while distrust.strong_count() > 0 {
                    if noting(&distrust, bounded(limit, recipe.replace(connection)).await).is_ok() {
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

/// Tells the pool which server is the primary. The pool itself makes connections to one server only, and goes on with that
/// one also when it is gone.
async fn follow<DB, C>(pool: Pool<DB>, recipe: Arc<Recipe<C>>, distrust: Weak<Distrust>)
where
    DB: sqlx::Database<Connection = C>,
    C: Session<Database = DB>,
    for<'c> &'c mut C: Executor<'c, Database = DB>,
{
    while let Some(owned) = distrust.upgrade() {
        let is_in_trouble = timeout(RECONNECT_PAUSE, owned.trouble()).await.is_ok();
        drop(owned);
        if is_in_trouble {
            // For the sake of what it remembers. A failure is known to whoever asked for a connection.
            drop(recipe.connect().await);
        }
        pool.set_connect_options(recipe.hosts.current().clone());
    }
}

/// Keeps why a server was refused, for the callers who get no connection meanwhile.
fn noting<T>(distrust: &Weak<Distrust>, outcome: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
    if let Some(distrust) = distrust.upgrade() {
        distrust.note_refusal(outcome.as_ref().err().and_then(not_primary));
        if outcome.is_err() {
            distrust.note_trouble();
        }
    }
    outcome
}

async fn bounded<T>(limit: Duration, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(limit, work).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}
