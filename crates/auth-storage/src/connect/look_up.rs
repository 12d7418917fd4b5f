//! Look-ups: reads of at most one row by a unique key, which requests make more often than anything else.
//!
//! Their SQL is built once. It has no `LIMIT`: a unique key needs none, and SQLite plans a statement anew whenever a value is bound
//! to a variable of its `LIMIT`.

use std::sync::Arc;

use sea_orm::sqlx::{
    self, AssertSqlSafe, Database as Driver, Encode, Executor, IntoArguments, MySql, Postgres, Sqlite, Type,
};
use sea_orm::{ConnAcquireErr, ConnectionTrait as _, DbErr, QueryResult, RuntimeErr, Statement, Value};
use uuid::Uuid;

use super::call::Distrust;
use super::pooler::Statements;
use super::relay::Relay;
use super::{Database, DatabaseKind};

/// The SQL of a look-up, with a placeholder for the key.
#[derive(Debug, Clone)]
pub(crate) struct LookUp(Arc<str>);

impl LookUp {
    /// A look-up by this statement, whose values are replaced by the key of each call. It must be a `SELECT`.
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

impl From<Key> for Value {
    fn from(key: Key) -> Self {
        match key {
            Key::Id(id) => id.into(),
            Key::Text(text) => text.into(),
        }
    }
}

impl Database {
    /// Returns the row with this key, if there is one.
    pub(crate) async fn look_up(
        &self,
        look_up: &LookUp,
        key: Key,
    ) -> Result<Option<QueryResult>, auth_core::StoreError> {
        let (reads, sql) = (self.look_ups.clone(), Arc::clone(&look_up.0));
        self.read(async move { Ok(reads.run(sql, key).await?) }).await
    }
}

/// What runs look-ups.
#[derive(Clone)]
pub(super) enum LookUps {
    Sqlite(Arc<Relay<Sqlite>>),
    Postgres(Arc<Relay<Postgres>>),
    MySql(Arc<Relay<MySql>>),
    /// Behind a connection pooler each statement runs in a transaction of its own.
    Pooled(Statements),
}

impl LookUps {
    pub(super) fn new(kind: DatabaseKind, statements: &Statements, distrust: &Arc<Distrust>) -> Self {
        let (pool, distrust) = (statements.pool(), Arc::clone(distrust));
        match kind {
            _ if statements.are_pooled() => Self::Pooled(statements.clone()),
            DatabaseKind::Sqlite => Self::Sqlite(relay(pool.get_sqlite_connection_pool(), distrust)),
            DatabaseKind::Postgres => Self::Postgres(relay(pool.get_postgres_connection_pool(), distrust)),
            DatabaseKind::MySql => Self::MySql(relay(pool.get_mysql_connection_pool(), distrust)),
        }
    }

    /// The number of connections that are idle, although the pool counts them as used.
    pub(super) fn parked(&self) -> usize {
        match self {
            Self::Sqlite(relay) => relay.parked(),
            Self::Postgres(relay) => relay.parked(),
            Self::MySql(relay) => relay.parked(),
            Self::Pooled(_) => 0,
        }
    }

    async fn run(self, sql: Arc<str>, key: Key) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::Sqlite(relay) => run_on(&relay, sql, key).await,
            Self::Postgres(relay) => run_on(&relay, sql, key).await,
            Self::MySql(relay) => run_on(&relay, sql, key).await,
            Self::Pooled(statements) => {
                let backend = statements.get_database_backend();
                let statement = Statement::from_sql_and_values(backend, sql.as_ref(), [key.into()]);
                statements.query_one_raw(statement).await
            }
        }
    }
}

fn relay<DB: Driver>(pool: &sqlx::Pool<DB>, distrust: Arc<Distrust>) -> Arc<Relay<DB>> {
    Arc::new(Relay::new(pool.clone(), distrust))
}

async fn run_on<DB>(relay: &Arc<Relay<DB>>, sql: Arc<str>, key: Key) -> Result<Option<QueryResult>, DbErr>
where
    DB: Driver,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'q> Uuid: Encode<'q, DB> + Type<DB>,
    for<'q> String: Encode<'q, DB> + Type<DB>,
    QueryResult: From<DB::Row>,
{
    let mut lent = relay.acquire().await.map_err(not_acquired)?;
    let query = sqlx::query::<DB>(AssertSqlSafe(sql));
    let query = match key {
        Key::Id(id) => query.bind(id),
        Key::Text(text) => query.bind(text),
    };
    let row = query.fetch_optional(lent.connection()).await;
    // A connection on which a statement failed is checked by the pool.
    let row = row.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))?;
    relay.pass_on(lent);
    Ok(row.map(QueryResult::from))
}

/// The error with which SeaORM says that there is no connection.
fn not_acquired(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        error => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
    }
}
