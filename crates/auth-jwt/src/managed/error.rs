//! [`ManagedKeysError`].

use auth_core::StoreError;
use time::OffsetDateTime;

use crate::keys::KeyError;
use crate::master_key::SealError;

/// Reason that the keys of a store could not be read or changed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ManagedKeysError {
    /// The store failed.
    #[error("the keys cannot be read or written")]
    Store(#[from] StoreError),
    /// A key cannot be decrypted or encrypted.
    #[error("the key {kid} cannot be used")]
    Unusable {
        /// The key.
        kid: String,
        /// What is wrong with it.
        #[source]
        reason: SealError,
    },
    /// No key could be made.
    #[error("no key can be made")]
    NotMade(#[from] KeyError),
    /// There is a key already that signs next.
    #[error("the key {kid} is published already, and signs from {signs_from}")]
    AlreadyPublished {
        /// The key.
        kid: String,
        /// When it signs.
        signs_from: OffsetDateTime,
    },
    /// Other nodes changed the keys again and again at the same time.
    #[error("other nodes changed the keys at the same time")]
    Contended,
}

/// An error of a check: whoever cannot use a key cannot tell whether its tokens are good.
impl From<ManagedKeysError> for StoreError {
    fn from(error: ManagedKeysError) -> Self {
        match error {
            ManagedKeysError::Store(error) => error,
            other => Self::unavailable(other),
        }
    }
}
