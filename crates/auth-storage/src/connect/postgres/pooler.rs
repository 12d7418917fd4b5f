//! PostgreSQL behind a connection pooler such as PgBouncer.
//!
//! A pooler in transaction mode runs each transaction in any free session. Session settings and named prepared statements do not
//! survive that: a statement of the same name may have been prepared by another client, and would be executed. So behind a
//! pooler every statement runs in a transaction of its own, which first applies the session settings and deallocates the names
//! that the driver gives to statements. The driver's cache of statements is off.
//!
//! A start-up parameter with a name of ours detects the pooler: a server accepts it, a pooler refuses or drops it.

use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _};

use super::session::{self, Scope};

/// The parameter that a server accepts and a pooler does not pass on.
const MARK: (&str, &str) = ("revocable_auth.direct", "yes");

/// Deallocates the statements that this driver has prepared in the session, in any client.
const FORGET_STATEMENTS: &str = "DO $forget$ DECLARE prepared text; BEGIN \
     FOR prepared IN SELECT name FROM pg_prepared_statements WHERE left(name, 7) = 'sqlx_s_' LOOP \
     EXECUTE 'DEALLOCATE ' || quote_ident(prepared); END LOOP; END $forget$";

/// Returns the statements that begin every transaction behind a pooler.
pub(super) fn prelude(call_timeout: Duration) -> String {
    // The first statement fails on a standby.
    format!(
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE, NOT DEFERRABLE; {}; {FORGET_STATEMENTS}",
        session::settings(call_timeout, Scope::Transaction)
    )
}

/// Returns true when start-up parameters do not reach the server, because a pooler is in between.
pub(super) async fn is_between(server: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let mut marked = match server.clone().options([MARK]).connect().await {
        Ok(connection) => connection,
        Err(sqlx::Error::Database(_)) => {
            // A pooler that refuses the parameter. Anything else goes wrong again without it.
            server.connect().await?.close().await?;
            return Ok(true);
        }
        Err(error) => return Err(error),
    };
    let (name, value) = MARK;
    let row = marked.fetch_one(AssertSqlSafe(format!("SELECT current_setting('{name}', true)"))).await?;
    let taken: Option<String> = row.try_get(0)?;
    marked.close().await?;
    Ok(taken.as_deref() != Some(value))
}

/// Runs an empty transaction, which a pooler in statement mode refuses.
pub(super) async fn try_transaction(connection: &mut PgConnection, prelude: &str) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    transaction.execute(AssertSqlSafe(prelude.to_owned())).await?;
    transaction.rollback().await
}
