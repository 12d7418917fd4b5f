//! [`RevocableAuth`]: authentication that runs.

use std::sync::Arc;

use auth_blacklist::SyncedBlacklist;
use auth_core::{AuthService, Throttle, TokenVerifier};
use auth_jwt::ManagedKeys;
use auth_storage::Database;

use crate::builder::RevocableAuthBuilder;
use crate::error::StopError;
use crate::tasks::Tasks;

/// An [`AuthService`] with everything that runs for it: a database, hashing threads and background tasks.
///
/// Keep it for as long as the application runs, and call [`stop`](Self::stop) at the end. Dropping it ends the background
/// tasks as well, without waiting for them. A service that outlives it stays safe and gets slow: token checks read the
/// database, because memory is no longer kept in step.
#[derive(Debug)]
#[must_use = "dropping it stops the background tasks"]
pub struct RevocableAuth {
    pub(crate) service: AuthService,
    pub(crate) blacklist: Arc<SyncedBlacklist>,
    pub(crate) throttle: Option<Arc<Throttle>>,
    pub(crate) keys: Option<Arc<ManagedKeys>>,
    pub(crate) database: Option<Database>,
    /// Whether the database was opened here, and is to be closed at the end.
    pub(crate) owns_database: bool,
    pub(crate) tasks: Tasks,
}

impl RevocableAuth {
    /// Returns a builder with the default settings.
    pub fn builder() -> RevocableAuthBuilder {
        RevocableAuthBuilder::default()
    }

    /// Returns the service. It is cheap to clone, and clones share everything.
    #[must_use]
    pub fn service(&self) -> &AuthService {
        &self.service
    }

    /// Returns the blacklist, whose [`stats`](SyncedBlacklist::stats) belong into metrics and whose
    /// [`lost`](SyncedBlacklist::lost) belongs into a health check.
    #[must_use]
    pub fn blacklist(&self) -> &Arc<SyncedBlacklist> {
        &self.blacklist
    }

    /// Returns the throttle, unless there is none.
    #[must_use]
    pub fn throttle(&self) -> Option<&Arc<Throttle>> {
        self.throttle.as_ref()
    }

    /// Returns the [managed keys](RevocableAuthBuilder::managed_keys), if the keys are managed. Publish their
    /// [`jwks`](ManagedKeys::jwks), and let an operator [`rotate`](ManagedKeys::rotate) and [`revoke`](ManagedKeys::revoke) them.
    #[must_use]
    pub fn keys(&self) -> Option<&Arc<ManagedKeys>> {
        self.keys.as_ref()
    }

    /// Returns the database, unless every store is of the application's own.
    #[must_use]
    pub fn database(&self) -> Option<&Database> {
        self.database.as_ref()
    }

    /// Whether token checks are answered as intended: the log of revocations has been loaded and read recently, and no loss of
    /// revocations is known, and every managed key can be used. For a readiness check.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let keys_are_ready = self.keys.as_ref().is_none_or(|keys| keys.is_ready());
        self.blacklist.is_ready() && self.blacklist.lost().is_none() && keys_are_ready
    }

    /// Stops everything in order: ends the loops, waits for a hash upgrade that is under way, and closes the database if it was
    /// opened here. No task is left when this returns. Call it after the last request has been answered: a service that is
    /// used afterwards fails where it needs the database.
    ///
    /// # Errors
    ///
    /// When a background task had panicked or the database was not closed in time. Everything has ended all the same.
    pub async fn stop(self) -> Result<(), StopError> {
        let stopped = self.tasks.stop().await;
        if let Some(database) = self.database.filter(|_| self.owns_database) {
            database.close().await.map_err(StopError::Close)?;
        }
        stopped
    }
}

#[cfg(any(feature = "axum", feature = "actix"))]
impl From<&RevocableAuth> for auth_http::Routes {
    fn from(auth: &RevocableAuth) -> Self {
        auth.service().into()
    }
}

impl From<&RevocableAuth> for TokenVerifier {
    fn from(auth: &RevocableAuth) -> Self {
        auth.service().into()
    }
}
