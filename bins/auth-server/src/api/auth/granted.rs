//! The response to a user who has just proved who they are, for each way to keep the session.

use auth_core::{SignedIn, User};
use poem_openapi::types::Example;
use poem_openapi::{Object, Union};
use uuid::Uuid;

use super::dto::TokenGranted;
use super::way::SessionWay;
use crate::api::example;
use crate::http::error::ApiError;
use crate::http::json::Json;
use crate::http::state::State;
use crate::http::string_enum::Success;

/// The message of a registration after which the address has to be confirmed.
const CONFIRM_FIRST: &str = "Successfully registered. Please confirm your e-mail address.";

/// A fresh token, or a session in the cookie.
#[derive(Union)]
pub(crate) enum Granted {
    Token(TokenGranted),
    Cookie(CookieGranted),
}

/// A session in the cookie that `Set-Cookie` carries. The body has no token.
#[derive(Object)]
#[oai(example)]
pub(crate) struct CookieGranted {
    /// Always `success`.
    status: Success,
    /// A sentence for people.
    message: String,
    /// The CSRF token of the session. A request that may change something carries it in `X-CSRF-Token`. `GET /auth/csrf` answers
    /// with it again.
    csrf_token: String,
    /// Lifetime of the access token in the cookie, in seconds. `POST /auth/refresh` renews it.
    expires_in: u64,
    /// Time until the session ends if it is not refreshed, in seconds.
    refresh_expires_in: u64,
    /// The id of the user.
    public_id: Uuid,
}

impl Example for CookieGranted {
    fn example() -> Self {
        Self {
            status: Success::SUCCESS,
            message: "Successfully logged in.".into(),
            csrf_token: example::CSRF_TOKEN.into(),
            expires_in: 900,
            refresh_expires_in: 2_592_000,
            public_id: example::ID,
        }
    }
}

/// The body of a registration: that of a login, or an account without one.
#[derive(Union)]
pub(crate) enum RegisterAnswer {
    Token(TokenGranted),
    Cookie(CookieGranted),
    Unverified(AccountCreated),
}

impl From<Granted> for RegisterAnswer {
    fn from(granted: Granted) -> Self {
        match granted {
            Granted::Token(token) => Self::Token(token),
            Granted::Cookie(cookie) => Self::Cookie(cookie),
        }
    }
}

/// An account whose e-mail address has to be confirmed before the first login.
#[derive(Object)]
#[oai(example)]
pub(crate) struct AccountCreated {
    /// Always `success`.
    status: Success,
    /// A sentence for people.
    message: String,
    /// The id of the user.
    public_id: Uuid,
    /// Always false: a letter asks to confirm the address.
    email_verified: bool,
}

impl AccountCreated {
    pub(crate) fn new(user: &User) -> Self {
        Self {
            status: Success::SUCCESS,
            message: CONFIRM_FIRST.into(),
            public_id: user.id.as_uuid(),
            email_verified: user.email_verified,
        }
    }
}

impl Example for AccountCreated {
    fn example() -> Self {
        Self { status: Success::SUCCESS, message: CONFIRM_FIRST.into(), public_id: example::ID, email_verified: false }
    }
}

impl Granted {
    /// Returns the body and the `Set-Cookie` for a user who keeps the session in this way.
    ///
    /// # Errors
    ///
    /// The cookie cannot hold the tokens.
    pub(crate) fn new(
        state: &State,
        way: SessionWay,
        message: &str,
        signed_in: &SignedIn,
    ) -> Result<(Json<Self>, Option<String>), ApiError> {
        if way != SessionWay::Cookie {
            return Ok((Json(Self::Token(TokenGranted::new(message, signed_in))), None));
        }
        let refresh = signed_in.refresh.as_ref().ok_or_else(|| ApiError::internal("the session cannot be renewed"))?;
        let set_cookie = state.cookies.cookie().set(&signed_in.token.access, &refresh.token, refresh.expires_in)?;
        let body = CookieGranted {
            status: Success::SUCCESS,
            message: message.into(),
            csrf_token: refresh.token.csrf_token().expose_text(),
            expires_in: signed_in.token.expires_in.as_secs(),
            refresh_expires_in: refresh.expires_in.as_secs(),
            public_id: signed_in.user.id.as_uuid(),
        };
        Ok((Json(Self::Cookie(body)), Some(set_cookie)))
    }
}
