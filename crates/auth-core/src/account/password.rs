//! Changes of a password.

use super::error::ChangePasswordError;
use crate::blacklist::RevocationReason;
use crate::context::Context;
use crate::ids::UserId;
use crate::letters::Language;
use crate::login::{LoginError, SignedIn, settle_guess};
use crate::password::policy::PasswordOwner;
use crate::password::{Password, PasswordHash, PasswordPolicy};
use crate::principal::Principal;
use crate::service::AuthService;
use crate::user::{ChangeUserError, StoredCredentials, User, UserChange};

impl AuthService {
    /// Changes the password of the principal's user, who gives the current one too. Every token of the user ends, that of
    /// the principal included. The returned token is the only good one.
    /// Where letters are sent, one tells the user.
    ///
    /// Of two changes at once from one current password exactly one succeeds.
    ///
    /// # Errors
    ///
    /// When the new password breaks the policy, the current one is wrong, the account does not exist or is disabled, too
    /// many attempts were made, too much work is waiting, or a part failed.
    pub async fn change_password(
        &self,
        principal: &Principal,
        current: Password,
        new: Password,
        context: &Context,
    ) -> Result<SignedIn, ChangePasswordError> {
        let id = principal.user_id();
        let user = self.parts.users.find_by_id(id).await?.ok_or(ChangePasswordError::UserNotFound)?;
        self.check_new_password(&new, &user).await?;
        let mut replacement: Option<PasswordHash> = None;
        loop {
            let proven = self.prove_current(&user, current.clone(), context).await?;
            let new = match &replacement {
                Some(hash) => hash.clone(),
                None => replacement.insert(self.parts.passwords.hash(new.clone()).await?).clone(),
            };
            let change = UserChange::PasswordFrom { current: proven.password_hash, new };
            let effects = self.password_notice(&proven.user, context.language())?;
            let changed = self.try_change_and_revoke(id, change, RevocationReason::PasswordChange, effects).await;
            if let Some(user) = changed.map_err(ChangeUserError::unexpected)? {
                return Ok(self.open_session(user, context).await?);
            }
            // Another hash was stored meanwhile: an upgrade of the same password, or another password. The next comparison
            // decides which.
        }
    }

    /// Gives a user another password, as an operator does. Every token of the user ends. Where letters are sent, one
    /// tells the user.
    ///
    /// # Errors
    ///
    /// When the password breaks the policy, there is no such user, too much work is waiting, or a part failed.
    pub async fn set_password(&self, id: UserId, new: Password) -> Result<User, ChangePasswordError> {
        let user = self.parts.users.find_by_id(id).await?.ok_or(ChangePasswordError::UserNotFound)?;
        self.check_new_password(&new, &user).await?;
        let change = UserChange::Password(self.parts.passwords.hash(new).await?);
        let effects = self.password_notice(&user, &Language::default())?;
        let changed = self.try_change_and_revoke(id, change, RevocationReason::PasswordChange, effects).await;
        changed.map_err(ChangeUserError::unexpected)?.ok_or(ChangePasswordError::UserNotFound)
    }

    /// Compares the current password of a user who is signed in. It is counted as a guess.
    pub(super) async fn prove_current(
        &self,
        user: &User,
        current: Password,
        context: &Context,
    ) -> Result<StoredCredentials, LoginError> {
        let attempt = self.parts.throttle.admit_guess(&user.email, context.network()).await?;
        let compared = match self.parts.users.find_credentials(&user.email).await {
            // The address may have become that of another user meanwhile.
            Ok(found) => self.compare(found.filter(|found| found.user.id == user.id), current).await,
            Err(error) => Err(error.into()),
        };
        settle_guess(attempt, &compared).await;
        compared.map(|(proven, _)| proven)
    }

    /// Returns the rules for new passwords. The bound of the hash function is one of them.
    #[must_use]
    pub fn password_policy(&self) -> &PasswordPolicy {
        &self.parts.policy
    }

    async fn check_new_password(&self, new: &Password, user: &User) -> Result<(), ChangePasswordError> {
        let owner = PasswordOwner { email: Some(&user.email), username: Some(&user.username) };
        self.parts.policy.check(new, owner)?;
        Ok(self.parts.policy.check_breached(new).await?)
    }
}
