//! Registering, logging in, renewing a session, checking a token, logging out.

mod dto;
mod granted;
mod way;

use std::sync::Arc;

use auth_core::{Principal, RegisterOutcome, Roles};
use auth_http::Code;
use poem::Request;
use poem::web::Data;
use poem_openapi::{ApiResponse, OpenApi};

use self::dto::{CsrfGranted, LogIn, Refresh};
pub(crate) use self::dto::{SignUp, TokenClaims};
pub(crate) use self::granted::Granted;
use self::granted::{AccountCreated, RegisterAnswer};
pub(crate) use self::way::{SessionWay, WithWay};
use super::Tag;
use crate::http::bearer::{AnyBearer, Carrier, LoginBearer, LogoutBearer};
use crate::http::body::Done;
use crate::http::client::Caller;
use crate::http::cookie::{CookieHolder, Head};
use crate::http::error::ApiError;
use crate::http::json::Json;
use crate::http::operation::{
    BAD_BODY, BODY_TOO_LARGE, BUSY, DocumentedError, FOREIGN_LOGIN, FOREIGN_PAGE, INTERNAL, NO_GOOD_TOKEN, NO_JSON,
    NO_LOGIN_OR_FOREIGN_PAGE, Operation, OperationError, TOO_MANY,
};
use crate::http::request_body::{JsonBody, OptionalJsonBody};
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
        request: &Request,
        caller: Caller,
        sign_up: JsonBody<SignUp>,
    ) -> Result<Registered, OperationError<Registration>> {
        Registered::by(request, caller, sign_up.0).await
    }

    /// Log in
    ///
    /// Answers with a token, and with a refresh token or a cookie where `session` asks for one. An unknown e-mail address and a wrong
    /// password get the same answer at the same cost. Where the server asks for a confirmed e-mail address, a right password gets 403
    /// `email_unverified` without one.
    #[oai(path = "/auth/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        request: &Request,
        caller: Caller,
        login: JsonBody<LogIn>,
    ) -> Result<LoggedIn, OperationError<Login>> {
        let LogIn { body: credentials, way } = login.0;
        way.check_page(request)?;
        let outcome = caller.service.login(credentials, &caller.opening(way.kind())).await?;
        let signed_in = outcome.signed_in().ok_or_else(|| ApiError::internal("the login needs an unknown factor"))?;
        Ok(LoggedIn::of(Granted::new(State::of(request)?, way, "Successfully logged in.", &signed_in)?))
    }

    /// Renew a session
    ///
    /// Exchanges a refresh token for a new access token and the next refresh token. A refresh token is used once. If the answer
    /// was lost, the same request may be repeated for a short time. A refresh token that is used again later ends the session.
    ///
    /// A request without a refresh token renews the session in the cookie, which the answer sets anew.
    #[oai(path = "/auth/refresh", method = "post", operation_id = "refreshSession")]
    async fn refresh(
        &self,
        request: &Request,
        state: Data<&Arc<State>>,
        refresh: OptionalJsonBody<Refresh>,
    ) -> Result<LoggedIn, OperationError<RefreshSession>> {
        let (unverified_token, way) = match refresh.0.and_then(|refresh| refresh.unverified_token) {
            Some(in_body) => (in_body, SessionWay::Refresh),
            None => (Head::of(request).refresh_token(&state)?, SessionWay::Cookie),
        };
        let refreshed = state.refresh(&unverified_token).await?;
        Ok(LoggedIn::of(Granted::new(&state, way, "Successfully refreshed.", &refreshed)?))
    }

    /// Get the CSRF token
    ///
    /// Answers with the CSRF token of the session in the cookie, for a page that was loaded again. It does not say whether the session
    /// is good.
    #[oai(path = "/auth/csrf", method = "get", operation_id = "getCsrfToken")]
    async fn csrf(&self, holder: CookieHolder) -> Result<CsrfFound, OperationError<GetCsrfToken>> {
        Ok(CsrfFound::Ok(Json(CsrfGranted::new(&holder.0.csrf_token()))))
    }

    /// Log out
    ///
    /// Ends the session of the token that the request came with. Once this has answered 200, its access tokens and its refresh
    /// token are refused. The answer removes the cookie, if that is what the request came with.
    #[oai(path = "/auth/logout", method = "post", operation_id = "logout")]
    async fn logout(
        &self,
        state: Data<&Arc<State>>,
        bearer: LogoutBearer,
    ) -> Result<LoggedOut, OperationError<Logout>> {
        state.service.logout(&bearer.0).await?;
        Ok(LoggedOut::new(&state, bearer.1, "Successfully logged out."))
    }

    /// Log out everywhere
    ///
    /// Revokes every token of the user, the one that the request came with included. A login afterwards is good at once.
    #[oai(path = "/auth/logout-all", method = "post", operation_id = "logoutEverywhere")]
    async fn logout_everywhere(
        &self,
        state: Data<&Arc<State>>,
        bearer: LoginBearer,
    ) -> Result<LoggedOut, OperationError<LogoutEverywhere>> {
        state.service.logout_everywhere(bearer.0.user_id()).await?;
        Ok(LoggedOut::new(&state, bearer.1, "Successfully logged out everywhere."))
    }

    /// Check a token
    ///
    /// Is this token good? Made to stand behind nginx `auth_request`, Traefik `forwardAuth` or Envoy `ext_authz`: the
    /// answer carries who it is in headers too. No user is read. The token of a client is good as well, and has `client_id` in place of
    /// `user_id`.
    #[oai(path = "/auth/verify", method = "get", operation_id = "verifyToken")]
    async fn verify(&self, bearer: AnyBearer) -> Result<Verified, OperationError<VerifyToken>> {
        Ok(Verified::of(&bearer.0))
    }
}

