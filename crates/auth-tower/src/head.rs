//! The head of a request, for the gate.

use auth_http::RequestHead;
use http::header::AUTHORIZATION;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, Uri};

/// The head of a request of the `http` crate.
pub(crate) struct Head<'r> {
    pub(crate) method: &'r Method,
    pub(crate) uri: &'r Uri,
    pub(crate) headers: &'r HeaderMap,
}

impl<'r, B> From<&'r Request<B>> for Head<'r> {
    fn from(request: &'r Request<B>) -> Self {
        Self { method: request.method(), uri: request.uri(), headers: request.headers() }
    }
}

impl RequestHead for Head<'_> {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn authority(&self) -> Option<&str> {
        self.uri.authority().map(Authority::as_str)
    }

    fn authorization(&self) -> impl Iterator<Item = &[u8]> {
        self.headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes)
    }

    fn values(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        self.headers.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}
