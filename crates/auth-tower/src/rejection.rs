//! A refusal as an HTTP answer.

use std::error::Error;
use std::fmt;

use auth_http::{Refusal, RefusalKind};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

/// A refused request, as HTTP says it. `Display` is what the client is told; the cause, where there is one, is in
/// [`source`](Error::source) and belongs into a log.
#[derive(Debug, Clone)]
pub struct Rejection {
    refusal: Refusal,
}

impl Rejection {
    /// Why the request was refused.
    #[must_use]
    pub fn kind(&self) -> RefusalKind {
        self.refusal.kind()
    }

    /// The refusal, without HTTP: its kind and, for the log, its cause.
    #[must_use]
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// The status: 401, 403, 503, or 500 where the application made a mistake
    /// ([`RefusalKind::status`]).
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.kind().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// An answer with this body, the status, and the headers that are due: `WWW-Authenticate` (RFC 6750 §3), `Retry-After`
    /// and `Cache-Control: no-store`. The `Content-Type` is left to who knows the body. The [`Refusal`] is left in the
    /// extensions for layers outside, which log or count.
    pub fn response<B>(&self, body: B) -> Response<B> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status();
        response.extensions_mut().insert(self.refusal.clone());
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = challenge(&self.refusal) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(after) = self.kind().retry_after() {
            headers.insert(RETRY_AFTER, after.as_secs().into());
        }
        response
    }
}

/// Returns the `WWW-Authenticate` header of a refusal. Its characters are those of a header, whatever the names of scopes are.
pub(crate) fn challenge(refusal: &Refusal) -> Option<HeaderValue> {
    refusal.challenge().and_then(|challenge| HeaderValue::from_str(&challenge).ok())
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self { refusal }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl Error for Rejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.refusal.source()
    }
}

/// Makes the answer to a refused request. Implemented by closures that take a [`Rejection`].
pub trait Respond<Res> {
    /// The whole answer to a request that was refused so: status, headers and body.
    fn respond(&self, rejection: &Rejection) -> Res;
}

impl<F: Fn(&Rejection) -> Res, Res> Respond<Res> for F {
    fn respond(&self, rejection: &Rejection) -> Res {
        self(rejection)
    }
}

/// Answers with the JSON object that `auth-server` answers with: `status`, `message`, `code`. For every body that can be made
/// from a text, as those of axum and of `http-body-util`'s `Full` can.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JsonRefusal;

impl<B: From<&'static str>> Respond<Response<B>> for JsonRefusal {
    fn respond(&self, rejection: &Rejection) -> Response<B> {
        let mut response = rejection.response(B::from(rejection.kind().json()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}
