//! The fast path of `GET /auth/verify`, which answers before routing.
//!
//! Checking a token is most of what a server is asked, and the framework takes longer to find and call the route than the
//! check takes. So this module answers the plain form of the request itself if the check needs no database: without query and
//! body, at exactly this path. Everything else goes to the route, which gives the same response
//! (`tests` compares the two byte by byte).
//!
//! The module is an optimization and nothing depends on it. To remove it, delete it and let `App::endpoint` return the
//! endpoint that it wraps.

use std::io::Write as _;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use auth_core::{Principal, TokenCheck};
use hyper::body::Body;
use poem::http::Method;
use poem::{Endpoint, IntoResponse as _, Request, Response, Result};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::api::{TokenClaims, VERIFY};
use crate::http::bearer;
use crate::http::cookie::Head;
use crate::http::envelope::{Envelope, panicked};
use crate::http::state::State;
use crate::metrics::RouteMeters;
use crate::server::Application;

/// An application that answers `GET /auth/verify` before routing where it can.
pub(crate) struct VerifyFastPath<E> {
    envelope: Envelope<E>,
    state: Arc<State>,
    /// The meters of the route.
    meters: RouteMeters,
}

impl<E: Endpoint> VerifyFastPath<E> {
    /// Puts the fast path before `envelope`, whose routes use the same `state`.
    pub(crate) fn before(envelope: Envelope<E>, state: Arc<State>) -> Self {
        let meters = state.metrics.route(VERIFY);
        Self { envelope, state, meters }
    }
}

impl<E: Endpoint> Endpoint for VerifyFastPath<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        self.envelope.call(request).await
    }
}

impl<E: Endpoint> Application for VerifyFastPath<E> {
    fn answer_without_routing<B: Body>(&self, request: &hyper::Request<B>, peer: SocketAddr) -> Option<Response> {
        let is_verify = request.method() == Method::GET && request.uri().path() == VERIFY;
        let is_plain = request.uri().query().is_none() && request.body().is_end_stream();
        if !is_verify || !is_plain || !self.state.checks_in_memory {
            return None;
        }
        let context = self.envelope.begin(request.headers(), Some(peer.ip()));
        let head = Head { method: request.method(), uri: request.uri(), headers: request.headers() };
        let answer = AssertUnwindSafe(|| self.answer(head));
        let response = catch_unwind(answer).unwrap_or_else(|panic| Some(panicked(panic)))?;
        Some(self.envelope.finish(&context, request.method(), &self.meters, response))
    }
}

impl<E> VerifyFastPath<E> {
    /// Returns the response, unless the check needs the log.
    fn answer(&self, head: Head<'_>) -> Option<Response> {
        let checked = match bearer::check(&self.state, &head) {
            Ok(TokenCheck::Good(principal)) => Ok(principal),
            Ok(TokenCheck::Unsettled(_)) => return None,
            Err(error) => Err(error),
        };
        bearer::count(&self.state, &checked);
        Some(match checked {
            Ok(principal) => verified(&principal),
            Err(error) => error.into_response(),
        })
    }
}

/// Returns the response to a valid token.
pub(crate) fn verified(principal: &Principal) -> Response {
    let response = Response::builder().content_type("application/json");
    let headers = auth_http::holder_headers(principal).into_iter().flatten();
    let response = headers.fold(response, |response, (name, value)| response.header(name, value));
    response.body(json(&principal.into()))
}

/// Writes the claims as JSON directly. The framework would first build a tree of values in which each name and each id is a
/// string of its own.
fn json(claims: &TokenClaims) -> Vec<u8> {
    // No id, time and role needs escaping, and writing to memory cannot fail.
    let mut text = Vec::with_capacity(256);
    text.push(b'{');
    if let Some(client) = &claims.client_id {
        let _ = write!(text, r#""client_id":"{client}","#);
    }
    for (name, id) in [("user_id", claims.user_id), ("token_id", Some(claims.token_id))] {
        let Some(id) = id else { continue };
        let id = id.hyphenated();
        let _ = write!(text, r#""{name}":"{}","#, id.encode_lower(&mut Uuid::encode_buffer()));
    }
    let _ = write!(text, r#""admin":{}"#, claims.admin);
    for (before, instant) in [(r#","issued_at":""#, claims.issued_at), (r#"","expires_at":""#, claims.expires_at)] {
        text.extend_from_slice(before.as_bytes());
        let _ = instant.format_into(&mut text, &Rfc3339);
    }
    text.push(b'"');
    if let Some(roles) = &claims.roles {
        let _ = write!(text, r#","roles":["{}"]"#, roles.join(r#"",""#));
    }
    // A scope has printable ASCII characters without `"` and `\`.
    if let Some(scope) = &claims.scope {
        let _ = write!(text, r#","scope":"{scope}""#);
    }
    text.push(b'}');
    text
}

#[cfg(test)]
mod tests;
