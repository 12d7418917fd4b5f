//! Operations of users on their own account: profile, password, address, export and deletion.

mod dto;

use std::sync::Arc;

use auth_core::{LoginError, Username};
use auth_http::{Code, CurrentPassword, EmailChange};
use poem::Request;
use poem::web::Data;
use poem_openapi::{ApiResponse, OpenApi};

use self::dto::{ExportView, PasswordChange};
use super::Tag;
use super::auth::{Granted, LoggedIn, SessionWay};
use super::users::Found;
use crate::http::bearer::{Bearer, Carrier, LoginBearer};
use crate::http::body::Done;
use crate::http::client::Caller;
use crate::http::json::Json;
use crate::http::operation::{
    BAD_BODY, BODY_TOO_LARGE, BUSY, BUSY_OR_NO_MAIL, DocumentedError, INTERNAL, NO_GOOD_TOKEN, NO_JSON, NO_LOGIN,
    NO_LOGIN_OR_FOREIGN_PAGE, NO_USERS_TOKEN, Operation, OperationError, TOO_MANY, UNREAD, UNWRITTEN, USER_GONE,
};
use crate::http::request_body::JsonBody;
use crate::http::state::State;

/// The operations of users on their own account.
pub(crate) struct AccountApi;

#[OpenApi(tag = "Tag::User")]
impl AccountApi {
    /// Who am I?
    ///
    /// The user whose token it is.
    #[oai(path = "/user/me", method = "get", operation_id = "getCurrentUser")]
    async fn me(&self, state: Data<&Arc<State>>, bearer: Bearer) -> Result<Found, OperationError<GetCurrentUser>> {
        Ok(Found::Ok(Json(state.service.current_user(&bearer.0).await?.into())))
    }

    /// Take another name
    #[oai(path = "/user/me", method = "patch", operation_id = "renameCurrentUser")]
    async fn rename(
        &self,
        caller: Caller,
        bearer: LoginBearer,
        username: JsonBody<Username>,
    ) -> Result<Found, OperationError<RenameCurrentUser>> {
        Ok(Found::Ok(Json(caller.service.rename(&bearer.0, username.0, &caller.context).await?.into())))
    }

    /// Delete the account
    ///
    /// Ends every token of the user and deletes everything that is stored about them. It cannot be undone.
    #[oai(path = "/user/me", method = "delete", operation_id = "deleteCurrentUser")]
    async fn delete(
        &self,
        state: Data<&Arc<State>>,
        caller: Caller,
        bearer: LoginBearer,
        current: JsonBody<CurrentPassword>,
    ) -> Result<Gone, OperationError<DeleteCurrentUser>> {
        let current = current.0.0.ok_or(LoginError::InvalidCredentials)?;
        caller.service.delete_account(&bearer.0, current, &caller.context).await?;
        let removed = (bearer.1 == Carrier::Cookie).then(|| state.cookies.cookie().clear());
        Ok(Gone::Ok(removed))
    }

    /// Export the account
    ///
    /// Everything that is stored about the user, without secrets and their hashes.
    #[oai(path = "/user/me/export", method = "get", operation_id = "exportCurrentUser")]
    async fn export(
        &self,
        state: Data<&Arc<State>>,
        bearer: LoginBearer,
    ) -> Result<Exported, OperationError<ExportCurrentUser>> {
        Ok(Exported::Ok(Json(state.service.export(&bearer.0).await?.into())))
    }

    /// Change the e-mail address
    ///
    /// Sends a letter to the new address. The account has the new address once the link or the code in that letter was used with
    /// `POST /auth/email/verify`. The old address is told then, and can undo the change for 7 days. An address that is taken gets
    /// the same answer.
    #[oai(path = "/user/me/email", method = "post", operation_id = "changeEmail")]
    async fn change_email(
        &self,
        caller: Caller,
        bearer: LoginBearer,
        change: JsonBody<EmailChange>,
    ) -> Result<LetterSent, OperationError<ChangeEmail>> {
        let EmailChange { email, current } = change.0;
        let current = current.0.ok_or(LoginError::InvalidCredentials)?;
        caller.service.change_email(&bearer.0, &email, current, &caller.context).await?;
        Ok(LetterSent::Accepted(Json(Done::new("A letter is on its way to the new e-mail address."))))
    }

