//! The settings of every session with MySQL and MariaDB.
//!
//! A server and its `init_connect` may have defaults of their own, so each new session sets everything that the stores rely on.
//! The sessions of `auth-migrations` have settings of their own, in `migrations/src/session.rs`, because migrations may take
//! longer than a call of a store.

use std::time::Duration;

/// Seconds after which the server closes an idle session: longer than the pool keeps an idle connection (600 s).
const IDLE_SECONDS: u32 = 900;

/// Returns the statements that every server knows.
pub(super) fn settings(call_timeout: Duration) -> [String; 2] {
    let seconds = call_timeout.as_secs().max(1);
    [
        format!(
            "SET SESSION autocommit = 1, completion_type = 'NO_CHAIN', \
             sql_mode = '{SQL_MODE}', time_zone = '+00:00', \
             foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, sql_auto_is_null = 0, \
             sql_big_selects = 1, sql_select_limit = 18446744073709551615, \
             wait_timeout = {IDLE_SECONDS}, net_read_timeout = 30, net_write_timeout = 60, \
             innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}, \
             lc_messages = 'en_US', NAMES utf8mb4"
        ),
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE".to_owned(),
    ]
}

/// Returns statements for variables that only some servers have. One for an unknown variable is skipped.
pub(super) fn settings_if_known(call_timeout: Duration) -> Vec<String> {
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

/// Causality on a Galera cluster: every statement first waits until this node has applied what the cluster had committed when the
/// statement was sent. Reads and `BEGIN` are 1, `UPDATE` and `DELETE` 2, `INSERT` 4. Otherwise a node whose applier is behind
/// would accept tokens for seconds after their logout, and update outdated rows.
const CAUSAL_ON_GALERA: &str = "SET SESSION wsrep_sync_wait = 7";

/// The whole mode, in place of the server's: `ANSI_QUOTES` and `NO_BACKSLASH_ESCAPES` change how a statement is parsed, and
/// without the strict modes a value that does not fit is cut off.
const SQL_MODE: &str =
    "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION";
