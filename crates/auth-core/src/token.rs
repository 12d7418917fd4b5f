//! Access tokens, their claims, and the trait that signs and reads them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use time::OffsetDateTime;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::{BoxError, StoreError};
use crate::grants::{ADMIN, Grants, TokenKind};
use crate::ids::{ClientId, Generation, SessionId, TokenId, UserId};
use crate::key_id::KeyId;

/// Time after its `exp` for which a token is still accepted, because the clocks of two nodes never quite agree (RFC
/// 7519 §4.1.4). The check of a token and the life of a blacklist entry both use this constant.
pub const LEEWAY: Duration = Duration::from_secs(1);

/// Maximum life of a token.
///
/// A user-wide revocation expires this long plus [`MAX_CLOCK_SKEW`] after it was made. So it outlives every token that
/// it covers, even if the configured life was longer at the time or the token comes from a node whose clock is ahead.
pub const MAX_TOKEN_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Maximum difference between the clocks of two nodes. Up to this difference no node accepts a revoked token, and none
/// refuses a token that nobody revoked.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(2 * 60 * 60);

/// Maximum length of a token, in bytes. A longer text is refused before any other check.
pub const MAX_TOKEN_BYTES: usize = 4096;

/// Claims of a token whose signature was found good. The token may have expired or been revoked, which
/// [`AuthService::authenticate`](crate::AuthService::authenticate) checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// User of the token (`sub`). For the token of a [client](Claims::client_id) it is the id of the client, which no user has.
    pub user_id: UserId,
    /// Id of the token (`jti`).
    pub token_id: TokenId,
    /// Session that the token belongs to, if sessions are kept (`sid`). It equals `jti` if this is the session's only
    /// token.
    pub session_id: Option<SessionId>,
    /// Time of issue (`iat`), in whole seconds.
    pub issued_at: OffsetDateTime,
    /// Time of expiry (`exp`), in whole seconds.
    pub expires_at: OffsetDateTime,
    /// Generation of the user at login (`gen`).
    pub generation: Generation,
    /// Whether the user was an admin at login (`admin`).
    pub admin: bool,
    /// Key that signed the token (`kid`). The codec sets it when it reads a token, and ignores it when it signs one. `None` for a
    /// token that no key signed.
    pub key_id: Option<KeyId>,
    /// What the token allows beyond that. `None` for a login without roles, scopes and extra claims, which then costs nothing.
    pub grants: Option<Arc<Grants>>,
}

impl Claims {
    /// Returns how the holder of the token came by it.
    #[must_use]
    pub fn kind(&self) -> TokenKind {
        self.grants.as_ref().map_or(TokenKind::Login, |grants| grants.kind)
    }

    /// Returns the client that the token belongs to, if it belongs to one.
    #[must_use]
    pub fn client_id(&self) -> Option<ClientId> {
        (self.kind() == TokenKind::Client).then(|| ClientId::from(self.user_id.as_uuid()))
    }

    /// Returns whether the token carries this role.
    #[must_use]
    pub fn has_role(&self, name: &str) -> bool {
        if name == ADMIN {
            return self.admin;
        }
        self.grants.as_ref().is_some_and(|grants| grants.roles.contains(name))
    }

    /// Returns whether the token carries this scope. A token without scopes has none.
    #[must_use]
    pub fn has_scope(&self, name: &str) -> bool {
        self.grants.as_ref().is_some_and(|grants| grants.scopes.contains(name))
    }

    /// Returns the session whose end revokes this token.
    ///
    /// `None` means that the token is revoked by its own id: it belongs to no session, or it is the only token that its
    /// session ever has, and then both have one id.
    #[must_use]
    pub fn renewable_session(&self) -> Option<SessionId> {
        self.session_id.filter(|session| session.as_uuid() != self.token_id.as_uuid())
    }

    /// Returns whether the token has expired at `now`. It is good while `now < exp + LEEWAY`. No other code decides
    /// this.
    #[must_use]
    pub fn expired_at(&self, now: OffsetDateTime) -> bool {
        // The first comparison says the same as the second, and is all that a token costs which has not expired.
        now >= self.expires_at && now >= self.expires_at + LEEWAY
    }
}

/// A signed token. It is a secret, because its holder is taken for the user.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct AccessToken(String);

impl AccessToken {
    /// Wraps the text of a token.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text of the token, for the one client that it belongs to.
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

/// Error for a text that is not a token of ours. It gives no reason, because its reader may be the forger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is invalid")]
pub struct InvalidToken;

/// Codec of tokens. It signs claims and reads signed claims.
///
/// A codec whose keys change while it is in use also implements [`awaits_key`](Self::awaits_key) and
/// [`learn_keys`](Self::learn_keys). Otherwise a token of a key that this node has not read yet would be called invalid, and its
/// holder would throw it away.
#[async_trait]
pub trait TokenCodec: fmt::Debug + Send + Sync {
    /// Signs `claims`.
    ///
    /// # Errors
    ///
    /// When the key cannot sign.
    fn encode(&self, claims: &Claims) -> Result<AccessToken, BoxError>;

    /// Checks signature, algorithm, type, issuer, audience and shape, and returns the claims. It does not check the
    /// times, which are compared with our clock elsewhere.
    ///
    /// Exactly one text is accepted for a signed token. Another spelling of it (changed trailing bits, padding, blanks)
    /// is invalid.
    ///
    /// # Errors
    ///
    /// When any of these is wrong.
    fn decode(&self, unverified_token: &str) -> Result<Claims, InvalidToken>;

    /// Returns whether a text that [`decode`](Self::decode) has refused may be a token of a key that this codec has not read yet.
    /// [`learn_keys`](Self::learn_keys) and another `decode` then decide about it. It answers from memory.
    ///
    /// The default is right for a codec whose keys never change: it returns false.
    fn awaits_key(&self, _unverified_token: &str) -> bool {
        false
    }

    /// Waits until the keys have been read by a read that began after this was called. Many callers share a read, and the time
    /// between two reads depends on no token, so that a flood of made-up keys costs no more than one.
    ///
    /// # Errors
    ///
    /// When the keys cannot be read. Then nobody knows whether the token is good.
    async fn learn_keys(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
