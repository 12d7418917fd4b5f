//! The meanings of database errors.

use auth_core::{StoreError, StoreErrorKind};
use sea_orm::sqlx::error::DatabaseError;
#[cfg(feature = "mysql")]
use sea_orm::sqlx::mysql::MySqlDatabaseError;
#[cfg(feature = "postgres")]
use sea_orm::sqlx::postgres::PgDatabaseError;
#[cfg(feature = "sqlite")]
use sea_orm::sqlx::sqlite::SqliteError;
use sea_orm::{DbErr, RuntimeErr, sqlx};

/// The error that ended one attempt of a call.
#[derive(Debug)]
pub(crate) enum AttemptError {
    /// The database answered with an error, or did not answer.
    Database(DbErr),
    /// Another transaction took a unique key that nobody else can want: the position or entry of the log that this transaction was
    /// about to write (locks prevent that within one server; the nodes of a cluster detect it late), or the random id of a row that
    /// an earlier attempt wrote. The next attempt sees it.
    Taken(DbErr),
    /// The store found its data wrong.
    Store(StoreError),
}

/// The answer to the question if a failed attempt may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeatable {
    /// It may: the database or the attempt itself rolled the transaction back.
    RolledBack,
    /// It may, but the failed attempt may have been committed, so a repetition has to look.
    Unknown,
    /// It may, on another connection. The failed attempt may have been committed.
    Reconnected,
    /// It may not: it would fail again.
    Never,
}

impl AttemptError {
    /// Says if the attempt may be repeated. It must have rolled its transaction back before it returned this error, because on
    /// MySQL's error 1205 the server rolls back the last statement alone.
    pub(crate) fn repeatable(&self) -> Repeatable {
        let error = match self {
            Self::Database(error) => error,
            Self::Taken(_) => return Repeatable::RolledBack,
            Self::Store(_) => return Repeatable::Never,
        };
        if let DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) = error
            && matches!(**error, sqlx::Error::Io(_))
        {
            return Repeatable::Reconnected;
        }
        match database_error(error).map(meaning) {
            Some(Meaning::Conflict) => Repeatable::RolledBack,
            Some(Meaning::Undecided) => Repeatable::Unknown,
            Some(Meaning::Disconnected) => Repeatable::Reconnected,
            _ => Repeatable::Never,
        }
    }

    /// Returns the error of an insertion whose unique keys only another writer of the log or an earlier attempt can have taken.
    pub(crate) fn of_taken(error: DbErr) -> Self {
        if violated_key(&error).is_some() { Self::Taken(error) } else { Self::Database(error) }
    }

    /// Returns true when no connection was available in time.
    pub(crate) fn is_no_connection(&self) -> bool {
        matches!(self, Self::Database(DbErr::ConnectionAcquire(_)))
    }
}

impl From<DbErr> for AttemptError {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for AttemptError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<AttemptError> for StoreError {
    fn from(error: AttemptError) -> Self {
        match error {
            AttemptError::Database(error) => Self::new(kind(&error), error),
            AttemptError::Taken(error) => Self::unavailable(error),
            AttemptError::Store(error) => error,
        }
    }
}

/// Returns the [`StoreError`] for a database error, for a store of your own in the same database. A database that cannot be reached,
/// is too busy or rolled the transaction back in favour of another one is [`Unavailable`](StoreErrorKind::Unavailable), a value that
/// does not fit its type [`Corrupt`](StoreErrorKind::Corrupt), and everything else [`Internal`](StoreErrorKind::Internal). The
/// database error is the source, for a log.
#[must_use]
pub fn store_error(error: DbErr) -> StoreError {
    AttemptError::from(error).into()
}

/// The call took longer than [`ConnectOptions::call_timeout`](crate::ConnectOptions::call_timeout).
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer in time")]
pub(crate) struct CallTimedOut;

/// The runtime is shutting down.
#[derive(Debug, thiserror::Error)]
#[error("the call was interrupted")]
pub(crate) struct Interrupted;

/// Returns the unique key that a new row collided with, for a store of your own in the same database: the name of the index or
/// constraint on PostgreSQL and MySQL, after the name of the table on MySQL, and `table.column` on SQLite. Name an index after its
/// table and column, as `members_mail_key`, and the end of the text tells the keys apart on all of them. Returns `None` for any
/// other error.
#[must_use]
pub fn violated_key(error: &DbErr) -> Option<String> {
    let error = database_error(error)?;
    if !error.is_unique_violation() {
        return None;
    }
    if let Some(constraint) = error.constraint() {
        return Some(constraint.to_owned());
    }
    // SQLite: "UNIQUE constraint failed: users.email_key".
    // MySQL: "Duplicate entry '…' for key 'users.users_email_key_unique'", where the entry is user input, so the key follows the
    // last marker.
    let message = error.message();
    let (_, key) = message.rsplit_once("for key ").or_else(|| message.rsplit_once("constraint failed: "))?;
    Some(key.trim_matches('\'').to_owned())
}

fn kind(error: &DbErr) -> StoreErrorKind {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => StoreErrorKind::Unavailable,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => driver_kind(error),
        DbErr::Type(_) | DbErr::TryIntoErr { .. } => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Internal,
    }
}

