//! [`AppError`].

use std::io;

use auth_core::BoxError;
use auth_core::service::BuildError;
use auth_jwt::ManagedKeysError;
use auth_migrations::MigrateError;
use auth_storage::ConnectError;

/// The error of building a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// The data directory cannot be created.
    #[error("the data directory {0} cannot be made")]
    DataDir(String, #[source] io::Error),
    /// The secret cannot be created or read.
    #[error("the secret in {0} cannot be made or read")]
    Secret(String, #[source] io::Error),
    /// The operating system provides no randomness.
    #[error("there is no randomness for a secret")]
    Random(#[from] getrandom::Error),
    /// The database cannot be opened.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The database cannot be migrated.
    #[error(transparent)]
    Migrate(MigrateError),
    /// The settings of the tables do not fit the tables in the database.
    #[error("{0} (AUTH_DATABASE_TABLE_PREFIX, AUTH_DATABASE_SCHEMA)")]
    Tables(MigrateError),
    /// The schema of the database cannot be read.
    #[error("the schema of the database cannot be read")]
    Schema(#[source] BoxError),
    /// The managed keys cannot be read or used.
    #[error("the managed keys cannot be used (AUTH_MASTER_KEY)")]
    Keys(#[from] ManagedKeysError),
    /// The mailer cannot be built.
    #[error("the mailer cannot be made ({0})")]
    Mailer(&'static str, #[source] BoxError),
    /// The service cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A part refused values that the configuration has checked.
    #[error("a part could not be made")]
    Internal(#[source] BoxError),
}

impl From<MigrateError> for AppError {
    fn from(error: MigrateError) -> Self {
        use MigrateError::{Ambiguous, NoSchema, NotOurs, SchemaUnsupported};
        match error {
            NotOurs { .. } | Ambiguous(..) | NoSchema | SchemaUnsupported => Self::Tables(error),
            other => Self::Migrate(other),
        }
    }
}
