//! What those are told who may not pass: every status and every word is chosen in this file.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{AccountError, AuthenticateError, Scopes, StoreErrorKind};

/// When to try again what is [`RefusalKind::Unavailable`].
pub const UNAVAILABLE_RETRY: Duration = Duration::from_secs(2);

/// Why a request may not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// No token was sent.
    TokenMissing,
    /// What was sent is no token of ours.
    TokenInvalid,
    /// The token has expired.
    TokenExpired,
    /// The token was revoked.
    TokenRevoked,
    /// The token is good, and not an admin's.
    AdminRequired,
    /// The token is good, and does not carry the scope that is needed (RFC 6750 §3.1). Or it is of a kind that the route does not
    /// admit: the token of a client, or a personal access token.
    InsufficientScope,
    /// The token is good, and does not carry the role that is needed.
    RoleRequired,
    /// A cookie came with the request, and the page that sent it may not act for the user.
    Csrf,
    /// Nobody can tell right now whether the token was revoked. It may be good: keep it and try again.
    Unavailable,
    /// A mistake of the application.
    Internal,
}

/// How one kind of refusal looks over HTTP.
struct Row {
    status: u16,
    code: &'static str,
    message: &'static str,
    challenge: Option<&'static str>,
    json: &'static str,
}

/// A row with the parts of its challenge after the realm (RFC 6750 §3), if it has one.
macro_rules! row {
    ($status:literal, $code:literal, $message:literal $(, $challenge:literal)?) => {
        &const {
            #[allow(unused_mut, unused_assignments, reason = "a row may have no challenge")]
            let mut challenge = None;
            $(challenge = Some(concat!("Bearer realm=\"auth\"", $challenge));)?
            let json = concat!("{\"status\":\"fail\",\"message\":\"", $message, "\",\"code\":\"", $code, "\"}");
            Row { status: $status, code: $code, message: $message, challenge, json }
        }
    };
}

impl RefusalKind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::TokenMissing,
        Self::TokenInvalid,
        Self::TokenExpired,
        Self::TokenRevoked,
        Self::AdminRequired,
        Self::InsufficientScope,
        Self::RoleRequired,
        Self::Csrf,
        Self::Unavailable,
        Self::Internal,
    ];

    fn row(self) -> &'static Row {
        match self {
            // Without a token no error is named (RFC 6750 §3.1).
            Self::TokenMissing => row!(401, "token_missing", "Provide a valid auth token.", ""),
            Self::TokenInvalid => row!(
                401,
                "token_invalid",
                "Invalid token. Please log in again.",
                ", error=\"invalid_token\", error_description=\"The token is invalid\""
            ),
            Self::TokenExpired => row!(
                401,
                "token_expired",
                "Signature expired. Please log in again.",
                ", error=\"invalid_token\", error_description=\"The token has expired\""
            ),
            Self::TokenRevoked => row!(
                401,
                "token_revoked",
                "Token blacklisted. Please log in again.",
                ", error=\"invalid_token\", error_description=\"The token was revoked\""
            ),
            Self::AdminRequired => {
                row!(403, "admin_required", "admin token required", ", error=\"insufficient_scope\"")
            }
            Self::InsufficientScope => row!(
                403,
                "insufficient_scope",
                "The token does not have the scope that is needed.",
                ", error=\"insufficient_scope\""
            ),
            // RFC 6750 has no error code for roles. This is the nearest.
            Self::RoleRequired => row!(
                403,
                "role_required",
                "The token does not have the role that is needed.",
                ", error=\"insufficient_scope\""
            ),
            Self::Csrf => row!(403, "csrf", "The request does not come from a page that may act for the user."),
            Self::Unavailable => {
                row!(503, "unavailable", "The service is unavailable. Please try again in a moment.")
            }
            Self::Internal => row!(500, "internal", "Something went wrong on our side."),
        }
    }

    /// The HTTP status (RFC 9110 §15). A token that is missing or not good is a 401, a good one that does not suffice a 403.
    #[must_use]
    pub fn status(self) -> u16 {
        self.row().status
    }

    /// The stable word for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.row().code
    }

    /// The sentence for people.
    #[must_use]
    pub fn message(self) -> &'static str {
        self.row().message
    }

    /// The value of the `WWW-Authenticate` header (RFC 6750 §3), if one is due. That of a [`Refusal`] also names the scope.
    #[must_use]
    pub fn challenge(self) -> Option<&'static str> {
        self.row().challenge
    }

    /// The value of the `Retry-After` header (RFC 9110 §10.2.3), if one is due.
    #[must_use]
    pub fn retry_after(self) -> Option<Duration> {
        (self == Self::Unavailable).then_some(UNAVAILABLE_RETRY)
    }

    /// The whole refusal as a JSON object: `status` (always `fail`), `message`, `code`.
    #[must_use]
    pub fn json(self) -> &'static str {
        self.row().json
    }
}

