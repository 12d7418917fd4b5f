//! A new password for somebody who reads the letters of an account.

use super::error::RecoveryError;
use super::proof::OneTimeProof;
use crate::blacklist::RevocationReason;
use crate::context::Context;
use crate::effects::{EndTokens, SideEffects};
use crate::events;
use crate::one_time::OneTimeTokenPurpose;
use crate::password::Password;
use crate::password::policy::PasswordOwner;
use crate::service::AuthService;
use crate::user::{User, UserChange};

/// Purposes of the tokens that end with a new password or a restored address. Who asked for them may be a stranger.
pub(super) const ENDED_BY_OWNER: [OneTimeTokenPurpose; 3] =
    [OneTimeTokenPurpose::ResetPassword, OneTimeTokenPurpose::ChangeEmail, OneTimeTokenPurpose::VerifyEmail];

impl AuthService {
    /// Sets a new password and verifies the address of the account. Every token of the user ends, and so does a pending change of
    /// the address. It signs nobody in. The owner of an address takes over with it an account that a stranger registered.
    ///
    /// # Errors
    ///
    /// [`RecoveryError::CodeInvalid`] when the proof is worth nothing. [`RecoveryError::NewPassword`] when the password breaks the
    /// policy, and then the proof can be used again. Otherwise when letters are not configured, too many codes were tried, too much
    /// work is waiting, or a part failed.
    pub async fn reset_password(
        &self,
        proof: OneTimeProof,
        new: Password,
        context: &Context,
    ) -> Result<User, RecoveryError> {
        let letters = self.letters()?;
        let token = self.prove(letters, proof, &[OneTimeTokenPurpose::ResetPassword], context).await?;
        let user = self.owner_of(&token).await?;
        let email = token.sent_to.clone().ok_or(RecoveryError::CodeInvalid)?;
        // The policy comes before the use of the token, so that a refused password costs no letter.
        self.parts.policy.check(&new, PasswordOwner { email: Some(&user.email), username: Some(&user.username) })?;
        self.parts.policy.check_breached(&new).await?;
        let new = self.parts.passwords.hash(new).await?;
        let effects = SideEffects {
            end: Some(EndTokens { user_id: user.id, purposes: ENDED_BY_OWNER.to_vec(), at: self.now() }),
            letters: self.password_notice(&user, context.language())?.letters,
            ..self.use_of(&token)?
        };
        let change = UserChange::ResetPassword { email, new };
        let changed = self.try_change_and_revoke(user.id, change, RevocationReason::PasswordChange, effects).await?;
        let changed = changed.ok_or(RecoveryError::CodeInvalid)?;
        events::account(changed.id, "password_reset", context.request_id());
        Ok(changed)
    }
}