/// The response to a registration.
#[derive(ApiResponse)]
pub(crate) enum Registered {
    /// The user was created and is logged in. Where the server asks for a confirmed e-mail address, nobody is logged in and the body
    /// has no token.
    #[oai(status = 201)]
    Created(
        Json<RegisterAnswer>,
        /// With `session: cookie`
        #[oai(header = "Set-Cookie")]
        Option<String>,
    ),
}

impl Registered {
    /// Registers a user. Two paths lead here.
    pub(crate) async fn by(
        request: &Request,
        caller: Caller,
        sign_up: SignUp,
    ) -> Result<Self, OperationError<Registration>> {
        let SignUp { body: account, way } = sign_up;
        way.check_page(request)?;
        let (body, set_cookie) = match caller.service.register(account, &caller.opening(way.kind())).await? {
            RegisterOutcome::SignedIn(signed_in) => {
                let (Json(granted), set_cookie) =
                    Granted::new(State::of(request)?, way, "Successfully registered.", &signed_in)?;
                (granted.into(), set_cookie)
            }
            RegisterOutcome::Unverified(user) => (RegisterAnswer::Unverified(AccountCreated::new(&user)), None),
            _ => return Err(ApiError::internal("the registration has an unknown outcome").into()),
        };
        Ok(Self::Created(Json(body), set_cookie))
    }
}

/// The response to a user who has just proved their password.
#[derive(ApiResponse)]
pub(crate) enum LoggedIn {
    /// The user is logged in.
    #[oai(status = 200)]
    Ok(
        Json<Granted>,
        /// With `session: cookie`
        #[oai(header = "Set-Cookie")]
        Option<String>,
    ),
}

impl LoggedIn {
    pub(crate) fn of((body, set_cookie): (Json<Granted>, Option<String>)) -> Self {
        Self::Ok(body, set_cookie)
    }
}

#[derive(ApiResponse)]
enum LoggedOut {
    /// The token is revoked.
    #[oai(status = 200)]
    Ok(
        Json<Done>,
        /// Removes the cookie, if the request came with it
        #[oai(header = "Set-Cookie")]
        Option<String>,
    ),
}

