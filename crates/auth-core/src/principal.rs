//! The proof that a token was checked.

use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use crate::blacklist::RevocationTarget;
use crate::grants::{ExtraClaims, ExtraClaimsError, Roles, Scopes, TokenKind};
use crate::ids::{ClientId, Generation, SessionId, TokenId, UserId};
use crate::token::Claims;

/// Holder of a token that was found good: signed by us, not expired, not revoked.
///
/// No code outside this crate can make a value of this type. Within the crate only
/// [`TokenVerifier`](crate::TokenVerifier) makes one. [`AuthService::authenticate`](crate::AuthService::authenticate)
/// checks with a `TokenVerifier`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    claims: Claims,
}

impl Principal {
    pub(crate) fn from_checked(claims: Claims) -> Self {
        Self { claims }
    }

    /// Returns the id of the user that the token belongs to. For the token of a [client](Self::client_id) it is the id of the
    /// client, which no user has.
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

    /// Returns the generation of the user for which the token was issued.
    pub(crate) fn generation(&self) -> Generation {
        self.claims.generation
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

    /// Returns how the holder came by the token.
    #[must_use]
    pub fn kind(&self) -> TokenKind {
        self.claims.kind()
    }

    /// Returns the client that the token belongs to, if it belongs to one and not to a user.
    #[must_use]
    pub fn client_id(&self) -> Option<ClientId> {
        self.claims.client_id()
    }

    /// Returns whether the token carries this role. The role `admin` is [`is_admin`](Self::is_admin). Taking a role away revokes
    /// the tokens of the user; a role that was given counts from the next login.
    #[must_use]
    pub fn has_role(&self, name: &str) -> bool {
        self.claims.has_role(name)
    }

    /// Returns whether the token carries this scope (RFC 6749 §3.3).
    #[must_use]
    pub fn has_scope(&self, name: &str) -> bool {
        self.claims.has_scope(name)
    }

    /// Returns the roles of the token, without `admin`.
    #[must_use]
    pub fn roles(&self) -> Option<&Roles> {
        self.claims.grants.as_ref().map(|grants| &grants.roles)
    }

    /// Returns the scopes of the token.
    #[must_use]
    pub fn scopes(&self) -> Option<&Scopes> {
        self.claims.grants.as_ref().map(|grants| &grants.scopes)
    }

    /// Reads the claims that the application added to the token, or `None` if it added none.
    ///
    /// # Errors
    ///
    /// When they do not have the shape of `T`.
    pub fn extra<T: DeserializeOwned>(&self) -> Result<Option<T>, ExtraClaimsError> {
        let extra = self.claims.grants.as_ref().and_then(|grants| grants.extra.as_ref());
        extra.map(ExtraClaims::read).transpose()
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
