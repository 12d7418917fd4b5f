//! Creating, finding and listing users; and what admins do with the account of another user.

mod dto;
mod filter;

use std::sync::Arc;

use auth_core::UserId;
use auth_http::Code;
use poem::Request;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, OpenApi};

use self::dto::UserPage;
pub(crate) use self::dto::UserView;
use self::filter::{EmailFilter, Query, UsernameFilter};
use super::Tag;
use super::auth::{Registered, Registration, SignUp};
use crate::http::bearer::{AdminBearer, Bearer, LoginAdminBearer};
use crate::http::client::Caller;
use crate::http::error::ApiError;
use crate::http::json::Json;
use crate::http::operation::{
    DocumentedError, INTERNAL, NO_ADMIN, NO_ADMIN_LOGIN_OR_FOREIGN_PAGE, NO_GOOD_TOKEN, NO_USER, Operation,
    OperationError, UNREAD, UNWRITTEN,
};
use crate::http::paging::{After, Limit};
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
    /// follows. With `email` or `username` the list has the user with this address or name, if there is one.
    #[oai(path = "/", method = "get", operation_id = "listUsers")]
    async fn list(
        &self,
        state: Data<&Arc<State>>,
        _admin: AdminBearer,
        /// How many users at most
        limit: Limit,
        /// The `next` of the page before
        after: After,
        /// The e-mail address of the user to find, without regard to case
        email: EmailFilter,
        /// The name of the user to find, without regard to case
        username: UsernameFilter,
    ) -> Result<Listed, OperationError<ListUsers>> {
        let Query { limit, after, filter } = Query::parse(limit, after, email, username)?;
        if let Some(filter) = filter {
            let found = filter.find(&state.service).await?.filter(|user| after.is_none_or(|after| user.id > after));
            return Ok(Listed::Ok(Json(UserPage::found(found))));
        }
        // One user more than the page shows whether there is a next page.
        let users = state.service.list_users(after, limit + 1).await?;
        Ok(Listed::Ok(Json(UserPage::new(users, limit as usize))))
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

    /// Delete a user
    ///
    /// For admins with the token of a login. Ends every token of the user and deletes everything that is stored about them. It cannot be undone.
    #[oai(path = "/:public_id", method = "delete", operation_id = "deleteUser")]
    async fn delete(
        &self,
        state: Data<&Arc<State>>,
        _admin: LoginAdminBearer,
        /// The id of the user
        public_id: Path<PathId<UserId>>,
    ) -> Result<Done, OperationError<DeleteUser>> {
        state.service.delete_user(public_id.0.or(Code::UserNotFound)?).await?;
        Ok(Done::Ok)
    }

    /// Vouch for the e-mail address of a user
    ///
    /// For admins with the token of a login. The address counts as verified, as if the user had confirmed it.
    #[oai(path = "/:public_id/verify-email", method = "post", operation_id = "verifyEmailOfUser")]
    async fn verify_email(
        &self,
        state: Data<&Arc<State>>,
        _admin: LoginAdminBearer,
        /// The id of the user
        public_id: Path<PathId<UserId>>,
    ) -> Result<Found, OperationError<VerifyEmailOfUser>> {
        let user = state.service.vouch_for_email(public_id.0.or(Code::UserNotFound)?).await?;
        Ok(Found::Ok(Json(user.into())))
    }

    /// Unlock a user
    ///
    /// For admins with the token of a login. Ends the waits that wrong guesses at the password have caused, so that the user can try at once.
    #[oai(path = "/:public_id/unlock", method = "post", operation_id = "unlockUser")]
    async fn unlock(
        &self,
        state: Data<&Arc<State>>,
        _admin: LoginAdminBearer,
        /// The id of the user
        public_id: Path<PathId<UserId>>,
    ) -> Result<Done, OperationError<UnlockUser>> {
        let user = state.service.find_user(public_id.0.or(Code::UserNotFound)?).await?;
        state.service.unlock(&user.email).await?;
        Ok(Done::Ok)
    }
}

#[derive(ApiResponse)]
enum Listed {
    /// A page of users.
    #[oai(status = 200)]
    Ok(Json<UserPage>),
}

#[derive(ApiResponse)]
pub(crate) enum Found {
    /// The user.
    #[oai(status = 200)]
    Ok(Json<UserView>),
}

#[derive(ApiResponse)]
enum Done {
    /// It is done.
    #[oai(status = 204)]
    Ok,
}

struct ListUsers;

impl Operation for ListUsers {
    const ERRORS: &'static [DocumentedError] = &[
        (Code::ValidationFailed, "`limit`, `after`, `email` or `username` is wrong, or there is another parameter"),
        NO_GOOD_TOKEN,
        NO_ADMIN,
        UNREAD,
        INTERNAL,
    ];
}

struct GetUser;

impl Operation for GetUser {
    const ERRORS: &'static [DocumentedError] = &[
        NO_GOOD_TOKEN,
        (
            Code::AdminRequired,
            "It is another user and the token is not an admin's (`admin_required`), or the token is a client's \
             (`insufficient_scope`)",
        ),
        NO_USER,
        UNREAD,
        INTERNAL,
    ];
}

macro_rules! changes_by_admins {
    ($($operation:ident),+) => {$(
        struct $operation;

        impl Operation for $operation {
            const ERRORS: &'static [DocumentedError] =
                &[NO_GOOD_TOKEN, NO_ADMIN_LOGIN_OR_FOREIGN_PAGE, NO_USER, UNWRITTEN, INTERNAL];
        }
    )+};
}

changes_by_admins!(DeleteUser, VerifyEmailOfUser, UnlockUser);
