//! Change of the address of an account.

use super::error::ChangeEmailError;
use crate::context::Context;
use crate::email::Email;
use crate::events;
use crate::letters::LetterKind;
use crate::password::Password;
use crate::principal::Principal;
use crate::recovery::{EndTokens, Issued, OneTimeTokenPurpose, Recipient, SideEffects, notice};
use crate::service::AuthService;
use crate::user::ProfileChange;

impl AuthService {
    /// Asks for another address of the principal's user, who gives the current password too. A letter to the new address confirms
    /// it; until then the account keeps the present one. An earlier request of the user ends.
    ///
    /// The answer and the work are the same when another account has the address. The owner of that account gets a letter that
    /// says so.
    ///
    /// # Errors
    ///
    /// When the account has this address, the current password is wrong, the account does not exist or is disabled, its tokens were
    /// ended meanwhile, too many attempts were made, too much work is waiting, or a part failed.
    pub async fn change_email(
        &self,
        principal: &Principal,
        new: &Email,
        current: Password,
        context: &Context,
    ) -> Result<(), ChangeEmailError> {
        let letters = self.parts.letters.as_ref().ok_or(ChangeEmailError::MailUnconfigured)?;
        let user = self.parts.users.find_by_id(principal.user_id()).await?.ok_or(ChangeEmailError::UserNotFound)?;
        if user.email.key() == new.key() {
            return Err(ChangeEmailError::SameEmail);
        }
        self.parts.throttle.admit_letter(context.network()).await?;
        let user = self.prove_current(&user, current, context).await?.user;
        let owner = self.parts.users.find_credentials(new).await?.map(|stored| stored.user);
        let code = self.new_code().await?;
        let now = self.now();
        let (purpose, kind) = (OneTimeTokenPurpose::ChangeEmail, LetterKind::ChangeEmail);
        let recipient = Recipient { to: new, ..Recipient::from(&user) };
        let issued = letters.issue(purpose, kind, recipient, Some(code), (context.language(), now))?;
        let permit = self.parts.throttle.charge_letter(new, purpose, true).await?;
        let end = Some(EndTokens { user_id: user.id, purposes: vec![purpose], at: now });
        let effects = match owner {
            // The earlier letters stay good, because this one is not written.
            _ if !permit.is_granted() => issued.into_decoy()?.effects(),
            None => SideEffects { end, ..issued.effects() },
            Some(owner) => {
                let letter = notice(LetterKind::EmailInUse, (&owner).into(), context.language(), now)?;
                let Issued { token, .. } = issued.into_decoy()?;
                SideEffects { end, ..Issued { token, letter }.effects() }
            }
        };
        // A reset by the owner meanwhile has ended what the password permitted.
        let change = ProfileChange::Unchanged { generation: user.generation };
        let written = self.parts.users.change(user.id, change, effects).await;
        match written {
            Ok(Some(_)) => {}
            Ok(None) => {
                permit.withdrawn().await;
                return Err(ChangeEmailError::UserNotFound);
            }
            Err(error) => {
                permit.withdrawn().await;
                return Err(error.unexpected().into());
            }
        }
        events::letter_requested(Some(user.id), purpose, context.request_id());
        Ok(())
    }
}
