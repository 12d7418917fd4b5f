//! Database URLs. Every option is checked here, so none reaches a driver that does not know it.

use std::fmt;

use super::error::ConnectError;
use super::kind::DatabaseKind;

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod parts;
#[cfg(feature = "postgres")]
mod postgres;
mod query;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod tls;

#[cfg(feature = "mysql")]
pub(super) use mysql::MySqlUrl;
#[cfg(feature = "postgres")]
pub(super) use postgres::PostgresUrl;
#[cfg(feature = "sqlite")]
pub(super) use sqlite::SqliteUrl;

/// A parsed database URL. `Debug` and `Display` show neither the password nor the options.
#[derive(Clone)]
pub struct DatabaseUrl(pub(super) Target);

/// The content of a URL, by the kind of database.
#[derive(Clone)]
pub(super) enum Target {
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteUrl),
    #[cfg(feature = "postgres")]
    Postgres(PostgresUrl),
    #[cfg(feature = "mysql")]
    MySql(MySqlUrl),
}

impl DatabaseKind {
    /// Returns the kind that the scheme of a URL names: `sqlite`, `postgres`, `postgresql`, `mysql` or `mariadb`. The rest of the
    /// URL is not read.
    ///
    /// # Errors
    ///
    /// [`ConnectError::UnknownScheme`] for every other scheme.
    pub fn of_url(url: &str) -> Result<Self, ConnectError> {
        let (scheme, _) = url.split_once(':').ok_or(ConnectError::UnknownScheme)?;
        match scheme {
            "sqlite" => Ok(Self::Sqlite),
            "postgres" | "postgresql" => Ok(Self::Postgres),
            "mysql" | "mariadb" => Ok(Self::MySql),
            _ => Err(ConnectError::UnknownScheme),
        }
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
    /// [`ConnectError::UnknownScheme`], [`ConnectError::DriverMissing`] or [`ConnectError::InvalidUrl`]. No error repeats a part of
    /// the URL except names of options.
    pub fn parse(url: &str) -> Result<Self, ConnectError> {
        Self::parse_with_env(url, |name| std::env::var(name).ok())
    }

    /// As [`parse`](Self::parse), with the environment given as a function from a name to a value.
    ///
    /// PostgreSQL's driver takes values that a URL leaves out from variables. A variable that would change how a connection is
    /// encrypted or set up is an error, so that the URL alone decides; the error names the variable. `PGUSER`,
    /// `PGPASSWORD` and `PGAPPNAME` fill what the URL leaves out; all others are ignored.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_with_env(url: &str, env: impl Fn(&str) -> Option<String>) -> Result<Self, ConnectError> {
        let kind = DatabaseKind::of_url(url)?;
        let (_, rest) = url.split_once(':').ok_or(ConnectError::UnknownScheme)?;
        #[cfg(not(feature = "postgres"))]
        drop(env);
        Ok(Self(match kind {
            #[cfg(feature = "sqlite")]
            DatabaseKind::Sqlite => Target::Sqlite(SqliteUrl::parse(rest)?),
            #[cfg(feature = "postgres")]
            DatabaseKind::Postgres => Target::Postgres(PostgresUrl::parse(rest, &env)?),
            #[cfg(feature = "mysql")]
            DatabaseKind::MySql => Target::MySql(MySqlUrl::parse(rest)?),
            #[cfg(not(all(feature = "sqlite", feature = "postgres", feature = "mysql")))]
            kind => return Err(ConnectError::DriverMissing(kind)),
        }))
    }

    /// Returns the URL of the SQLite file at `path`, whatever characters the path has. The file is created when it is absent.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn sqlite_file(path: impl AsRef<std::path::Path>) -> Self {
        Self(Target::Sqlite(SqliteUrl::file(path.as_ref())))
    }

    /// Returns the URL of a new SQLite database in memory.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn sqlite_in_memory() -> Self {
        Self(Target::Sqlite(SqliteUrl::memory()))
    }

    /// The kind of database.
    #[must_use]
    pub fn kind(&self) -> DatabaseKind {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Target::Sqlite(_) => DatabaseKind::Sqlite,
            #[cfg(feature = "postgres")]
            Target::Postgres(_) => DatabaseKind::Postgres,
            #[cfg(feature = "mysql")]
            Target::MySql(_) => DatabaseKind::MySql,
        }
    }

    /// Returns true if the database ends with the process: SQLite in memory, in any spelling.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Target::Sqlite(sqlite) => sqlite.is_in_memory(),
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            _ => false,
        }
    }

    /// Returns true if the database is opened without the right to write: SQLite with `mode=ro` or `immutable`.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Target::Sqlite(sqlite) => sqlite.is_read_only(),
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            _ => false,
        }
    }

    /// Returns true if SQLite uses another VFS than its default one for the file (`vfs=…`).
    #[must_use]
    pub fn has_custom_vfs(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Target::Sqlite(sqlite) => sqlite.vfs().is_some(),
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            _ => false,
        }
    }

    /// Checks that the files with certificates and keys that the URL names can be read and contain such.
    ///
    /// # Errors
    ///
    /// [`ConnectError::InvalidUrl`], which names the option.
    pub fn check_files(&self) -> Result<(), ConnectError> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Target::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Target::Postgres(postgres) => Ok(postgres.tls().check_files()?),
            #[cfg(feature = "mysql")]
            Target::MySql(mysql) => Ok(mysql.tls().check_files()?),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Target::Sqlite(sqlite) => sqlite.fmt(f),
            #[cfg(feature = "postgres")]
            Target::Postgres(postgres) => postgres.fmt(f),
            #[cfg(feature = "mysql")]
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
