//! A transaction that writes.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};

/// A transaction begun with [`Database::begin_write`](crate::Database::begin_write). It is undone when it is dropped.
///
/// After a statement that failed, or whose future was dropped, every further statement and the commit are refused. Databases differ in what
/// is left of a transaction then: SQLite and MySQL may have ended it, so that what follows would be committed statement by statement;
/// PostgreSQL answers a `COMMIT` with success and rolls back. A commit that is [`Ok`] therefore says that every
/// statement was executed and is durable.
pub struct WriteTransaction {
    inner: DatabaseTransaction,
    /// Whether a statement failed or was abandoned.
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
    /// When a statement failed before, or the database did not confirm the commit. In the second case the outcome is unknown
    /// if the connection was lost.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.refuse_if_broken()?;
        self.inner.commit().await
    }

    /// Undoes the transaction, as dropping it does, and waits until it is undone.
    ///
    /// # Errors
    ///
    /// When the database did not confirm it. Nothing of the transaction is committed then either.
    pub async fn rollback(self) -> Result<(), DbErr> {
        self.inner.rollback().await
    }

    /// Runs one statement. The transaction stays broken unless the statement succeeds.
    async fn run<T>(&self, statement: impl Future<Output = Result<T, DbErr>> + Send) -> Result<T, DbErr> {
        self.refuse_if_broken()?;
        let unfinished = Unfinished(&self.broken);
        let outcome = statement.await;
        if outcome.is_ok() {
            std::mem::forget(unfinished);
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
struct Unfinished<'t>(&'t AtomicBool);

impl Drop for Unfinished<'_> {
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
