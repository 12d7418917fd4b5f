//! Everything that is stored about a user.

use time::OffsetDateTime;

use super::error::AccountError;
use crate::email::Email;
use crate::events;
use crate::letters::QueuedLetter;
use crate::personal::PersonalToken;
use crate::principal::Principal;
use crate::recovery::{OneTimeTokenPurpose, StoredOneTimeToken};
use crate::service::AuthService;
use crate::session::Session;
use crate::user::User;

/// Maximum number of sessions in an [`Export`].
pub const MAX_EXPORTED_SESSIONS: u32 = 1_000;

/// Everything that is stored about a user, without secrets and hashes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Export {
    /// The user.
    pub user: User,
    /// The sessions that can be used, at most [`MAX_EXPORTED_SESSIONS`]. The one that was used last comes first.
    pub sessions: Vec<Session>,
    /// The personal access tokens that can be used. The one that was made last comes first.
    pub personal_tokens: Vec<PersonalToken>,
    /// The one-time tokens that can be used.
    pub one_time_tokens: Vec<ExportedToken>,
    /// The letters that wait to be sent.
    pub letters: Vec<QueuedLetter>,
}

/// A one-time token without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportedToken {
    /// What the token permits.
    pub purpose: OneTimeTokenPurpose,
    /// Address that it was sent to.
    pub sent_to: Option<Email>,
    /// Time at which it was made.
    pub created_at: OffsetDateTime,
    /// Time from which on it is refused.
    pub expires_at: OffsetDateTime,
}

impl From<StoredOneTimeToken> for ExportedToken {
    fn from(token: StoredOneTimeToken) -> Self {
        let StoredOneTimeToken { purpose, sent_to, created_at, expires_at, .. } = token;
        Self { purpose, sent_to, created_at, expires_at }
    }
}

impl AuthService {
    /// Returns everything that is stored about the principal's user.
    ///
    /// # Errors
    ///
    /// When the user does not exist any more or a store failed.
    pub async fn export(&self, principal: &Principal) -> Result<Export, AccountError> {
        let user = self.current_user(principal).await?;
        let sessions = self.list_sessions(user.id, MAX_EXPORTED_SESSIONS).await?;
        let personal_tokens = self.list_personal_tokens(user.id).await?;
        let (mut one_time_tokens, mut letters) = (Vec::new(), Vec::new());
        if let Some(parts) = &self.parts.letters {
            let open = parts.tokens.open_tokens(user.id, self.now()).await?;
            one_time_tokens = open.into_iter().map(ExportedToken::from).collect();
            letters = parts.outbox.of_user(user.id).await?;
        }
        events::account(user.id, "exported", None);
        Ok(Export { user, sessions, personal_tokens, one_time_tokens, letters })
    }
}
