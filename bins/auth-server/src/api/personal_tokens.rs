//! Making, listing and deleting personal access tokens: one's own, and as an admin those of any user.

mod dto;

use std::sync::Arc;

use auth_core::personal::NewPersonalToken;
use auth_core::{PersonalTokenId, UserId};
use auth_http::Code;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, OpenApi};

pub(crate) use self::dto::PersonalTokenView;
use self::dto::{CreatedPersonalToken, PersonalTokenList};
use super::Tag;
use crate::http::bearer::{LoginAdminBearer, LoginBearer};
use crate::http::error::ApiError;
use crate::http::json::Json;
use crate::http::operation::{
    BAD_BODY, BODY_TOO_LARGE, DocumentedError, INTERNAL, NO_ADMIN_LOGIN, NO_ADMIN_LOGIN_OR_FOREIGN_PAGE, NO_GOOD_TOKEN,
    NO_JSON, NO_LOGIN, NO_LOGIN_OR_FOREIGN_PAGE, NO_USER, Operation, OperationError, UNREAD, UNWRITTEN, USER_GONE,
};
use crate::http::path_id::PathId;
use crate::http::request_body::JsonBody;
use crate::http::state::State;

/// The operations on personal access tokens.
pub(crate) struct PersonalTokensApi;

#[OpenApi(tag = "Tag::PersonalToken")]
impl PersonalTokensApi {
    /// Make a personal access token
    ///
    /// A token for a program of the user, sent as `Authorization: Bearer <token>`. It is good until it expires or is deleted, or until
    /// something ends all tokens of the user. The answer shows it for the only time. A personal access token makes no other, and
    /// changes nothing about the account.
    #[oai(path = "/user/me/tokens", method = "post", operation_id = "createPersonalToken")]
    async fn create(
        &self,
        state: Data<&Arc<State>>,
        bearer: LoginBearer,
        new: JsonBody<NewPersonalToken>,
    ) -> Result<Created, OperationError<CreatePersonalToken>> {
        Ok(Created::Created(Json(state.service.create_personal_token(&bearer.0, new.0).await?.into())))
    }

    /// List one's own personal access tokens
    ///
    /// Those that can be used, the one that was made last first.
    #[oai(path = "/user/me/tokens", method = "get", operation_id = "listOwnPersonalTokens")]
    async fn list_own(
        &self,
        state: Data<&Arc<State>>,
        bearer: LoginBearer,
    ) -> Result<Listed, OperationError<ListOwnPersonalTokens>> {
        Ok(Listed::Ok(Json(state.service.list_personal_tokens(bearer.0.user_id()).await?.into())))
    }

    /// Delete one of one's own personal access tokens
    ///
    /// Once this has answered 204, the token is refused.
    #[oai(path = "/user/me/tokens/:id", method = "delete", operation_id = "deleteOwnPersonalToken")]
    async fn delete_own(
        &self,
        state: Data<&Arc<State>>,
        bearer: LoginBearer,
        /// The id of the personal access token
        id: Path<PathId<PersonalTokenId>>,
    ) -> Result<Deleted, OperationError<DeleteOwnPersonalToken>> {
        Ok(delete(&state, bearer.0.user_id(), &id.0).await?)
    }

    /// List the personal access tokens of a user
    ///
    /// For admins with the token of a login. Those that can be used, the one that was made last first.
    #[oai(path = "/user/:public_id/tokens", method = "get", operation_id = "listPersonalTokens")]
    async fn list(
        &self,
        state: Data<&Arc<State>>,
        _admin: LoginAdminBearer,
        /// The id of the user
        public_id: Path<PathId<UserId>>,
    ) -> Result<Listed, OperationError<ListPersonalTokens>> {
        let user_id = public_id.0.or(Code::UserNotFound)?;
        Ok(Listed::Ok(Json(state.service.list_personal_tokens(user_id).await?.into())))
    }

    /// Delete a personal access token of a user
    ///
    /// For admins with the token of a login. Once this has answered 204, the token is refused.
    #[oai(path = "/user/:public_id/tokens/:id", method = "delete", operation_id = "deletePersonalToken")]
    async fn delete(
        &self,
        state: Data<&Arc<State>>,
        _admin: LoginAdminBearer,
        /// The id of the user
        public_id: Path<PathId<UserId>>,
        /// The id of the personal access token
        id: Path<PathId<PersonalTokenId>>,
    ) -> Result<Deleted, OperationError<DeletePersonalToken>> {
        Ok(delete(&state, public_id.0.or(Code::PersonalTokenNotFound)?, &id.0).await?)
    }
}

/// Deletes a personal access token of a user.
async fn delete(state: &State, user_id: UserId, id: &PathId<PersonalTokenId>) -> Result<Deleted, ApiError> {
    if state.service.delete_personal_token(user_id, id.or(Code::PersonalTokenNotFound)?).await? {
        Ok(Deleted::Ok)
    } else {
        Err(Code::PersonalTokenNotFound.into())
    }
}

#[derive(ApiResponse)]
enum Created {
    /// The token was made.
    #[oai(status = 201)]
    Created(Json<CreatedPersonalToken>),
}

#[derive(ApiResponse)]
enum Listed {
    /// The tokens.
    #[oai(status = 200)]
    Ok(Json<PersonalTokenList>),
}

#[derive(ApiResponse)]
enum Deleted {
    /// The token is deleted.
    #[oai(status = 204)]
    Ok,
}

const NO_TOKEN: DocumentedError = (Code::PersonalTokenNotFound, "The user has no such personal access token");
const TOO_MANY_TOKENS: DocumentedError = (Code::PersonalTokenLimit, "The user has 50 personal access tokens");
const TOO_MANY_MADE: DocumentedError =
    (Code::TooManyAttempts, "The user has made too many personal access tokens in the last hour");

macro_rules! operations {
    ($($operation:ident: $($error:expr),+;)+) => {$(
        struct $operation;

        impl Operation for $operation {
            const ERRORS: &'static [DocumentedError] = &[NO_GOOD_TOKEN, $($error),+, INTERNAL];
        }
    )+};
}

operations! {
    CreatePersonalToken: BAD_BODY, NO_LOGIN_OR_FOREIGN_PAGE, TOO_MANY_TOKENS, BODY_TOO_LARGE, NO_JSON, TOO_MANY_MADE, UNWRITTEN;
    ListOwnPersonalTokens: NO_LOGIN, USER_GONE, UNREAD;
    DeleteOwnPersonalToken: NO_LOGIN_OR_FOREIGN_PAGE, NO_TOKEN, UNWRITTEN;
    ListPersonalTokens: NO_ADMIN_LOGIN, NO_USER, UNREAD;
    DeletePersonalToken: NO_ADMIN_LOGIN_OR_FOREIGN_PAGE, NO_TOKEN, UNWRITTEN;
}
