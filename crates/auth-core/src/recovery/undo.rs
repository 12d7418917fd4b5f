//! The way back to a former address.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::error::RecoveryError;
use super::issue::Recipient;
use super::proof::OneTimeProof;
use super::reset::ENDED_BY_OWNER;
use crate::blacklist::RevocationReason;
use crate::context::Context;
use crate::effects::{EndTokens, SideEffects};
use crate::events;
use crate::join::join;
use crate::letters::LetterKind;
use crate::one_time::{OneTimeToken, OneTimeTokenPurpose};
use crate::password::Password;
use crate::random::random_bytes;
use crate::service::AuthService;
use crate::user::{User, UserChange};

impl AuthService {
    /// Gives an account its former address back, for an owner whose address was changed by somebody else. Every token of the user
    /// ends, the password cannot be used any more, and a letter that sets a new one goes to the address. It signs nobody in.
    ///
    /// # Errors
    ///
    /// [`RecoveryError::CodeInvalid`] when the token is worth nothing. Otherwise when letters are not configured, too much work is
    /// waiting, or a part failed.
    pub async fn undo_email_change(&self, token: OneTimeToken, context: &Context) -> Result<User, RecoveryError> {
        let letters = self.letters()?;
        let purposes = [OneTimeTokenPurpose::UndoEmailChange];
        let token = self.prove(letters, OneTimeProof::Token(token), &purposes, context).await?;
        let user = self.parts.users.find_by_id(token.user_id).await?.ok_or(RecoveryError::CodeInvalid)?;
        let email = token.sent_to.clone().ok_or(RecoveryError::CodeInvalid)?;
        let (unusable, code) = join(self.parts.passwords.hash(random_password()?), self.new_code()).await;
        let now = self.now();
        let recipient = Recipient { to: &email, ..Recipient::from(&user) };
        let (purpose, kind) = (OneTimeTokenPurpose::ResetPassword, LetterKind::ResetPassword);
        let reset = letters.issue(purpose, kind, recipient, Some(code?), (context.language(), now))?;
        let effects = SideEffects {
            redeem: self.use_of(&token)?.redeem,
            end: Some(EndTokens { user_id: user.id, purposes: ENDED_BY_OWNER.to_vec(), at: now }),
            ..reset.effects()
        };
        let change = UserChange::RestoreEmail { email, new: unusable? };
        let changed = self.try_change_and_revoke(user.id, change, RevocationReason::EmailRestored, effects).await?;
        let changed = changed.ok_or(RecoveryError::CodeInvalid)?;
        events::account(changed.id, "email_restored", context.request_id());
        Ok(changed)
    }
}

/// Returns a password of 256 random bits, which nobody knows.
fn random_password() -> Result<Password, RecoveryError> {
    let bytes = Zeroizing::new(random_bytes::<32>()?);
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
    Password::parse(&text).map_err(|error| RecoveryError::Internal(error.into()))
}
