//! The kinds of database.

use std::fmt;

/// A kind of database. Each has a feature of this crate, by the name that [`as_str`](Self::as_str) returns; without it a URL of that
/// kind is [`ConnectError::DriverMissing`](super::ConnectError::DriverMissing).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DatabaseKind {
    /// A SQLite file, or SQLite in memory.
    Sqlite,
    /// PostgreSQL, or a server that speaks its protocol.
    Postgres,
    /// MySQL or MariaDB.
    MySql,
}

impl DatabaseKind {
    /// The kind as a word, for logs and metrics: `sqlite`, `postgres` or `mysql`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
        }
    }
}

impl fmt::Display for DatabaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
