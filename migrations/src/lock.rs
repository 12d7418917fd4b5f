//! The lock that lets one process migrate at a time.

#[cfg(any(feature = "postgres", feature = "mysql"))]
use std::time::Duration;

use sea_orm_migration::sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend};
#[cfg(any(feature = "postgres", feature = "mysql"))]
use sea_orm_migration::sea_orm::{DbErr, RuntimeErr, sqlx, sqlx::pool::PoolOptions};
#[cfg(feature = "sqlite")]
use sea_orm_migration::sea_orm::{SqliteTransactionMode, TransactionOptions, TransactionTrait as _};

use crate::MigrateError;

#[cfg(feature = "mysql")]
mod cluster;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;

/// Maximum time to wait for another process that is migrating.
#[cfg(any(feature = "postgres", feature = "mysql"))]
const PATIENCE: Duration = Duration::from_secs(60);

/// The connection on which migrations run, with the lock.
///
/// It is a transaction on every database, because a transaction pins one connection of a pool. On SQLite and PostgreSQL the
/// transaction holds the lock too. MySQL commits at every `CREATE TABLE`, so the lock there belongs to the session. The session
/// with a server is opened for the migrations and closed at their end, so it never returns to a pool with the lock. On a Galera
/// cluster, where each node has such locks of its own, a row in a table is the lock.
pub(crate) struct Locked {
    transaction: DatabaseTransaction,
    own_session: Option<DatabaseConnection>,
    #[cfg(feature = "mysql")]
    cluster: Option<cluster::ClusterLock>,
}

impl Locked {
    pub(crate) async fn acquire(db: &DatabaseConnection) -> Result<Self, MigrateError> {
        match db.get_database_backend() {
            #[cfg(feature = "mysql")]
            DbBackend::MySql => {
                let (transaction, session, cluster) = mysql::begin(db, PATIENCE).await?;
                Ok(Self { transaction, own_session: Some(session), cluster })
            }
            #[cfg(feature = "postgres")]
            DbBackend::Postgres => {
                let (transaction, session) = postgres::begin(db, PATIENCE).await?;
                Ok(Self {
                    transaction,
                    own_session: Some(session),
                    #[cfg(feature = "mysql")]
                    cluster: None,
                })
            }
            #[cfg(feature = "sqlite")]
            DbBackend::Sqlite => Self::on_sqlite(db).await,
            other => Err(MigrateError::DriverMissing(feature_of(other))),
        }
    }

    pub(crate) fn connection(&self) -> &DatabaseTransaction {
        &self.transaction
    }

    /// Commits after success, rolls back after an error, and releases the lock in both cases.
    pub(crate) async fn release<T>(self, outcome: Result<T, MigrateError>) -> Result<T, MigrateError> {
        let ended = match &outcome {
            Ok(_) => self.transaction.commit().await,
            Err(_) => self.transaction.rollback().await,
        };
        let closed = match self.own_session {
            Some(session) => session.close().await,
            None => Ok(()),
        };
        #[cfg(feature = "mysql")]
        if let Some(cluster) = self.cluster {
            cluster.release().await;
        }
        let done = outcome?;
        ended.and(closed)?;
        Ok(done)
    }

    /// `BEGIN IMMEDIATE` takes the write lock of the file. The busy timeout of the connection bounds the wait.
    #[cfg(feature = "sqlite")]
    async fn on_sqlite(db: &DatabaseConnection) -> Result<Self, MigrateError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let transaction = db.begin_with_options(options).await.map_err(|error| match &error {
            _ if error.to_string().contains("database is locked") => MigrateError::Locked,
            _ => MigrateError::Database(error),
        })?;
        Ok(Self {
            transaction,
            own_session: None,
            #[cfg(feature = "mysql")]
            cluster: None,
        })
    }
}

/// The feature of this crate with the driver.
fn feature_of(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::MySql => "mysql",
        DbBackend::Postgres => "postgres",
        _ => "sqlite",
    }
}

/// Returns a pool of one session that is closed when it is released, also when the caller was dropped in the middle of a statement.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn own_session<DB: sqlx::Database>() -> PoolOptions<DB> {
    PoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_release(|_, _| Box::pin(async { Ok(false) }))
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
fn no_connection(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}
