//! OAuth 2.0 for clients: tokens (RFC 6749), their revocation (RFC 7009) and their introspection (RFC 7662).
//!
//! Requests are forms and errors have the body of RFC 6749 §5.2. What no endpoint has seen (an unknown path, another method, a body
//! that is too large or no form) is answered in the one form of the API.

mod client_auth;
mod error;
mod introspection;
mod parameters;
mod revocation;
mod token;

use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, EndpointExt, FromRequest, IntoResponse, Request, RequestBody, Response, Result};
use serde_json::Value;

use self::error::{Failure, OAuthError};
use self::parameters::Parameters;
use crate::http::client::Caller;
use crate::http::error::ApiError;
use crate::http::form::form_bytes;
use crate::http::route::RouteTable;
use crate::http::state::State;

/// Path of the token endpoint (RFC 6749 §3.2).
pub(crate) const TOKEN: &str = "/oauth/token";
/// Path of the revocation endpoint (RFC 7009 §2).
pub(crate) const REVOKE: &str = "/oauth/revoke";
/// Path of the introspection endpoint (RFC 7662 §2).
pub(crate) const INTROSPECT: &str = "/oauth/introspect";

/// Scope of the clients that may introspect tokens.
pub(crate) const INTROSPECT_SCOPE: &str = "introspect";

/// Returns the routes of OAuth.
pub(crate) fn routes() -> RouteTable {
    [(TOKEN, OAuth::Token), (REVOKE, OAuth::Revoke), (INTROSPECT, OAuth::Introspect)]
        .into_iter()
        .map(|(path, endpoint)| (path.to_owned(), [(Method::POST, endpoint.boxed())].into()))
        .collect()
}

/// An endpoint of OAuth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OAuth {
    Token,
    Revoke,
    Introspect,
}

impl Endpoint for OAuth {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let (request, mut body) = request.split();
        Ok(self.answer(&request, &mut body).await.unwrap_or_else(IntoResponse::into_response))
    }
}

impl OAuth {
    async fn answer(self, request: &Request, body: &mut RequestBody) -> Result<Response, Failure> {
        let caller = Caller::from_request(request, body).await.map_err(ApiError::of_framework)?;
        let form = form_bytes(request, body.take().map_err(|error| ApiError::of_framework(error.into()))?).await?;
        let parameters = Parameters::parse(&form)?;
        let authorization = request.headers().get_all(header::AUTHORIZATION);
        let authentication = client_auth::read(authorization, &parameters)?;
        let client = match authentication {
            Some(claimed) => {
                let checked = caller.service.authenticate_client(&claimed.id, &claimed.secret, &caller.context);
                Some(checked.await.map_err(OAuthError::from)?)
            }
            None => None,
        };
        let state = State::of(request)?;
        match self {
            Self::Token => token::grant(state, client.as_ref(), &parameters).await,
            Self::Revoke => revocation::revoke(state, client.as_ref(), &parameters).await,
            Self::Introspect => introspection::introspect(state, client.as_ref(), &parameters).await,
        }
    }
}

/// Returns a JSON response that nobody may store (RFC 6749 §5.1).
fn json_response(status: StatusCode, body: &Value) -> Response {
    Response::builder()
        .status(status)
        .content_type("application/json")
        .header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .header(header::PRAGMA, HeaderValue::from_static("no-cache"))
        .body(body.to_string())
}
