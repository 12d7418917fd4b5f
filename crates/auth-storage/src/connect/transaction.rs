//! Transactions that write.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};

/// Statements at the beginning of a transaction on a Galera cluster.
///
/// A node rolls a transaction back when another node's is in conflict with it. The error belongs to the next command, and is lost when
/// that command is the preparation of a statement. By default the rest of the transaction would then be committed statement by
/// statement. Without `autocommit` it is a new transaction, which lacks the savepoint.
const GALERA_PRELUDE: [&str; 2] = ["SET SESSION autocommit = 0", "SAVEPOINT begun"];

/// Statement before the commit on a Galera cluster. It fails when the transaction is not the one that was begun.
const GALERA_CHECK: &str = "RELEASE SAVEPOINT begun";

/// Statement that undoes the setting of [`GALERA_PRELUDE`] before another caller gets the connection.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) const GALERA_RESET: &str = "SET SESSION autocommit = 1";

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
    on_galera: bool,
}

impl WriteTransaction {
    /// Takes over a transaction that has just begun.
    pub(super) async fn new(inner: DatabaseTransaction, on_galera: bool) -> Result<Self, DbErr> {
        if on_galera {
            for statement in GALERA_PRELUDE {
                inner.execute_unprepared(statement).await?;
            }
        }
        Ok(Self { inner, broken: AtomicBool::new(false), on_galera })
    }

    /// Commits the transaction.
    ///
    /// # Errors
    ///
    /// Fails after a statement that failed, and when the database did not confirm the commit. In the second case the outcome is
    /// unknown if the connection was lost.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.refuse_if_broken()?;
        if self.on_galera
            && let Err(error) = self.inner.execute_unprepared(GALERA_CHECK).await
        {
            drop(self.inner.rollback().await);
            return Err(error);
        }
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
