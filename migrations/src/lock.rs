//! One process migrates at a time.

use std::time::Duration;

use sea_orm_migration::sea_orm::sqlx::mysql::MySqlPoolOptions;
use sea_orm_migration::sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, RuntimeErr, SqliteTransactionMode,
    SqlxMySqlConnector, TransactionOptions, TransactionTrait as _,
};

use crate::MigrateError;

/// How long to wait for another process that is migrating.
const PATIENCE: Duration = Duration::from_secs(60);

/// Any number that nothing else in the database uses ("authmigr").
const POSTGRES_LOCK: i64 = 0x6175_7468_6d69_6772;

/// The one connection on which migrations run, and the lock that lives and dies with it.
///
/// It is a transaction on every database, because that is what pins one connection of a pool. On SQLite and PostgreSQL the
/// transaction holds the lock as well. MySQL commits with every `CREATE TABLE`, so the lock there belongs to the
/// session, and the session is one of our own that is closed at the end: it never goes back to a pool with the lock.
pub(crate) struct Locked {
    transaction: DatabaseTransaction,
    own_session: Option<DatabaseConnection>,
}

impl Locked {
    pub(crate) async fn acquire(db: &DatabaseConnection) -> Result<Self, MigrateError> {
        match db.get_database_backend() {
            DbBackend::MySql => Self::on_mysql(db).await,
            DbBackend::Postgres => Self::on_postgres(db).await,
            _ => Self::on_sqlite(db).await,
        }
    }

    pub(crate) fn connection(&self) -> &DatabaseTransaction {
        &self.transaction
    }

    /// Commits when the migrations went well, rolls back when they did not, and lets go of the lock in both cases.
    pub(crate) async fn release(self, outcome: Result<(), DbErr>) -> Result<(), MigrateError> {
        let ended = match &outcome {
            Ok(()) => self.transaction.commit().await,
            Err(_) => self.transaction.rollback().await,
        };
        let closed = match self.own_session {
            Some(session) => session.close().await,
            None => Ok(()),
        };
        Ok(outcome.and(ended).and(closed)?)
    }

    /// `BEGIN IMMEDIATE` is the one writer's lock of the whole file; the connection's busy timeout says how long to wait.
    async fn on_sqlite(db: &DatabaseConnection) -> Result<Self, MigrateError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let transaction = db.begin_with_options(options).await.map_err(|error| match &error {
            _ if error.to_string().contains("database is locked") => MigrateError::Locked,
            _ => MigrateError::Database(error),
        })?;
        Ok(Self { transaction, own_session: None })
    }

    async fn on_postgres(db: &DatabaseConnection) -> Result<Self, MigrateError> {
        let transaction = db.begin().await?;
        let patience = format!(
            "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '{}s'; \
             SET LOCAL idle_in_transaction_session_timeout = 0",
            PATIENCE.as_secs()
        );
        transaction.execute_unprepared(&patience).await?;
        let lock = format!("SELECT pg_advisory_xact_lock({POSTGRES_LOCK})");
        transaction.execute_unprepared(&lock).await.map_err(|error| match sqlstate(&error).as_deref() {
            Some("55P03") => MigrateError::Locked,
            _ => MigrateError::Database(error),
        })?;
        Ok(Self { transaction, own_session: None })
    }

    async fn on_mysql(db: &DatabaseConnection) -> Result<Self, MigrateError> {
        let options = db.get_mysql_connection_pool().connect_options();
        let session = MySqlPoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            // Closed whenever it is let go of, also by a caller who went away in the middle of a statement.
            .after_release(|_, _| Box::pin(async { Ok(false) }))
            .connect_with(options.as_ref().clone())
            .await
            .map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?;
        let session = SqlxMySqlConnector::from_sqlx_mysql_pool(session);
        let transaction = session.begin().await?;
        // Locks of MySQL have names for the whole server, so the database is part of it; at most 64 characters.
        let lock =
            format!("SELECT GET_LOCK(CONCAT('auth-migrations ', MD5(DATABASE())), {}) AS acquired", PATIENCE.as_secs());
        let answer = transaction
            .query_one_raw(sea_orm_migration::sea_orm::Statement::from_string(DbBackend::MySql, lock))
            .await?
            .ok_or(MigrateError::Locked)?;
        match answer.try_get::<Option<i64>>("", "acquired")? {
            Some(1) => Ok(Self { transaction, own_session: Some(session) }),
            _ => Err(MigrateError::Locked),
        }
    }
}

fn sqlstate(error: &DbErr) -> Option<String> {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) = error else {
        return None;
    };
    Some(cause.as_database_error()?.code()?.into_owned())
}
