//! Giving roles to users and taking them away.

use std::sync::Arc;

use auth_core::{Role, UserId};
use auth_http::{Code, ErrorAnswer};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, OpenApi};

use super::Tag;
use crate::http::bearer::LoginAdminBearer;
use crate::http::operation::{
    DocumentedError, INTERNAL, NO_ADMIN_LOGIN_OR_FOREIGN_PAGE, NO_GOOD_TOKEN, NO_USER, Operation, OperationError,
    UNWRITTEN,
};
use crate::http::path_id::PathId;
use crate::http::state::State;

/// The operations on the roles of a user.
pub(crate) struct RolesApi;

#[OpenApi(prefix_path = "/user/", tag = "Tag::User")]
impl RolesApi {
    /// Give a user a role
    ///
    /// For admins with the token of a login. The role counts from the next token of the user: after a login or a refresh. The role `admin` makes the user an
    /// admin. If the user has the role already, nothing changes.
    #[oai(path = "/:public_id/roles/:role", method = "put", operation_id = "giveRole")]
    async fn give(
        &self,
        state: Data<&Arc<State>>,
        _admin: LoginAdminBearer,
        /// The id of the user
        public_id: Path<PathId<UserId>>,
        /// The name of the role: 1 to 64 characters of a-z, 0-9, `_` and `-`, of which the first is a letter
        role: Path<String>,
    ) -> Result<Done, OperationError<GiveRole>> {
        let role = parse(&role.0)?;
        state.service.give_role(public_id.0.or(Code::UserNotFound)?, role).await?;
        Ok(Done::Ok)
    }

    /// Take a role from a user
    ///
    /// For admins with the token of a login. Ends every token of the user, because they carry the role. If the user does not have the role, nothing changes and
    /// no token ends; for the role `admin` the tokens end in any case.
    #[oai(path = "/:public_id/roles/:role", method = "delete", operation_id = "takeRole")]
    async fn take(
        &self,
        state: Data<&Arc<State>>,
        _admin: LoginAdminBearer,
        /// The id of the user
        public_id: Path<PathId<UserId>>,
        /// The name of the role
        role: Path<String>,
    ) -> Result<Done, OperationError<TakeRole>> {
        let role = parse(&role.0)?;
        state.service.take_role(public_id.0.or(Code::UserNotFound)?, role).await?;
        Ok(Done::Ok)
    }
}

/// Reads the name of a role in a path.
fn parse(text: &str) -> Result<Role, ErrorAnswer> {
    text.parse().map_err(|rule| ErrorAnswer::field("role", format_args!("is not the name of a role: {rule}")))
}

#[derive(ApiResponse)]
enum Done {
    /// It is done.
    #[oai(status = 204)]
    Ok,
}

struct GiveRole;

impl Operation for GiveRole {
    const ERRORS: &'static [DocumentedError] = &[
        (Code::ValidationFailed, "The name is not that of a role, the user has 32 other roles, or there is a query"),
        NO_GOOD_TOKEN,
        NO_ADMIN_LOGIN_OR_FOREIGN_PAGE,
        NO_USER,
        UNWRITTEN,
        INTERNAL,
    ];
}

struct TakeRole;

impl Operation for TakeRole {
    const ERRORS: &'static [DocumentedError] = &[
        (Code::ValidationFailed, "The name is not that of a role, or there is a query"),
        NO_GOOD_TOKEN,
        NO_ADMIN_LOGIN_OR_FOREIGN_PAGE,
        NO_USER,
        UNWRITTEN,
        INTERNAL,
    ];
}
