//! [`ErrorAnswer`]: the error of a request, and the answer that it becomes.
//!
//! Every error of the libraries is turned into an [`ErrorAnswer`] in `conversions`. Its [`Code`] decides the status, the code on the
//! wire and the message.

mod conversions;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::BoxError;
use serde::Serialize;

use crate::code::Code;
use crate::refusal::{RefusalKind, UNAVAILABLE_RETRY};

/// Time after which a client may ask again whether letters are sent. Only an operator can change that.
const MAIL_UNCONFIGURED_RETRY: Duration = Duration::from_secs(3_600);

/// Messages about wrong fields, by the name of the field.
pub type FieldErrors = BTreeMap<String, String>;

/// An error as a request is answered with it: status, headers and body. `Display` is what the client is told; the cause is
/// in [`source`](Error::source) and belongs into a log.
#[derive(Debug, Clone)]
pub struct ErrorAnswer {
    code: Code,
    detail: Detail,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

#[derive(Debug, Clone)]
enum Detail {
    None,
    Fields(FieldErrors),
    Message(&'static str),
    ContentCoding,
    RetryAfter(Duration),
    Allow(Cow<'static, str>),
    Challenge(Cow<'static, str>),
}

/// The body of every error.
#[derive(Serialize)]
struct Body<'e> {
    status: &'static str,
    message: &'e str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<&'e FieldErrors>,
}

impl ErrorAnswer {
    /// Creates an error with this code, its usual message and no cause.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self { code, detail: Detail::None, cause: None }
    }

    /// Creates a [`Code::ValidationFailed`] that names the wrong fields.
    #[must_use]
    pub fn validation(errors: FieldErrors) -> Self {
        Self { detail: Detail::Fields(errors), ..Self::new(Code::ValidationFailed) }
    }

    /// Creates a [`Code::ValidationFailed`] for one field. `rule` continues the sentence that the name of the field begins.
    #[must_use]
    pub fn field(name: &str, rule: impl fmt::Display) -> Self {
        Self::validation(FieldErrors::from([(name.to_owned(), format!("'{name}' {rule}"))]))
    }

    /// Creates a [`Code::MalformedRequest`] with another message.
    #[must_use]
    pub fn malformed(message: &'static str) -> Self {
        Self { detail: Detail::Message(message), ..Self::new(Code::MalformedRequest) }
    }

    /// Creates a [`Code::UnsupportedMediaType`] for a body that is not the form that the operation reads.
    pub(crate) fn form_expected() -> Self {
        let message = "The body must be sent as application/x-www-form-urlencoded.";
        Self { detail: Detail::Message(message), ..Self::new(Code::UnsupportedMediaType) }
    }

    /// Creates a [`Code::UnsupportedMediaType`] for a body with a content coding (RFC 9110 §8.4).
    #[must_use]
    pub fn content_coding() -> Self {
        Self { detail: Detail::ContentCoding, ..Self::new(Code::UnsupportedMediaType) }
    }

    /// Creates a [`Code::MethodNotAllowed`] for a path that answers the methods in `allow`, which are separated by commas.
    #[must_use]
    pub fn method_not_allowed(allow: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: Detail::Allow(allow.into()), ..Self::new(Code::MethodNotAllowed) }
    }

    /// Creates a [`Code::Unavailable`] with its cause.
    #[must_use]
    pub fn unavailable(cause: impl Into<BoxError>) -> Self {
        Self::new(Code::Unavailable).caused_by(cause)
    }

    /// Creates a [`Code::Internal`] with its cause.
    #[must_use]
    pub fn internal(cause: impl Into<BoxError>) -> Self {
        Self::new(Code::Internal).caused_by(cause)
    }

    /// Adds a cause for the log.
    #[must_use]
    pub fn caused_by(self, cause: impl Into<BoxError>) -> Self {
        Self { cause: Some(cause.into().into()), ..self }
    }

    fn later(code: Code, retry_after: Duration) -> Self {
        Self { detail: Detail::RetryAfter(retry_after), ..Self::new(code) }
    }

    /// Returns the reason, which decides the status.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns the wrong fields of a [`Code::ValidationFailed`].
    #[must_use]
    pub fn field_errors(&self) -> Option<&FieldErrors> {
        match &self.detail {
            Detail::Fields(errors) => Some(errors),
            _ => None,
        }
    }

