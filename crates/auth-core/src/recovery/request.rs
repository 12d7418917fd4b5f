//! Requests for letters, by an address that may be anybody's.

use super::error::RecoveryError;
use super::issue::Recipient;
use crate::context::Context;
use crate::email::Email;
use crate::events;
use crate::ids::UserId;
use crate::letters::LetterKind;
use crate::one_time::OneTimeTokenPurpose;
use crate::service::AuthService;
use crate::user::User;
use crate::username::Username;

impl AuthService {
    /// Sends the owner of an account the letter that sets a new password. The answer and the work are the same whether or not
    /// there is an account with this address, whether it is disabled, and whether its address has got too many letters lately.
    ///
    /// # Errors
    ///
    /// [`RecoveryError::MailUnconfigured`], when the network asked too often, too much work is waiting, or a part failed.
    pub async fn forgot_password(&self, email: &Email, context: &Context) -> Result<(), RecoveryError> {
        let purpose = (OneTimeTokenPurpose::ResetPassword, LetterKind::ResetPassword);
        self.request_letter(email, purpose, |user| user.disabled_at.is_none(), context).await
    }

    /// Sends the letter that confirms the address of an account again. The answer and the work are the same whether or not there
    /// is an account with this address, whether it is verified or disabled, and whether its address has got too many letters
    /// lately.
    ///
    /// # Errors
    ///
    /// [`RecoveryError::MailUnconfigured`], when the network asked too often, too much work is waiting, or a part failed.
    pub async fn resend_verification(&self, email: &Email, context: &Context) -> Result<(), RecoveryError> {
        let purpose = (OneTimeTokenPurpose::VerifyEmail, LetterKind::VerifyEmail);
        self.request_letter(email, purpose, |user| user.disabled_at.is_none() && !user.email_verified, context).await
    }

    /// Writes a letter to the user with this address who `may_have` it, or else a decoy.
    async fn request_letter(
        &self,
        email: &Email,
        (purpose, kind): (OneTimeTokenPurpose, LetterKind),
        may_have: fn(&User) -> bool,
        context: &Context,
    ) -> Result<(), RecoveryError> {
        let letters = self.letters()?;
        // Admit: the request is counted against its network before any work is done for it.
        self.parts.throttle.admit_letter(context.network()).await?;
        // Find.
        let found = self.parts.users.find_credentials(email).await?;
        let user = found.map(|stored| stored.user).filter(may_have);
        // Hash a code, for a decoy too.
        let code = self.new_code().await?;
        let now = self.now();
        let nobody = (UserId::generate(now)?, Username::nobody());
        let recipient = match &user {
            Some(user) => user.into(),
            None => Recipient { user_id: nobody.0, username: &nobody.1, to: email },
        };
        let issued = letters.issue(purpose, kind, recipient, Some(code), (context.language(), now))?;
        // Count the letter against its address.
        let permit = self.parts.throttle.charge_letter(email, purpose, user.is_some()).await?;
        let issued = if permit.is_granted() { issued } else { issued.into_decoy()? };
        // Write one token and one letter.
        if let Err(error) = letters.tokens.write(issued.effects()).await {
            permit.withdrawn().await;
            return Err(error.into());
        }
        events::letter_requested(user.map(|user| user.id), purpose, context.request_id());
        Ok(())
    }
}
