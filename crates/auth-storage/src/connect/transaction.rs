//! Transactions that write.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};

/// A transaction begun with [`Database::begin_write`](crate::Database::begin_write). Dropping it rolls it back.
///
/// After a statement that failed, or whose future was dropped, every further statement and the commit are refused. Databases differ in
/// the state of a transaction then: SQLite and MySQL may have ended it, so that each further statement would be committed by itself;
/// PostgreSQL answers `COMMIT` with success and rolls back. A commit that is [`Ok`] therefore means that every statement was
/// executed and is durable.
pub struct WriteTransaction {
    inner: DatabaseTransaction,
    /// True after a statement that failed or was dropped.
    broken: AtomicBool,
}

impl WriteTransaction {
    pub(super) fn new(inner: DatabaseTransaction) -> Self {
        Self { inner, broken: AtomicBool::new(false) }
    }

    /// Commits the transaction.
    ///
    /// # Errors
    ///
    /// Fails after a statement that failed, and when the database did not confirm the commit. In the second case the outcome is
    /// unknown if the connection was lost.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.refuse_if_broken()?;
        self.inner.commit().await
    }

    /// Rolls the transaction back, as dropping it does, and waits for the end of that.
    ///
    /// # Errors
    ///
    /// Fails when the database did not confirm it. Nothing of the transaction is committed then either.
    pub async fn rollback(self) -> Result<(), DbErr> {
        self.inner.rollback().await
    }

    /// Runs one statement. The transaction is broken from then on unless the statement succeeds.
    async fn run<T>(&self, statement: impl Future<Output = Result<T, DbErr>> + Send) -> Result<T, DbErr> {
        self.refuse_if_broken()?;
        let guard = BreakOnDrop(&self.broken);
        let outcome = statement.await;
        if outcome.is_ok() {
            std::mem::forget(guard);
        }
        outcome
    }

    fn refuse_if_broken(&self) -> Result<(), DbErr> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(DbErr::Query(RuntimeErr::Internal(
                "an earlier statement of the transaction failed".to_owned(),
            )));
        }
        Ok(())
    }
}

/// Marks its transaction as broken when it is dropped.
struct BreakOnDrop<'t>(&'t AtomicBool);

impl Drop for BreakOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[async_trait]
impl ConnectionTrait for WriteTransaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.run(self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.run(self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.run(self.inner.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.run(self.inner.query_all_raw(statement)).await
    }
}

impl fmt::Debug for WriteTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteTransaction").field("broken", &self.broken).finish_non_exhaustive()
    }
}
