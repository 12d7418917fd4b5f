//! The error of a request, and the response that it becomes.
//!
//! Every error of the libraries and of the framework is turned into an [`ApiError`] here. Its [`Code`] decides the status, the
//! code on the wire and the message.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{
    AccountError, AuthenticateError, BoxError, ChangePasswordError, LoginError, RefreshError, RegisterError,
    StoreError, StoreErrorKind,
};
use auth_http::{Refusal, RefusalKind, UNAVAILABLE_RETRY};
use poem::error::{MethodNotAllowedError, NotFoundError, ParsePathError, ReadBodyError, ResponseError};
use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::error::ContentTypeError;
use poem_openapi::types::ToJSON;

use super::body::ErrorBody;
use super::code::Code;

/// Messages about wrong fields, by the name of the field.
pub(crate) type FieldErrors = BTreeMap<String, String>;

/// An error that a request is answered with.
#[derive(Debug)]
pub(crate) struct ApiError {
    /// The reason, which decides the status.
    pub(crate) code: Code,
    detail: Detail,
    /// The cause, which is logged and not sent.
    cause: Option<BoxError>,
}

#[derive(Debug)]
enum Detail {
    None,
    Fields(FieldErrors),
    Message(Cow<'static, str>),
    ContentCoding,
    RetryAfter(Duration),
    Allow(HeaderValue),
}

/// Code and cause of an [`ApiError`], left in its response for the log line of the request.
#[derive(Debug, Clone)]
pub(crate) struct ErrorRecord {
    pub(crate) code: Code,
    pub(crate) cause: Option<Arc<str>>,
}

impl ApiError {
    /// Creates an error with this code, its usual message and no cause.
    #[must_use]
    pub(crate) fn new(code: Code) -> Self {
        Self { code, detail: Detail::None, cause: None }
    }

    /// Creates a [`Code::ValidationFailed`] that names the wrong fields.
    #[must_use]
    pub(crate) fn validation(errors: FieldErrors) -> Self {
        Self { detail: Detail::Fields(errors), ..Self::new(Code::ValidationFailed) }
    }

    /// Creates a [`Code::ValidationFailed`] for one field. `rule` continues the sentence that the name of the field begins.
    #[must_use]
    pub(crate) fn field(name: &str, rule: impl fmt::Display) -> Self {
        Self::validation(FieldErrors::from([(name.to_owned(), format!("'{name}' {rule}"))]))
    }

    /// Creates a [`Code::MalformedRequest`] with another message. The message is sent, so it must not quote the request.
    #[must_use]
    pub(crate) fn malformed(message: &'static str) -> Self {
        Self { detail: Detail::Message(message.into()), ..Self::new(Code::MalformedRequest) }
    }

    /// Creates a [`Code::UnsupportedMediaType`] for a body with a content coding (RFC 9110 §8.4).
    #[must_use]
    pub(crate) fn content_coding() -> Self {
        Self { detail: Detail::ContentCoding, ..Self::new(Code::UnsupportedMediaType) }
    }

    /// Creates a [`Code::MethodNotAllowed`] for a path that answers the methods in `allow`.
    #[must_use]
    pub(crate) fn method_not_allowed(allow: HeaderValue) -> Self {
        Self { detail: Detail::Allow(allow), ..Self::new(Code::MethodNotAllowed) }
    }

    /// Creates a [`Code::Unavailable`] with its cause.
    #[must_use]
    pub(crate) fn unavailable(cause: impl Into<BoxError>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(Code::Unavailable) }
    }

    /// Creates a [`Code::Internal`] with its cause.
    #[must_use]
    pub(crate) fn internal(cause: impl Into<BoxError>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(Code::Internal) }
    }

    /// Adds a cause for the log.
    #[must_use]
    pub(crate) fn caused_by(self, cause: impl Into<BoxError>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    fn later(code: Code, retry_after: Duration) -> Self {
        Self { detail: Detail::RetryAfter(retry_after), ..Self::new(code) }
    }

    /// Returns the cause and the causes of that, on one line. It is for the log and must not be sent.
    #[must_use]
    pub(crate) fn cause_chain(&self) -> Option<String> {
        let cause = self.cause.as_deref()?;
        let mut chain = cause.to_string();
        let mut next = cause.source();
        while let Some(error) = next {
            chain.push_str(": ");
            chain.push_str(&error.to_string());
            next = error.source();
        }
        Some(chain)
    }

    /// Returns the wrong fields of a [`Code::ValidationFailed`].
    #[must_use]
    pub(crate) fn field_errors(&self) -> Option<&FieldErrors> {
        match &self.detail {
            Detail::Fields(errors) => Some(errors),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match (&self.detail, self.code) {
            (Detail::RetryAfter(after), _) => Some(*after),
            (_, Code::Overloaded | Code::Unavailable | Code::TooManyAttempts) => Some(UNAVAILABLE_RETRY),
            _ => None,
        }
    }

    /// Returns the challenge of RFC 6750 §3. It has no error code where no token was sent.
    fn challenge(&self) -> Option<HeaderValue> {
        let kind = match self.code {
            Code::InvalidCredentials | Code::TokenMissing | Code::TokenMissingAtLogout | Code::SessionEnded => {
                RefusalKind::TokenMissing
            }
            Code::TokenInvalid => RefusalKind::TokenInvalid,
            Code::TokenExpired => RefusalKind::TokenExpired,
            Code::TokenRevoked => RefusalKind::TokenRevoked,
            Code::AdminRequired => RefusalKind::AdminRequired,
            _ => return None,
        };
        kind.challenge().map(HeaderValue::from_static)
    }

    fn body(&self) -> ErrorBody {
        let message = match &self.detail {
            Detail::Message(message) => message.clone(),
            Detail::ContentCoding => "The body must be sent without a Content-Encoding.".into(),
            _ => self.code.message().into(),
        };
        ErrorBody::new(self.code, message.into_owned(), self.field_errors().cloned())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.message())
    }
}

