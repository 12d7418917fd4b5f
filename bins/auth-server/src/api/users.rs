//! Creating, listing and looking up users, and changing one's password.

mod dto;

use std::sync::Arc;

use auth_core::{LoginError, UserId};
use auth_http::Code;
use poem::Request;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, OpenApi};

use self::dto::{PasswordChange, UserPage, UserView};
use super::Tag;
use super::auth::{Granted, LoggedIn, Registered, Registration, SessionWay, SignUp};
use crate::http::bearer::{AdminBearer, Bearer, Carrier};
use crate::http::client::Caller;
use crate::http::error::ApiError;
use crate::http::json::Json;
use crate::http::operation::{
    BAD_BODY, BODY_TOO_LARGE, BUSY, DocumentedError, FOREIGN_PAGE, INTERNAL, NO_GOOD_TOKEN, NO_JSON, Operation,
    OperationError, TOO_MANY,
};
use crate::http::paging::{After, Limit, page};
use crate::http::path_id::PathId;
use crate::http::request_body::JsonBody;
use crate::http::state::State;

/// The operations on users.
pub(crate) struct UsersApi;

#[OpenApi(prefix_path = "/user/", tag = "Tag::User")]
impl UsersApi {
    /// Register a user
    ///
    /// The same operation as `POST /auth/register`.
    #[oai(path = "/", method = "post", operation_id = "createUser")]
    async fn create(
        &self,
        request: &Request,
        caller: Caller,
        sign_up: JsonBody<SignUp>,
    ) -> Result<Registered, OperationError<Registration>> {
        Registered::by(request, caller, sign_up.0).await
    }

    /// List users
    ///
    /// For admins. In order of registration, a page at a time: give the `next` of a page as `after` for the page that
    /// follows.
    #[oai(path = "/", method = "get", operation_id = "listUsers")]
    async fn list(
        &self,
        state: Data<&Arc<State>>,
        _admin: AdminBearer,
        /// How many users at most
        limit: Limit,
        /// The `next` of the page before
        after: After,
    ) -> Result<Listed, OperationError<ListUsers>> {
        let (limit, after) = page(limit, after)?;
        // One user more than the page shows whether there is a next page.
        let users = state.service.list_users(after, limit + 1).await?;
        Ok(Listed::Ok(Json(UserPage::new(users, limit as usize))))
    }

    /// Who am I?
    ///
    /// The user whose token it is.
    #[oai(path = "/me", method = "get", operation_id = "getCurrentUser")]
    async fn me(&self, state: Data<&Arc<State>>, bearer: Bearer) -> Result<Found, OperationError<GetCurrentUser>> {
        Ok(Found::Ok(Json(state.service.current_user(&bearer.0).await?.into())))
    }

    /// Change the password
    ///
    /// Ends every token of the user, the one that the request came with included, and answers with a fresh one: in the cookie, if the
    /// request came with the cookie.
    #[oai(path = "/me/password", method = "post", operation_id = "changePassword")]
    async fn change_password(
        &self,
        request: &Request,
        caller: Caller,
        bearer: Bearer,
        change: JsonBody<PasswordChange>,
    ) -> Result<LoggedIn, OperationError<ChangePassword>> {
        let PasswordChange { body: passwords, way } = change.0;
        // Who came with the cookie is never answered with a token in the body.
        let way = if bearer.1 == Carrier::Cookie { SessionWay::Cookie } else { way };
        way.check_page(request)?;
        let current = passwords.current.ok_or(LoginError::InvalidCredentials)?;
        let signed_in =
            caller.service.change_password(&bearer.0, current, passwords.new, &caller.opening(way.kind())).await?;
        let message = "Successfully changed the password.";
        Ok(LoggedIn::of(Granted::new(State::of(request)?, way, message, &signed_in)?))
    }

    /// Look up a user
    ///
    /// For admins, and for the user themself.
    #[oai(path = "/:public_id", method = "get", operation_id = "getUser")]
    async fn one(
        &self,
        state: Data<&Arc<State>>,
        bearer: Bearer,
        /// The id of the user
        public_id: Path<PathId<UserId>>,
    ) -> Result<Found, OperationError<GetUser>> {
        let id = public_id.0.or(Code::UserNotFound)?;
        if id != bearer.0.user_id() && !bearer.0.is_admin() {
            // The same error whether or not the user exists.
            return Err(ApiError::from(Code::AdminRequired).into());
        }
        Ok(Found::Ok(Json(state.service.find_user(id).await?.into())))
    }
}

#[derive(ApiResponse)]
enum Listed {
    /// A page of users.
    #[oai(status = 200)]
    Ok(Json<UserPage>),
}

#[derive(ApiResponse)]
enum Found {
    /// The user.
    #[oai(status = 200)]
    Ok(Json<UserView>),
}

struct ListUsers;

impl Operation for ListUsers {
    const ERRORS: &'static [DocumentedError] = &[
        (Code::ValidationFailed, "`limit` or `after` is wrong, or there is another parameter"),
        NO_GOOD_TOKEN,
        (Code::AdminRequired, "The token is not an admin's"),
        (Code::Unavailable, "The database is unavailable"),
        INTERNAL,
    ];
}

struct ChangePassword;

impl Operation for ChangePassword {
    const ERRORS: &'static [DocumentedError] = &[
        BAD_BODY,
        (
            Code::InvalidCredentials,
            "The current password is wrong (`invalid_credentials`), no token was sent (`token_missing`), or it is invalid \
             (`token_invalid`), expired (`token_expired`) or revoked (`token_revoked`)",
        ),
        FOREIGN_PAGE,
        (Code::UserNotFound, "The user is gone"),
        BODY_TOO_LARGE,
        NO_JSON,
        TOO_MANY,
        BUSY,
        INTERNAL,
    ];
}

struct GetCurrentUser;

impl Operation for GetCurrentUser {
    const ERRORS: &'static [DocumentedError] = &[
        NO_GOOD_TOKEN,
        (Code::UserNotFound, "The user is gone"),
        (Code::Unavailable, "The database is unavailable"),
        INTERNAL,
    ];
}

struct GetUser;

impl Operation for GetUser {
    const ERRORS: &'static [DocumentedError] = &[
        NO_GOOD_TOKEN,
        (Code::AdminRequired, "It is another user and the token is not an admin's"),
        (Code::UserNotFound, "There is no such user"),
        (Code::Unavailable, "The database is unavailable"),
        INTERNAL,
    ];
}
