//! Status, code and message of every error that the server and the ready routes answer with.
//!
//! No other file chooses the status of an error. Those of tokens are the ones of [`RefusalKind`], so that the server, the ready
//! routes and the layers before the routes of an application answer alike.

use crate::refusal::RefusalKind;

/// The reason of an error, as a program reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Code {
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
    /// The one-time token or the code is wrong, used or expired.
    CodeInvalid,
    /// The password is right, and the e-mail address of the account is not verified.
    EmailUnverified,
    /// The token does not belong to an admin.
    AdminRequired,
    /// The token does not carry the scope that is needed, or is of a kind that the route does not admit.
    InsufficientScope,
    /// The token does not carry the role that is needed.
    RoleRequired,
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
    /// The user has no personal access token with this id.
    PersonalTokenNotFound,
    /// The user has as many personal access tokens as a user may have.
    PersonalTokenLimit,
    /// No route has this path.
    NotFound,
    /// The cursor of a follower cannot be continued. It takes the snapshot.
    FeedGone,
    /// The route does not answer this method.
    MethodNotAllowed,
    /// The body is not declared as JSON, or as a form where a form is read; or it is compressed.
    UnsupportedMediaType,
    /// The body is too large.
    PayloadTooLarge,
    /// A rate limit is exceeded.
    TooManyAttempts,
    /// The queue of password hashes is full.
    Overloaded,
    /// The operation sends a letter, and no mailer is configured.
    MailUnconfigured,
    /// The database cannot be reached, or did not answer in time.
    Unavailable,
    /// A bug, or stored data that a human has to look at.
    Internal,
}

impl Code {
    /// Every code; [`Code::Internal`] is the last of the enumeration.
    pub const ALL: [Self; Self::Internal as usize + 1] = [
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
        Self::CodeInvalid,
        Self::EmailUnverified,
        Self::AdminRequired,
        Self::InsufficientScope,
        Self::RoleRequired,
        Self::Csrf,
        Self::UserExists,
        Self::UsernameTaken,
        Self::UserNotFound,
        Self::SessionNotFound,
        Self::PersonalTokenNotFound,
        Self::PersonalTokenLimit,
        Self::NotFound,
        Self::FeedGone,
        Self::MethodNotAllowed,
        Self::UnsupportedMediaType,
        Self::PayloadTooLarge,
        Self::TooManyAttempts,
        Self::Overloaded,
        Self::MailUnconfigured,
        Self::Unavailable,
        Self::Internal,
    ];

