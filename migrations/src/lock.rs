//! One process migrates at a time.

use std::time::Duration;

use sea_orm_migration::sea_orm::sqlx::mysql::{MySqlConnection, MySqlDatabaseError};
use sea_orm_migration::sea_orm::sqlx::pool::PoolOptions;
use sea_orm_migration::sea_orm::sqlx::{self, Executor as _};
use sea_orm_migration::sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, RuntimeErr, SqliteTransactionMode,
    SqlxMySqlConnector, SqlxPostgresConnector, TransactionOptions, TransactionTrait as _,
};

use crate::cluster_lock::{self, ClusterLock};
use crate::{MigrateError, session};

/// How long to wait for another process that is migrating.
const PATIENCE: Duration = Duration::from_secs(60);

/// Any number that nothing else in the database uses ("authmigr").
const POSTGRES_LOCK: i64 = 0x6175_7468_6d69_6772;

/// The one connection on which migrations run, and the lock that lives and dies with it.
///
/// It is a transaction on every database, because that is what pins one connection of a pool. On SQLite and PostgreSQL the
/// transaction holds the lock as well. MySQL commits with every `CREATE TABLE`, so the lock there belongs to the
/// session. With a server the session is one of our own, with the settings of [`session`], and is closed at the end: it never
/// goes back to a pool with the lock. On a Galera cluster, where each node has such locks of its own, a [`ClusterLock`] takes
/// their place.
pub(crate) struct Locked {
    transaction: DatabaseTransaction,
    own_session: Option<DatabaseConnection>,
    cluster: Option<ClusterLock>,
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
    pub(crate) async fn release<T>(self, outcome: Result<T, MigrateError>) -> Result<T, MigrateError> {
        let ended = match &outcome {
            Ok(_) => self.transaction.commit().await,
            Err(_) => self.transaction.rollback().await,
        };
        let closed = match self.own_session {
            Some(session) => session.close().await,
            None => Ok(()),
        };
        if let Some(cluster) = self.cluster {
            cluster.release().await;
        }
        let done = outcome?;
        ended.and(closed)?;
        Ok(done)
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
        Ok(Self { transaction, own_session: None, cluster: None })
    }

    async fn on_postgres(db: &DatabaseConnection) -> Result<Self, MigrateError> {
        let options = db.get_postgres_connection_pool().connect_options();
        let own_session = own_session().connect_with(options.as_ref().clone()).await.map_err(no_connection)?;
        let own_session = SqlxPostgresConnector::from_sqlx_postgres_pool(own_session);
        let transaction = own_session.begin().await?;
        transaction.execute_unprepared(&session::postgres(PATIENCE.as_secs())).await?;
        // Inside a savepoint, because it needs the language PL/pgSQL, and matters only behind a connection pooler.
        let forgetting = transaction.begin().await?;
        match forgetting.execute_unprepared(session::FORGET_STATEMENTS).await {
            Ok(_) => forgetting.commit().await?,
            Err(_) => forgetting.rollback().await?,
        }
        let lock = format!("SELECT pg_advisory_xact_lock({POSTGRES_LOCK})");
        transaction.execute_unprepared(&lock).await.map_err(|error| match sqlstate(&error).as_deref() {
            Some("55P03") => MigrateError::Locked,
            _ => MigrateError::Database(error),
        })?;
        Ok(Self { transaction, own_session: Some(own_session), cluster: None })
    }

    async fn on_mysql(db: &DatabaseConnection) -> Result<Self, MigrateError> {
        let cluster =
            if cluster_lock::is_galera(db).await? { Some(ClusterLock::acquire(db, PATIENCE).await?) } else { None };
        let options = db.get_mysql_connection_pool().connect_options();
        let session = own_session()
            .after_connect(|session, _| Box::pin(set_up_mysql(session)))
            .connect_with(options.as_ref().clone())
            .await
            .map_err(no_connection)?;
        let session = SqlxMySqlConnector::from_sqlx_mysql_pool(session);
        let transaction = session.begin().await?;
        if cluster.is_some() {
            return Ok(Self { transaction, own_session: Some(session), cluster });
        }
        // Locks of MySQL have names for the whole server, so the database is part of it; at most 64 characters.
        let lock =
            format!("SELECT GET_LOCK(CONCAT('auth-migrations ', MD5(DATABASE())), {}) AS acquired", PATIENCE.as_secs());
        let answer = transaction
            .query_one_raw(sea_orm_migration::sea_orm::Statement::from_string(DbBackend::MySql, lock))
            .await?
            .ok_or(MigrateError::Locked)?;
        match answer.try_get::<Option<i64>>("", "acquired")? {
            Some(1) => Ok(Self { transaction, own_session: Some(session), cluster: None }),
            _ => Err(MigrateError::Locked),
        }
    }
}

/// A pool of one session that is closed whenever it is let go of, also by a caller who went away in the middle of a
/// statement.
fn own_session<DB: sqlx::Database>() -> PoolOptions<DB> {
    PoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_release(|_, _| Box::pin(async { Ok(false) }))
}

async fn set_up_mysql(session: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    for statement in session::MYSQL {
        session.execute(statement).await?;
    }
    for statement in session::MYSQL_IF_KNOWN {
        if let Err(error) = session.execute(statement).await
            && !is_unknown_variable(&error)
        {
            return Err(error);
        }
    }
    Ok(())
}

fn is_unknown_variable(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>())
        .is_some_and(|error| error.number() == session::MYSQL_UNKNOWN_VARIABLE)
}

fn no_connection(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}

fn sqlstate(error: &DbErr) -> Option<String> {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) = error else {
        return None;
    };
    Some(cause.as_database_error()?.code()?.into_owned())
}