    /// Returns the cause and the causes of that, on one line. It is for the log and must not be sent.
    #[must_use]
    pub fn cause_chain(&self) -> Option<String> {
        let mut chain = self.cause.as_deref()?.to_string();
        let mut next = self.cause.as_deref()?.source();
        while let Some(error) = next {
            chain.push_str(": ");
            chain.push_str(&error.to_string());
            next = error.source();
        }
        Some(chain)
    }

    /// Returns the body: a JSON object with `status` (always `fail`), `message`, `code` and, if fields are wrong, `errors`.
    #[must_use]
    pub fn json(&self) -> String {
        let body =
            Body { status: "fail", message: self.message(), code: self.code.as_str(), errors: self.field_errors() };
        // Writing texts into memory cannot fail.
        serde_json::to_string(&body).unwrap_or_default()
    }

    /// Returns the headers that are due, each with its value: `WWW-Authenticate`, `Retry-After`, `Allow` and
    /// `Accept-Encoding`.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, Cow<'static, str>)> {
        let challenge = match &self.detail {
            Detail::Challenge(challenge) => Some(challenge.clone()),
            _ => self.code.challenge().map(Cow::from),
        };
        let challenge = challenge.map(|challenge| ("WWW-Authenticate", challenge));
        let retry_after = self.retry_after().map(|after| {
            // Whole seconds, rounded up: who comes back earlier is refused again.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            ("Retry-After", seconds.max(1).to_string().into())
        });
        let detail = match &self.detail {
            Detail::Allow(allow) => Some(("Allow", allow.clone())),
            // A response to a refused content coding lists the accepted ones (RFC 9110 §12.5.3).
            Detail::ContentCoding => Some(("Accept-Encoding", "identity".into())),
            _ => None,
        };
        challenge.into_iter().chain(retry_after).chain(detail)
    }

    /// Returns the time to wait before the next attempt, if one is due.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match (&self.detail, self.code) {
            (Detail::RetryAfter(after), _) => Some(*after),
            (_, Code::MailUnconfigured) => Some(MAIL_UNCONFIGURED_RETRY),
            (_, Code::Overloaded | Code::Unavailable | Code::TooManyAttempts) => Some(UNAVAILABLE_RETRY),
            _ => None,
        }
    }

    fn message(&self) -> &'static str {
        match self.detail {
            Detail::Message(message) => message,
            Detail::ContentCoding => "The body must be sent without a Content-Encoding.",
            _ => self.code.message(),
        }
    }
}

impl fmt::Display for ErrorAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.message())
    }
}

impl Error for ErrorAnswer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl From<Code> for ErrorAnswer {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl From<RefusalKind> for ErrorAnswer {
    fn from(kind: RefusalKind) -> Self {
        Self::new(kind.into())
    }
}

#[cfg(test)]
mod tests {
    use auth_core::{LoginError, StoreError};

    use super::*;
    use crate::refusal::Refusal;

    #[test]
    fn a_token_is_refused_in_the_same_words_as_by_a_layer() {
        for kind in RefusalKind::ALL {
            let error = ErrorAnswer::from(Refusal::from(kind));
            assert_eq!((error.code().as_str(), error.code().status()), (kind.code(), kind.status()));
            assert_eq!(error.code().challenge(), kind.challenge());
            assert_eq!(error.retry_after(), kind.retry_after());
            assert_eq!(error.json(), kind.json());
        }
    }

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        let retry_after = |wait| {
            let error = ErrorAnswer::from(LoginError::TooManyAttempts { retry_after: wait });
            error.headers().find(|(name, _)| *name == "Retry-After").unwrap().1
        };
        assert_eq!(retry_after(Duration::ZERO), "1");
        assert_eq!(retry_after(Duration::from_millis(1_001)), "2");
        assert_eq!(retry_after(Duration::from_secs(30)), "30");
    }

    #[test]
    fn a_cause_is_for_the_log_and_not_sent() {
        let error = ErrorAnswer::from(StoreError::unavailable("host db7 is down"));
        assert_eq!(error.code().status(), 503);
        assert!(error.cause_chain().unwrap().contains("db7"));
        let shown = format!("{error} {} {:?}", error.json(), error.headers().collect::<Vec<_>>());
        assert!(!shown.contains("db7"), "{shown}");
    }
}
