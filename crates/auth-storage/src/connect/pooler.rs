//! PostgreSQL behind a connection pooler such as PgBouncer.
//!
//! A pooler in transaction mode runs each transaction in whichever session is free. Settings of a session and named prepared
//! statements do not survive that: the next statement may find a statement of the same name that another client prepared,
//! and execute it. So behind a pooler every statement runs in a transaction of its own, which first sets what it relies
//! on and removes the names that the driver gives to statements. The driver's cache of statements is off.
//!
//! The pooler is found out by a start-up parameter with a name of ours: a server takes it, a pooler refuses or drops it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement, TransactionOptions, TransactionTrait as _,
};

use super::session::{self, Scope};
use super::standing::NotPrimary;

/// The parameter that a server takes and a pooler does not pass on.
const MARK: (&str, &str) = ("revocable_auth.direct", "yes");

/// Removes the statements that this driver has prepared in the session, in whichever client.
const FORGET_STATEMENTS: &str = "DO $forget$ DECLARE prepared text; BEGIN \
     FOR prepared IN SELECT name FROM pg_prepared_statements WHERE left(name, 7) = 'sqlx_s_' LOOP \
     EXECUTE 'DEALLOCATE ' || quote_ident(prepared); END LOOP; END $forget$";

/// What every transaction behind a pooler begins with.
pub(super) fn prelude(call_timeout: Duration) -> String {
    // The first statement fails on a standby.
    format!(
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE, NOT DEFERRABLE; {}; {FORGET_STATEMENTS}",
        session::postgres(call_timeout, Scope::Transaction)
    )
}

/// Whether something between us and the server keeps start-up parameters from it.
pub(super) async fn is_between(server: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let mut marked = match server.clone().options([MARK]).connect().await {
        Ok(connection) => connection,
        Err(sqlx::Error::Database(_)) => {
            // A pooler that refuses the parameter. Anything else goes wrong again without it.
            server.connect().await?.close().await?;
            return Ok(true);
        }
        Err(error) => return Err(error),
    };
    let (name, value) = MARK;
    let row = marked.fetch_one(AssertSqlSafe(format!("SELECT current_setting('{name}', true)"))).await?;
    let taken: Option<String> = row.try_get(0)?;
    marked.close().await?;
    Ok(taken.as_deref() != Some(value))
}

/// Tries a transaction: a pooler in statement mode refuses it.
pub(super) async fn try_transaction(connection: &mut PgConnection, prelude: &str) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    transaction.execute(AssertSqlSafe(prelude.to_owned())).await?;
    transaction.rollback().await
}

/// Runs single statements, each on any connection of the pool and, behind a pooler, in a transaction of its own.
///
/// Stores of your own should run their statements on this rather than on
/// [`Database::connection`](super::Database::connection), which knows nothing of poolers.
#[derive(Debug, Clone)]
pub struct Statements {
    pool: DatabaseConnection,
    /// Behind a pooler: what every transaction begins with.
    prelude: Option<Arc<str>>,
}

impl Statements {
    pub(super) fn new(pool: DatabaseConnection, prelude: Option<Arc<str>>) -> Self {
        Self { pool, prelude }
    }

    /// Whether a connection pooler is in front of the server.
    pub(super) fn are_pooled(&self) -> bool {
        self.prelude.is_some()
    }

    pub(super) fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }

    pub(super) async fn begin(&self, options: TransactionOptions) -> Result<DatabaseTransaction, DbErr> {
        let transaction = self.pool.begin_with_options(options).await?;
        if let Some(prelude) = &self.prelude {
            transaction.execute_unprepared(prelude).await.map_err(explained)?;
        }
        Ok(transaction)
    }
}

/// "Cannot set transaction read-write mode during recovery" has the code of a feature that is not supported.
fn explained(error: DbErr) -> DbErr {
    const FEATURE_NOT_SUPPORTED: &str = "0A000";
    let code = match &error {
        DbErr::Exec(RuntimeErr::SqlxError(cause)) => {
            cause.as_database_error().and_then(sqlx::error::DatabaseError::code)
        }
        _ => None,
    };
    match code.as_deref() {
        Some(FEATURE_NOT_SUPPORTED) => DbErr::Conn(RuntimeErr::Internal(NotPrimary::Standby.to_string())),
        _ => error,
    }
}

#[async_trait]
impl ConnectionTrait for Statements {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        if self.prelude.is_none() {
            return self.pool.execute_raw(statement).await;
        }
        let transaction = self.begin(TransactionOptions::default()).await?;
        let outcome = transaction.execute_raw(statement).await?;
        transaction.commit().await?;
        Ok(outcome)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        if self.prelude.is_none() {
            return self.pool.execute_unprepared(sql).await;
        }
        let transaction = self.begin(TransactionOptions::default()).await?;
        let outcome = transaction.execute_unprepared(sql).await?;
        transaction.commit().await?;
        Ok(outcome)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        if self.prelude.is_none() {
            return self.pool.query_one_raw(statement).await;
        }
        let transaction = self.begin(TransactionOptions::default()).await?;
        let row = transaction.query_one_raw(statement).await?;
        transaction.commit().await?;
        Ok(row)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        if self.prelude.is_none() {
            return self.pool.query_all_raw(statement).await;
        }
        let transaction = self.begin(TransactionOptions::default()).await?;
        let rows = transaction.query_all_raw(statement).await?;
        transaction.commit().await?;
        Ok(rows)
    }
}
