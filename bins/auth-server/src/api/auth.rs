//! Registering, logging in, renewing a session, checking a token, logging out.

mod dto;
mod way;

use std::sync::Arc;

use auth_core::{Principal, RefreshError};
use poem::web::Data;
use poem_openapi::{ApiResponse, OpenApi};

use self::dto::{LogIn, Refresh};
pub(crate) use self::dto::{SignUp, TokenClaims, TokenGranted};
pub(crate) use self::way::SessionWay;
use super::Tag;
use crate::http::bearer::{Bearer, LogoutBearer};
use crate::http::body::Done;
use crate::http::client::Caller;
use crate::http::code::Code;
use crate::http::error::ApiError;
use crate::http::json::Json;
use crate::http::operation::{
    BAD_BODY, BODY_TOO_LARGE, BUSY, DocumentedError, INTERNAL, NO_GOOD_TOKEN, NO_JSON, Operation, OperationError,
    TOO_MANY,
};
use crate::http::request_body::JsonBody;
use crate::http::state::State;

/// Path of the operation that checks a token.
pub(crate) const VERIFY: &str = "/auth/verify";

/// The operations on tokens.
pub(crate) struct AuthApi;

#[expect(clippy::unused_async, reason = "the framework takes async functions only")]
#[OpenApi(tag = "Tag::Auth")]
impl AuthApi {
    /// Register
    ///
    /// Creates a user and logs them in. `POST /user/` is the same operation.
    #[oai(path = "/auth/register", method = "post", operation_id = "register")]
    async fn register(
        &self,
        caller: Caller,
        sign_up: JsonBody<SignUp>,
    ) -> Result<Registered, OperationError<Registration>> {
        Registered::by(caller, sign_up.0).await
    }

    /// Log in
    ///
    /// Answers with a token, and with a refresh token where `session` asks for one. An unknown e-mail address and a wrong
    /// password get the same answer at the same cost.
    #[oai(path = "/auth/login", method = "post", operation_id = "login")]
    async fn login(&self, caller: Caller, login: JsonBody<LogIn>) -> Result<LoggedIn, OperationError<Login>> {
        let LogIn { credentials, way } = login.0;
        let outcome = caller.service.login(credentials, &caller.opening(way.kind())).await?;
        let signed_in = outcome.signed_in().ok_or_else(|| ApiError::internal("the login needs an unknown factor"))?;
        Ok(LoggedIn::Ok(Json(TokenGranted::new("Successfully logged in.", &signed_in))))
    }

    /// Renew a session
    ///
    /// Exchanges a refresh token for a new access token and the next refresh token. A refresh token is used once. If the answer
    /// was lost, the same request may be repeated for a short time. A refresh token that is used again later ends the session.
    #[oai(path = "/auth/refresh", method = "post", operation_id = "refreshSession")]
    async fn refresh(
        &self,
        state: Data<&Arc<State>>,
        refresh: JsonBody<Refresh>,
    ) -> Result<LoggedIn, OperationError<RefreshSession>> {
        let refreshed = state.service.refresh(&refresh.0.unverified_token).await;
        if let Err(RefreshError::Reused { user_id, session_id }) = &refreshed {
            tracing::warn!(%user_id, %session_id, "a refresh token was used a second time; its session was ended");
        }
        Ok(LoggedIn::Ok(Json(TokenGranted::new("Successfully refreshed.", &refreshed?))))
    }

    /// Log out
    ///
    /// Ends the session of the token that the request came with. Once this has answered 200, its access tokens and its refresh
    /// token are refused.
    #[oai(path = "/auth/logout", method = "post", operation_id = "logout")]
    async fn logout(
        &self,
        state: Data<&Arc<State>>,
        bearer: LogoutBearer,
    ) -> Result<LoggedOut, OperationError<Logout>> {
        state.service.logout(&bearer.0).await?;
        Ok(LoggedOut::Ok(Json(Done::new("Successfully logged out."))))
    }

    /// Log out everywhere
    ///
    /// Revokes every token of the user, the one that the request came with included. A login afterwards is good at once.
    #[oai(path = "/auth/logout-all", method = "post", operation_id = "logoutEverywhere")]
    async fn logout_everywhere(
        &self,
        state: Data<&Arc<State>>,
        bearer: Bearer,
    ) -> Result<LoggedOut, OperationError<LogoutEverywhere>> {
        state.service.logout_everywhere(bearer.0.user_id()).await?;
        Ok(LoggedOut::Ok(Json(Done::new("Successfully logged out everywhere."))))
    }

