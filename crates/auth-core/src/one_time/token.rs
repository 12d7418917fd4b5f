//! One-time tokens.
//!
//! The text of a one-time token is `rao_` and then base64url (RFC 4648 §5) of 32 random bytes and a checksum (3 bytes). The
//! store keeps a SHA-256 digest of the secret. The secret has 256 random bits, so nobody can find it from the digest.

use std::fmt;

use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::email::Email;
use crate::ids::UserId;
use crate::password::PasswordHash;
use crate::random::{NoRandomness, random_bytes};
use crate::secret_text::SecretText;

/// Prefix of the text of every one-time token.
pub const ONE_TIME_TOKEN_PREFIX: &str = "rao_";

const SECRET_BYTES: usize = 32;
const TEXT: SecretText<SECRET_BYTES> = SecretText::new(ONE_TIME_TOKEN_PREFIX, "one-time token checksum");

/// A one-time token, which is a secret. Erased from memory when dropped, never shown by `Debug`.
///
/// ```
/// use auth_core::recovery::OneTimeToken;
///
/// let token = OneTimeToken::generate()?;
/// let text = token.expose_text(str::to_owned);
/// assert_eq!(OneTimeToken::parse(&text)?, token);
/// assert!(OneTimeToken::parse(&text[..text.len() - 1]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct OneTimeToken([u8; SECRET_BYTES]);

/// The text is not a one-time token of this format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the one-time token is malformed")]
pub struct MalformedOneTimeToken;

/// SHA-256 digest of the secret of a one-time token: the form in which a store keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OneTimeTokenDigest(pub [u8; 32]);

impl OneTimeToken {
    /// Returns a new random token.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        random_bytes().map(Self)
    }

    /// Parses the text that a client presents.
    ///
    /// # Errors
    ///
    /// When prefix, length, alphabet or checksum are wrong.
    pub fn parse(unverified_text: &str) -> Result<Self, MalformedOneTimeToken> {
        TEXT.parse(unverified_text).map(|secret| Self(*secret)).ok_or(MalformedOneTimeToken)
    }

    /// Calls `read` with the text of the token, for the letter to the one person that it belongs to. The text is erased from
    /// memory afterwards.
    pub fn expose_text<R>(&self, read: impl FnOnce(&str) -> R) -> R {
        TEXT.expose(&self.0, read)
    }

    /// Returns the digest by which a store finds the token.
    #[must_use]
    pub fn digest(&self) -> OneTimeTokenDigest {
        OneTimeTokenDigest(Sha256::digest(self.0).into())
    }
}

impl fmt::Debug for OneTimeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeToken(<redacted>)")
    }
}

/// Id of a stored one-time token. It is random and no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OneTimeTokenId(Uuid);

impl OneTimeTokenId {
    /// Returns a new random id.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self(uuid::Builder::from_random_bytes(random_bytes()?).into_uuid()))
    }

    /// Returns the id as a UUID.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for OneTimeTokenId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

/// What a one-time token permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OneTimeTokenPurpose {
    /// To confirm the address of the account.
    VerifyEmail,
    /// To set a new password.
    ResetPassword,
    /// To make the address that the token was sent to the address of the account.
    ChangeEmail,
    /// To make the address that the token was sent to the address of the account again.
    UndoEmailChange,
}

impl OneTimeTokenPurpose {
    /// All purposes.
    pub const ALL: [Self; 4] = [Self::VerifyEmail, Self::ResetPassword, Self::ChangeEmail, Self::UndoEmailChange];

    /// Returns the word for the purpose, which stores keep.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ChangeEmail => "change_email",
            Self::UndoEmailChange => "undo_email_change",
        }
    }

    /// Returns the purpose with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == word)
    }
}

/// A one-time token as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOneTimeToken {
    /// The id.
    pub id: OneTimeTokenId,
    /// Digest of the secret. No two tokens have the same.
    pub digest: OneTimeTokenDigest,
    /// Hash of the code in the same letter, if it has one.
    pub code_hash: Option<PasswordHash>,
    /// What the token permits.
    pub purpose: OneTimeTokenPurpose,
    /// The user. For a decoy it is the id of nobody.
    pub user_id: UserId,
    /// Address that the token was sent to. A decoy has none.
    pub sent_to: Option<Email>,
    /// Time at which the token was made.
    pub created_at: OffsetDateTime,
    /// Time from which on it is refused.
    pub expires_at: OffsetDateTime,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_has_one_spelling() {
        let text = OneTimeToken::generate().unwrap().expose_text(str::to_owned);
        let last = text.len() - 1;
        for other in ['A', 'B', 'g', 'w', '9', '_', '=', ' '] {
            let changed = format!("{}{other}", &text[..last]);
            assert_eq!(OneTimeToken::parse(&changed).is_ok(), changed == text, "{other}");
        }
        for wrong in [&text[1..], &text[..last], &format!("{text}="), &text.to_uppercase(), "", "rao_"] {
            assert!(OneTimeToken::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", OneTimeToken::generate().unwrap()), "OneTimeToken(<redacted>)");
    }

    #[test]
    fn words_name_purposes() {
        for purpose in OneTimeTokenPurpose::ALL {
            assert_eq!(OneTimeTokenPurpose::from_word(purpose.as_str()), Some(purpose));
        }
        assert_eq!(OneTimeTokenPurpose::from_word("verify"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(rao_)?[ -~äß]{0,80}") {
            let _ = OneTimeToken::parse(&text);
        }
    }
}
