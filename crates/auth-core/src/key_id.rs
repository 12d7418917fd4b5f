//! Identifiers of the keys that sign tokens.

use std::fmt;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Id of the key that signed a token: the first 128 bits of the SHA-256 of its `kid` (RFC 7515 §4.1.4).
///
/// A `kid` is a text of any length. This id has a fixed length, so that claims and entries of the log can hold it.
///
/// ```
/// use auth_core::KeyId;
///
/// assert_eq!(KeyId::of_kid("a"), KeyId::of_kid("a"));
/// assert_ne!(KeyId::of_kid("a"), KeyId::of_kid("b"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Uuid);

impl KeyId {
    /// Returns the id of the key with this `kid`.
    #[must_use]
    pub fn of_kid(kid: &str) -> Self {
        let digest = Sha256::digest(kid.as_bytes());
        Self(Uuid::from_slice(&digest[..16]).unwrap_or_default())
    }

    /// Returns the id as a UUID of no version, for storage.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for KeyId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}
