//! Look-ups: reads of at most one row by a unique key, the most frequent calls.
//!
//! Their SQL is built once. It has no `LIMIT`: a unique key needs none, and SQLite plans a statement anew whenever a value is bound
//! to a parameter of its `LIMIT`.

use std::sync::Arc;

#[cfg(feature = "mysql")]
use sea_orm::sqlx::MySql;
#[cfg(feature = "postgres")]
use sea_orm::sqlx::Postgres;
#[cfg(feature = "sqlite")]
use sea_orm::sqlx::Sqlite;
use sea_orm::sqlx::{self, AssertSqlSafe, Database as Driver, Encode, Executor, IntoArguments, Pool, Type};
use sea_orm::{ConnAcquireErr, DbErr, QueryResult, RuntimeErr, Statement};
#[cfg(feature = "postgres")]
use sea_orm::{ConnectionTrait as _, Value};
use uuid::Uuid;

use super::pool_health::PoolHealth;
use super::pool_stats::PoolStats;
use super::relay::Relay;
#[cfg(feature = "postgres")]
use super::statements::Statements;

/// The SQL of a look-up, with a placeholder for the key.
#[derive(Debug, Clone)]
pub(crate) struct LookUp(Arc<str>);

impl LookUp {
    /// The look-up by this `SELECT`, which has one value. The key of each call takes the place of that value.
    pub(crate) fn new(statement: Statement) -> Self {
        Self(statement.sql.into())
    }
}

/// The key of a look-up.
#[derive(Debug, Clone)]
pub(crate) enum Key {
    Id(Uuid),
    Text(String),
}

#[cfg(feature = "postgres")]
impl From<Key> for Value {
    fn from(key: Key) -> Self {
        match key {
            Key::Id(id) => id.into(),
            Key::Text(text) => text.into(),
        }
    }
}

/// The executor of look-ups in one database.
#[derive(Clone)]
pub(super) enum LookUps {
    #[cfg(feature = "sqlite")]
    Sqlite(Arc<Relay<Sqlite>>),
    #[cfg(feature = "postgres")]
    Postgres(Arc<Relay<Postgres>>),
    #[cfg(feature = "mysql")]
    MySql(Arc<Relay<MySql>>),
    /// Behind a connection pooler each statement runs in a transaction of its own.
    #[cfg(feature = "postgres")]
    Pooled(Statements),
}

impl LookUps {
    #[cfg(feature = "sqlite")]
    pub(super) fn sqlite(pool: Pool<Sqlite>, health: Arc<PoolHealth>) -> Self {
        Self::Sqlite(Arc::new(Relay::new(pool, health)))
    }

    #[cfg(feature = "postgres")]
    pub(super) fn postgres(pool: Pool<Postgres>, health: Arc<PoolHealth>) -> Self {
        Self::Postgres(Arc::new(Relay::new(pool, health)))
    }

    #[cfg(feature = "mysql")]
    pub(super) fn mysql(pool: Pool<MySql>, health: Arc<PoolHealth>) -> Self {
        Self::MySql(Arc::new(Relay::new(pool, health)))
    }

    /// The numbers of connections in the pool.
    pub(super) fn pool_stats(&self) -> PoolStats {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(relay) => relay.stats(),
            #[cfg(feature = "postgres")]
            Self::Postgres(relay) => relay.stats(),
            #[cfg(feature = "mysql")]
            Self::MySql(relay) => relay.stats(),
            #[cfg(feature = "postgres")]
            Self::Pooled(statements) => PoolStats::of(statements.pool().get_postgres_connection_pool(), 0),
        }
    }

    pub(super) async fn run(self, look_up: &LookUp, key: Key) -> Result<Option<QueryResult>, DbErr> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(relay) => run_on(&relay, look_up, key).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(relay) => run_on(&relay, look_up, key).await,
            #[cfg(feature = "mysql")]
            Self::MySql(relay) => run_on(&relay, look_up, key).await,
            #[cfg(feature = "postgres")]
            Self::Pooled(statements) => {
                let backend = statements.get_database_backend();
                let statement = Statement::from_sql_and_values(backend, look_up.0.as_ref(), [key.into()]);
                statements.query_one_raw(statement).await
            }
        }
    }
}

async fn run_on<DB>(relay: &Arc<Relay<DB>>, look_up: &LookUp, key: Key) -> Result<Option<QueryResult>, DbErr>
where
    DB: Driver,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'q> Uuid: Encode<'q, DB> + Type<DB>,
    for<'q> String: Encode<'q, DB> + Type<DB>,
    QueryResult: From<DB::Row>,
{
    let mut lent = relay.acquire().await.map_err(not_acquired)?;
    let query = sqlx::query::<DB>(AssertSqlSafe(Arc::clone(&look_up.0)));
    let query = match key {
        Key::Id(id) => query.bind(id),
        Key::Text(text) => query.bind(text),
    };
    let row = query.fetch_optional(lent.connection()).await;
    // The pool checks a connection on which a statement failed.
    let row = row.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))?;
    relay.pass_on(lent);
    Ok(row.map(QueryResult::from))
}

/// The error with which SeaORM reports that there is no connection.
fn not_acquired(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        error => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
    }
}
