//! Proving a password, and setting another one.

use super::error::{ChangePasswordError, LoginError};
use super::{AuthService, Session};
use crate::blacklist::RevocationReason;
use crate::email::Email;
use crate::ids::UserId;
use crate::password::policy::Owner;
use crate::password::{HashError, HashingError, Password, PasswordHash, PasswordPolicy, Verdict};
use crate::principal::Principal;
use crate::user::{StoredCredentials, User, UserChange};

impl AuthService {
    /// Changes the password of the principal's user, who gives the current one too. Every token of the user is dead from
    /// then on, the one that the principal came with included; the session that is returned is the only good one.
    ///
    /// Of two changes at once from one current password exactly one succeeds.
    ///
    /// # Errors
    ///
    /// When the new password breaks the policy, the current one is wrong, the account is gone or disabled, there were too
    /// many attempts, too much work is waiting, or a part failed.
    pub async fn change_password(
        &self,
        principal: &Principal,
        current: Password,
        new: Password,
    ) -> Result<Session, ChangePasswordError> {
        let id = principal.user_id();
        let user = self.parts.users.find_by_id(id).await?.ok_or(ChangePasswordError::UserNotFound)?;
        self.accept(&new, &user).await?;
        let mut replacement: Option<PasswordHash> = None;
        loop {
            let (proven, _) = self.prove(&user.email, current.clone()).await?;
            let new = match &replacement {
                Some(hash) => hash.clone(),
                None => replacement.insert(self.parts.passwords.hash(new.clone()).await?).clone(),
            };
            let change = UserChange::PasswordFrom { current: proven.password_hash, new };
            if let Some(user) = self.try_change_and_revoke(id, change, RevocationReason::PasswordChange).await? {
                return Ok(self.open_session(user).map_err(LoginError::Internal)?);
            }
            // Another hash was stored meanwhile: of the same password, upgraded, or of another one. The next comparison
            // tells which.
        }
    }

    /// Gives a user another password, as an operator does. Every token of the user is dead from then on.
    ///
    /// # Errors
    ///
    /// When the password breaks the policy, there is no such user, too much work is waiting, or a part failed.
    pub async fn set_password(&self, id: UserId, new: Password) -> Result<User, ChangePasswordError> {
        let user = self.parts.users.find_by_id(id).await?.ok_or(ChangePasswordError::UserNotFound)?;
        self.accept(&new, &user).await?;
        let change = UserChange::Password(self.parts.passwords.hash(new).await?);
        let changed = self.try_change_and_revoke(id, change, RevocationReason::PasswordChange).await?;
        changed.ok_or(ChangePasswordError::UserNotFound)
    }

    /// The rules for new passwords, with the bound of the hash function among them.
    #[must_use]
    pub fn password_policy(&self) -> &PasswordPolicy {
        &self.parts.policy
    }

    async fn accept(&self, new: &Password, user: &User) -> Result<(), ChangePasswordError> {
        let owner = Owner { email: Some(&user.email), username: Some(&user.username) };
        self.parts.policy.check(new, owner)?;
        Ok(self.parts.policy.check_breached(new).await?)
    }

    /// Finds the user of an address and compares their password, if it may be guessed at now. Every guess at a password comes
    /// through here, and is counted.
    pub(super) async fn prove(
        &self,
        email: &Email,
        password: Password,
    ) -> Result<(StoredCredentials, Verdict), LoginError> {
        let proof = async {
            let stored = self.parts.users.find_credentials(email).await?;
            self.compare(stored, password).await
        };
        self.guess(email, proof).await
    }

    /// Compares a password with the stored hash, or with a decoy where there is no user. An unknown user, a wrong password
    /// and a disabled user cost the same and end the same.
    async fn compare(
        &self,
        stored: Option<StoredCredentials>,
        password: Password,
    ) -> Result<(StoredCredentials, Verdict), LoginError> {
        let hash = stored.as_ref().map_or(&self.parts.decoy, |stored| &stored.password_hash).clone();
        let verdict = match self.parts.passwords.verify(password, hash).await {
            Ok(verdict) => verdict,
            Err(HashingError::Hash(source @ HashError::UnusableHash(_))) => {
                let user = stored.ok_or(LoginError::InvalidCredentials)?.user.id;
                return Err(LoginError::UnusableHash { user, source });
            }
            Err(error) => return Err(error.into()),
        };
        match (stored, verdict) {
            (Some(stored), Verdict::Match | Verdict::MatchRehash) if stored.user.disabled_at.is_none() => {
                Ok((stored, verdict))
            }
            _ => Err(LoginError::InvalidCredentials),
        }
    }
}
