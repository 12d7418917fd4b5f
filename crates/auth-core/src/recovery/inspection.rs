//! Reading an open token, for the page that its link opens.

use time::OffsetDateTime;

use super::error::RecoveryError;
use crate::email::Email;
use crate::one_time::{OneTimeToken, OneTimeTokenPurpose};
use crate::service::AuthService;
use crate::user::User;

/// What an open one-time token is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenToken {
    /// The user whose account it is about.
    pub user: User,
    /// Address that the token was sent to.
    pub sent_to: Email,
    /// Time from which on it is refused.
    pub expires_at: OffsetDateTime,
}

impl AuthService {
    /// Returns what an open token with this purpose is about. The token stays open, so this may be called for a request that must
    /// not change anything, such as the `GET` of a link.
    ///
    /// # Errors
    ///
    /// [`RecoveryError::CodeInvalid`] when the token could not be used at the moment. Otherwise when letters are not configured,
    /// or a store failed.
    pub async fn find_open_token(
        &self,
        token: &OneTimeToken,
        purpose: OneTimeTokenPurpose,
    ) -> Result<OpenToken, RecoveryError> {
        let found = self.letters()?.tokens.find(token.digest(), self.now()).await?;
        let token = found.filter(|token| token.purpose == purpose).ok_or(RecoveryError::CodeInvalid)?;
        let user = match purpose {
            // A disabled account can have its address back.
            OneTimeTokenPurpose::UndoEmailChange => {
                self.parts.users.find_by_id(token.user_id).await?.ok_or(RecoveryError::CodeInvalid)?
            }
            _ => self.owner_of(&token).await?,
        };
        let sent_to = token.sent_to.ok_or(RecoveryError::CodeInvalid)?;
        Ok(OpenToken { user, sent_to, expires_at: token.expires_at })
    }
}
