//! A refusal as an HTTP answer.

use std::error::Error;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use auth_http::{Refusal, RefusalKind};

/// A refused request, as actix-web says it. `Display` is what the client is told; the cause, where there is one, is in
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

    /// An answer that wants a body, with the status and the headers that are due: `WWW-Authenticate` (RFC 6750 §3),
    /// `Retry-After` and `Cache-Control: no-store`. The `Content-Type` is left to who knows the body. The [`Refusal`] is left
    /// in the extensions for what is outside, which logs or counts.
    #[must_use]
    pub fn response(&self) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((CACHE_CONTROL, "no-store"));
        if let Some(challenge) = self.refusal.challenge() {
            response.insert_header((WWW_AUTHENTICATE, challenge.as_ref()));
        }
        if let Some(after) = self.kind().retry_after() {
            response.insert_header((RETRY_AFTER, after.as_secs()));
        }
        response.extensions_mut().insert(self.refusal.clone());
        response
    }
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

/// Answer of an extractor. The middleware before the route may replace it.
impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.kind().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        JsonRefusal.respond(self)
    }
}

/// Makes the answer to a refused request. Implemented by closures that take a [`Rejection`].
pub trait Respond {
    /// The whole answer to a request that was refused so: status, headers and body.
    fn respond(&self, rejection: &Rejection) -> HttpResponse;
}

impl<F: Fn(&Rejection) -> HttpResponse> Respond for F {
    fn respond(&self, rejection: &Rejection) -> HttpResponse {
        self(rejection)
    }
}

/// Answers with the JSON object that `auth-server` answers with: `status`, `message`, `code`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JsonRefusal;

impl Respond for JsonRefusal {
    fn respond(&self, rejection: &Rejection) -> HttpResponse {
        rejection.response().content_type("application/json").body(rejection.kind().json())
    }
}
