//! An open database.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use auth_core::StoreError;
use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, QueryResult, SqliteTransactionMode, Statement, TransactionOptions,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

#[cfg(feature = "sqlite")]
use super::database_file::DatabaseFile;
use super::kind::DatabaseKind;
use super::look_up::{Key, LookUp, LookUps};
use super::pool_health::PoolHealth;
use super::pool_stats::PoolStats;
use super::primary::{self, PrimaryCheck};
use super::statements::Statements;
use super::transaction::WriteTransaction;
use super::write_health::WriteHealth;
use crate::error::AttemptError;
use crate::tables::Tables;

/// How long [`Database::ping`] waits for a connection before it answers with the reason why the last one was refused.
const REASON_AFTER: Duration = Duration::from_millis(500);

/// An open database: a pool of connections, shared by all clones.
#[derive(Clone)]
pub struct Database {
    statements: Statements,
    look_ups: LookUps,
    kind: DatabaseKind,
    /// The file of a SQLite database that has one.
    #[cfg(feature = "sqlite")]
    file: Option<DatabaseFile>,
    pub(super) call_timeout: Duration,
    /// SQLite has one writer. Its own queue lets waiting writers poll, so one can starve; this queue is fair.
    pub(super) write_queue: Option<Arc<Mutex<()>>>,
    pub(super) pool_health: Arc<PoolHealth>,
    primary_check: PrimaryCheck,
    write_health: Arc<WriteHealth>,
    tables: Tables,
}

/// The parts of a database that opening it makes.
pub(super) struct OpenedPool {
    pub(super) statements: Statements,
    pub(super) look_ups: LookUps,
    pub(super) primary_check: PrimaryCheck,
    #[cfg(feature = "sqlite")]
    pub(super) file: Option<DatabaseFile>,
}

impl Database {
    pub(super) fn new(
        kind: DatabaseKind,
        opened: OpenedPool,
        pool_health: Arc<PoolHealth>,
        call_timeout: Duration,
    ) -> Self {
        Self {
            statements: opened.statements,
            look_ups: opened.look_ups,
            kind,
            #[cfg(feature = "sqlite")]
            file: opened.file,
            call_timeout,
            write_queue: (kind == DatabaseKind::Sqlite).then(Arc::default),
            pool_health,
            primary_check: opened.primary_check,
            write_health: Arc::default(),
            tables: Tables::default(),
        }
    }

    /// The kind of database.
    #[must_use]
    pub fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// Returns the same database with tables of these names. Stores that are made of it use them.
    #[must_use]
    pub fn with_tables(self, tables: Tables) -> Self {
        Self { tables, ..self }
    }

    /// The names of the tables.
    #[must_use]
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The pool of connections, for `auth-migrations`. [`ConnectOptions::call_timeout`](super::ConnectOptions::call_timeout) does
    /// not bound what runs on it. A future that may be dropped, as a request's is when the client goes away, belongs into
    /// [`run`](Self::run): the drivers do not all survive being dropped in the middle of a statement. Behind a connection pooler
    /// in transaction mode use [`statements`](Self::statements) for everything but migrations.
    #[must_use]
    pub fn connection(&self) -> &DatabaseConnection {
        self.statements.pool()
    }

    /// An executor of single statements for a store of your own, which works behind a connection pooler too.
    /// [`ConnectOptions::call_timeout`](super::ConnectOptions::call_timeout) does not bound them unless they are part of
    /// [`run`](Self::run).
    #[must_use]
    pub fn statements(&self) -> Statements {
        self.statements.clone()
    }

    /// Returns the row with this key, if there is one.
    pub(crate) async fn look_up(&self, look_up: &LookUp, key: Key) -> Result<Option<QueryResult>, StoreError> {
        let (look_ups, look_up) = (self.look_ups.clone(), look_up.clone());
        self.read(async move { Ok(look_ups.run(&look_up, key).await?) }).await
    }

