//! Opening MySQL and MariaDB.

use std::sync::Arc;

use sea_orm::SqlxMySqlConnector;
use sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlPool, MySqlRow};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _};

use super::ConnectOptions;
use super::database::OpenedPool;
use super::error::ConnectError;
use super::look_up::LookUps;
use super::pool_health::PoolHealth;
use super::primary::PrimaryCheck;
use super::servers::{self, Connector, Hosts, ServerConnection, bounded_connect};
use super::statements::Statements;
use super::url::MySqlUrl;

mod session;
mod sync_check;

/// Opens the server of a URL.
pub(super) async fn open(
    url: &MySqlUrl,
    options: &ConnectOptions,
    health: &Arc<PoolHealth>,
) -> Result<OpenedPool, ConnectError> {
    // The session settings set the whole mode.
    let server = url.options().pipes_as_concat(false).no_engine_substitution(false).disable_statement_logging();
    let (hosts, limit) = (Hosts::new(vec![server]), options.acquire_timeout);
    let mut connector: Connector<MySqlConnection> = Connector {
        hosts,
        limit,
        session: session::settings(options.call_timeout).to_vec(),
        session_if_known: session::settings_if_known(options.call_timeout),
        primary_check: PrimaryCheck::MySql,
    };
    let primary_check = bounded_connect(limit, find_primary_check(connector.hosts.current())).await?;
    connector.primary_check = primary_check;
    // The pool would try until its time is up, and then not know the reason.
    bounded_connect(limit, async { connector.connect().await?.close().await }).await?;
    let pool: MySqlPool = servers::pool(connector, options, health);
    let statements = Statements::new(SqlxMySqlConnector::from_sqlx_mysql_pool(pool.clone()), None);
    Ok(OpenedPool {
        statements,
        look_ups: LookUps::mysql(pool, Arc::clone(health)),
        primary_check,
        #[cfg(feature = "sqlite")]
        file: None,
    })
}

/// Finds out whether the server is a node of a Galera cluster, and where it shows its state then.
async fn find_primary_check(server: &MySqlConnectOptions) -> Result<PrimaryCheck, sqlx::Error> {
    let mut connection = server.connect().await?;
    let galera = connection.fetch_one("SELECT CAST(@@global.wsrep_on AS SIGNED)").await;
    let check = match galera.and_then(|row| row.try_get::<i64, _>(0)) {
        Ok(0) => PrimaryCheck::MySql,
        Ok(_) => {
            let shown = connection.fetch_one(AssertSqlSafe(PrimaryCheck::MariaDbGalera.query())).await;
            if shown.is_ok() { PrimaryCheck::MariaDbGalera } else { PrimaryCheck::MySqlGalera }
        }
        Err(error) if MySqlConnection::is_unknown_variable(&error) => PrimaryCheck::MySql,
        Err(error) => return Err(error),
    };
    connection.close().await?;
    Ok(check)
}

impl ServerConnection for MySqlConnection {
    fn number(row: &MySqlRow) -> Result<i64, sqlx::Error> {
        row.try_get(0)
    }

    fn is_unknown_variable(error: &sqlx::Error) -> bool {
        const UNKNOWN_SYSTEM_VARIABLE: u16 = 1193;
        error
            .as_database_error()
            .and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>())
            .is_some_and(|error| error.number() == UNKNOWN_SYSTEM_VARIABLE)
    }

    async fn is_in_sync(&mut self) -> Result<bool, sqlx::Error> {
        sync_check::is_in_sync(self).await
    }
}
