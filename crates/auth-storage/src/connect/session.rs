//! The settings that every session with a database server relies on.
//!
//! A server, a database, a role and an `init_connect` may each have defaults of their own, so each new session sets
//! everything that the stores rely on. This is the only list. The sessions of `auth-migrations` set their own, in
//! `migrations/src/session.rs`, because migrations may take longer than a call of a store.

use std::time::Duration;

/// An open transaction in which nothing happens is rolled back by PostgreSQL after this many call timeouts.
const IDLE_TRANSACTION: u32 = 2;

/// How long MySQL keeps an idle session, in seconds: longer than the pool keeps an idle connection (600 s).
const MYSQL_IDLE_SECONDS: u32 = 900;

/// For how long a setting of PostgreSQL holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// For the session.
    Session,
    /// For the transaction: behind a transaction pooler the next one runs in another session.
    Transaction,
}

/// The statements for PostgreSQL, to be sent as one simple query.
///
/// `client_encoding`, `DateStyle` and `TimeZone` are sent by the driver when it connects, which overrides the defaults of
/// a role and of a database. `search_path` is left as the operator configured it.
pub(super) fn postgres(call_timeout: Duration, scope: Scope) -> String {
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
    // Commits are durable even where the default is that they are not; a stricter default stays.
    let durable = format!(
        "SELECT set_config('synchronous_commit', 'on', {local}) WHERE current_setting('synchronous_commit') = 'off'"
    );
    format!("{settings}; {durable}")
}

/// The statements for MySQL and MariaDB.
pub(super) fn mysql(call_timeout: Duration) -> [String; 2] {
    let seconds = call_timeout.as_secs().max(1);
    [
        format!(
            "SET SESSION autocommit = 1, completion_type = 'NO_CHAIN', \
             sql_mode = '{SQL_MODE}', time_zone = '+00:00', \
             foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, sql_auto_is_null = 0, \
             sql_big_selects = 1, sql_select_limit = 18446744073709551615, \
             wait_timeout = {MYSQL_IDLE_SECONDS}, net_read_timeout = 30, net_write_timeout = 60, \
             innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}, \
             lc_messages = 'en_US', NAMES utf8mb4"
        ),
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE".to_owned(),
    ]
}

/// Statements for variables that only some servers have. A server that does not know the variable skips the statement.
pub(super) fn mysql_if_known(call_timeout: Duration) -> Vec<String> {
    vec![
        // MariaDB: all statements, in seconds. MySQL: `SELECT`, in milliseconds.
        format!("SET SESSION max_statement_time = {}", call_timeout.as_secs_f64()),
        format!("SET SESSION max_execution_time = {}", call_timeout.as_millis()),
        // MariaDB: otherwise the server may close the connection inside a transaction.
        "SET SESSION idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0, \
         idle_write_transaction_timeout = 0"
            .to_owned(),
        // Galera: a node that has lost its cluster refuses to be read from.
        "SET SESSION wsrep_dirty_reads = 0".to_owned(),
        CAUSAL_ON_GALERA.to_owned(),
    ]
}

/// On a Galera cluster every statement first waits until this node has applied what the cluster had committed when the statement
/// was sent: reads and `BEGIN` (1), `UPDATE` and `DELETE` (2), `INSERT` (4). Otherwise a node whose applier is behind would
/// accept tokens for seconds after their logout, and update rows that are not what the cluster has.
const CAUSAL_ON_GALERA: &str = "SET SESSION wsrep_sync_wait = 7";

/// The whole mode, in place of the server's: `ANSI_QUOTES` and `NO_BACKSLASH_ESCAPES` change how a statement is parsed, and
/// without the strict modes a value that does not fit is cut off.
const SQL_MODE: &str =
    "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION";
