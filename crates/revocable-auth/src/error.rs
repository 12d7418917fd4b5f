//! Errors of starting and stopping.

use std::io;

use auth_core::{BoxError, NoRandomness, StoreError};
use auth_migrations::MigrateError;
use auth_storage::ConnectError;

/// Reason that authentication could not be started. No message holds a secret or a database URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting is absent that has no default.
    #[error("{field} must be set: {help}")]
    Missing {
        /// Name of the builder's method.
        field: &'static str,
        /// What to do about it.
        help: &'static str,
    },
    /// A setting has a value that cannot be used.
    #[error("{field} cannot be used: {cause}")]
    Invalid {
        /// Name of the builder's method.
        field: &'static str,
        /// The rule that the value breaks.
        cause: BoxError,
    },
    /// The database could not be opened.
    #[error("the database cannot be opened: {0}")]
    Connect(#[source] ConnectError),
    /// The tables could not be found or created.
    #[error("the tables cannot be used: {0}")]
    Migrate(#[from] MigrateError),
    /// Tables are missing or of an older version, and [`migrate(false)`](crate::RevocableAuthBuilder::migrate) was called.
    #[error("the database is not migrated, and migrate is off")]
    NotMigrated,
    /// The database did not answer.
    #[error("the database did not answer")]
    Store(#[from] StoreError),
    /// The operating system gave no thread for hashing.
    #[error("no thread for hashing could be started")]
    Threads(#[source] io::Error),
    /// The operating system gave no randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The start was called outside a tokio runtime.
    #[error("start must be called in a tokio runtime")]
    NoRuntime,
}

impl StartError {
    pub(crate) fn invalid(field: &'static str, cause: impl Into<BoxError>) -> Self {
        Self::Invalid { field, cause: cause.into() }
    }

    /// Returns the name of the builder's method that has to be called, or called with another value.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Missing { field, .. } | Self::Invalid { field, .. } => Some(field),
            _ => None,
        }
    }
}

impl From<ConnectError> for StartError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::UnknownScheme | ConnectError::InvalidUrl(_) => Self::invalid("database_url", error),
            other => Self::Connect(other),
        }
    }
}

/// Reason that stopping did not go as intended. Everything has ended all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StopError {
    /// A background task had panicked.
    #[error("a background task had panicked")]
    Panicked,
    /// The database did not close its connections in time. They were dropped.
    #[error("the database was not closed in time")]
    Close(#[source] StoreError),
}
