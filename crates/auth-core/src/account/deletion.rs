//! Deletion of an account.

use super::error::{AccountError, DeleteAccountError};
use crate::blacklist::RevocationReason;
use crate::context::Context;
use crate::error::StoreError;
use crate::events;
use crate::ids::UserId;
use crate::password::Password;
use crate::principal::Principal;
use crate::service::AuthService;

impl AuthService {
    /// Deletes the account of the principal's user for good, who gives the current password too. Every token of the user ends.
    /// Sessions, one-time tokens and waiting letters are deleted with it.
    ///
    /// # Errors
    ///
    /// When the current password is wrong, the account does not exist or is disabled, too many attempts were made, too much work
    /// is waiting, or a part failed.
    pub async fn delete_account(
        &self,
        principal: &Principal,
        current: Password,
        context: &Context,
    ) -> Result<(), DeleteAccountError> {
        let found = self.parts.users.find_by_id(principal.user_id()).await?;
        let user = found.ok_or(DeleteAccountError::UserNotFound)?;
        self.prove_current(&user, current, context).await?;
        if self.delete(user.id, context.request_id()).await? { Ok(()) } else { Err(DeleteAccountError::UserNotFound) }
    }

    /// Deletes the account of a user for good, as an operator does. Every token of the user ends.
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn delete_user(&self, id: UserId) -> Result<(), AccountError> {
        if self.delete(id, None).await? { Ok(()) } else { Err(AccountError::UserNotFound) }
    }

    /// Returns whether there was such a user.
    async fn delete(&self, id: UserId, request_id: Option<&str>) -> Result<bool, StoreError> {
        let reason = RevocationReason::Deleted;
        let Some(revocation) = self.parts.users.delete(id, self.end_of_all_tokens(reason)).await? else {
            return Ok(false);
        };
        self.parts.blacklist.note(&revocation);
        events::revoked(id, reason.as_str());
        events::account(id, "deleted", request_id);
        Ok(true)
    }
}
