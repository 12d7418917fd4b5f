//! Ending tokens of any kind at the request of whoever holds them (RFC 7009).

use super::AuthenticatedClient;
use crate::blacklist::RevocationReason;
use crate::error::StoreError;
use crate::events;
use crate::grants::TokenKind;
use crate::service::AuthService;
use crate::session::{RefreshToken, SessionEnd};
use crate::verifier::AuthenticateError;

/// Reason that a token was not ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevokeTokenError {
    /// The token belongs to a client, and the caller has not authenticated as one.
    #[error("the token belongs to a client, which has to authenticate")]
    ClientRequired,
    /// The token belongs to another client than the caller.
    #[error("the token was issued to another client")]
    ForeignToken,
    /// The store failed. The token may still be accepted.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AuthService {
    /// Ends a token (RFC 7009). A refresh token ends its session. An access token of a user is logged out. A token of a client must
    /// belong to `caller`. A token that is not good needs no end, so it is no error.
    ///
    /// Whoever holds a token of a user may end it, as with [`logout`](Self::logout). When this has returned, the end is durable and
    /// this node refuses the token. If the session had ended on another node already, this node refuses the token with its next read of
    /// the log.
    ///
    /// # Errors
    ///
    /// When the token belongs to another client, or its end could not be written.
    pub async fn revoke_token(
        &self,
        caller: Option<&AuthenticatedClient>,
        unverified_token: &str,
    ) -> Result<(), RevokeTokenError> {
        if let Ok(unverified_token) = RefreshToken::parse(unverified_token) {
            return Ok(self.end_holders_session(&unverified_token).await?);
        }
        let principal = match self.authenticate(unverified_token).await {
            Ok(principal) => principal,
            Err(AuthenticateError::Invalid | AuthenticateError::Expired | AuthenticateError::Revoked) => return Ok(()),
            Err(AuthenticateError::Unknown(error)) => return Err(error.into()),
        };
        if principal.kind() == TokenKind::Client {
            let caller = caller.ok_or(RevokeTokenError::ClientRequired)?;
            if principal.client_id() != Some(caller.client().id) {
                return Err(RevokeTokenError::ForeignToken);
            }
        }
        Ok(self.logout(&principal).await?)
    }

    /// Ends the session of a refresh token, also of one that was used already: its holder had a token of the session.
    async fn end_holders_session(&self, unverified_token: &RefreshToken) -> Result<(), StoreError> {
        let Some(sessions) = &self.parts.sessions else { return Ok(()) };
        let id = unverified_token.unverified_session_id();
        let Some(stored) = sessions.store.find(id).await? else { return Ok(()) };
        let family = unverified_token.family_digest();
        if stored.session.ended.is_some() || stored.refresh.is_none_or(|refresh| refresh.family != family) {
            return Ok(());
        }
        let end = SessionEnd { at: self.now(), reason: RevocationReason::Logout };
        if self.end_session(id, end).await? {
            events::revoked(stored.session.user_id, end.reason.as_str());
        }
        Ok(())
    }
}
