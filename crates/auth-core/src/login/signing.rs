//! Signing the access tokens of users and clients.

use std::time::Duration;

use time::OffsetDateTime;

use super::IssuedToken;
use crate::error::BoxError;
use crate::service::AuthService;
use crate::token::{Claims, MAX_TOKEN_BYTES};

impl AuthService {
    /// Signs an access token. One that no check would accept for its length is an error.
    pub(super) fn sign(&self, claims: &Claims) -> Result<IssuedToken, BoxError> {
        let access = self.parts.codec.encode(claims)?;
        if access.expose_token().len() > MAX_TOKEN_BYTES {
            let holder = match claims.client_id() {
                Some(id) => format!("client {id}"),
                None => format!("user {}", claims.user_id),
            };
            return Err(format!(
                "the token of {holder} would have more than {MAX_TOKEN_BYTES} bytes: its roles, scopes and extra claims are too long"
            )
            .into());
        }
        Ok(IssuedToken { access, expires_in: life(claims.issued_at, claims.expires_at) })
    }
}

/// Returns the time between two instants, or zero if the second comes first.
pub(super) fn life(from: OffsetDateTime, to: OffsetDateTime) -> Duration {
    Duration::try_from(to - from).unwrap_or_default()
}
