//! Database URLs, parsed. Every option is checked here: none reaches a driver that does not know it.

use std::fmt;
use std::path::Path;

use super::{ConnectError, DatabaseKind};

mod mysql;
mod parts;
mod postgres;
mod query;
mod sqlite;
mod tls;

pub(super) use mysql::MySqlUrl;
pub(super) use postgres::PostgresUrl;
pub(super) use sqlite::SqliteUrl;

/// A parsed database URL. `Debug` and `Display` show neither the password nor the options.
#[derive(Clone)]
pub struct DatabaseUrl(pub(super) Target);

/// Where a URL leads to, by the kind of database.
#[derive(Clone)]
pub(super) enum Target {
    Sqlite(SqliteUrl),
    Postgres(PostgresUrl),
    MySql(MySqlUrl),
}

/// The rule that a database URL breaks. It names options but never repeats a value, which may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlError(String);

impl UrlError {
    pub(super) fn new(rule: impl Into<String>) -> Self {
        Self(rule.into())
    }
}

impl DatabaseUrl {
    /// Parses a URL: `sqlite:path`, `sqlite::memory:`, `postgres://user:password@host/database?option=value` or
    /// `mysql://…` likewise. The options of each kind are listed in `docs/OPERATIONS.md`.
    ///
    /// The variables of the process that PostgreSQL's driver reads (`PGSSLMODE`, `PGOPTIONS` …) are taken into account as
    /// [`parse_with_env`](Self::parse_with_env) says.
    ///
    /// # Errors
    ///
    /// [`ConnectError::UnknownScheme`] or [`ConnectError::InvalidUrl`]. No error repeats a part of the URL except names
    /// of options.
    pub fn parse(url: &str) -> Result<Self, ConnectError> {
        Self::parse_with_env(url, |name| std::env::var(name).ok())
    }

    /// As [`parse`](Self::parse), with the environment given as a function from a name to a value.
    ///
    /// PostgreSQL's driver takes what a URL leaves out from variables. A variable that would change how a connection is
    /// encrypted or set up is an error, so that the URL alone decides; the error names the variable. `PGUSER`,
    /// `PGPASSWORD` and `PGAPPNAME` fill what the URL leaves out; all others are ignored.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_with_env(url: &str, env: impl Fn(&str) -> Option<String>) -> Result<Self, ConnectError> {
        let kind = DatabaseKind::of_url(url)?;
        let (_, rest) = url.split_once(':').ok_or(ConnectError::UnknownScheme)?;
        Ok(Self(match kind {
            DatabaseKind::Sqlite => Target::Sqlite(SqliteUrl::parse(rest)?),
            DatabaseKind::Postgres => Target::Postgres(PostgresUrl::parse(rest, &env)?),
            DatabaseKind::MySql => Target::MySql(MySqlUrl::parse(rest)?),
        }))
    }

    /// The SQLite file at `path`, whatever characters the path has. It is created when it is absent.
    #[must_use]
    pub fn sqlite_file(path: impl AsRef<Path>) -> Self {
        Self(Target::Sqlite(SqliteUrl::file(path.as_ref())))
    }

    /// A new SQLite database in memory.
    #[must_use]
    pub fn sqlite_in_memory() -> Self {
        Self(Target::Sqlite(SqliteUrl::memory()))
    }

    /// The kind of database.
    #[must_use]
    pub fn kind(&self) -> DatabaseKind {
        match &self.0 {
            Target::Sqlite(_) => DatabaseKind::Sqlite,
            Target::Postgres(_) => DatabaseKind::Postgres,
            Target::MySql(_) => DatabaseKind::MySql,
        }
    }

    /// Whether the database ends with the process: SQLite in memory, in any spelling.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        matches!(&self.0, Target::Sqlite(sqlite) if sqlite.is_in_memory())
    }

    /// Whether the database is opened without the right to write: SQLite with `mode=ro` or `immutable`.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        matches!(&self.0, Target::Sqlite(sqlite) if sqlite.is_read_only())
    }

    /// Whether SQLite is told to reach its file through another VFS than its default one (`vfs=…`).
    #[must_use]
    pub fn has_custom_vfs(&self) -> bool {
        matches!(&self.0, Target::Sqlite(sqlite) if sqlite.vfs().is_some())
    }

    /// Looks whether the files with certificates and keys that the URL names can be read and hold what they should.
    ///
    /// # Errors
    ///
    /// [`ConnectError::InvalidUrl`], which names the option.
    pub fn check_files(&self) -> Result<(), ConnectError> {
        match &self.0 {
            Target::Sqlite(_) => Ok(()),
            Target::Postgres(postgres) => Ok(postgres.tls().check_files()?),
            Target::MySql(mysql) => Ok(mysql.tls().check_files()?),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Target::Sqlite(sqlite) => sqlite.fmt(f),
            Target::Postgres(postgres) => postgres.fmt(f),
            Target::MySql(mysql) => mysql.fmt(f),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests;