fn driver_kind(error: &sqlx::Error) -> StoreErrorKind {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => StoreErrorKind::Unavailable,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StoreErrorKind::Corrupt,
        sqlx::Error::Database(error) => match meaning(error.as_ref()) {
            Meaning::Conflict | Meaning::Undecided | Meaning::Disconnected | Meaning::Unavailable => {
                StoreErrorKind::Unavailable
            }
            Meaning::Corrupt => StoreErrorKind::Corrupt,
            Meaning::Other => StoreErrorKind::Internal,
        },
        _ => StoreErrorKind::Internal,
    }
}

fn database_error(error: &DbErr) -> Option<&dyn DatabaseError> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => error.as_database_error(),
        _ => None,
    }
}

/// The meaning of an error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(any(feature = "postgres", all(feature = "mysql", feature = "sqlite"))),
    expect(dead_code, reason = "neither SQLite nor MySQL knows all of them")
)]
enum Meaning {
    /// A deadlock, a serialization failure or a lock timeout: once rolled back, the transaction may be run again.
    Conflict,
    /// A node of a cluster cannot serve now. At `COMMIT` the transaction may have been committed.
    Undecided,
    /// The server ends the connection.
    Disconnected,
    /// The database cannot serve now.
    Unavailable,
    /// The file is damaged.
    Corrupt,
    /// An error that a repetition does not change.
    Other,
}

fn meaning(error: &dyn DatabaseError) -> Meaning {
    #[cfg(feature = "postgres")]
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        return postgres_meaning(error.code());
    }
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return mysql_meaning(error.number());
    }
    #[cfg(feature = "sqlite")]
    if let Some(error) = error.try_downcast_ref::<SqliteError>() {
        let code = DatabaseError::code(error).and_then(|code| code.parse().ok());
        return code.map_or(Meaning::Other, sqlite_meaning);
    }
    Meaning::Other
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
#[cfg(feature = "postgres")]
fn postgres_meaning(sqlstate: &str) -> Meaning {
    match sqlstate {
        // Serialization failure, deadlock.
        "40001" | "40P01" => Meaning::Conflict,
        // Statement completion unknown.
        "40003" => Meaning::Undecided,
        // Connection exception, administrator's command, crash of another session.
        "57P01" | "57P02" => Meaning::Disconnected,
        code if code.starts_with("08") => Meaning::Disconnected,
        // Lock timeout, statement timeout or cancel, read-only (a fail-over left us on the standby).
        "55P03" | "57014" | "25006" => Meaning::Unavailable,
        // Bad data, bad index.
        "XX001" | "XX002" => Meaning::Corrupt,
        // No resources, interventions of an operator, shutting down or starting up.
        code if ["53", "57", "58"].iter().any(|class| code.starts_with(class)) => Meaning::Unavailable,
        _ => Meaning::Other,
    }
}

