//! The lock of migrations on MySQL and MariaDB, and the settings of their session.
//!
//! A server and its `init_connect` may have defaults of their own, so every setting that matters is set here. The sessions of the
//! stores are set up by `auth-storage`, in `connect/mysql/session.rs`.

use std::time::Duration;

use sea_orm_migration::sea_orm::sqlx::mysql::{MySqlConnection, MySqlDatabaseError};
use sea_orm_migration::sea_orm::sqlx::{self, Executor as _};
use sea_orm_migration::sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, SqlxMySqlConnector, Statement,
    TransactionTrait as _,
};

use super::cluster::{self, ClusterLock};
use super::{no_connection, own_session};
use crate::MigrateError;

/// Begins a transaction in a session of its own that holds the lock. On a cluster the lock is the [`ClusterLock`].
pub(super) async fn begin(
    db: &DatabaseConnection,
    patience: Duration,
) -> Result<(DatabaseTransaction, DatabaseConnection, Option<ClusterLock>), MigrateError> {
    let cluster = if cluster::is_galera(db).await? { Some(ClusterLock::acquire(db, patience).await?) } else { None };
    let options = db.get_mysql_connection_pool().connect_options();
    let session = own_session()
        .after_connect(|session, _| Box::pin(set_up(session)))
        .connect_with(options.as_ref().clone())
        .await
        .map_err(no_connection)?;
    let session = SqlxMySqlConnector::from_sqlx_mysql_pool(session);
    let transaction = session.begin().await?;
    if cluster.is_some() {
        return Ok((transaction, session, cluster));
    }
    // The names of MySQL's locks are those of the whole server, so they contain the database. They have at most 64 characters.
    let lock =
        format!("SELECT GET_LOCK(CONCAT('auth-migrations ', MD5(DATABASE())), {}) AS acquired", patience.as_secs());
    let answer = transaction.query_one_raw(Statement::from_string(DbBackend::MySql, lock)).await?;
    match answer.ok_or(MigrateError::Locked)?.try_get::<Option<i64>>("", "acquired")? {
        Some(1) => Ok((transaction, session, None)),
        _ => Err(MigrateError::Locked),
    }
}

async fn set_up(session: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    for statement in SETTINGS {
        session.execute(statement).await?;
    }
    for statement in SETTINGS_IF_KNOWN {
        if let Err(error) = session.execute(statement).await
            && !is_unknown_variable(&error)
        {
            return Err(error);
        }
    }
    Ok(())
}

fn is_unknown_variable(error: &sqlx::Error) -> bool {
    const UNKNOWN_SYSTEM_VARIABLE: u16 = 1193;
    error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>())
        .is_some_and(|error| error.number() == UNKNOWN_SYSTEM_VARIABLE)
}

/// Settings of the session that every server knows.
const SETTINGS: [&str; 2] = [
    "SET SESSION autocommit = 1, completion_type = 'NO_CHAIN', \
     sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION', \
     time_zone = '+00:00', foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, sql_auto_is_null = 0, \
     sql_big_selects = 1, sql_select_limit = 18446744073709551615, wait_timeout = 28800, net_read_timeout = 30, \
     net_write_timeout = 60, lock_wait_timeout = 60, lc_messages = 'en_US', NAMES utf8mb4",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE",
];

/// Settings of variables that only some servers have. One for an unknown variable is skipped.
const SETTINGS_IF_KNOWN: [&str; 5] = [
    "SET SESSION max_statement_time = 0",
    "SET SESSION max_execution_time = 0",
    "SET SESSION idle_transaction_timeout = 0, idle_write_transaction_timeout = 0",
    // MariaDB: otherwise `CREATE` and `DROP` get an `IF [NOT] EXISTS` that was not written.
    "SET SESSION sql_if_exists = 0",
    // Galera: the changes of the last holder of the lock are visible, whichever node made them.
    "SET SESSION wsrep_sync_wait = 7",
];
