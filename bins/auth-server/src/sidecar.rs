//! The application of `auth-server follow`: `/auth/verify` from the feed alone, and the routes for operators.
//!
//! It answers a gateway as the server does, except that it reads no cookies: those belong to the origin of the server.

use std::net::SocketAddr;
use std::sync::Arc;

use auth_core::{Principal, TokenCheck};
use auth_follower::Follower;
use auth_http::{Code, ErrorAnswer, RefusalKind, unverified_token};
use hyper::body::Body;
use poem::http::{HeaderMap, HeaderValue, Method, header};
use poem::{Endpoint, IntoResponse, Request, Response, Result};

use crate::api::VERIFY;
use crate::http::envelope::refuse_head;
use crate::http::error::ApiError;
use crate::http::request_id::{REQUEST_ID, request_id};
use crate::metrics::SidecarMetrics;
use crate::server::{Application, BadHead};
use crate::verify_fast_path::verified;

/// Answers from what a follower knows.
pub(crate) struct Sidecar {
    follower: Arc<Follower>,
    metrics: SidecarMetrics,
}

impl Sidecar {
    pub(crate) fn new(follower: Arc<Follower>, metrics: SidecarMetrics) -> Self {
        Self { follower, metrics }
    }

    async fn answer(&self, request: &Request) -> Result<Response, ApiError> {
        let path = request.uri().path();
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        match path {
            "/livez" | "/readyz" | "/metrics" | VERIFY if !reads => {
                Err(ErrorAnswer::method_not_allowed("GET, HEAD".to_owned()).into())
            }
            "/livez" => Ok(done("alive")),
            "/readyz" if self.follower.is_ready() => Ok(done("ready")),
            "/readyz" => {
                Err(ErrorAnswer::unavailable("the keys or the feed of revocations were not read lately").into())
            }
            "/metrics" => {
                let text = self.metrics.render(self.follower.stats()).map_err(ApiError::internal)?;
                Ok(Response::builder().content_type("text/plain; charset=utf-8").body(text))
            }
            // A gateway may keep the method, and append the path, of the request that it asks about.
            _ if path == VERIFY || path.strip_prefix(VERIFY).is_some_and(|rest| rest.starts_with('/')) => {
                let checked = self.check(request.headers()).await;
                self.respond(checked)
            }
            _ => Err(Code::NotFound.into()),
        }
    }

    async fn check(&self, headers: &HeaderMap) -> Result<Principal, ApiError> {
        Ok(self.follower.verifier().authenticate(token(headers)?).await?)
    }

    /// Counts the outcome of a check, and makes the response to it.
    fn respond(&self, checked: Result<Principal, ApiError>) -> Result<Response, ApiError> {
        self.metrics.token_checked(checked.as_ref().map_or_else(|error| error.code().as_str(), |_| "ok"));
        checked.map(|principal| verified(&principal))
    }
}

fn token(headers: &HeaderMap) -> Result<&str, RefusalKind> {
    unverified_token(headers.get_all(header::AUTHORIZATION).iter().map(HeaderValue::as_bytes))
}

fn done(message: &str) -> Response {
    let body = format!(r#"{{"status":"success","message":"{message}"}}"#);
    Response::builder().content_type("application/json").body(body)
}

/// Adds the header fields of every response.
fn finish(id: HeaderValue, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Endpoint for Sidecar {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let id = request_id(request.headers());
        let response = match request.data::<BadHead>() {
            Some(fault) => refuse_head(*fault, request.version()),
            None => self.answer(&request).await.unwrap_or_else(IntoResponse::into_response),
        };
        Ok(finish(id, response))
    }
}

impl Application for Sidecar {
    fn answer_without_routing<B: Body>(&self, request: &hyper::Request<B>, _peer: SocketAddr) -> Option<Response> {
        if request.method() != Method::GET || request.uri().path() != VERIFY || !request.body().is_end_stream() {
            return None;
        }
        let checked = match token(request.headers()).map(|token| self.follower.verifier().check(token)) {
            Ok(Ok(TokenCheck::Unsettled(_))) => return None,
            Ok(Ok(TokenCheck::Good(principal))) => Ok(principal),
            Ok(Err(error)) => Err(ApiError::from(error)),
            Err(kind) => Err(kind.into()),
        };
        let response = self.respond(checked).unwrap_or_else(IntoResponse::into_response);
        Some(finish(request_id(request.headers()), response))
    }
}
