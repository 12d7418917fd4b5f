//! What went wrong, as a client sees it. Every status and every word of a refusal is chosen in this file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use auth_core::{
    AccountError, AuthenticateError, BoxError, ChangePasswordError, LoginError, RegisterError, StoreError,
    StoreErrorKind,
};
use auth_http::{Refusal as TokenRefusal, RefusalKind, UNAVAILABLE_RETRY};
use poem::error::{MethodNotAllowedError, NotFoundError, ParsePathError, ReadBodyError, ResponseError};
use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::error::ContentTypeError;
use poem_openapi::types::ToJSON;

use super::dto::ErrorBody;
use super::envelope::Refusal;
use super::word::Fail;

mod code;

pub use self::code::Code;

/// What is wrong with which field.
pub type FieldErrors = BTreeMap<String, String>;

/// A refusal on its way to the client.
#[derive(Debug)]
pub struct Failure {
    /// The kind.
    pub code: Code,
    detail: Detail,
    /// For the log only.
    cause: Option<BoxError>,
}

#[derive(Debug)]
enum Detail {
    None,
    Fields(FieldErrors),
    Message(Cow<'static, str>),
    TooSlow,
    ContentCoding,
    RetryAfter(Duration),
    Allow(HeaderValue),
}

impl Failure {
    /// A refusal with this code and nothing more to say.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self { code, detail: Detail::None, cause: None }
    }

    /// These fields are wrong.
    #[must_use]
    pub fn validation(errors: FieldErrors) -> Self {
        Self { detail: Detail::Fields(errors), ..Self::new(Code::ValidationFailed) }
    }

    /// This one field breaks a rule.
    fn field(name: &str, rule: impl fmt::Display) -> Self {
        Self::validation(FieldErrors::from([(name.to_owned(), format!("'{name}' {rule}"))]))
    }

    /// The request cannot be understood, and this is why. The text is sent: it must not quote the request.
    #[must_use]
    pub fn malformed(message: &'static str) -> Self {
        Self { detail: Detail::Message(message.into()), ..Self::new(Code::MalformedRequest) }
    }

    /// The request did not arrive in time.
    #[must_use]
    pub fn too_slow() -> Self {
        Self { detail: Detail::TooSlow, ..Self::new(Code::MalformedRequest) }
    }

    /// The body is compressed, or coded in another way (RFC 9110 §8.4).
    #[must_use]
    pub fn content_coding() -> Self {
        Self { detail: Detail::ContentCoding, ..Self::new(Code::UnsupportedMediaType) }
    }

    /// The path answers only the methods in `allow`.
    #[must_use]
    pub fn method_not_allowed(allow: HeaderValue) -> Self {
        Self { detail: Detail::Allow(allow), ..Self::new(Code::MethodNotAllowed) }
    }

    /// A part cannot be reached.
    #[must_use]
    pub fn unavailable(cause: impl Into<BoxError>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(Code::Unavailable) }
    }

    /// A bug, or something a human has to look at.
    #[must_use]
    pub fn internal(cause: impl Into<BoxError>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(Code::Internal) }
    }

    /// The same refusal, with a cause for the log.
    #[must_use]
    pub fn caused_by(self, cause: impl Into<BoxError>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    fn later(code: Code, retry_after: Duration) -> Self {
        Self { detail: Detail::RetryAfter(retry_after), ..Self::new(code) }
    }

    /// What is to be logged and not sent: the whole chain of causes on one line.
    #[must_use]
    pub fn cause_chain(&self) -> Option<String> {
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

    /// What is wrong with which field.
    #[must_use]
    pub fn field_errors(&self) -> Option<&FieldErrors> {
        match &self.detail {
            Detail::Fields(errors) => Some(errors),
            _ => None,
        }
    }

    fn http_status(&self) -> StatusCode {
        match self.detail {
            Detail::TooSlow => StatusCode::REQUEST_TIMEOUT,
            _ => self.code.status(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match (&self.detail, self.code) {
            (Detail::RetryAfter(after), _) => Some(*after),
            (_, Code::Overloaded | Code::Unavailable | Code::TooManyAttempts) => Some(UNAVAILABLE_RETRY),
            _ => None,
        }
    }

    /// The challenge of RFC 6750 §3. Where no token was sent it names no error.
    fn challenge(&self) -> Option<HeaderValue> {
        let kind = match self.code {
            Code::InvalidCredentials | Code::TokenMissing | Code::TokenMissingAtLogout => RefusalKind::TokenMissing,
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
            Detail::TooSlow => "The request took too long to arrive.".into(),
            Detail::ContentCoding => "The body must be sent without a Content-Encoding.".into(),
            _ => self.code.message().into(),
        };
        let errors = self.field_errors().cloned();
        ErrorBody { status: Fail::FAIL, message: message.into_owned(), code: self.code.into(), errors }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.message())
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl ResponseError for Failure {
    fn status(&self) -> StatusCode {
        self.http_status()
    }

    fn as_response(&self) -> Response {
        let mut response = Response::builder()
            .status(self.http_status())
            .content_type("application/json")
            .body(self.body().to_json_string());
        response.set_data(Refusal { code: self.code, cause: self.cause_chain().map(Into::into) });
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
            // RFC 9110 §12.5.3: which codings the request could have had.
            Detail::ContentCoding => {
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.as_response()
    }
}

impl From<RegisterError> for Failure {
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

impl From<LoginError> for Failure {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::InvalidCredentials => Self::new(Code::InvalidCredentials),
            // That there is an account is nobody's business; the log says what is wrong with it.
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

impl From<ChangePasswordError> for Failure {
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

impl From<AuthenticateError> for Failure {
    fn from(error: AuthenticateError) -> Self {
        TokenRefusal::from(error).into()
    }
}

impl From<TokenRefusal> for Failure {
    fn from(refusal: TokenRefusal) -> Self {
        let failure = Self::new(refusal.kind().into());
        if refusal.source().is_some() { failure.caused_by(refusal) } else { failure }
    }
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::UserNotFound => Self::new(Code::UserNotFound),
            AccountError::Store(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::Unavailable => Self::unavailable(error),
            _ => Self::internal(error),
        }
    }
}

/// What the framework refuses on its own account. Its texts are not sent.
impl From<poem::Error> for Failure {
    fn from(error: poem::Error) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(failure) => return failure,
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
    fn a_token_is_refused_as_the_gate_of_the_library_refuses_it() {
        for kind in RefusalKind::ALL {
            let failure = Failure::from(TokenRefusal::from(kind));
            assert_eq!(failure.code.as_str(), kind.code());
            assert_eq!(failure.http_status().as_u16(), kind.status());
            assert_eq!(
                failure.challenge().map(|value| value.to_str().unwrap().to_owned()).as_deref(),
                kind.challenge()
            );
            assert_eq!(failure.retry_after(), kind.retry_after());
            assert_eq!(failure.body().to_json_string(), kind.json());
        }
    }
}
