//! Listing and ending sessions: one's own, and as an admin those of any user.

mod dto;

use std::sync::Arc;

use auth_core::{SessionId, UserId};
use auth_http::Code;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, OpenApi};

use self::dto::SessionList;
pub(crate) use self::dto::SessionView;
use super::Tag;
use crate::http::bearer::{LoginAdminBearer, LoginBearer};
use crate::http::body::Done;
use crate::http::error::ApiError;
use crate::http::json::Json;
use crate::http::operation::{
    DocumentedError, INTERNAL, NO_ADMIN_LOGIN, NO_ADMIN_LOGIN_OR_FOREIGN_PAGE, NO_GOOD_TOKEN, NO_LOGIN,
    NO_LOGIN_OR_FOREIGN_PAGE, NO_USER, Operation, OperationError, UNREAD, UNWRITTEN, USER_GONE,
};
use crate::http::path_id::PathId;
use crate::http::state::State;

/// Largest number of sessions in one answer.
const MAX_LISTED: u32 = 100;

/// The operations on sessions.
pub(crate) struct SessionsApi;

#[OpenApi(tag = "Tag::Session")]
impl SessionsApi {
    /// List one's own sessions
    ///
    /// The sessions that can be used, the one that was used last first, at most 100.
    #[oai(path = "/user/me/sessions", method = "get", operation_id = "listOwnSessions")]
    async fn list_own(
        &self,
        state: Data<&Arc<State>>,
        bearer: LoginBearer,
    ) -> Result<Listed, OperationError<ListOwnSessions>> {
        let sessions = state.service.list_sessions(bearer.0.user_id(), MAX_LISTED).await?;
        Ok(Listed::Ok(Json(SessionList::new(sessions, bearer.0.session_id()))))
    }

    /// End one of one's own sessions
    ///
    /// Once this has answered 204, the access tokens and the refresh token of the session are refused.
    #[oai(path = "/user/me/sessions/:id", method = "delete", operation_id = "endOwnSession")]
    async fn end_own(
        &self,
        state: Data<&Arc<State>>,
        bearer: LoginBearer,
        /// The id of the session
        id: Path<PathId<SessionId>>,
    ) -> Result<Ended, OperationError<EndOwnSession>> {
        Ok(end(&state, bearer.0.user_id(), &id.0).await?)
    }

    /// Log out all other sessions
    ///
    /// Ends every session of the user but the one of the token that the request came with.
    #[oai(path = "/auth/logout-others", method = "post", operation_id = "logoutOthers")]
    async fn logout_others(
        &self,
        state: Data<&Arc<State>>,
        bearer: LoginBearer,
    ) -> Result<LoggedOut, OperationError<LogoutOthers>> {
        state.service.end_other_sessions(&bearer.0).await?;
        Ok(LoggedOut::Ok(Json(Done::new("Successfully logged out all other sessions."))))
    }

    /// List the sessions of a user
    ///
    /// For admins with the token of a login. The sessions that can be used, the one that was used last first, at most 100.
    #[oai(path = "/user/:public_id/sessions", method = "get", operation_id = "listSessions")]
    async fn list(
        &self,
        state: Data<&Arc<State>>,
        admin: LoginAdminBearer,
        /// The id of the user
        public_id: Path<PathId<UserId>>,
    ) -> Result<Listed, OperationError<ListSessions>> {
        let sessions = state.service.list_sessions(public_id.0.or(Code::UserNotFound)?, MAX_LISTED).await?;
        Ok(Listed::Ok(Json(SessionList::new(sessions, admin.0.session_id()))))
    }

    /// End all sessions of a user
    ///
    /// For admins with the token of a login. Ends every token of the user. A login afterwards is good at once.
    #[oai(path = "/user/:public_id/sessions", method = "delete", operation_id = "endSessions")]
    async fn end_all(
        &self,
        state: Data<&Arc<State>>,
        _admin: LoginAdminBearer,
        /// The id of the user
        public_id: Path<PathId<UserId>>,
    ) -> Result<Ended, OperationError<EndSessions>> {
        state.service.logout_everywhere(public_id.0.or(Code::UserNotFound)?).await?;
        Ok(Ended::Ok)
    }

    /// End a session of a user
    ///
    /// For admins with the token of a login. Once this has answered 204, the access tokens and the refresh token of the session are refused.
    #[oai(path = "/user/:public_id/sessions/:id", method = "delete", operation_id = "endSession")]
    async fn end(
        &self,
        state: Data<&Arc<State>>,
        _admin: LoginAdminBearer,
        /// The id of the user
        public_id: Path<PathId<UserId>>,
        /// The id of the session
        id: Path<PathId<SessionId>>,
    ) -> Result<Ended, OperationError<EndSession>> {
        Ok(end(&state, public_id.0.or(Code::SessionNotFound)?, &id.0).await?)
    }
}

/// Ends a session of a user.
async fn end(state: &State, user_id: UserId, id: &PathId<SessionId>) -> Result<Ended, ApiError> {
    if state.service.end_session_of(user_id, id.or(Code::SessionNotFound)?).await? {
        Ok(Ended::Ok)
    } else {
        Err(Code::SessionNotFound.into())
    }
}

#[derive(ApiResponse)]
enum Listed {
    /// The sessions.
    #[oai(status = 200)]
    Ok(Json<SessionList>),
}

#[derive(ApiResponse)]
enum Ended {
    /// The session has ended, or all sessions have.
    #[oai(status = 204)]
    Ok,
}

#[derive(ApiResponse)]
enum LoggedOut {
    /// The other sessions have ended.
    #[oai(status = 200)]
    Ok(Json<Done>),
}

const NO_SESSION: DocumentedError = (Code::SessionNotFound, "The user has no such session");

macro_rules! operations {
    ($($operation:ident: $($error:expr),+;)+) => {$(
        struct $operation;

        impl Operation for $operation {
            const ERRORS: &'static [DocumentedError] = &[NO_GOOD_TOKEN, $($error),+, INTERNAL];
        }
    )+};
}

operations! {
    ListOwnSessions: NO_LOGIN, USER_GONE, UNREAD;
    EndOwnSession: NO_LOGIN_OR_FOREIGN_PAGE, NO_SESSION, UNWRITTEN;
    LogoutOthers: NO_LOGIN_OR_FOREIGN_PAGE, USER_GONE, UNWRITTEN;
    ListSessions: NO_ADMIN_LOGIN, NO_USER, UNREAD;
    EndSessions: NO_ADMIN_LOGIN_OR_FOREIGN_PAGE, NO_USER, UNWRITTEN;
    EndSession: NO_ADMIN_LOGIN_OR_FOREIGN_PAGE, NO_SESSION, UNWRITTEN;
}
