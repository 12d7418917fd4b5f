//! The proof that a check passed.

use time::OffsetDateTime;

use crate::blacklist::RevocationTarget;
use crate::ids::{SessionId, TokenId, UserId};
use crate::token::Claims;

/// Somebody whose token was found good: signed by us, not expired, not revoked.
///
/// A value of this type cannot be made outside this crate, and within it only
/// [`TokenVerifier`](crate::TokenVerifier) makes one, which is what
/// [`AuthService::authenticate`](crate::AuthService::authenticate) checks with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    claims: Claims,
}

impl Principal {
    pub(crate) fn from_checked(claims: Claims) -> Self {
        Self { claims }
    }

    /// Whose token it is.
    #[must_use]
    pub fn user_id(&self) -> UserId {
        self.claims.user_id
    }

    /// Which token it is.
    #[must_use]
    pub fn token_id(&self) -> TokenId {
        self.claims.token_id
    }

    /// Returns the session that the token belongs to, if sessions are kept.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        self.claims.session_id
    }

    /// Returns the target of the entry that revokes the token.
    pub(crate) fn revocation_target(&self) -> RevocationTarget {
        match self.claims.renewable_session() {
            Some(session) => RevocationTarget::Session(session),
            None => RevocationTarget::Token(self.claims.token_id),
        }
    }

    /// Whether the user was an admin at login. Demoting a user revokes the user's tokens, so this is never stale for
    /// longer than a revocation takes.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.claims.admin
    }

    /// When the token was issued.
    #[must_use]
    pub fn issued_at(&self) -> OffsetDateTime {
        self.claims.issued_at
    }

    /// When the token expires.
    #[must_use]
    pub fn expires_at(&self) -> OffsetDateTime {
        self.claims.expires_at
    }
}
