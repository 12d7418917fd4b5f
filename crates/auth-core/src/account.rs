//! Accounts: registration, look-up and changes.

mod clients;
mod deletion;
mod email;
mod error;
mod export;
mod password;
mod personal_tokens;
mod profile;
mod registration;
mod roles;
mod sessions;

use crate::blacklist::RevocationReason;
use crate::email::Email;
use crate::error::StoreError;
use crate::events;
use crate::ids::UserId;
use crate::principal::Principal;
use crate::recovery::SideEffects;
use crate::service::AuthService;
use crate::token::{MAX_CLOCK_SKEW, MAX_TOKEN_LIFE};
use crate::user::{ChangeUserError, User, UserChange, UserRevocation};

pub use self::clients::{ClientError, CreatedClient, MAX_CLIENT_LIFE, MAX_SECRET_OVERLAP, NewClient};
pub use self::error::{
    AccountError, ChangeEmailError, ChangePasswordError, DeleteAccountError, GiveRoleError, RegisterError, RenameError,
};
pub use self::export::{Export, ExportedToken, MAX_EXPORTED_SESSIONS};
pub use self::personal_tokens::CreatePersonalTokenError;
pub use self::registration::RegisterOutcome;

impl AuthService {
    /// Returns the user that a principal is, read from the store.
    ///
    /// # Errors
    ///
    /// When the user does not exist any more, or the store failed.
    pub async fn current_user(&self, principal: &Principal) -> Result<User, AccountError> {
        self.find_user(principal.user_id()).await
    }

    /// Returns the user with this id.
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn find_user(&self, id: UserId) -> Result<User, AccountError> {
        self.parts.users.find_by_id(id).await?.ok_or(AccountError::UserNotFound)
    }

    /// Returns the user with this e-mail address.
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn find_by_email(&self, email: &Email) -> Result<User, AccountError> {
        let stored = self.parts.users.find_credentials(email).await?;
        stored.map(|stored| stored.user).ok_or(AccountError::UserNotFound)
    }

    /// Returns at most `limit` users with an id greater than `after`, in order of their ids, which is the order of
    /// registration.
    ///
    /// # Errors
    ///
    /// When the store failed.
    pub async fn list_users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        self.parts.users.list(after, limit).await
    }

    /// Ends every token of a user. A token of a later login is good at once.
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn logout_everywhere(&self, id: UserId) -> Result<User, AccountError> {
        self.change_and_revoke(id, UserChange::LogoutEverywhere, RevocationReason::LogoutEverywhere).await
    }

    /// Makes a user an admin, from the next login on.
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn promote(&self, id: UserId) -> Result<User, AccountError> {
        self.parts.users.promote(id).await?.ok_or(AccountError::UserNotFound)
    }

    /// Makes an admin an ordinary user and ends the tokens of the user, which still say "admin".
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn demote(&self, id: UserId) -> Result<User, AccountError> {
        self.change_and_revoke(id, UserChange::Demote, RevocationReason::Demoted).await
    }

    /// Disables an account and ends its tokens.
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn disable(&self, id: UserId) -> Result<User, AccountError> {
        self.change_and_revoke(id, UserChange::Disable(self.now()), RevocationReason::Disabled).await
    }

    /// Lets a disabled user log in again. Tokens that were issued before stay revoked.
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn enable(&self, id: UserId) -> Result<User, AccountError> {
        self.parts.users.enable(id).await?.ok_or(AccountError::UserNotFound)
    }

    async fn change_and_revoke(
        &self,
        id: UserId,
        change: UserChange,
        reason: RevocationReason,
    ) -> Result<User, AccountError> {
        let changed = self.try_change_and_revoke(id, change, reason, SideEffects::default()).await;
        changed.map_err(ChangeUserError::unexpected)?.ok_or(AccountError::UserNotFound)
    }

    /// Returns `None` when there is no such user, or the change or a one-time token does not apply any more.
    pub(crate) async fn try_change_and_revoke(
        &self,
        id: UserId,
        change: UserChange,
        reason: RevocationReason,
        effects: SideEffects,
    ) -> Result<Option<User>, ChangeUserError> {
        let revocation = self.end_of_all_tokens(reason);
        let changed = self.parts.users.change_and_revoke(id, change, revocation, effects).await?;
        let Some((user, revocation)) = changed else { return Ok(None) };
        self.parts.blacklist.note(&revocation);
        events::revoked(id, reason.as_str());
        Ok(Some(user))
    }

    /// Returns the data of the log entry that ends all tokens of a user or a client now.
    pub(crate) fn end_of_all_tokens(&self, reason: RevocationReason) -> UserRevocation {
        let revoked_at = self.now();
        // The longest life that any token may have, not the configured one: that may have been longer when the tokens were
        // issued. The clock that issued them may be ahead of this one.
        let expires_at = revoked_at + MAX_TOKEN_LIFE + MAX_CLOCK_SKEW;
        UserRevocation { expires_at, revoked_at, reason }
    }
}
