//! `POST /oauth/introspect`: whether a token is good, and what it says (RFC 7662).

use auth_core::{AuthenticateError, AuthenticatedClient, Principal, Role};
use poem::Response;
use poem::http::StatusCode;
use serde_json::{Value, json};

use super::error::{Failure, OAuthError};
use super::parameters::Parameters;
use super::{INTROSPECT_SCOPE, json_response};
use crate::http::state::State;

/// Answers whether an access token is good. Whatever is not a good access token, a refresh token included, is `{"active":false}` and
/// nothing else, so that the answer does not tell why.
///
/// # Errors
///
/// The caller is no client with the scope `introspect`, the token is missing, or nobody can tell at the moment.
pub(super) async fn introspect(
    state: &State,
    client: Option<&AuthenticatedClient>,
    parameters: &Parameters,
) -> Result<Response, Failure> {
    let client = client.ok_or_else(OAuthError::invalid_client)?.client();
    if !client.scopes.contains(INTROSPECT_SCOPE) {
        return Err(OAuthError::insufficient_scope("The client needs the scope introspect.").into());
    }
    let token = parameters.token.as_ref();
    let token = token.ok_or_else(|| OAuthError::invalid_request("The parameter token is missing."))?;
    let body = match state.service.authenticate(token).await {
        Ok(principal) => active(state, &principal),
        Err(AuthenticateError::Invalid | AuthenticateError::Expired | AuthenticateError::Revoked) => {
            json!({ "active": false })
        }
        Err(unknown @ AuthenticateError::Unknown(_)) => return Err(OAuthError::from(unknown).into()),
    };
    Ok(json_response(StatusCode::OK, &body))
}

/// Returns the members of RFC 7662 §2.2. There is no `username`, because a token has no name of a user in it.
fn active(state: &State, principal: &Principal) -> Value {
    let mut body = json!({ "active": true });
    if let Some(scopes) = principal.scopes().filter(|scopes| !scopes.is_empty()) {
        body["scope"] = scopes.to_string().into();
    }
    if let Some(client) = principal.client_id() {
        body["client_id"] = client.to_string().into();
    }
    body["token_type"] = "Bearer".into();
    body["exp"] = principal.expires_at().unix_timestamp().into();
    body["iat"] = principal.issued_at().unix_timestamp().into();
    body["sub"] = principal.user_id().to_string().into();
    body["aud"] = state.audience.as_str().into();
    body["iss"] = state.issuer.as_str().into();
    body["jti"] = principal.token_id().to_string().into();
    let roles: Vec<_> = principal.roles().into_iter().flat_map(|roles| roles.iter().map(Role::as_str)).collect();
    if !roles.is_empty() {
        body["roles"] = roles.into();
    }
    if principal.is_admin() {
        body["admin"] = true.into();
    }
    body
}
