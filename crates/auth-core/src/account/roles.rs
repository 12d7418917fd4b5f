//! Giving roles to users and taking them away.

use super::error::{AccountError, GiveRoleError};
use crate::blacklist::RevocationReason;
use crate::events;
use crate::grants::{ADMIN, Role};
use crate::ids::UserId;
use crate::recovery::SideEffects;
use crate::service::AuthService;
use crate::user::{ChangeUserError, ProfileChange, User, UserChange};

impl AuthService {
    /// Gives a user a role, from the next token on. Repeating it changes nothing. The role `admin` is given as by
    /// [`promote`](Self::promote).
    ///
    /// # Errors
    ///
    /// When there is no such user, the user has [`MAX_NAMES`](crate::MAX_NAMES) roles, or the store failed.
    pub async fn give_role(&self, id: UserId, role: Role) -> Result<User, GiveRoleError> {
        if role.as_str() == ADMIN {
            return Ok(self.promote(id).await?);
        }
        let changed = self.parts.users.change(id, ProfileChange::GiveRole(role), SideEffects::default()).await;
        let user = match changed {
            Err(ChangeUserError::TooManyRoles) => return Err(GiveRoleError::TooManyRoles),
            changed => changed.map_err(|error| AccountError::from(error.unexpected()))?,
        };
        let user = user.ok_or(AccountError::UserNotFound)?;
        events::account(user.id, "role_given", None);
        Ok(user)
    }

    /// Takes a role away from a user and ends the tokens of the user, which still carry it. If the user does not have the role,
    /// nothing changes and no token ends. The role `admin` is taken as by [`demote`](Self::demote), which always ends the tokens.
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn take_role(&self, id: UserId, role: Role) -> Result<User, AccountError> {
        if role.as_str() == ADMIN {
            return self.demote(id).await;
        }
        let (change, reason) = (UserChange::TakeRole(role), RevocationReason::RoleRemoved);
        let changed = self.try_change_and_revoke(id, change, reason, SideEffects::default()).await;
        match changed.map_err(ChangeUserError::unexpected)? {
            Some(user) => Ok(user),
            None => self.find_user(id).await,
        }
    }
}
