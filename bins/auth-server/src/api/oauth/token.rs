//! `POST /oauth/token`: a token for a client, or for the holder of a refresh token (RFC 6749 §4.4, §6).

use auth_core::AuthenticatedClient;
use auth_core::{IssuedToken, RefreshToken, Scopes};
use poem::Response;
use poem::http::StatusCode;
use serde_json::{Value, json};

use super::error::{Failure, OAuthError};
use super::json_response;
use super::parameters::Parameters;
use crate::http::state::State;

/// Answers with a token.
///
/// # Errors
///
/// Those of RFC 6749 §5.2.
pub(super) async fn grant(
    state: &State,
    client: Option<&AuthenticatedClient>,
    parameters: &Parameters,
) -> Result<Response, Failure> {
    let grant_type = parameters.grant_type.as_ref().map(|text| text.as_str());
    let body = match grant_type {
        None => return Err(OAuthError::invalid_request("The parameter grant_type is missing.").into()),
        Some("client_credentials") => of_client(state, client.ok_or_else(OAuthError::invalid_client)?, parameters)?,
        Some("refresh_token") => of_session(state, parameters).await?,
        Some(_) => return Err(OAuthError::unsupported_grant_type().into()),
    };
    Ok(json_response(StatusCode::OK, &body))
}

fn of_client(state: &State, client: &AuthenticatedClient, parameters: &Parameters) -> Result<Value, OAuthError> {
    let issued = state.service.client_token(client, parameters.scopes()?)?;
    Ok(token_body(&issued.token, &issued.scopes))
}

/// Renews a session. A refresh token belongs to its session and to no client, so whoever holds it needs no authentication. The new
/// token has the scopes that every login has. A request for other scopes is refused before the refresh token is used, also one for fewer:
/// its answer would be a token that allows more than was asked for.
async fn of_session(state: &State, parameters: &Parameters) -> Result<Value, OAuthError> {
    let text = parameters.refresh_token.as_ref();
    let text = text.ok_or_else(|| OAuthError::invalid_request("The parameter refresh_token is missing."))?;
    let unverified_token =
        RefreshToken::parse(text).map_err(|_| OAuthError::invalid_grant("The session has ended."))?;
    let scopes = state.service.user_scopes();
    if parameters.scopes()?.is_some_and(|requested| requested != *scopes) {
        return Err(OAuthError::invalid_scope("A session is renewed with exactly the scopes of a login."));
    }
    let signed_in = state.refresh(&unverified_token).await?;
    let mut body = token_body(&signed_in.token, scopes);
    if let Some(refresh) = &signed_in.refresh {
        body["refresh_token"] = refresh.token.expose_text(|text| text.into());
        body["refresh_token_expires_in"] = refresh.expires_in.as_secs().into();
    }
    Ok(body)
}

/// Returns the members of RFC 6749 §5.1. The grammar of `scope` has no empty list, so a token without scopes has no such member.
fn token_body(token: &IssuedToken, scopes: &Scopes) -> Value {
    let mut body = json!({
        "access_token": token.expose_token(),
        "token_type": "Bearer",
        "expires_in": token.expires_in.as_secs(),
    });
    if !scopes.is_empty() {
        body["scope"] = scopes.to_string().into();
    }
    body
}