    /// Change the password
    ///
    /// Ends every token of the user, the one that the request came with included, and answers with a fresh one: in the cookie, if the
    /// request came with the cookie.
    #[oai(path = "/user/me/password", method = "post", operation_id = "changePassword")]
    async fn change_password(
        &self,
        request: &Request,
        caller: Caller,
        bearer: LoginBearer,
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
}

#[derive(ApiResponse)]
enum Gone {
    /// The account is deleted.
    #[oai(status = 204)]
    Ok(
        /// Removes the cookie, if the request came with it
        #[oai(header = "Set-Cookie")]
        Option<String>,
    ),
}

#[derive(ApiResponse)]
enum Exported {
    /// What is stored.
    #[oai(status = 200)]
    Ok(Json<ExportView>),
}

#[derive(ApiResponse)]
enum LetterSent {
    /// A letter is on its way.
    #[oai(status = 202)]
    Accepted(Json<Done>),
}

/// The current password is wrong, or the token is not good.
const WRONG_PASSWORD: DocumentedError = (
    Code::InvalidCredentials,
    "The current password is wrong (`invalid_credentials`), no token was sent (`token_missing`), or it is invalid \
     (`token_invalid`), expired (`token_expired`) or revoked (`token_revoked`)",
);

struct GetCurrentUser;

impl Operation for GetCurrentUser {
    const ERRORS: &'static [DocumentedError] = &[NO_GOOD_TOKEN, NO_USERS_TOKEN, USER_GONE, UNREAD, INTERNAL];
}

struct RenameCurrentUser;

impl Operation for RenameCurrentUser {
    const ERRORS: &'static [DocumentedError] = &[
        BAD_BODY,
        NO_GOOD_TOKEN,
        NO_LOGIN_OR_FOREIGN_PAGE,
        USER_GONE,
        (Code::UsernameTaken, "The username is taken"),
        BODY_TOO_LARGE,
        NO_JSON,
        UNWRITTEN,
        INTERNAL,
    ];
}

struct DeleteCurrentUser;

impl Operation for DeleteCurrentUser {
    const ERRORS: &'static [DocumentedError] = &[
        BAD_BODY,
        WRONG_PASSWORD,
        NO_LOGIN_OR_FOREIGN_PAGE,
        USER_GONE,
        BODY_TOO_LARGE,
        NO_JSON,
        TOO_MANY,
        BUSY,
        INTERNAL,
    ];
}

struct ExportCurrentUser;

impl Operation for ExportCurrentUser {
    const ERRORS: &'static [DocumentedError] = &[NO_GOOD_TOKEN, NO_LOGIN, USER_GONE, UNREAD, INTERNAL];
}

struct ChangeEmail;

impl Operation for ChangeEmail {
    const ERRORS: &'static [DocumentedError] = &[
        BAD_BODY,
        WRONG_PASSWORD,
        NO_LOGIN_OR_FOREIGN_PAGE,
        USER_GONE,
        BODY_TOO_LARGE,
        NO_JSON,
        TOO_MANY,
        BUSY_OR_NO_MAIL,
        INTERNAL,
    ];
}

struct ChangePassword;

impl Operation for ChangePassword {
    const ERRORS: &'static [DocumentedError] = &[
        BAD_BODY,
        WRONG_PASSWORD,
        NO_LOGIN_OR_FOREIGN_PAGE,
        USER_GONE,
        BODY_TOO_LARGE,
        NO_JSON,
        TOO_MANY,
        BUSY,
        INTERNAL,
    ];
}
