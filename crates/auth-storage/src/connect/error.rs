//! Reasons why a database cannot be opened.

use std::time::Duration;

use sea_orm::sqlx;

use super::kind::DatabaseKind;
use super::primary::NotPrimary;

/// The reason why a database could not be opened. It never repeats the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The scheme of the URL is unknown.
    #[error("the database URL must begin with sqlite:, postgres: or mysql:")]
    UnknownScheme,
    /// The driver for this kind of database was not compiled in.
    #[error("this program was compiled without {0}: enable the feature `{0}` of auth-storage and auth-migrations")]
    DriverMissing(DatabaseKind),
    /// The URL breaks a rule.
    #[error("the database URL cannot be used: {0}")]
    InvalidUrl(#[from] UrlError),
    /// The database stores text in an encoding other than UTF-8.
    #[error(
        "the encoding of the database is {0}, and it must be UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding(String),
    /// The file cannot be created or opened.
    #[error("the database file cannot be opened")]
    File(#[source] std::io::Error),
    /// The server did not answer in time.
    #[error("the database did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The server is not the primary, so its answers may be out of date.
    #[error(transparent)]
    NotPrimary(NotPrimary),
    /// The connection pooler in front of PostgreSQL does not keep the statements of a transaction together.
    #[error(
        "the connection pooler in front of PostgreSQL must hold a transaction together (pool_mode session or transaction)"
    )]
    Pooler(#[source] sqlx::Error),
    /// The server refused the connection, or cannot be reached.
    #[error("the database cannot be reached")]
    Unreachable(#[source] sqlx::Error),
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
