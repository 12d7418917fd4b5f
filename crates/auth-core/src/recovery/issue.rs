//! Making one-time tokens and the letters that carry them.

use time::OffsetDateTime;

use super::error::RecoveryError;
use crate::effects::SideEffects;
use crate::email::Email;
use crate::ids::UserId;
use crate::letters::{Language, Letter, LetterId, LetterKind, LetterSecret};
use crate::one_time::{OneTimeCode, OneTimeToken, OneTimeTokenId, OneTimeTokenPurpose, StoredOneTimeToken};
use crate::password::{HashError, HashingError, PasswordHash};
use crate::random::NoRandomness;
use crate::service::{AuthService, Letters};
use crate::user::User;
use crate::username::Username;

/// A new code with its hash.
pub(crate) struct HashedCode {
    code: OneTimeCode,
    hash: PasswordHash,
}

/// Account that a letter is about, and the address that it goes to.
#[derive(Clone, Copy)]
pub(crate) struct Recipient<'a> {
    pub(crate) user_id: UserId,
    pub(crate) username: &'a Username,
    pub(crate) to: &'a Email,
}

impl<'a> From<&'a User> for Recipient<'a> {
    fn from(user: &'a User) -> Self {
        Self { user_id: user.id, username: &user.username, to: &user.email }
    }
}

/// A one-time token and the letter that carries it, before they are written.
pub(crate) struct Issued {
    pub(crate) token: StoredOneTimeToken,
    pub(crate) letter: Letter,
}

impl Issued {
    /// Returns the writes of the token and the letter.
    pub(crate) fn effects(self) -> SideEffects {
        SideEffects { tokens: vec![self.token], letters: vec![self.letter], ..SideEffects::default() }
    }

    /// Makes a decoy of both: nobody gets the letter, and nobody can use the token.
    pub(crate) fn into_decoy(self) -> Result<Self, NoRandomness> {
        let Self { mut token, mut letter } = self;
        token.user_id = UserId::generate(token.created_at)?;
        token.sent_to = None;
        letter.user_id = token.user_id;
        letter.to = None;
        letter.username = Username::nobody();
        Ok(Self { token, letter })
    }
}

impl Letters {
    /// Makes a token for `recipient`, with the letter of this kind that carries it.
    pub(crate) fn issue(
        &self,
        purpose: OneTimeTokenPurpose,
        kind: LetterKind,
        recipient: Recipient<'_>,
        code: Option<HashedCode>,
        (language, now): (&Language, OffsetDateTime),
    ) -> Result<Issued, NoRandomness> {
        let secret = OneTimeToken::generate()?;
        let expires_at = now + self.options.life(purpose);
        let (code, code_hash) = code.map(|HashedCode { code, hash }| (code, hash)).unzip();
        let token = StoredOneTimeToken {
            id: OneTimeTokenId::generate()?,
            digest: secret.digest(),
            code_hash,
            purpose,
            user_id: recipient.user_id,
            sent_to: Some(recipient.to.clone()),
            created_at: now,
            expires_at,
        };
        let mut letter = notice(kind, recipient, language, now)?;
        letter.secret = Some(LetterSecret { token: secret, code, expires_at });
        Ok(Issued { token, letter })
    }
}

/// Makes a letter without a secret.
pub(crate) fn notice(
    kind: LetterKind,
    recipient: Recipient<'_>,
    language: &Language,
    now: OffsetDateTime,
) -> Result<Letter, NoRandomness> {
    Ok(Letter {
        id: LetterId::generate()?,
        kind,
        user_id: recipient.user_id,
        to: Some(recipient.to.clone()),
        username: recipient.username.clone(),
        secret: None,
        language: language.clone(),
        created_at: now,
    })
}

impl AuthService {
    /// Returns the parts that letters need.
    pub(crate) fn letters(&self) -> Result<&Letters, RecoveryError> {
        self.parts.letters.as_ref().ok_or(RecoveryError::MailUnconfigured)
    }

    /// Returns a notice that the password was changed, or no writes where no letters are sent.
    pub(crate) fn password_notice(&self, user: &User, language: &Language) -> Result<SideEffects, NoRandomness> {
        if self.parts.letters.is_none() {
            return Ok(SideEffects::default());
        }
        let letter = notice(LetterKind::PasswordChanged, user.into(), language, self.now())?;
        Ok(SideEffects { letters: vec![letter], ..SideEffects::default() })
    }

    /// Makes a code and hashes it.
    pub(crate) async fn new_code(&self) -> Result<HashedCode, HashingError> {
        let code = OneTimeCode::generate().map_err(|error| HashError::Failed(error.into()))?;
        let hash = self.parts.passwords.hash(code.to_password()).await?;
        Ok(HashedCode { code, hash })
    }
}
