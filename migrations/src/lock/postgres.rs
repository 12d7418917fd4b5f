//! The lock of migrations on PostgreSQL, and the settings of their session.
//!
//! A server, a database and a role may each have defaults of their own, so every setting that matters is set here. The sessions of
//! the stores are set up by `auth-storage`, in `connect/postgres/session.rs`.

use std::time::Duration;

use sea_orm_migration::sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbErr, RuntimeErr, SqlxPostgresConnector,
    TransactionTrait as _,
};

use super::{no_connection, own_session};
use crate::MigrateError;

/// The number of the lock, which nothing else in the database may use ("authmigr").
const LOCK: i64 = 0x6175_7468_6d69_6772;

/// Begins a transaction in a session of its own, and takes the lock in it.
pub(super) async fn begin(
    db: &DatabaseConnection,
    patience: Duration,
) -> Result<(DatabaseTransaction, DatabaseConnection), MigrateError> {
    let options = db.get_postgres_connection_pool().connect_options();
    let session = own_session().connect_with(options.as_ref().clone()).await.map_err(no_connection)?;
    let session = SqlxPostgresConnector::from_sqlx_postgres_pool(session);
    let transaction = session.begin().await?;
    transaction.execute_unprepared(&settings(patience.as_secs())).await?;
    // In a savepoint, because it needs the language PL/pgSQL, and matters only behind a connection pooler.
    let forgetting = transaction.begin().await?;
    match forgetting.execute_unprepared(FORGET_STATEMENTS).await {
        Ok(_) => forgetting.commit().await?,
        Err(_) => forgetting.rollback().await?,
    }
    let lock = format!("SELECT pg_advisory_xact_lock({LOCK})");
    transaction.execute_unprepared(&lock).await.map_err(|error| match sqlstate(&error).as_deref() {
        Some("55P03") => MigrateError::Locked,
        _ => MigrateError::Database(error),
    })?;
    Ok((transaction, session))
}

/// Returns the settings of the transaction. They must come first in it.
fn settings(patience_seconds: u64) -> String {
    // A commit is durable also where the default says otherwise; a stricter default stays.
    format!(
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE, NOT DEFERRABLE; \
         SELECT set_config(name, value, true) FROM (VALUES \
         ('standard_conforming_strings', 'on'), \
         ('transform_null_equals', 'off'), \
         ('statement_timeout', '0'), \
         ('lock_timeout', '{patience_seconds}s'), \
         ('idle_in_transaction_session_timeout', '0'), \
         ('transaction_timeout', '0')\
         ) AS wanted (name, value) WHERE current_setting(name, true) IS NOT NULL; \
         SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
    )
}

/// Deallocates the statements that this driver has prepared in the session: a connection pooler may have lent the session to other
/// clients before, whose statements have the same names.
const FORGET_STATEMENTS: &str = "DO $forget$ DECLARE prepared text; BEGIN \
     FOR prepared IN SELECT name FROM pg_prepared_statements WHERE left(name, 7) = 'sqlx_s_' LOOP \
     EXECUTE 'DEALLOCATE ' || quote_ident(prepared); END LOOP; END $forget$";

fn sqlstate(error: &DbErr) -> Option<String> {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) = error else {
        return None;
    };
    Some(cause.as_database_error()?.code()?.into_owned())
}
