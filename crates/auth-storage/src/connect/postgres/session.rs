//! The settings of every session with PostgreSQL.
//!
//! A server, a database and a role may each have defaults of their own, so each new session sets everything that the stores
//! rely on. The sessions of `auth-migrations` have settings of their own, in `migrations/src/session.rs`, because migrations may
//! take longer than a call of a store.

use std::time::Duration;

/// Number of call timeouts after which PostgreSQL rolls back a transaction in which nothing happens.
const IDLE_TRANSACTION: u32 = 2;

/// The scope of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The session.
    Session,
    /// The transaction: behind a transaction pooler the next one runs in another session.
    Transaction,
}

/// Returns the statements, to be sent as one simple query.
///
/// `client_encoding`, `DateStyle` and `TimeZone` are sent by the driver when it connects, which overrides the defaults of
/// a role and of a database. `search_path` stays as the operator configured it.
pub(super) fn settings(call_timeout: Duration, scope: Scope) -> String {
    let limit = call_timeout.as_millis();
    let idle = (call_timeout * IDLE_TRANSACTION).as_millis();
    let local = scope == Scope::Transaction;
    // `idle_session_timeout` and `transaction_timeout` are unknown to older servers.
    let settings = format!(
        "SELECT set_config(name, value, {local}) FROM (VALUES \
         ('default_transaction_isolation', 'read committed'), \
         ('default_transaction_read_only', 'off'), \
         ('default_transaction_deferrable', 'off'), \
         ('standard_conforming_strings', 'on'), \
         ('transform_null_equals', 'off'), \
         ('statement_timeout', '{limit}'), \
         ('lock_timeout', '{limit}'), \
         ('idle_in_transaction_session_timeout', '{idle}'), \
         ('idle_session_timeout', '0'), \
         ('transaction_timeout', '0')\
         ) AS wanted (name, value) WHERE current_setting(name, true) IS NOT NULL"
    );
    // Commits are durable also where the default says otherwise; a stricter default stays.
    let durable = format!(
        "SELECT set_config('synchronous_commit', 'on', {local}) WHERE current_setting('synchronous_commit') = 'off'"
    );
    format!("{settings}; {durable}")
}