/// <https://mariadb.com/kb/en/mariadb-error-codes/>
#[cfg(feature = "mysql")]
fn mysql_meaning(number: u16) -> Meaning {
    match number {
        // Deadlock or failed certification; record changed since last read; lock wait timeout, which is also what a causal
        // read of Galera ends with; conflict within a replication group.
        // And a savepoint that does not exist: Galera rolled the transaction back, and the error was lost.
        1213 | 1020 | 1205 | 3101 | 1305 => Meaning::Conflict,
        // Error during COMMIT; Galera's node is not ready.
        1180 | 1047 => Meaning::Undecided,
        // Shutdown, connection killed.
        1053 | 1927 => Meaning::Disconnected,
        // Too many connections, disk full, interrupted, read-only server, statement timeout (MariaDB, MySQL), read-only
        // mode, too many connections of this user; write error, error writing a file, error of the storage engine, table
        // space full.
        1040 | 1021 | 1317 | 1290 | 1969 | 3024 | 1836 | 1203 | 1226 | 3 | 1026 | 1030 | 1114 => Meaning::Unavailable,
        _ => Meaning::Other,
    }
}

/// <https://www.sqlite.org/rescode.html>; the lowest byte is the primary code.
#[cfg(feature = "sqlite")]
fn sqlite_meaning(code: i32) -> Meaning {
    match code & 0xff {
        // No permission, abort by a rollback, busy, locked, no memory, read-only, interrupt, I/O error, disk full, cannot open,
        // protocol error of the write-ahead log.
        3..=10 | 13..=15 => Meaning::Unavailable,
        // Malformed, not a database.
        11 | 26 => Meaning::Corrupt,
        _ => Meaning::Other,
    }
}

#[cfg(all(test, feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_manuals_say() {
        assert_eq!(postgres_meaning("40P01"), Meaning::Conflict);
        assert_eq!(postgres_meaning("40001"), Meaning::Conflict);
        assert_eq!(postgres_meaning("40003"), Meaning::Undecided);
        assert_eq!(postgres_meaning("57P01"), Meaning::Disconnected);
        assert_eq!(postgres_meaning("08006"), Meaning::Disconnected);
        assert_eq!(postgres_meaning("57P03"), Meaning::Unavailable);
        assert_eq!(postgres_meaning("42P01"), Meaning::Other);
        assert_eq!(mysql_meaning(1213), Meaning::Conflict);
        for conflict in [1205, 1020] {
            assert_eq!(mysql_meaning(conflict), Meaning::Conflict);
        }
        for undecided in [1047, 1180] {
            assert_eq!(mysql_meaning(undecided), Meaning::Undecided);
        }
        assert_eq!(mysql_meaning(1053), Meaning::Disconnected);
        assert_eq!(mysql_meaning(1146), Meaning::Other);
        assert_eq!(sqlite_meaning(5), Meaning::Unavailable);
        assert_eq!(sqlite_meaning(517), Meaning::Unavailable);
        assert_eq!(sqlite_meaning(11), Meaning::Corrupt);
        assert_eq!(sqlite_meaning(1), Meaning::Other);
        assert_eq!(sqlite_meaning(8), Meaning::Unavailable);
        assert_eq!(sqlite_meaning(13), Meaning::Unavailable);
        assert_eq!(sqlite_meaning(19), Meaning::Other);
        assert_eq!(mysql_meaning(1114), Meaning::Unavailable);
    }

    #[test]
    fn a_driver_error_is_unavailable_corrupt_or_internal() {
        let query = |error: sqlx::Error| kind(&DbErr::Query(RuntimeErr::SqlxError(error.into())));
        assert_eq!(query(sqlx::Error::Io(std::io::ErrorKind::BrokenPipe.into())), StoreErrorKind::Unavailable);
        assert_eq!(query(sqlx::Error::PoolTimedOut), StoreErrorKind::Unavailable);
        assert_eq!(query(sqlx::Error::Decode("not a number".into())), StoreErrorKind::Corrupt);
        assert_eq!(query(sqlx::Error::RowNotFound), StoreErrorKind::Internal);
        assert_eq!(kind(&DbErr::Conn(RuntimeErr::Internal("gone".into()))), StoreErrorKind::Unavailable);
    }
}
