//! The error of a request, and the response that it becomes.
//!
//! Errors of the libraries are those of `auth-http`: [`ErrorAnswer`] decides status, headers and body. Errors of the framework are
//! turned into one here.

use std::error::Error as StdError;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use auth_core::BoxError;
use auth_http::{Code, ErrorAnswer};
use poem::error::{MethodNotAllowedError, NotFoundError, ParsePathError, ReadBodyError, ResponseError};
use poem::http::StatusCode;
use poem::{IntoResponse, Response};
use poem_openapi::error::ContentTypeError;

/// An error that a request is answered with.
#[derive(Debug)]
pub(crate) struct ApiError(ErrorAnswer);

/// Code and cause of an [`ApiError`], left in its response for the log line of the request.
#[derive(Debug, Clone)]
pub(crate) struct ErrorRecord {
    pub(crate) code: Code,
    pub(crate) cause: Option<Arc<str>>,
}

impl ApiError {
    /// Creates a [`Code::Internal`] with its cause.
    #[must_use]
    pub(crate) fn internal(cause: impl Into<BoxError>) -> Self {
        Self(ErrorAnswer::internal(cause))
    }

    /// Returns the response with another body than that of the API.
    pub(crate) fn response_with(&self, content_type: &str, body: String) -> Response {
        let response = Response::builder().status(self.status()).content_type(content_type);
        let response = self.headers().fold(response, |response, (name, value)| response.header(name, value.as_ref()));
        let mut response = response.body(body);
        response.set_data(ErrorRecord { code: self.code(), cause: self.cause_chain().map(Into::into) });
        response
    }
}

impl Deref for ApiError {
    type Target = ErrorAnswer;

    fn deref(&self) -> &ErrorAnswer {
        &self.0
    }
}

/// Every error that `auth-http` knows how to answer.
impl<E: Into<ErrorAnswer>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for ApiError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

impl ResponseError for ApiError {
    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn as_response(&self) -> Response {
        self.response_with("application/json", self.json())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.as_response()
    }
}

impl ApiError {
    /// Converts an error of the framework. Its text is not sent.
    pub(crate) fn of_framework(error: poem::Error) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(error) => return error,
            Err(error) => error,
        };
        if error.is::<NotFoundError>() || error.is::<ParsePathError>() {
            return Self::from(Code::NotFound);
        }
        if error.is::<MethodNotAllowedError>() {
            return Self::from(Code::MethodNotAllowed);
        }
        if error.is::<ContentTypeError>() {
            return Self::from(Code::UnsupportedMediaType);
        }
        match error.downcast_ref::<ReadBodyError>() {
            Some(ReadBodyError::PayloadTooLarge) => return Self::from(Code::PayloadTooLarge),
            Some(ReadBodyError::Utf8(_)) => return ErrorAnswer::malformed("The body is not UTF-8.").into(),
            Some(ReadBodyError::Io(_)) => return ErrorAnswer::malformed("The body ended too soon.").into(),
            Some(ReadBodyError::BodyHasBeenTaken) | None => {}
        }
        match error.status() {
            StatusCode::NOT_FOUND => Self::from(Code::NotFound),
            StatusCode::PAYLOAD_TOO_LARGE => Self::from(Code::PayloadTooLarge),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::from(Code::UnsupportedMediaType),
            status if status.is_client_error() => Self::from(Code::MalformedRequest),
            _ => Self::internal(error.to_string()),
        }
    }
}
