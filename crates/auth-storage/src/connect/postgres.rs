//! Opening PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::SqlxPostgresConnector;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgRow};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, Row as _};
use tokio::time::timeout;

use super::ConnectOptions;
use super::database::OpenedPool;
use super::error::ConnectError;
use super::look_up::LookUps;
use super::pool_health::PoolHealth;
use super::primary::PrimaryCheck;
use super::servers::{self, Connector, Hosts, ServerConnection, bounded_connect, share};
use super::statements::Statements;
use super::url::PostgresUrl;

mod encoding;
mod pooler;
mod session;

use session::Scope;

/// Opens the primary among the servers of a URL.
pub(super) async fn open(
    url: &PostgresUrl,
    options: &ConnectOptions,
    health: &Arc<PoolHealth>,
) -> Result<OpenedPool, ConnectError> {
    // No value of the stores is a float, and older versions of PgBouncer refuse the parameter.
    let ready = |server: PgConnectOptions| server.extra_float_digits(None).disable_statement_logging();
    let mut servers: Vec<PgConnectOptions> = url.options().into_iter().map(ready).collect();
    let limit = options.acquire_timeout;
    let primary_check = PrimaryCheck::Postgres;
    let is_pooled = has_pooler(&servers, limit).await?;
    let prelude = is_pooled.then(|| pooler::prelude(options.call_timeout));
    let mut session = Vec::new();
    if is_pooled {
        servers = servers.into_iter().map(|server| server.statement_cache_capacity(0)).collect();
    } else {
        session.push(session::settings(options.call_timeout, Scope::Session));
    }
    let connector: Connector<PgConnection> =
        Connector { hosts: Hosts::new(servers), limit, session, session_if_known: Vec::new(), primary_check };
    // The pool would try until its time is up, and then not know the reason.
    let mut probed = bounded_connect(limit, connector.connect()).await?;
    if let Some(prelude) = &prelude {
        let tried = timeout(limit, pooler::try_transaction(&mut probed, prelude)).await;
        tried.map_err(|_| ConnectError::TimedOut(limit))?.map_err(ConnectError::Pooler)?;
    }
    bounded_connect(limit, probed.close()).await?;
    encoding::check(connector.hosts.current(), limit).await?;
    let pool: PgPool = servers::pool(connector, options, health);
    let connection = SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone());
    let statements = Statements::new(connection, prelude.map(Arc::from));
    let look_ups =
        if is_pooled { LookUps::Pooled(statements.clone()) } else { LookUps::postgres(pool, Arc::clone(health)) };
    Ok(OpenedPool {
        statements,
        look_ups,
        primary_check,
        #[cfg(feature = "sqlite")]
        file: None,
    })
}

/// Returns true when a connection pooler is in front of the first server that answers, primary or not.
async fn has_pooler(servers: &[PgConnectOptions], limit: Duration) -> Result<bool, ConnectError> {
    let each = share(limit, servers.len());
    let mut failure = ConnectError::TimedOut(limit);
    for server in servers {
        match bounded_connect(each, pooler::is_between(server)).await {
            Ok(is_pooled) => return Ok(is_pooled),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

impl ServerConnection for PgConnection {
    fn number(row: &PgRow) -> Result<i64, sqlx::Error> {
        row.try_get(0)
    }

    /// No setting of ours depends on the version: the statement itself skips unknown ones.
    fn is_unknown_variable(_: &sqlx::Error) -> bool {
        false
    }

    /// The driver counts the answers that are due.
    async fn is_in_sync(&mut self) -> Result<bool, sqlx::Error> {
        Ok(true)
    }
}