impl LoggedOut {
    fn new(state: &State, carrier: Carrier, message: &str) -> Self {
        let removed = (carrier == Carrier::Cookie).then(|| state.cookies.cookie().clear());
        Self::Ok(Json(Done::new(message)), removed)
    }
}

#[derive(ApiResponse)]
enum CsrfFound {
    /// The CSRF token.
    #[oai(status = 200)]
    Ok(Json<CsrfGranted>),
}

#[derive(ApiResponse)]
enum Verified {
    /// The token is good.
    #[oai(status = 200)]
    Ok(
        Json<TokenClaims>,
        /// The user whose token it is, if it is not a client's
        #[oai(header = "X-Auth-User-Id")]
        Option<String>,
        /// The client whose token it is, if it is a client's
        #[oai(header = "X-Auth-Client-Id")]
        Option<String>,
        /// Whether it is an admin's
        #[oai(header = "X-Auth-Admin")]
        bool,
        /// The roles of the token, separated by blanks, if it has any
        #[oai(header = "X-Auth-Roles")]
        Option<String>,
        /// The scopes of the token, separated by blanks, if it has any
        #[oai(header = "X-Auth-Scope")]
        Option<String>,
    ),
}

impl Verified {
    fn of(principal: &Principal) -> Self {
        let claims = TokenClaims::from(principal);
        let user = claims.user_id.map(|id| id.to_string());
        let client = claims.client_id.clone();
        let roles = principal.roles().filter(|roles| !roles.is_empty()).map(Roles::to_string);
        let scope = claims.scope.clone();
        Self::Ok(Json(claims), user, client, principal.is_admin(), roles, scope)
    }
}

/// The operation `register`, which is also `createUser`.
pub(crate) struct Registration;

impl Operation for Registration {
    const ERRORS: &'static [DocumentedError] = &[
        BAD_BODY,
        FOREIGN_LOGIN,
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
        (
            Code::EmailUnverified,
            "The password is right, and the e-mail address has to be confirmed first (`email_unverified`); or a page of another \
             origin asked for a session in the cookie (`csrf`)",
        ),
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
        FOREIGN_PAGE,
        BODY_TOO_LARGE,
        NO_JSON,
        (Code::Unavailable, "Nobody can tell right now; keep the refresh token and try again"),
        INTERNAL,
    ];
}

struct GetCsrfToken;

impl Operation for GetCsrfToken {
    const ERRORS: &'static [DocumentedError] = &[
        (Code::TokenInvalid, "No cookie was sent (`token_missing`), or a malformed one (`token_invalid`)"),
        FOREIGN_PAGE,
        (Code::Unavailable, "The server is unavailable; try again"),
        INTERNAL,
    ];
}

struct Logout;

impl Operation for Logout {
    const ERRORS: &'static [DocumentedError] = &[
        (
            Code::TokenInvalid,
            "The token is invalid (`token_invalid`), expired (`token_expired`) or revoked (`token_revoked`); or the session of the \
             cookie has ended (`session_ended`)",
        ),
        (
            Code::TokenMissingAtLogout,
            "No token was sent (`token_missing`); or it is not that of a login (`insufficient_scope`); or the cookie came from a page \
             of another origin, or without the right `X-CSRF-Token` (`csrf`)",
        ),
        (Code::Unavailable, "The revocation could not be written; keep the token and try again"),
        INTERNAL,
    ];
}

struct LogoutEverywhere;

impl Operation for LogoutEverywhere {
    const ERRORS: &'static [DocumentedError] = &[
        NO_GOOD_TOKEN,
        NO_LOGIN_OR_FOREIGN_PAGE,
        (Code::UserNotFound, "The user is gone"),
        (Code::Unavailable, "Nothing could be written; try again"),
        INTERNAL,
    ];
}

struct VerifyToken;

impl Operation for VerifyToken {
    const ERRORS: &'static [DocumentedError] = &[
        NO_GOOD_TOKEN,
        FOREIGN_PAGE,
        (Code::Unavailable, "Nobody can tell right now; keep the token and try again"),
        INTERNAL,
    ];
}
