//! Texts of personal tokens.

use std::fmt;

use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::random::{NoRandomness, random_bytes};
use crate::secret_text::SecretText;

/// Prefix of the text of every personal token.
pub const PERSONAL_TOKEN_PREFIX: &str = "rap_";

const SECRET_BYTES: usize = 32;

const TEXT: SecretText<SECRET_BYTES> = SecretText::new(PERSONAL_TOKEN_PREFIX, "personal token checksum");

/// A personal token, which is a secret. Erased from memory when dropped, never shown by `Debug`.
///
/// Its text is `rap_` and then base64url (RFC 4648 §5) of 32 random bytes and a checksum (3 bytes).
///
/// ```
/// use auth_core::personal::PersonalTokenSecret;
///
/// let secret = PersonalTokenSecret::generate()?;
/// let text = secret.expose_text(str::to_owned);
/// assert_eq!(PersonalTokenSecret::parse(&text)?, secret);
/// assert!(PersonalTokenSecret::parse(&text[..text.len() - 1]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct PersonalTokenSecret([u8; SECRET_BYTES]);

/// The text is not a personal token of this format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the personal token is malformed")]
pub struct MalformedPersonalToken;

/// SHA-256 digest of the secret of a personal token: the form in which a store keeps it. The secret has 256 random bits, so
/// nobody can find it from the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PersonalTokenDigest(pub [u8; 32]);

impl PersonalTokenSecret {
    /// Returns a new random secret.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        random_bytes().map(Self)
    }

    /// Returns whether a text begins like a personal token.
    #[must_use]
    pub fn has_prefix(unverified_text: &str) -> bool {
        unverified_text.starts_with(PERSONAL_TOKEN_PREFIX)
    }

    /// Parses the text that a client presents. Whether there is such a token is not known afterwards.
    ///
    /// # Errors
    ///
    /// When prefix, length, alphabet or checksum are wrong.
    pub fn parse(unverified_text: &str) -> Result<Self, MalformedPersonalToken> {
        TEXT.parse(unverified_text).map(|body| Self(*body)).ok_or(MalformedPersonalToken)
    }

    /// Calls `read` with the text of the token, for the one user that it belongs to. The text is erased from memory afterwards.
    pub fn expose_text<R>(&self, read: impl FnOnce(&str) -> R) -> R {
        TEXT.expose(&self.0, read)
    }

    /// Returns the digest by which a store finds the token.
    #[must_use]
    pub fn digest(&self) -> PersonalTokenDigest {
        PersonalTokenDigest(Sha256::digest(self.0).into())
    }
}

impl fmt::Debug for PersonalTokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonalTokenSecret(<redacted>)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret_and_the_digest_is_not_in_the_text() {
        let secret = PersonalTokenSecret::generate().unwrap();
        assert_eq!(format!("{secret:?}"), "PersonalTokenSecret(<redacted>)");
        assert_eq!(secret.expose_text(str::len), 51);
        assert_ne!(secret.0, secret.digest().0);
    }
}
