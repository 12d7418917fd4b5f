//! The settings that the session of a migration relies on.
//!
//! A migration runs in a session of its own, whatever the pool of the caller does to its connections. A server, a
//! database, a role and an `init_connect` may each have defaults of their own, so everything is set here. The sessions of
//! the stores are set up by `auth-storage`, in `connect/session.rs`.

/// Settings for the transaction of a migration on PostgreSQL. It must come first in the transaction.
pub(crate) fn postgres(patience_seconds: u64) -> String {
    // A commit is durable also where the default is that it is not; a stricter default stays.
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

/// Removes prepared statements of this driver from the session: a connection pooler may have lent it to others before,
/// whose statements have the same names as ours.
pub(crate) const FORGET_STATEMENTS: &str = "DO $forget$ DECLARE prepared text; BEGIN \
     FOR prepared IN SELECT name FROM pg_prepared_statements WHERE left(name, 7) = 'sqlx_s_' LOOP \
     EXECUTE 'DEALLOCATE ' || quote_ident(prepared); END LOOP; END $forget$";

/// Settings for the session of a migration on MySQL and MariaDB.
pub(crate) const MYSQL: [&str; 2] = [
    "SET SESSION autocommit = 1, completion_type = 'NO_CHAIN', \
     sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION', \
     time_zone = '+00:00', foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, sql_auto_is_null = 0, \
     sql_big_selects = 1, sql_select_limit = 18446744073709551615, wait_timeout = 28800, net_read_timeout = 30, \
     net_write_timeout = 60, lock_wait_timeout = 60, lc_messages = 'en_US', NAMES utf8mb4",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE",
];

/// Settings of variables that only some servers have; the others skip the statement.
pub(crate) const MYSQL_IF_KNOWN: [&str; 5] = [
    "SET SESSION max_statement_time = 0",
    "SET SESSION max_execution_time = 0",
    "SET SESSION idle_transaction_timeout = 0, idle_write_transaction_timeout = 0",
    // MariaDB: otherwise `CREATE` and `DROP` get an `IF [NOT] EXISTS` that was not written.
    "SET SESSION sql_if_exists = 0",
    // Galera: what the last holder of the lock did is seen, on whichever node it was.
    "SET SESSION wsrep_sync_wait = 7",
];

/// The server has no variable of this name.
pub(crate) const MYSQL_UNKNOWN_VARIABLE: u16 = 1193;
