//! Accounts: registration, look-up and changes.

mod error;
mod password;
mod sessions;

use crate::blacklist::RevocationReason;
use crate::context::Context;
use crate::email::Email;
use crate::error::StoreError;
use crate::events;
use crate::ids::UserId;
use crate::login::SignedIn;
use crate::password::policy::PasswordOwner;
use crate::principal::Principal;
use crate::recovery::SideEffects;
use crate::service::AuthService;
use crate::throttle::Attempt;
use crate::token::{MAX_CLOCK_SKEW, MAX_TOKEN_LIFE};
use crate::user::{ChangeUserError, NewAccount, NewUser, User, UserChange, UserRevocation};

pub use self::error::{AccountError, ChangePasswordError, RegisterError};

impl AuthService {
    /// Registers a user and signs them in.
    ///
    /// # Errors
    ///
    /// When the password breaks the policy, the e-mail address or the username is taken, the network has registered too
    /// often, too much work is waiting, or a part failed.
    pub async fn register(&self, account: NewAccount, context: &Context) -> Result<SignedIn, RegisterError> {
        self.check_policy(&account)?;
        // Admit: the attempt is counted before any work is done for it.
        let attempt = self.parts.throttle.admit_registration(&account.email, context.network()).await?;
        let inserted = self.insert(account, false).await;
        settle_registration(attempt, &inserted).await;
        events::registration(inserted.as_ref().map(|user| user.id), context.request_id());
        Ok(self.open_session(inserted?, context).await?)
    }

    /// Creates a user without signing them in, as an operator does.
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register), but without the limit on registrations.
    pub async fn create_user(&self, account: NewAccount, admin: bool) -> Result<User, RegisterError> {
        self.check_policy(&account)?;
        self.insert(account, admin).await
    }

    fn check_policy(&self, account: &NewAccount) -> Result<(), RegisterError> {
        let owner = PasswordOwner { email: Some(&account.email), username: Some(&account.username) };
        Ok(self.parts.policy.check(&account.password, owner)?)
    }

    /// Hashes the password and inserts the user.
    async fn insert(&self, account: NewAccount, admin: bool) -> Result<User, RegisterError> {
        let NewAccount { email, username, password } = account;
        self.parts.policy.check_breached(&password).await?;
        let password_hash = self.parts.passwords.hash(password).await?;
        let registered_on = self.now();
        let id = UserId::generate(registered_on).map_err(|error| RegisterError::Internal(error.into()))?;
        let new = NewUser { id, email, username, email_verified: false, password_hash, admin, registered_on };
        Ok(self.parts.users.insert(new, SideEffects::default()).await?)
    }

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
        self.try_change_and_revoke(id, change, reason).await?.ok_or(AccountError::UserNotFound)
    }

    /// Returns `None` when there is no such user, or the change does not apply any more.
    async fn try_change_and_revoke(
        &self,
        id: UserId,
        change: UserChange,
        reason: RevocationReason,
    ) -> Result<Option<User>, StoreError> {
        let revoked_at = self.now();
        // The longest life that any token may have, not the configured one: that may have been longer when the tokens were
        // issued. The clock that issued them may be ahead of this one.
        let expires_at = revoked_at + MAX_TOKEN_LIFE + MAX_CLOCK_SKEW;
        let revocation = UserRevocation { expires_at, revoked_at, reason };
        let changed = self.parts.users.change_and_revoke(id, change, revocation, SideEffects::default()).await;
        let Some((user, revocation)) = changed.map_err(ChangeUserError::unexpected)? else { return Ok(None) };
        self.parts.blacklist.note(&revocation);
        events::revoked(id, reason.as_str());
        Ok(Some(user))
    }
}

/// Takes a registration back that failed on our side. Any other one stays counted, because a refusal tells who is registered.
async fn settle_registration(attempt: Attempt, inserted: &Result<User, RegisterError>) {
    match inserted {
        Ok(_) => attempt.succeeded().await,
        Err(RegisterError::Password(_) | RegisterError::EmailTaken | RegisterError::UsernameTaken) => {}
        Err(_) => attempt.withdrawn().await,
    }
}
