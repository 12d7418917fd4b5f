//! What a database error means to who asked the store.

use auth_core::{StoreError, StoreErrorKind};
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::mysql::MySqlDatabaseError;
use sea_orm::sqlx::postgres::PgDatabaseError;
use sea_orm::sqlx::sqlite::SqliteError;
use sea_orm::{DbErr, RuntimeErr, sqlx};

/// What stopped an attempt: the database, or something found in it.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The database answered with an error, or not at all.
    Database(DbErr),
    /// What it holds is wrong.
    Store(StoreError),
}

impl Trouble {
    /// Whether the database gave up this transaction in favour of another one, so that the same attempt may succeed now.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Database(error) if database_error(error).is_some_and(|error| meaning(error) == Meaning::Conflict))
    }
}

impl From<DbErr> for Trouble {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Database(error) => Self::new(kind(&error), error),
            Trouble::Store(error) => error,
        }
    }
}

/// What a database error means to who asked the store, for a store of your own in the same database. A database that is not
/// there, is too busy or gave up the transaction in favour of another one is
/// [`Unavailable`](StoreErrorKind::Unavailable), a value that does not fit its type [`Corrupt`](StoreErrorKind::Corrupt), and
/// everything else [`Internal`](StoreErrorKind::Internal). The error is kept as the source, for a log.
#[must_use]
pub fn store_error(error: DbErr) -> StoreError {
    Trouble::from(error).into()
}

/// The call took longer than [`ConnectOptions::call_timeout`](crate::ConnectOptions::call_timeout).
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer in time")]
pub(crate) struct CallTimedOut;

/// The runtime is shutting down.
#[derive(Debug, thiserror::Error)]
#[error("the call was interrupted")]
pub(crate) struct Interrupted;

/// The unique key that a new row collided with, by the name of its constraint or column.
pub(crate) fn violated_key(error: &DbErr) -> Option<String> {
    let error = database_error(error)?;
    if !error.is_unique_violation() {
        return None;
    }
    if let Some(constraint) = error.constraint() {
        return Some(constraint.to_owned());
    }
    // SQLite: "UNIQUE constraint failed: users.email_key".
    // MySQL: "Duplicate entry '…' for key 'users.users_email_key_unique'", where the entry is what a stranger typed, so
    // only what follows the last marker counts.
    let message = error.message();
    let (_, key) = message.rsplit_once("for key ").or_else(|| message.rsplit_once("constraint failed: "))?;
    Some(key.to_owned())
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
            Meaning::Conflict | Meaning::Unavailable => StoreErrorKind::Unavailable,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// A deadlock or a serialization failure: the transaction is gone, and may be tried again.
    Conflict,
    /// Not now.
    Unavailable,
    /// The file is damaged.
    Corrupt,
    /// Something that trying again does not change.
    Other,
}

fn meaning(error: &dyn DatabaseError) -> Meaning {
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        return postgres_meaning(error.code());
    }
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return mysql_meaning(error.number());
    }
    if let Some(error) = error.try_downcast_ref::<SqliteError>() {
        let code = DatabaseError::code(error).and_then(|code| code.parse().ok());
        return code.map_or(Meaning::Other, sqlite_meaning);
    }
    Meaning::Other
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn postgres_meaning(sqlstate: &str) -> Meaning {
    match sqlstate {
        // Serialization failure, deadlock.
        "40001" | "40P01" => Meaning::Conflict,
        // Lock timeout, statement timeout or cancel, read-only (a fail-over left us on the standby).
        "55P03" | "57014" | "25006" => Meaning::Unavailable,
        // Bad data, bad index.
        "XX001" | "XX002" => Meaning::Corrupt,
        // Connection trouble, no resources, shutting down or starting up.
        code if ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class)) => Meaning::Unavailable,
        _ => Meaning::Other,
    }
}

/// <https://mariadb.com/kb/en/mariadb-error-codes/>
fn mysql_meaning(number: u16) -> Meaning {
    match number {
        // Deadlock; record changed since last read.
        1213 | 1020 => Meaning::Conflict,
        // Too many connections, disk full, shutdown, lock wait timeout, interrupted, read-only server, killed,
        // statement timeout (MariaDB, MySQL), node not ready, read-only mode, too many connections of this user.
        1040 | 1021 | 1053 | 1205 | 1317 | 1290 | 1927 | 1969 | 3024 | 1047 | 1836 | 1203 | 1226 => {
            Meaning::Unavailable
        }
        _ => Meaning::Other,
    }
}

/// <https://www.sqlite.org/rescode.html>; the lowest byte is the primary code.
fn sqlite_meaning(code: i32) -> Meaning {
    match code & 0xff {
        // Busy, locked, I/O error, disk full, cannot open.
        5 | 6 | 10 | 13 | 14 => Meaning::Unavailable,
        // Malformed, not a database.
        11 | 26 => Meaning::Corrupt,
        _ => Meaning::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_manuals_say() {
        assert_eq!(postgres_meaning("40P01"), Meaning::Conflict);
        assert_eq!(postgres_meaning("57P01"), Meaning::Unavailable);
        assert_eq!(postgres_meaning("42P01"), Meaning::Other);
        assert_eq!(mysql_meaning(1213), Meaning::Conflict);
        assert_eq!(mysql_meaning(1205), Meaning::Unavailable);
        assert_eq!(mysql_meaning(1146), Meaning::Other);
        assert_eq!(sqlite_meaning(5), Meaning::Unavailable);
        assert_eq!(sqlite_meaning(517), Meaning::Unavailable);
        assert_eq!(sqlite_meaning(11), Meaning::Corrupt);
        assert_eq!(sqlite_meaning(1), Meaning::Other);
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
