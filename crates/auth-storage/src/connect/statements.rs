//! Single statements, also behind a connection pooler.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement, TransactionOptions, TransactionTrait as _, sqlx,
};

use super::primary::NotPrimary;

/// An executor of single statements, each on any connection of the pool and, behind a pooler, in a transaction of its own.
///
/// Stores of your own should run their statements on this rather than on
/// [`Database::connection`](super::Database::connection), which does not work behind a pooler in transaction mode.
#[derive(Debug, Clone)]
pub struct Statements {
    pool: DatabaseConnection,
    /// Behind a pooler, the statements that begin every transaction.
    prelude: Option<Arc<str>>,
}

impl Statements {
    pub(super) fn new(pool: DatabaseConnection, prelude: Option<Arc<str>>) -> Self {
        Self { pool, prelude }
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

/// Names the reason of "cannot set transaction read-write mode during recovery", whose code says that a feature is not supported.
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