    /// Check a token
    ///
    /// Is this token good? Made to stand behind nginx `auth_request`, Traefik `forwardAuth` or Envoy `ext_authz`: the
    /// answer carries who it is in headers too. No user is read.
    #[oai(path = "/auth/verify", method = "get", operation_id = "verifyToken")]
    async fn verify(&self, bearer: Bearer) -> Result<Verified, OperationError<VerifyToken>> {
        Ok(Verified::of(&bearer.0))
    }
}

/// The response to a registration.
#[derive(ApiResponse)]
pub(crate) enum Registered {
    /// The user was created and is logged in.
    #[oai(status = 201)]
    Created(Json<TokenGranted>),
}

impl Registered {
    /// Registers a user. Two paths lead here.
    pub(crate) async fn by(caller: Caller, sign_up: SignUp) -> Result<Self, OperationError<Registration>> {
        let SignUp { account, way } = sign_up;
        let signed_in = caller.service.register(account, &caller.opening(way.kind())).await?;
        Ok(Self::Created(Json(TokenGranted::new("Successfully registered.", &signed_in))))
    }
}

/// The response to a user who has just proved their password.
#[derive(ApiResponse)]
pub(crate) enum LoggedIn {
    /// The user is logged in.
    #[oai(status = 200)]
    Ok(Json<TokenGranted>),
}

#[derive(ApiResponse)]
enum LoggedOut {
    /// The token is revoked.
    #[oai(status = 200)]
    Ok(Json<Done>),
}

#[derive(ApiResponse)]
enum Verified {
    /// The token is good.
    #[oai(status = 200)]
    Ok(
        Json<TokenClaims>,
        /// Whose token it is
        #[oai(header = "X-Auth-User-Id")]
        String,
        /// Whether it is an admin's
        #[oai(header = "X-Auth-Admin")]
        bool,
    ),
}

impl Verified {
    fn of(principal: &Principal) -> Self {
        Self::Ok(Json(principal.into()), principal.user_id().to_string(), principal.is_admin())
    }
}

/// The operation `register`, which is also `createUser`.
pub(crate) struct Registration;

impl Operation for Registration {
    const ERRORS: &'static [DocumentedError] = &[
        BAD_BODY,
        (Code::UserExists, "The e-mail address (`user_exists`) or the username (`username_taken`) is taken"),
        BODY_TOO_LARGE,
        NO_JSON,
        TOO_MANY,
        BUSY,
        INTERNAL,
    ];
}

struct Login;

impl Operation for Login {
    const ERRORS: &'static [DocumentedError] = &[
        BAD_BODY,
        (Code::InvalidCredentials, "Unknown e-mail address or wrong password"),
        BODY_TOO_LARGE,
        NO_JSON,
        TOO_MANY,
        BUSY,
        INTERNAL,
    ];
}

struct RefreshSession;

impl Operation for RefreshSession {
    const ERRORS: &'static [DocumentedError] = &[
        BAD_BODY,
        (
            Code::SessionEnded,
            "The refresh token is malformed, unknown or used before, or its session has ended: the client has to log in again",
        ),
        BODY_TOO_LARGE,
        NO_JSON,
        (Code::Unavailable, "Nobody can tell right now; keep the refresh token and try again"),
        INTERNAL,
    ];
}

struct Logout;

impl Operation for Logout {
    const ERRORS: &'static [DocumentedError] = &[
        (
            Code::TokenInvalid,
            "The token is invalid (`token_invalid`), expired (`token_expired`) or revoked (`token_revoked`)",
        ),
        (Code::TokenMissingAtLogout, "No token was sent"),
        (Code::Unavailable, "The revocation could not be written; keep the token and try again"),
        INTERNAL,
    ];
}

struct LogoutEverywhere;

impl Operation for LogoutEverywhere {
    const ERRORS: &'static [DocumentedError] = &[
        NO_GOOD_TOKEN,
        (Code::UserNotFound, "The user is gone"),
        (Code::Unavailable, "Nothing could be written; try again"),
        INTERNAL,
    ];
}

struct VerifyToken;

impl Operation for VerifyToken {
    const ERRORS: &'static [DocumentedError] =
        &[NO_GOOD_TOKEN, (Code::Unavailable, "Nobody can tell right now; keep the token and try again"), INTERNAL];
}