impl StdError for ApiError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl ResponseError for ApiError {
    fn status(&self) -> StatusCode {
        self.code.status()
    }

    fn as_response(&self) -> Response {
        let mut response = Response::builder()
            .status(self.code.status())
            .content_type("application/json")
            .body(self.body().to_json_string());
        response.set_data(ErrorRecord { code: self.code, cause: self.cause_chain().map(Into::into) });
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge() {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(after) = self.retry_after() {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, seconds.max(1).into());
        }
        match &self.detail {
            Detail::Allow(allow) => {
                headers.insert(header::ALLOW, allow.clone());
            }
            // A response to a refused content coding lists the accepted ones (RFC 9110 §12.5.3).
            Detail::ContentCoding => {
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.as_response()
    }
}

impl From<RegisterError> for ApiError {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Password(rule) => Self::field("password", rule),
            RegisterError::BreachCheck(_) | RegisterError::Uncounted(_) => Self::unavailable(error),
            RegisterError::EmailTaken => Self::new(Code::UserExists),
            RegisterError::UsernameTaken => Self::new(Code::UsernameTaken),
            RegisterError::TooManyAttempts { retry_after } => Self::later(Code::TooManyAttempts, retry_after),
            RegisterError::Overloaded { retry_after } => Self::later(Code::Overloaded, retry_after),
            RegisterError::Store(error) => error.into(),
            RegisterError::Internal(cause) => Self::internal(cause),
            other => Self::internal(other),
        }
    }
}

impl From<LoginError> for ApiError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::InvalidCredentials => Self::new(Code::InvalidCredentials),
            // The response does not reveal that the account exists; the log says what is wrong with its hash.
            LoginError::UnusableHash { .. } => Self::new(Code::InvalidCredentials).caused_by(error),
            LoginError::TooManyAttempts { retry_after } => Self::later(Code::TooManyAttempts, retry_after),
            LoginError::Uncounted(_) => Self::unavailable(error),
            LoginError::Overloaded { retry_after } => Self::later(Code::Overloaded, retry_after),
            LoginError::Store(error) => error.into(),
            LoginError::Internal(cause) => Self::internal(cause),
            other => Self::internal(other),
        }
    }
}

impl From<RefreshError> for ApiError {
    fn from(error: RefreshError) -> Self {
        match error {
            // The response does not reveal that a token was used again.
            RefreshError::Ended | RefreshError::Reused { .. } => Self::new(Code::SessionEnded),
            RefreshError::Store(error) => error.into(),
            RefreshError::Internal(cause) => Self::internal(cause),
            other => Self::internal(other),
        }
    }
}

impl From<ChangePasswordError> for ApiError {
    fn from(error: ChangePasswordError) -> Self {
        match error {
            ChangePasswordError::NewPassword(rule) => Self::field("new_password", rule),
            ChangePasswordError::BreachCheck(_) => Self::unavailable(error),
            ChangePasswordError::UserNotFound => Self::new(Code::UserNotFound),
            ChangePasswordError::Login(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<AuthenticateError> for ApiError {
    fn from(error: AuthenticateError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let error = Self::new(refusal.kind().into());
        if refusal.source().is_some() { error.caused_by(refusal) } else { error }
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::UserNotFound => Self::new(Code::UserNotFound),
            AccountError::Store(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::Unavailable => Self::unavailable(error),
            _ => Self::internal(error),
        }
    }
}

/// Converts an error of the framework. Its text is not sent.
impl From<poem::Error> for ApiError {
    fn from(error: poem::Error) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(error) => return error,
            Err(error) => error,
        };
        if error.is::<NotFoundError>() || error.is::<ParsePathError>() {
            return Self::new(Code::NotFound);
        }
        if error.is::<MethodNotAllowedError>() {
            return Self::new(Code::MethodNotAllowed);
        }
        if error.is::<ContentTypeError>() {
            return Self::new(Code::UnsupportedMediaType);
        }
        match error.downcast_ref::<ReadBodyError>() {
            Some(ReadBodyError::PayloadTooLarge) => return Self::new(Code::PayloadTooLarge),
            Some(ReadBodyError::Utf8(_)) => return Self::malformed("The body is not UTF-8."),
            Some(ReadBodyError::Io(_)) => return Self::malformed("The body ended too soon."),
            Some(ReadBodyError::BodyHasBeenTaken) | None => {}
        }
        match error.status() {
            StatusCode::NOT_FOUND => Self::new(Code::NotFound),
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(Code::PayloadTooLarge),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::new(Code::UnsupportedMediaType),
            status if status.is_client_error() => Self::new(Code::MalformedRequest),
            _ => Self::internal(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_refused_as_the_library_refuses_it() {
        for kind in RefusalKind::ALL {
            let error = ApiError::from(Refusal::from(kind));
            assert_eq!(error.code.as_str(), kind.code());
            assert_eq!(error.status().as_u16(), kind.status());
            assert_eq!(error.challenge().map(|value| value.to_str().unwrap().to_owned()).as_deref(), kind.challenge());
            assert_eq!(error.retry_after(), kind.retry_after());
            assert_eq!(error.body().to_json_string(), kind.json());
        }
    }
}