    /// Returns every distinct code as it is written on the wire.
    #[must_use]
    pub fn wire_names() -> Vec<&'static str> {
        let mut names: Vec<_> = Self::ALL.into_iter().map(Self::as_str).collect();
        // Codes with the same name stand beside each other.
        names.dedup();
        names
    }

    /// Returns the code as it is written on the wire. It never changes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ValidationFailed => "validation_failed",
            Self::MalformedRequest | Self::RequestTimeout => "malformed_request",
            Self::InvalidCredentials => "invalid_credentials",
            Self::TokenMissing | Self::TokenMissingAtLogout => RefusalKind::TokenMissing.code(),
            Self::TokenInvalid => RefusalKind::TokenInvalid.code(),
            Self::TokenExpired => RefusalKind::TokenExpired.code(),
            Self::TokenRevoked => RefusalKind::TokenRevoked.code(),
            Self::SessionEnded => "session_ended",
            Self::CodeInvalid => "code_invalid",
            Self::EmailUnverified => "email_unverified",
            Self::AdminRequired => RefusalKind::AdminRequired.code(),
            Self::InsufficientScope => RefusalKind::InsufficientScope.code(),
            Self::RoleRequired => RefusalKind::RoleRequired.code(),
            Self::Csrf => RefusalKind::Csrf.code(),
            Self::UserExists => "user_exists",
            Self::UsernameTaken => "username_taken",
            Self::UserNotFound => "user_not_found",
            Self::SessionNotFound => "session_not_found",
            Self::PersonalTokenNotFound => "personal_token_not_found",
            Self::PersonalTokenLimit => "personal_token_limit",
            Self::NotFound => "not_found",
            Self::FeedGone => "feed_gone",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::PayloadTooLarge => "payload_too_large",
            Self::TooManyAttempts => "too_many_attempts",
            Self::Overloaded => "overloaded",
            Self::MailUnconfigured => "mail_unconfigured",
            Self::Unavailable => RefusalKind::Unavailable.code(),
            Self::Internal => RefusalKind::Internal.code(),
        }
    }

    /// Returns the HTTP status of an error with this code (RFC 9110 §15).
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::ValidationFailed | Self::MalformedRequest | Self::CodeInvalid => 400,
            Self::RequestTimeout => 408,
            Self::InvalidCredentials
            | Self::TokenMissing
            | Self::TokenInvalid
            | Self::TokenExpired
            | Self::TokenRevoked
            | Self::SessionEnded => 401,
            Self::TokenMissingAtLogout
            | Self::EmailUnverified
            | Self::AdminRequired
            | Self::InsufficientScope
            | Self::RoleRequired
            | Self::Csrf => 403,
            Self::UserExists | Self::UsernameTaken | Self::PersonalTokenLimit => 409,
            Self::UserNotFound | Self::SessionNotFound | Self::PersonalTokenNotFound | Self::NotFound => 404,
            Self::FeedGone => 410,
            Self::MethodNotAllowed => 405,
            Self::UnsupportedMediaType => 415,
            Self::PayloadTooLarge => 413,
            Self::TooManyAttempts => 429,
            Self::Overloaded | Self::MailUnconfigured | Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }

    /// Returns the sentence for people.
    #[must_use]
    pub fn message(self) -> &'static str {
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
            Self::CodeInvalid => "The link or the code is wrong, was used already or has expired.",
            Self::EmailUnverified => "Please confirm your e-mail address first.",
            Self::AdminRequired => RefusalKind::AdminRequired.message(),
            Self::InsufficientScope => RefusalKind::InsufficientScope.message(),
            Self::RoleRequired => RefusalKind::RoleRequired.message(),
            Self::Csrf => RefusalKind::Csrf.message(),
            Self::UserExists => "User already exists. Please Log in.",
            Self::UsernameTaken => "Username is already taken.",
            Self::UserNotFound => "User not found.",
            Self::SessionNotFound => "Session not found.",
            Self::PersonalTokenNotFound => "Personal access token not found.",
            Self::PersonalTokenLimit => "There are too many personal access tokens. Please delete one first.",
            Self::NotFound => "There is nothing at this path.",
            Self::FeedGone => "The cursor cannot be continued. Take the snapshot.",
            Self::MethodNotAllowed => "This path does not answer that method.",
            Self::UnsupportedMediaType => "The body must be sent as application/json.",
            Self::PayloadTooLarge => "The body is too large.",
            Self::TooManyAttempts => "Too many attempts. Please try again later.",
            Self::Overloaded => "The server is busy. Please try again in a moment.",
            Self::MailUnconfigured => "This server sends no letters.",
            Self::Unavailable => RefusalKind::Unavailable.message(),
            Self::Internal => RefusalKind::Internal.message(),
        }
    }

    /// Returns the value of the `WWW-Authenticate` header (RFC 6750 §3), if one is due. It has no error code where no token was
    /// sent.
    #[must_use]
    pub fn challenge(self) -> Option<&'static str> {
        let kind = match self {
            Self::InvalidCredentials | Self::TokenMissing | Self::TokenMissingAtLogout | Self::SessionEnded => {
                RefusalKind::TokenMissing
            }
            Self::TokenInvalid => RefusalKind::TokenInvalid,
            Self::TokenExpired => RefusalKind::TokenExpired,
            Self::TokenRevoked => RefusalKind::TokenRevoked,
            Self::AdminRequired => RefusalKind::AdminRequired,
            Self::InsufficientScope => RefusalKind::InsufficientScope,
            Self::RoleRequired => RefusalKind::RoleRequired,
            Self::Csrf => RefusalKind::Csrf,
            _ => return None,
        };
        kind.challenge()
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
            RefusalKind::InsufficientScope => Self::InsufficientScope,
            RefusalKind::RoleRequired => Self::RoleRequired,
            RefusalKind::Csrf => Self::Csrf,
            RefusalKind::Unavailable => Self::Unavailable,
            _ => Self::Internal,
        }
    }
}
