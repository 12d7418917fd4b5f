//! Errors of OAuth (RFC 6749 §5.2).

use auth_core::{AuthenticateError, RefreshError, StoreError};
use auth_core::{ClientAuthError, ClientTokenError, RevokeTokenError};
use auth_http::{Code, ErrorAnswer};
use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use serde_json::json;

use super::json_response;
use crate::http::error::{ApiError, ErrorRecord};

/// Error of a request that no endpoint of OAuth has understood, or that one has refused.
pub(super) enum Failure {
    /// The endpoint has refused the request.
    OAuth(OAuthError),
    /// The request is no form of a length that is read. It is answered in the one form of the API.
    Api(ApiError),
}

/// Error of an endpoint. Its description has printable ASCII characters without `"` and `\` only.
pub(super) struct OAuthError {
    error: &'static str,
    description: &'static str,
    /// The error for the log, with its cause and the headers that are due.
    answer: ErrorAnswer,
}

impl OAuthError {
    /// Returns an `invalid_request`.
    pub(super) fn invalid_request(description: &'static str) -> Self {
        Self { error: "invalid_request", description, answer: Code::MalformedRequest.into() }
    }

    /// Returns an `invalid_client`. One answer for a client that is unknown, disabled or expired, and for a wrong secret.
    pub(super) fn invalid_client() -> Self {
        Self {
            error: "invalid_client",
            description: "The client must authenticate with its id and secret.",
            answer: Code::InvalidCredentials.into(),
        }
    }

    /// Returns an `invalid_grant`.
    pub(super) fn invalid_grant(description: &'static str) -> Self {
        Self { error: "invalid_grant", description, answer: Code::SessionEnded.into() }
    }

    /// Returns an `unsupported_grant_type`.
    pub(super) fn unsupported_grant_type() -> Self {
        Self {
            error: "unsupported_grant_type",
            description: "The grant types are client_credentials and refresh_token.",
            answer: Code::MalformedRequest.into(),
        }
    }

    /// Returns an `invalid_scope`.
    pub(super) fn invalid_scope(description: &'static str) -> Self {
        Self { error: "invalid_scope", description, answer: Code::MalformedRequest.into() }
    }

    /// Returns an `insufficient_scope` (RFC 6750 §3.1), for a client that may not use this endpoint.
    pub(super) fn insufficient_scope(description: &'static str) -> Self {
        Self { error: "insufficient_scope", description, answer: Code::InsufficientScope.into() }
    }

    fn status(&self) -> StatusCode {
        match self.error {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "insufficient_scope" => StatusCode::FORBIDDEN,
            // RFC 6749 §5.2 asks for 400 where RFC 9110 would have 401.
            "invalid_grant" => StatusCode::BAD_REQUEST,
            _ => StatusCode::from_u16(self.answer.code().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// The errors that have nothing to do with OAuth: a limit, a store that is away, a bug.
impl From<ErrorAnswer> for OAuthError {
    fn from(answer: ErrorAnswer) -> Self {
        let error = match answer.code() {
            Code::TooManyAttempts => "too_many_attempts",
            Code::Unavailable | Code::Overloaded => "temporarily_unavailable",
            _ => "server_error",
        };
        Self { error, description: answer.code().message(), answer }
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        ErrorAnswer::from(error).into()
    }
}

impl From<ClientAuthError> for OAuthError {
    fn from(error: ClientAuthError) -> Self {
        match error {
            ClientAuthError::InvalidClient => Self::invalid_client(),
            other => ErrorAnswer::from(other).into(),
        }
    }
}

impl From<ClientTokenError> for OAuthError {
    fn from(error: ClientTokenError) -> Self {
        match error {
            ClientTokenError::InvalidScope => Self::invalid_scope("The client does not have all of these scopes."),
            other => ErrorAnswer::internal(other).into(),
        }
    }
}

impl From<RefreshError> for OAuthError {
    fn from(error: RefreshError) -> Self {
        match error {
            // The answer does not reveal that a token was used again.
            RefreshError::Ended | RefreshError::Reused { .. } => Self::invalid_grant("The session has ended."),
            other => ErrorAnswer::from(other).into(),
        }
    }
}

impl From<RevokeTokenError> for OAuthError {
    fn from(error: RevokeTokenError) -> Self {
        match error {
            RevokeTokenError::ClientRequired => Self::invalid_client(),
            // RFC 6749 §5.2 has this error for a grant that was issued to another client.
            RevokeTokenError::ForeignToken => Self::invalid_grant("The token was issued to another client."),
            RevokeTokenError::Store(error) => error.into(),
            other => ErrorAnswer::internal(other).into(),
        }
    }
}

impl From<AuthenticateError> for OAuthError {
    fn from(error: AuthenticateError) -> Self {
        ErrorAnswer::from(error).into()
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response =
            json_response(status, &json!({ "error": self.error, "error_description": self.description }));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"auth\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        let retry_after = self.answer.headers().find(|(name, _)| *name == "Retry-After");
        if let Some(seconds) = retry_after.and_then(|(_, seconds)| HeaderValue::from_str(&seconds).ok()) {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        let cause = self.answer.cause_chain().map(Into::into);
        response.set_data(ErrorRecord { code: self.answer.code(), cause });
        response
    }
}

impl<E: Into<OAuthError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::OAuth(error.into())
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::OAuth(error) => error.into_response(),
            Self::Api(error) => error.into_response(),
        }
    }
}
