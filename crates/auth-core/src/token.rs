//! Access tokens: what they say, and the trait of what signs and reads them.

use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::BoxError;
use crate::ids::{Generation, SessionId, TokenId, UserId};

/// How long after its `exp` a token is still accepted, because the clocks of two nodes never quite agree
/// (RFC 7519 §4.1.4). The one such constant: the check and the life of a blacklist entry both use it.
pub const LEEWAY: Duration = Duration::from_secs(1);

/// The longest life that a token may be given. A user-wide revocation expires this long plus [`MAX_CLOCK_SKEW`] after it
/// was made, so it outlives every token it covers, also when the configured life was longer at the time or the token
/// comes from a node whose clock is ahead.
pub const MAX_TOKEN_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How far the clocks of two nodes may be apart. Up to here no node revives a token, and none refuses a token that
/// nobody revoked.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(2 * 60 * 60);

/// The longest text that is looked at as a token, in bytes.
pub const MAX_TOKEN_BYTES: usize = 4096;

/// What a token says, after its signature was found good. Whether it is still good is another question, which
/// [`AuthService::authenticate`](crate::AuthService::authenticate) answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// `sub`: whose token it is.
    pub user_id: UserId,
    /// `jti`: which token it is.
    pub token_id: TokenId,
    /// `sid`: the session that the token belongs to, if sessions are kept. It equals `jti` if this is the session's only token.
    pub session_id: Option<SessionId>,
    /// `iat`, in whole seconds.
    pub issued_at: OffsetDateTime,
    /// `exp`, in whole seconds.
    pub expires_at: OffsetDateTime,
    /// `gen`: the user's generation at login.
    pub generation: Generation,
    /// `admin`: whether the user was an admin at login.
    pub admin: bool,
}

impl Claims {
    /// Returns the session whose end revokes this token.
    ///
    /// `None` means that the token is revoked by its own id: it belongs to no session, or it is the only token that its
    /// session ever has, and then both have one id.
    #[must_use]
    pub fn renewable_session(&self) -> Option<SessionId> {
        self.session_id.filter(|session| session.as_uuid() != self.token_id.as_uuid())
    }

    /// Whether the token has expired at `now`: it is good while `now < exp + LEEWAY`. The one place that says so.
    #[must_use]
    pub fn expired_at(&self, now: OffsetDateTime) -> bool {
        now >= self.expires_at + LEEWAY
    }
}

/// A signed token, which is a secret: whoever holds it is the user.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct AccessToken(String);

impl AccessToken {
    /// Wraps the text of a token.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text of the token, for the one client it belongs to.
    #[must_use]
    pub fn expose_token(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(<redacted>)")
    }
}

/// The text is no token of ours. It says no more, because its reader may be who forged it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is invalid")]
pub struct InvalidToken;

/// Signs claims and reads signed claims.
pub trait TokenCodec: fmt::Debug + Send + Sync {
    /// Signs `claims`.
    ///
    /// # Errors
    ///
    /// When the key cannot sign.
    fn encode(&self, claims: &Claims) -> Result<AccessToken, BoxError>;

    /// Checks signature, algorithm, type, issuer, audience and shape, and returns the claims. It does not look at the
    /// time: that is checked in one place, against our clock.
    ///
    /// One text is accepted per signed token: a re-spelt one (changed trailing bits, padding, blanks) is invalid.
    ///
    /// # Errors
    ///
    /// When anything is wrong with it.
    fn decode(&self, unverified_token: &str) -> Result<Claims, InvalidToken>;
}
