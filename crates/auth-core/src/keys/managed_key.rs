//! A key in the store, and the set of all of them.

use std::fmt;

use time::OffsetDateTime;

use super::algorithm::KeyAlgorithm;
use crate::blacklist::{Revocation, RevocationReason, RevocationTarget};
use crate::key_id::KeyId;
use crate::token::{MAX_CLOCK_SKEW, MAX_TOKEN_LIFE};

/// State of a key at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Everybody may know the key, and nobody signs with it yet.
    Published,
    /// The key signs.
    Signing,
    /// The key has signed, and its tokens have not all expired.
    Verifying,
    /// All tokens of the key have expired.
    Gone,
    /// The key was revoked. All its tokens are refused.
    Revoked,
}

impl KeyState {
    /// All states, in the order in which a key passes them.
    pub const ALL: [Self; 5] = [Self::Published, Self::Signing, Self::Verifying, Self::Gone, Self::Revoked];

    /// Returns the state as a stable word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Signing => "signing",
            Self::Verifying => "verifying",
            Self::Gone => "gone",
            Self::Revoked => "revoked",
        }
    }
}

/// A key that was just generated.
#[derive(Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Id of the key in the header of its tokens: its thumbprint (RFC 7638).
    pub kid: String,
    /// Algorithm of the key.
    pub algorithm: KeyAlgorithm,
    /// Private key, encrypted.
    pub sealed: Vec<u8>,
    /// Public key as a JSON Web Key (RFC 7517 §4). It is for those who read the store without the means to decrypt. Who decrypts
    /// takes the public key from the private one, because a row can be forged.
    pub public_jwk: String,
}

/// A key in a [`KeyStore`](super::KeyStore), with the times of its states.
#[derive(Clone, PartialEq, Eq)]
pub struct ManagedKey {
    /// Id of the key in the header of its tokens: its thumbprint (RFC 7638).
    pub kid: String,
    /// Algorithm of the key.
    pub algorithm: KeyAlgorithm,
    /// Private key, encrypted.
    pub sealed: Vec<u8>,
    /// Public key as a JSON Web Key, as [`NewKey::public_jwk`].
    pub public_jwk: String,
    /// Time at which the key was published.
    pub published_at: OffsetDateTime,
    /// Time from which on the key signs.
    pub signs_from: OffsetDateTime,
    /// Time from which on the key does not sign any more. `None` for the last key.
    pub signs_until: Option<OffsetDateTime>,
    /// Time from which on no token of the key is good any more. `None` for the last key.
    pub verifies_until: Option<OffsetDateTime>,
    /// Time at which the key was revoked.
    pub revoked_at: Option<OffsetDateTime>,
}

impl ManagedKey {
    /// Returns the state of the key at `now`.
    #[must_use]
    pub fn state(&self, now: OffsetDateTime) -> KeyState {
        let reached = |instant: Option<OffsetDateTime>| instant.is_some_and(|instant| now >= instant);
        if self.revoked_at.is_some() {
            KeyState::Revoked
        } else if reached(self.verifies_until) {
            KeyState::Gone
        } else if reached(self.signs_until) {
            KeyState::Verifying
        } else if now >= self.signs_from {
            KeyState::Signing
        } else {
            KeyState::Published
        }
    }

    /// Returns whether tokens of the key may be good at `now`, so that those who check tokens need it.
    #[must_use]
    pub fn is_needed(&self, now: OffsetDateTime) -> bool {
        matches!(self.state(now), KeyState::Published | KeyState::Signing | KeyState::Verifying)
    }
}

impl Revocation {
    /// Returns the entry of the log that ends every token of the key with this `kid`, as of `at`.
    #[must_use]
    pub fn of_key(kid: &str, at: OffsetDateTime) -> Self {
        Self {
            target: RevocationTarget::Key(KeyId::of_kid(kid)),
            expires_at: at + MAX_TOKEN_LIFE + MAX_CLOCK_SKEW,
            revoked_at: at,
            reason: RevocationReason::KeyRevoked,
        }
    }
}

/// All keys of a [`KeyStore`](super::KeyStore), as of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet {
    /// Number of changes that the set has seen.
    pub version: u64,
    /// Keys in order of the time from which on they sign, then of their `kid`.
    pub keys: Vec<ManagedKey>,
}

impl KeySet {
    /// Returns the key that signs at `now`: of all that may, the one that began last.
    ///
    /// If none may sign yet, it is the one that may first. So a set with a key always has one that signs, also for a node whose
    /// clock is behind, and after the key that signed was revoked.
    #[must_use]
    pub fn signing(&self, now: OffsetDateTime) -> Option<&ManagedKey> {
        let in_state = |state| self.keys.iter().filter(move |key| key.state(now) == state);
        let order = |key: &&ManagedKey| (key.signs_from, key.kid.clone());
        in_state(KeyState::Signing).max_by_key(order).or_else(|| in_state(KeyState::Published).min_by_key(order))
    }

    /// Returns the key with this `kid`.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&ManagedKey> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    /// Puts the keys into their order.
    pub(crate) fn sort(&mut self) {
        self.keys.sort_by(|one, other| (one.signs_from, &one.kid).cmp(&(other.signs_from, &other.kid)));
    }
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("kid", &self.kid).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl fmt::Debug for ManagedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagedKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("published_at", &self.published_at)
            .field("signs_from", &self.signs_from)
            .field("signs_until", &self.signs_until)
            .field("verifies_until", &self.verifies_until)
            .field("revoked_at", &self.revoked_at)
            .finish_non_exhaustive()
    }
}
