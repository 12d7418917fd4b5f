//! `POST /oauth/revoke`: ending a token (RFC 7009).

use auth_core::AuthenticatedClient;
use poem::Response;
use poem::http::StatusCode;

use super::error::{Failure, OAuthError};
use super::parameters::Parameters;
use crate::http::state::State;

/// Ends a token. A token that is not good gets the same answer as one that was ended (RFC 7009 §2.2).
///
/// # Errors
///
/// Those of RFC 7009 §2.2.1. Once the answer is 200, the end is durable.
pub(super) async fn revoke(
    state: &State,
    client: Option<&AuthenticatedClient>,
    parameters: &Parameters,
) -> Result<Response, Failure> {
    let token = parameters.token.as_ref();
    let token = token.ok_or_else(|| OAuthError::invalid_request("The parameter token is missing."))?;
    state.service.revoke_token(client, token).await?;
    Ok(Response::builder().status(StatusCode::OK).finish())
}
