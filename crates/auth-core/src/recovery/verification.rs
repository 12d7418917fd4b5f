//! Confirmation of an address.

use super::error::RecoveryError;
use super::issue::Recipient;
use super::proof::OneTimeProof;
use crate::context::Context;
use crate::effects::{EndTokens, Redemption, SideEffects};
use crate::events;
use crate::letters::LetterKind;
use crate::one_time::{OneTimeTokenPurpose, StoredOneTimeToken};
use crate::service::{AuthService, Letters};
use crate::user::{ProfileChange, User};

impl AuthService {
    /// Confirms an address: that of an account, or the one that it is to have. It signs nobody in.
    ///
    /// A confirmed new address replaces the former one. A letter tells the former one, and undoes that for some days.
    ///
    /// # Errors
    ///
    /// [`RecoveryError::CodeInvalid`] when the proof is worth nothing. [`RecoveryError::EmailTaken`] when another account has got
    /// the new address meanwhile. Otherwise when letters are not configured, too many codes were tried, too much work is waiting,
    /// or a part failed.
    pub async fn verify_email(&self, proof: OneTimeProof, context: &Context) -> Result<User, RecoveryError> {
        let letters = self.letters()?;
        let purposes = [OneTimeTokenPurpose::VerifyEmail, OneTimeTokenPurpose::ChangeEmail];
        let token = self.prove(letters, proof, &purposes, context).await?;
        let user = self.owner_of(&token).await?;
        let address = token.sent_to.clone().ok_or(RecoveryError::CodeInvalid)?;
        let (change, effects, done) = match token.purpose {
            OneTimeTokenPurpose::ChangeEmail => {
                let effects = self.change_effects(letters, &token, &user, context)?;
                (ProfileChange::Email(address), effects, "email_changed")
            }
            _ => (ProfileChange::VerifyEmail(address), self.use_of(&token)?, "email_verified"),
        };
        let changed = self.parts.users.change(user.id, change, effects).await?;
        let changed = changed.ok_or(RecoveryError::CodeInvalid)?;
        events::account(changed.id, done, context.request_id());
        Ok(changed)
    }

    /// Returns the writes that come with a confirmed new address.
    fn change_effects(
        &self,
        letters: &Letters,
        token: &StoredOneTimeToken,
        user: &User,
        context: &Context,
    ) -> Result<SideEffects, RecoveryError> {
        let (purpose, kind) = (OneTimeTokenPurpose::UndoEmailChange, LetterKind::EmailChanged);
        let now = self.now();
        let undo = letters.issue(purpose, kind, Recipient::from(user), None, (context.language(), now))?;
        let SideEffects { redeem, .. } = self.use_of(token)?;
        // Letters to the former address must not work any more, should the account have it again.
        let purposes = vec![OneTimeTokenPurpose::VerifyEmail, OneTimeTokenPurpose::ResetPassword];
        let end = Some(EndTokens { user_id: user.id, purposes, at: now });
        Ok(SideEffects { redeem, end, ..undo.effects() })
    }

    /// Returns the user of a token, unless the account is disabled.
    pub(super) async fn owner_of(&self, token: &StoredOneTimeToken) -> Result<User, RecoveryError> {
        let found = self.parts.users.find_by_id(token.user_id).await?;
        found.filter(|user| user.disabled_at.is_none()).ok_or(RecoveryError::CodeInvalid)
    }

    /// Returns the use of a token, as the only write.
    pub(super) fn use_of(&self, token: &StoredOneTimeToken) -> Result<SideEffects, RecoveryError> {
        let redeem = Some(Redemption::new(token.id, self.now())?);
        Ok(SideEffects { redeem, ..SideEffects::default() })
    }
}
