//! The trait of an asynchronous password hasher.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::hasher::PasswordHasher;
use super::outcome::{HashError, Verdict};
use super::{Password, PasswordHash};

/// Computes password hashes outside of the task that asks for them.
///
/// A hash takes a quarter of a second of a core. An implementation runs its [`PasswordHasher`] on threads of its own and
/// bounds how much work waits, as the pool of `auth-password` does.
#[async_trait]
pub trait AsyncPasswordHasher: fmt::Debug + Send + Sync {
    /// Returns the hash function that is computed.
    fn hasher(&self) -> &dyn PasswordHasher;

    /// Returns whether no work is waiting, so that optional work may be done.
    fn is_idle(&self) -> bool;

    /// Hashes a password with a new random salt.
    ///
    /// # Errors
    ///
    /// When too much work is waiting, or the hash function failed.
    async fn hash(&self, password: Password) -> Result<PasswordHash, HashingError>;

    /// Compares a password with a stored hash.
    ///
    /// # Errors
    ///
    /// When too much work is waiting, or the stored hash cannot be used.
    async fn verify(&self, password: Password, hash: PasswordHash) -> Result<Verdict, HashingError>;
}

#[async_trait]
impl<T: AsyncPasswordHasher + ?Sized> AsyncPasswordHasher for Arc<T> {
    fn hasher(&self) -> &dyn PasswordHasher {
        self.as_ref().hasher()
    }

    fn is_idle(&self) -> bool {
        self.as_ref().is_idle()
    }

    async fn hash(&self, password: Password) -> Result<PasswordHash, HashingError> {
        self.as_ref().hash(password).await
    }

    async fn verify(&self, password: Password, hash: PasswordHash) -> Result<Verdict, HashingError> {
        self.as_ref().verify(password, hash).await
    }
}

/// Reason that an [`AsyncPasswordHasher`] gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HashingError {
    /// More work is waiting than can be finished in time.
    #[error("too many password hashes are waiting")]
    Overloaded {
        /// Time until the present backlog is done, by the measured pace; at least one second.
        retry_after: Duration,
    },
    /// The hash function failed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The worker thread gave no answer, because the hash function panicked.
    #[error("the hashing thread gave no answer")]
    Lost,
}
