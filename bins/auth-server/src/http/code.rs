//! Status, code and message of every error that the server answers with.
//!
//! No other file chooses the status of an error. Those of tokens are the ones of the library (`RefusalKind`), so that the
//! server and the adapters of web frameworks answer alike. Statuses of success stand on the responses of
//! [`api`](crate::api).

use auth_http::RefusalKind;
use poem::http::StatusCode;

/// The reason of an error, as a program reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Code {
    /// Fields are missing, of a wrong type or against a rule.
    ValidationFailed,
    /// The request is not valid HTTP or its body is not valid JSON.
    MalformedRequest,
    /// The request did not arrive in time. On the wire it is [`Code::MalformedRequest`], with another status.
    RequestTimeout,
    /// The e-mail address is unknown or the password is wrong.
    InvalidCredentials,
    /// No token was sent.
    TokenMissing,
    /// No token was sent to the logout, which answers 403 as the tutorial system did. On the wire it is [`Code::TokenMissing`].
    TokenMissingAtLogout,
    /// The token was not issued by this system.
    TokenInvalid,
    /// The token has expired.
    TokenExpired,
    /// The token was revoked.
    TokenRevoked,
    /// The refresh token is not one that is accepted.
    SessionEnded,
    /// The token does not belong to an admin.
    AdminRequired,
    /// A cookie came with the request, and the page that sent it may not act for the user.
    Csrf,
    /// The e-mail address is taken.
    UserExists,
    /// The username is taken.
    UsernameTaken,
    /// No user has this id.
    UserNotFound,
    /// The user has no session with this id.
    SessionNotFound,
    /// No route has this path.
    NotFound,
    /// The route does not answer this method.
    MethodNotAllowed,
    /// The body is not declared as JSON, or is compressed.
    UnsupportedMediaType,
    /// The body is too large.
    PayloadTooLarge,
    /// A rate limit is exceeded.
    TooManyAttempts,
    /// The queue of password hashes is full.
    Overloaded,
    /// The database cannot be reached, or did not answer in time.
    Unavailable,
    /// A bug, or stored data that a human has to look at.
    Internal,
}

impl Code {
    /// Every code; [`Code::Internal`] is the last of the enumeration.
    const ALL: [Self; Self::Internal as usize + 1] = [
        Self::ValidationFailed,
        Self::MalformedRequest,
        Self::RequestTimeout,
        Self::InvalidCredentials,
        Self::TokenMissing,
        Self::TokenMissingAtLogout,
        Self::TokenInvalid,
        Self::TokenExpired,
        Self::TokenRevoked,
        Self::SessionEnded,
        Self::AdminRequired,
        Self::Csrf,
        Self::UserExists,
        Self::UsernameTaken,
        Self::UserNotFound,
        Self::SessionNotFound,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::UnsupportedMediaType,
        Self::PayloadTooLarge,
        Self::TooManyAttempts,
        Self::Overloaded,
        Self::Unavailable,
        Self::Internal,
    ];

    /// Every distinct code as it is written on the wire.
    pub(crate) fn wire_names() -> Vec<&'static str> {
        let mut names: Vec<_> = Self::ALL.into_iter().map(Self::as_str).collect();
        // Codes with the same name stand beside each other.
        names.dedup();
        names
    }

    /// Returns the code as it is written on the wire. It never changes.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ValidationFailed => "validation_failed",
            Self::MalformedRequest | Self::RequestTimeout => "malformed_request",
            Self::InvalidCredentials => "invalid_credentials",
            Self::TokenMissing | Self::TokenMissingAtLogout => RefusalKind::TokenMissing.code(),
            Self::TokenInvalid => RefusalKind::TokenInvalid.code(),
            Self::TokenExpired => RefusalKind::TokenExpired.code(),
            Self::TokenRevoked => RefusalKind::TokenRevoked.code(),
            Self::SessionEnded => "session_ended",
            Self::AdminRequired => RefusalKind::AdminRequired.code(),
            Self::Csrf => RefusalKind::Csrf.code(),
            Self::UserExists => "user_exists",
            Self::UsernameTaken => "username_taken",
            Self::UserNotFound => "user_not_found",
            Self::SessionNotFound => "session_not_found",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::PayloadTooLarge => "payload_too_large",
            Self::TooManyAttempts => "too_many_attempts",
            Self::Overloaded => "overloaded",
            Self::Unavailable => RefusalKind::Unavailable.code(),
            Self::Internal => RefusalKind::Internal.code(),
        }
    }

    /// Returns the HTTP status of an error with this code.
    #[must_use]
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::ValidationFailed | Self::MalformedRequest => StatusCode::BAD_REQUEST,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::InvalidCredentials
            | Self::TokenMissing
            | Self::TokenInvalid
            | Self::TokenExpired
            | Self::TokenRevoked
            | Self::SessionEnded => StatusCode::UNAUTHORIZED,
            Self::TokenMissingAtLogout | Self::AdminRequired | Self::Csrf => StatusCode::FORBIDDEN,
            Self::UserExists | Self::UsernameTaken => StatusCode::CONFLICT,
            Self::UserNotFound | Self::SessionNotFound | Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
            Self::Overloaded | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns the sentence for people.
    #[must_use]
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::ValidationFailed => "Input payload validation failed",
            Self::MalformedRequest => "The request cannot be understood.",
            Self::RequestTimeout => "The request took too long to arrive.",
            Self::InvalidCredentials => "email or password does not match.",
            Self::TokenMissing | Self::TokenMissingAtLogout => RefusalKind::TokenMissing.message(),
            Self::TokenInvalid => RefusalKind::TokenInvalid.message(),
            Self::TokenExpired => RefusalKind::TokenExpired.message(),
            Self::TokenRevoked => RefusalKind::TokenRevoked.message(),
            Self::SessionEnded => "The session has ended. Please log in again.",
            Self::AdminRequired => RefusalKind::AdminRequired.message(),
            Self::Csrf => RefusalKind::Csrf.message(),
            Self::UserExists => "User already exists. Please Log in.",
            Self::UsernameTaken => "Username is already taken.",
            Self::UserNotFound => "User not found.",
            Self::SessionNotFound => "Session not found.",
            Self::NotFound => "There is nothing at this path.",
            Self::MethodNotAllowed => "This path does not answer that method.",
            Self::UnsupportedMediaType => "The body must be sent as application/json.",
            Self::PayloadTooLarge => "The body is too large.",
            Self::TooManyAttempts => "Too many attempts. Please try again later.",
            Self::Overloaded => "The server is busy. Please try again in a moment.",
            Self::Unavailable => RefusalKind::Unavailable.message(),
            Self::Internal => RefusalKind::Internal.message(),
        }
    }
}

impl From<RefusalKind> for Code {
    fn from(kind: RefusalKind) -> Self {
        match kind {
            RefusalKind::TokenMissing => Self::TokenMissing,
            RefusalKind::TokenInvalid => Self::TokenInvalid,
            RefusalKind::TokenExpired => Self::TokenExpired,
            RefusalKind::TokenRevoked => Self::TokenRevoked,
            RefusalKind::AdminRequired => Self::AdminRequired,
            RefusalKind::Csrf => Self::Csrf,
            RefusalKind::Unavailable => Self::Unavailable,
            _ => Self::Internal,
        }
    }
}