impl From<&AuthenticateError> for RefusalKind {
    fn from(error: &AuthenticateError) -> Self {
        match error {
            AuthenticateError::Invalid => Self::TokenInvalid,
            AuthenticateError::Expired => Self::TokenExpired,
            AuthenticateError::Revoked => Self::TokenRevoked,
            AuthenticateError::Unknown(_) => Self::Unavailable,
        }
    }
}

/// A refused request: the kind, and for the log the cause. `Display` is what the client is told; the cause is in
/// [`source`](Error::source).
#[derive(Debug, Clone)]
pub struct Refusal {
    kind: RefusalKind,
    /// Scopes that the token needs.
    needed: Option<Scopes>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Refusal {
    /// A mistake of the application, with what is to be said of it in the log.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: RefusalKind::Internal, needed: None, cause: Some(cause.into().into()) }
    }

    /// Refuses a token that lacks one of the scopes `needed`. The challenge names them, if they are names of scopes.
    pub(crate) fn insufficient_scope(needed: &[Box<str>]) -> Self {
        let needed = needed.iter().map(|name| name.parse()).collect::<Result<Vec<_>, _>>().and_then(Scopes::of).ok();
        Self { needed, ..RefusalKind::InsufficientScope.into() }
    }

    /// Why the request may not pass.
    #[must_use]
    pub fn kind(&self) -> RefusalKind {
        self.kind
    }

    /// Returns the value of the `WWW-Authenticate` header (RFC 6750 §3), if one is due. Where the token lacks a scope, its attribute
    /// `scope` names the scopes that are needed.
    #[must_use]
    pub fn challenge(&self) -> Option<Cow<'static, str>> {
        let challenge = self.kind.challenge()?;
        Some(match &self.needed {
            Some(scopes) => format!("{challenge}, scope=\"{scopes}\"").into(),
            None => challenge.into(),
        })
    }
}

impl From<RefusalKind> for Refusal {
    fn from(kind: RefusalKind) -> Self {
        Self { kind, needed: None, cause: None }
    }
}

impl From<AuthenticateError> for Refusal {
    fn from(error: AuthenticateError) -> Self {
        let kind = RefusalKind::from(&error);
        let cause: Option<Arc<dyn Error + Send + Sync>> = match error {
            AuthenticateError::Unknown(_) => Some(Arc::new(error)),
            AuthenticateError::Invalid | AuthenticateError::Expired | AuthenticateError::Revoked => None,
        };
        Self { kind, needed: None, cause }
    }
}

/// For a request whose token is good and whose user was read. That the user is gone makes the token invalid.
impl From<AccountError> for Refusal {
    fn from(error: AccountError) -> Self {
        let kind = match &error {
            AccountError::UserNotFound => return RefusalKind::TokenInvalid.into(),
            AccountError::Store(error) if error.kind() == StoreErrorKind::Unavailable => RefusalKind::Unavailable,
            _ => RefusalKind::Internal,
        };
        Self { kind, needed: None, cause: Some(Arc::new(error)) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.message())
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use auth_core::StoreError;

    #[test]
    fn the_json_says_what_the_other_words_say() {
        for kind in RefusalKind::ALL {
            let json: serde_json::Value = serde_json::from_str(kind.json()).unwrap();
            let expected = serde_json::json!({ "status": "fail", "message": kind.message(), "code": kind.code() });
            assert_eq!(json, expected);
        }
    }

    #[test]
    fn a_challenge_comes_with_every_bad_token_and_a_wait_with_every_503() {
        for kind in RefusalKind::ALL {
            let about_a_token = matches!(kind.status(), 401 | 403) && kind != RefusalKind::Csrf;
            assert_eq!(kind.challenge().is_some(), about_a_token, "{kind:?}");
            assert_eq!(kind.retry_after().is_some(), kind.status() == 503, "{kind:?}");
        }
        assert_eq!(RefusalKind::TokenMissing.challenge(), Some("Bearer realm=\"auth\""));
    }

    #[test]
    fn a_challenge_names_the_scopes_that_are_needed() {
        let challenge = |needed: &[&str]| {
            let needed: Vec<Box<str>> = needed.iter().map(|name| (*name).into()).collect();
            Refusal::insufficient_scope(&needed).challenge().unwrap().into_owned()
        };
        let bare = "Bearer realm=\"auth\", error=\"insufficient_scope\"";
        assert_eq!(challenge(&["b", "a"]), format!("{bare}, scope=\"a b\""));
        assert_eq!(challenge(&["a\", x=\""]), bare, "a name that no scope can have is not sent");
        assert_eq!(Refusal::from(RefusalKind::InsufficientScope).challenge().unwrap(), bare);
    }

    #[test]
    fn the_cause_is_kept_for_the_log_and_not_shown() {
        let refusal = Refusal::from(AuthenticateError::Unknown(StoreError::unavailable("host db7 is down")));
        assert_eq!(refusal.kind(), RefusalKind::Unavailable);
        assert!(!refusal.to_string().contains("db7"));
        let store = refusal.source().and_then(Error::source).unwrap();
        assert_eq!(store.source().unwrap().to_string(), "host db7 is down");
        assert!(Refusal::from(AuthenticateError::Revoked).source().is_none());
    }
}
