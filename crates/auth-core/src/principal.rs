//! The proof that a token was checked.

use time::OffsetDateTime;

use crate::blacklist::RevocationTarget;
use crate::ids::{SessionId, TokenId, UserId};
use crate::token::Claims;

/// Holder of a token that was found good: signed by us, not expired, not revoked.
///
/// No code outside this crate can make a value of this type. Within the crate only
/// [`TokenVerifier`](crate::TokenVerifier) makes one. [`AuthService::authenticate`](crate::AuthService::authenticate)
/// checks with a `TokenVerifier`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    claims: Claims,
}

impl Principal {
    pub(crate) fn from_checked(claims: Claims) -> Self {
        Self { claims }
    }

    /// Returns the id of the user that the token belongs to.
    #[must_use]
    pub fn user_id(&self) -> UserId {
        self.claims.user_id
    }

    /// Returns the id of the token.
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

    /// Returns whether the user was an admin at login. Demoting a user revokes the user's tokens, so the answer is
    /// outdated no longer than a revocation takes.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.claims.admin
    }

    /// Returns the time at which the token was issued.
    #[must_use]
    pub fn issued_at(&self) -> OffsetDateTime {
        self.claims.issued_at
    }

    /// Returns the time at which the token expires.
    #[must_use]
    pub fn expires_at(&self) -> OffsetDateTime {
        self.claims.expires_at
    }
}
