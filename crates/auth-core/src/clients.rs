//! Clients: machines with a secret of their own (RFC 6749 §2), which get access tokens without a user.
//!
//! A client gets tokens by its secret (RFC 6749 §4.4) and has no session. Its tokens have the id of the client in the place of that
//! of a user, and the generation of the client. So disabling a client ends all its tokens by one entry of the log, as
//! "log out everywhere" does for a user.

mod name;
mod secret;
mod store;

use time::OffsetDateTime;

use crate::grants::Scopes;
use crate::ids::{ClientId, Generation};

pub use self::name::{ClientName, ClientNameError, MAX_CLIENT_NAME_CHARS};
pub use self::secret::{CLIENT_SECRET_PREFIX, ClientSecret, ClientSecretDigest, MalformedClientSecret};
pub use self::store::{ClientStore, SecretRotation};

/// A client, as a store keeps it. It has no secret in it, only digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The id, which no user has.
    pub id: ClientId,
    /// Name for people. Two clients may have the same.
    pub name: ClientName,
    /// Scopes that its tokens may have.
    pub scopes: Scopes,
    /// Number of times that all its tokens were revoked.
    pub generation: Generation,
    /// Time at which it was created.
    pub created_at: OffsetDateTime,
    /// Time from which on it is refused and none of its tokens is good, if there is one. In whole seconds, as the expiry of a token.
    pub expires_at: Option<OffsetDateTime>,
    /// Time at which it was disabled, if it is.
    pub disabled_at: Option<OffsetDateTime>,
    /// Time of the last right secret, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// Digest of the secret.
    pub secret: ClientSecretDigest,
    /// The secret before, while it is still accepted.
    pub previous: Option<PreviousSecret>,
}

/// A secret of a client that was replaced and is accepted for some time more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviousSecret {
    /// Digest of the secret.
    pub digest: ClientSecretDigest,
    /// Time from which on it is refused.
    pub until: OffsetDateTime,
}

impl Client {
    /// Returns whether the client may authenticate at `now`: it is neither disabled nor expired.
    #[must_use]
    pub fn is_usable(&self, now: OffsetDateTime) -> bool {
        self.disabled_at.is_none() && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }

    /// Returns whether this is a secret of the client at `now`. The time that it takes does not depend on the secret.
    #[must_use]
    pub fn has_secret(&self, unverified_secret: &ClientSecret, now: OffsetDateTime) -> bool {
        let digest = unverified_secret.digest();
        let is_current = self.secret.is(&digest);
        let is_previous = self.previous.is_some_and(|previous| (now < previous.until) & previous.digest.is(&digest));
        is_current | is_previous
    }
}