    /// Checks that the database answers, and that a server is the primary.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](auth_core::StoreErrorKind::Unavailable), when there is no answer within
    /// [`ConnectOptions::call_timeout`](super::ConnectOptions::call_timeout), or the server is not the primary; then the source is a
    /// [`NotPrimary`](super::NotPrimary).
    pub async fn ping(&self) -> Result<(), StoreError> {
        let (statements, check) = (self.statements(), self.primary_check);
        let query = Statement::from_string(statements.get_database_backend(), check.query());
        let mut read = pin!(self.read(async move { Ok(statements.query_one_raw(query).await?) }));
        let row = match (timeout(REASON_AFTER, &mut read).await, self.pool_health.refusal()) {
            (Ok(row), _) => row?,
            // The pool goes on trying to connect, although the reason is known.
            (Err(_), Some(reason)) => return Err(reason.into()),
            (Err(_), None) => read.await?,
        };
        let row = row.ok_or_else(|| StoreError::corrupt("a SELECT without FROM has no row"))?;
        let value = row.try_get_by_index(0).map_err(|error| StoreError::from(AttemptError::from(error)))?;
        Ok(primary::check(value)?)
    }

    /// The SQL with which a statement that reads also asks whether the server is the primary.
    pub(crate) fn primary_check(&self) -> PrimaryCheck {
        self.primary_check
    }

    /// The numbers of connections at this moment. The database is not asked.
    #[must_use]
    pub fn pool_stats(&self) -> PoolStats {
        self.look_ups.pool_stats()
    }

    /// Waits for calls that are under way and closes every connection. Later calls fail.
    ///
    /// # Errors
    ///
    /// Fails when the connections did not end within [`ConnectOptions::call_timeout`](super::ConnectOptions::call_timeout); they are
    /// dropped then.
    pub async fn close(&self) -> Result<(), StoreError> {
        let connection = self.connection().clone();
        self.call(async move { Ok(connection.close_by_ref().await?) }).await
    }

    /// Begins a transaction that will write, for a store of your own in the same database. On SQLite it is the writer from the
    /// start, so no other writer can make it fail later. A transaction that is dropped is rolled back. Run all of it in
    /// [`run`](Self::run) to bound its duration: [`ConnectOptions::call_timeout`](super::ConnectOptions::call_timeout) applies to
    /// the calls of the stores only.
    ///
    /// # Errors
    ///
    /// Fails when no connection is free within [`ConnectOptions::acquire_timeout`](super::ConnectOptions::acquire_timeout), and on
    /// SQLite when other writers keep the database locked for the driver's busy timeout.
    pub async fn begin_write(&self) -> Result<WriteTransaction, StoreError> {
        self.check_file()?;
        Ok(self.begin().await?)
    }

    /// Checks that the path of a SQLite database still leads to the file that was opened.
    pub(super) fn check_file(&self) -> Result<(), StoreError> {
        #[cfg(feature = "sqlite")]
        if let Some(file) = &self.file {
            file.check().map_err(StoreError::unavailable)?;
        }
        Ok(())
    }

    /// Begins a transaction that will write. On SQLite it is the writer from the start, so no other writer can make it fail later.
    pub(crate) async fn begin(&self) -> Result<WriteTransaction, AttemptError> {
        let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode, ..TransactionOptions::default() };
        let transaction = self.statements.begin(options).await?;
        Ok(WriteTransaction::new(transaction, self.primary_check.is_galera()).await?)
    }

    /// Ends a transaction: commits it after success, and rolls it back after an error. The locks are released when this
    /// returns, so a repetition does not wait for them.
    pub(crate) async fn end<T>(
        &self,
        transaction: WriteTransaction,
        outcome: Result<T, AttemptError>,
    ) -> Result<T, AttemptError> {
        match outcome {
            Ok(value) => transaction.commit().await.map(|()| value).map_err(AttemptError::from),
            Err(error) => {
                // A rollback that fails has lost its connection, and the server then rolls back by itself.
                drop(transaction.rollback().await);
                Err(error)
            }
        }
    }

    /// Ends a transaction like [`end`](Self::end), and rolls it back too if its outcome is that nothing is to be changed.
    pub(crate) async fn end_if<T>(
        &self,
        changes: impl FnOnce(&T) -> bool,
        transaction: WriteTransaction,
        outcome: Result<T, AttemptError>,
    ) -> Result<T, AttemptError> {
        if outcome.as_ref().is_ok_and(|value| !changes(value)) {
            // A rollback that fails has lost its connection, and the server then rolls back by itself.
            drop(transaction.rollback().await);
            return outcome;
        }
        self.end(transaction, outcome).await
    }

    pub(crate) fn write_health(&self) -> &WriteHealth {
        &self.write_health
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("kind", &self.kind).field("pool", &self.pool_stats()).finish_non_exhaustive()
    }
}
