//! What a user, or an operator, changes and reads about an account.

use super::error::{AccountError, RenameError};
use crate::context::Context;
use crate::email::Email;
use crate::events;
use crate::ids::UserId;
use crate::principal::Principal;
use crate::recovery::SideEffects;
use crate::service::AuthService;
use crate::user::{ChangeUserError, ProfileChange, User};
use crate::username::Username;

impl AuthService {
    /// Gives the principal's user another name. Tokens stay good.
    ///
    /// # Errors
    ///
    /// When the name is taken, the user does not exist any more, or the store failed.
    pub async fn rename(&self, principal: &Principal, name: Username, context: &Context) -> Result<User, RenameError> {
        let change = ProfileChange::Username(name);
        let changed = self.parts.users.change(principal.user_id(), change, SideEffects::default()).await;
        let changed = changed.map_err(|error| match error {
            ChangeUserError::UsernameTaken => RenameError::UsernameTaken,
            other => RenameError::Store(other.unexpected()),
        })?;
        let user = changed.ok_or(RenameError::UserNotFound)?;
        events::account(user.id, "renamed", context.request_id());
        Ok(user)
    }

    /// Returns the user with this name.
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn find_by_username(&self, username: &Username) -> Result<User, AccountError> {
        self.parts.users.find_by_username(username).await?.ok_or(AccountError::UserNotFound)
    }

    /// Verifies the address of a user without a letter, as an operator does who knows that it is the user's.
    ///
    /// # Errors
    ///
    /// When there is no such user or the store failed.
    pub async fn vouch_for_email(&self, id: UserId) -> Result<User, AccountError> {
        let changed = self.parts.users.change(id, ProfileChange::VouchForEmail, SideEffects::default()).await;
        let user = changed.map_err(ChangeUserError::unexpected)?.ok_or(AccountError::UserNotFound)?;
        events::account(user.id, "email_vouched_for", None);
        Ok(user)
    }

    /// Ends the waits that wrong guesses imposed on an account, as an operator does. The waits of networks stay.
    ///
    /// # Errors
    ///
    /// When there is no such user or a store failed.
    pub async fn unlock(&self, email: &Email) -> Result<User, AccountError> {
        let user = self.find_by_email(email).await?;
        self.parts.throttle.unlock(&user.email).await?;
        events::account(user.id, "unlocked", None);
        Ok(user)
    }
}
