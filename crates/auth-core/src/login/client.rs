//! Authentication of clients, and the tokens that they get.

use std::sync::Arc;
use std::time::Duration;

use super::IssuedToken;
use crate::clients::{Client, ClientSecret};
use crate::context::Context;
use crate::error::{BoxError, StoreError};
use crate::events;
use crate::grants::{Grants, Scopes, TokenKind};
use crate::ids::{ClientId, TokenId, UserId};
use crate::service::AuthService;
use crate::throttle::AdmissionError;
use crate::token::Claims;

/// Least time between two writes of [`Client::last_used_at`].
const LAST_USE_RESOLUTION: Duration = Duration::from_secs(60);

/// A client that has proved who it is. Only [`AuthService::authenticate_client`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedClient {
    client: Client,
}

impl AuthenticatedClient {
    /// Returns the client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// An access token of a client that was just signed, with its scopes.
#[derive(Debug)]
#[non_exhaustive]
pub struct ClientToken {
    /// The token.
    pub token: IssuedToken,
    /// The scopes of the token.
    pub scopes: Scopes,
}

/// Reason that a client was not authenticated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientAuthError {
    /// The client is unknown, disabled or expired, or the secret is wrong: one answer for all.
    #[error("the client is unknown or its secret is wrong")]
    InvalidClient,
    /// Too many wrong secrets were tried. A right secret is never refused for that.
    #[error("too many attempts")]
    TooManyAttempts {
        /// Time to wait before the next attempt.
        retry_after: Duration,
    },
    /// The attempt could not be counted, so it is refused without an answer.
    #[error("the attempt could not be counted")]
    Uncounted(#[source] StoreError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reason that a client got no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientTokenError {
    /// A scope was asked for that the client does not have.
    #[error("the client does not have all of these scopes")]
    InvalidScope,
    /// Signing failed, or the token would be too long for every check.
    #[error("an internal part failed")]
    Internal(#[source] BoxError),
}

impl AuthService {
    /// Authenticates a client by its id and secret: one read and one comparison. The time of the comparison does not depend on the
    /// secret. The time of the answer may tell whether there is such a client, whose id is no secret.
    ///
    /// The secret has 256 random bits, so no limit is needed to keep anybody from guessing it. Only wrong secrets are counted, after
    /// the comparison. So nobody can lock a client out, and a right secret costs no write but that of the last use.
    ///
    /// # Errors
    ///
    /// When the client is not authenticated, too many wrong secrets were tried, or a store failed.
    pub async fn authenticate_client(
        &self,
        unverified_id: &str,
        unverified_secret: &str,
        context: &Context,
    ) -> Result<AuthenticatedClient, ClientAuthError> {
        let (Some(store), Ok(id)) = (&self.parts.clients, unverified_id.parse::<ClientId>()) else {
            return Err(ClientAuthError::InvalidClient);
        };
        // A malformed secret is counted below like every wrong one.
        let secret = ClientSecret::parse(unverified_secret).ok();
        let now = self.now();
        let found = store.find(id).await?;
        let proven = found.filter(|client| {
            let has_secret = secret.as_ref().is_some_and(|secret| client.has_secret(secret, now));
            has_secret & client.is_usable(now)
        });
        let Some(client) = proven else {
            let refused = match self.parts.throttle.admit_wrong_secret(id, context.network()).await {
                Ok(()) => ClientAuthError::InvalidClient,
                Err(AdmissionError::TooManyAttempts { retry_after }) => {
                    ClientAuthError::TooManyAttempts { retry_after }
                }
                Err(AdmissionError::Store(error)) => ClientAuthError::Uncounted(error),
            };
            events::client_refused(&refused, context.request_id());
            return Err(refused);
        };
        // A use whose time cannot be recorded is a use all the same.
        if client.last_used_at.is_none_or(|last| now - last >= LAST_USE_RESOLUTION)
            && let Err(error) = store.record_use(id, now).await
        {
            events::client_use_unrecorded(id, &error);
        }
        Ok(AuthenticatedClient { client })
    }

    /// Signs an access token for a client (RFC 6749 §4.4), with the scopes that it asks for, or with all of its scopes if it names
    /// none. The token ends with the client at the latest.
    ///
    /// # Errors
    ///
    /// When the client does not have a scope that it asks for, signing failed, or the token would be longer than
    /// [`MAX_TOKEN_BYTES`](crate::token::MAX_TOKEN_BYTES).
    pub fn client_token(
        &self,
        authenticated: &AuthenticatedClient,
        requested: Option<Scopes>,
    ) -> Result<ClientToken, ClientTokenError> {
        let client = &authenticated.client;
        let scopes = requested.unwrap_or_else(|| client.scopes.clone());
        if !scopes.is_subset(&client.scopes) {
            return Err(ClientTokenError::InvalidScope);
        }
        let token = self.sign_for_client(client, scopes.clone()).map_err(ClientTokenError::Internal)?;
        events::client(client.id, "token issued");
        Ok(ClientToken { token, scopes })
    }

    fn sign_for_client(&self, client: &Client, scopes: Scopes) -> Result<IssuedToken, BoxError> {
        let issued_at = self.now().replace_nanosecond(0)?;
        let longest = issued_at + self.parts.client_token_life;
        let expires_at = client.expires_at.map_or(longest, |end| end.min(longest)).replace_nanosecond(0)?;
        let claims = Claims {
            user_id: UserId::from(client.id.as_uuid()),
            token_id: TokenId::generate()?,
            session_id: None,
            issued_at,
            expires_at,
            generation: client.generation,
            admin: false,
            key_id: None,
            grants: Some(Arc::new(Grants { kind: TokenKind::Client, scopes, ..Grants::default() })),
        };
        self.sign(&claims)
    }
}
