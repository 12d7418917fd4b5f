//! Secrets of clients.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::random::{NoRandomness, random_bytes};
use crate::secret_text::SecretText;

/// Prefix of the text of every secret of a client.
pub const CLIENT_SECRET_PREFIX: &str = "ras_";

const TEXT: SecretText<32> = SecretText::new(CLIENT_SECRET_PREFIX, "client secret checksum");

/// Secret of a client: 256 random bits. Erased from memory when dropped, never shown by `Debug`.
///
/// Its text is `ras_` and then base64url (RFC 4648 §5) of the bits and a checksum. Nobody guesses 256 random bits, so the store keeps
/// a SHA-256 digest and not a slow hash.
///
/// ```
/// use auth_core::clients::ClientSecret;
///
/// let secret = ClientSecret::generate()?;
/// let text = secret.expose_text(str::to_owned);
/// assert_eq!(ClientSecret::parse(&text)?.digest(), secret.digest());
/// assert!(ClientSecret::parse(&text[..text.len() - 1]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ClientSecret([u8; 32]);

/// SHA-256 digest of a secret of a client: the form in which a store keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSecretDigest(pub [u8; 32]);

/// The text is not a secret of this format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client secret is malformed")]
pub struct MalformedClientSecret;

impl ClientSecret {
    /// Returns a new random secret.
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
    pub fn parse(unverified_text: &str) -> Result<Self, MalformedClientSecret> {
        TEXT.parse(unverified_text).map(|bits| Self(*bits)).ok_or(MalformedClientSecret)
    }

    /// Calls `read` with the text of the secret, for the one client that it belongs to. The text is erased from memory afterwards.
    pub fn expose_text<R>(&self, read: impl FnOnce(&str) -> R) -> R {
        TEXT.expose(&self.0, read)
    }

    /// Returns the digest of the secret.
    #[must_use]
    pub fn digest(&self) -> ClientSecretDigest {
        ClientSecretDigest(Sha256::digest(self.0).into())
    }
}

impl ClientSecretDigest {
    /// Returns whether both are equal. The time that it takes does not depend on them.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(<redacted>)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", ClientSecret::generate().unwrap()), "ClientSecret(<redacted>)");
    }

    #[test]
    fn the_text_has_no_part_of_the_digest() {
        let text = ClientSecret([7; 32]).expose_text(str::to_owned);
        assert_eq!(text.len(), 51);
        let unlabelled = SecretText::<32>::new(CLIENT_SECRET_PREFIX, "").expose(&[7; 32], str::to_owned);
        assert_ne!(text, unlabelled);
    }
}
