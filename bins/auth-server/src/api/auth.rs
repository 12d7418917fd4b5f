//! Logging in, checking a token, logging out.

use std::sync::Arc;

use auth_core::{Credentials, NewAccount, Principal};
use poem::http::HeaderMap;
use poem::web::Data;
use poem::{IntoResponse as _, Response};
use poem_openapi::{ApiResponse, OpenApi};

use super::client::Caller;
use super::dto::{Done, TokenClaims, TokenGranted};
use super::error::Code;
use super::json::Json;
use super::operation::{
    BAD_BODY, BODY_TOO_LARGE, BUSY, INTERNAL, NO_GOOD_TOKEN, NO_JSON, Operation, Refused, TOO_MANY,
};
use super::payload::Body;
use super::security::{Bearer, LeavingBearer};
use super::written::Written;
use super::{State, Tag};

/// The operations on tokens.
pub struct AuthApi;

#[expect(clippy::unused_async, reason = "the framework takes async functions only")]
#[OpenApi(tag = "Tag::Auth")]
impl AuthApi {
    /// Register
    ///
    /// Creates a user and logs them in. `POST /user/` is the same operation.
    #[oai(path = "/auth/register", method = "post", operation_id = "register")]
    async fn register(&self, caller: Caller, account: Body<NewAccount>) -> Result<Registered, Refused<Registration>> {
        Registered::by(caller, account.0).await
    }

    /// Log in
    ///
    /// Answers with a token. An unknown e-mail address and a wrong password get the same answer at the same cost.
    #[oai(path = "/auth/login", method = "post", operation_id = "login")]
    async fn login(&self, caller: Caller, credentials: Body<Credentials>) -> Result<LoggedIn, Refused<Login>> {
        let session = caller.0.login(credentials.0).await?;
        Ok(LoggedIn::Ok(Json(TokenGranted::new("Successfully logged in.", &session))))
    }

    /// Log out
    ///
    /// Revokes the token that the request came with. Once this has answered 200 the token is refused.
    #[oai(path = "/auth/logout", method = "post", operation_id = "logout")]
    async fn logout(&self, state: Data<&Arc<State>>, bearer: LeavingBearer) -> Result<LoggedOut, Refused<Logout>> {
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
    ) -> Result<LoggedOut, Refused<EveryTokenUse>> {
        state.service.logout_everywhere(bearer.0.user_id()).await?;
        Ok(LoggedOut::Ok(Json(Done::new("Successfully logged out everywhere."))))
    }

    /// Check a token
    ///
    /// Is this token good? Made to stand behind nginx `auth_request`, Traefik `forwardAuth` or Envoy `ext_authz`: the
    /// answer carries who it is in headers too. No user is read.
    #[oai(path = "/auth/verify", method = "get", operation_id = "verifyToken")]
    async fn verify(&self, bearer: Bearer) -> Result<Verified, Refused<TokenUse>> {
        Ok(Verified::of(&bearer.0))
    }
}

/// What `verifyToken` answers to a request with these headers, where memory alone can tell.
pub(super) fn verify_at_once(state: &State, headers: &HeaderMap) -> Option<Response> {
    Bearer::at_once(state, headers).map(|checked| match checked {
        Ok(principal) => Verified::of(&principal).into_response(),
        Err(failure) => failure.into_response(),
    })
}

/// The answer to a registration.
#[derive(ApiResponse)]
pub enum Registered {
    /// The user was created and is logged in.
    #[oai(status = 201)]
    Created(Json<TokenGranted>),
}

impl Registered {
    /// Registers somebody, under whichever path they asked for it.
    pub(super) async fn by(caller: Caller, account: NewAccount) -> Result<Self, Refused<Registration>> {
        let session = caller.0.register(account).await?;
        Ok(Self::Created(Json(TokenGranted::new("Successfully registered.", &session))))
    }
}

/// The answer to whoever has just proved who they are.
#[derive(ApiResponse)]
pub enum LoggedIn {
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
        Written<TokenClaims>,
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
        Self::Ok(Written(principal.into()), principal.user_id().to_string(), principal.is_admin())
    }
}

/// How registering refuses.
pub struct Registration;

impl Operation for Registration {
    const REFUSALS: &'static [(Code, &'static str)] = &[
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
    const REFUSALS: &'static [(Code, &'static str)] = &[
        BAD_BODY,
        (Code::InvalidCredentials, "Unknown e-mail address or wrong password"),
        BODY_TOO_LARGE,
        NO_JSON,
        TOO_MANY,
        BUSY,
        INTERNAL,
    ];
}

struct Logout;

impl Operation for Logout {
    const REFUSALS: &'static [(Code, &'static str)] = &[
        (
            Code::TokenInvalid,
            "The token is invalid (`token_invalid`), expired (`token_expired`) or revoked (`token_revoked`)",
        ),
        (Code::TokenMissingAtLogout, "No token was sent"),
        (Code::Unavailable, "The revocation could not be written; keep the token and try again"),
        INTERNAL,
    ];
}

struct EveryTokenUse;

impl Operation for EveryTokenUse {
    const REFUSALS: &'static [(Code, &'static str)] = &[
        NO_GOOD_TOKEN,
        (Code::UserNotFound, "The user is gone"),
        (Code::Unavailable, "Nothing could be written; try again"),
        INTERNAL,
    ];
}

struct TokenUse;

impl Operation for TokenUse {
    const REFUSALS: &'static [(Code, &'static str)] =
        &[NO_GOOD_TOKEN, (Code::Unavailable, "Nobody can tell right now; keep the token and try again"), INTERNAL];
}
