//! Refresh tokens.
//!
//! The text of a refresh token is `rar_` and then base64url (RFC 4648 §5) of the id of its session (16 bytes), the *family
//! secret* (16 bytes), the *own secret* (32 bytes) and a checksum (3 bytes).
//!
//! - The family secret is the same in every token of a session. Whoever presents it had a token of the session at some time.
//!   So the right family secret with an old own secret is a re-use. A wrong family secret is a guess, and ends no session.
//! - The own secret changes at each rotation. That of the successor is SHA-256 over a label, the own secret and a random salt.
//!   The holder of a token gets the same successor again, because the store keeps the salt. A reader of the store cannot compute
//!   any token, because it holds only digests of the secrets.

use std::fmt;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::csrf_token::CsrfToken;
use crate::ids::SessionId;
use crate::random::{NoRandomness, random_bytes};
use crate::secret_text::SecretText;

/// Prefix of the text of every refresh token.
pub const REFRESH_TOKEN_PREFIX: &str = "rar_";

const ID_BYTES: usize = 16;
const FAMILY_BYTES: usize = 16;
const OWN_BYTES: usize = 32;
const BODY_BYTES: usize = ID_BYTES + FAMILY_BYTES + OWN_BYTES;

/// The stored digests are of parts of the body, so the checksum needs no label.
const TEXT: SecretText<BODY_BYTES> = SecretText::new(REFRESH_TOKEN_PREFIX, "");

/// A refresh token, which is a secret (RFC 6749 §1.5). Erased from memory when dropped, never shown by `Debug`.
///
/// ```
/// use auth_core::SessionId;
/// use auth_core::session::RefreshToken;
///
/// let token = RefreshToken::first(SessionId::generate()?)?;
/// let text = token.expose_text(str::to_owned);
/// assert_eq!(RefreshToken::parse(&text)?, token);
/// assert!(RefreshToken::parse(&text[..text.len() - 1]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct RefreshToken {
    #[zeroize(skip)]
    session_id: SessionId,
    family: [u8; FAMILY_BYTES],
    own: [u8; OWN_BYTES],
}

/// SHA-256 digest of a secret of a refresh token: the form in which a store keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretDigest(pub [u8; 32]);

/// Random salt from which the successor of a refresh token is derived. It is not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationSalt(pub [u8; 16]);

impl RotationSalt {
    /// Returns a new random salt.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        random_bytes().map(Self)
    }
}

/// The text is not a refresh token of this format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the refresh token is malformed")]
pub struct MalformedRefreshToken;

impl RefreshToken {
    /// Returns the first token of a new session.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn first(session_id: SessionId) -> Result<Self, NoRandomness> {
        Ok(Self { session_id, family: random_bytes()?, own: random_bytes()? })
    }

    /// Parses the text that a client presents. Whether the secrets in it are right is not known afterwards.
    ///
    /// # Errors
    ///
    /// When prefix, length, alphabet or checksum are wrong.
    pub fn parse(unverified_text: &str) -> Result<Self, MalformedRefreshToken> {
        let body = TEXT.parse(unverified_text).ok_or(MalformedRefreshToken)?;
        let mut token = Self {
            session_id: Uuid::from_slice(&body[..ID_BYTES]).map_err(|_| MalformedRefreshToken)?.into(),
            family: [0; FAMILY_BYTES],
            own: [0; OWN_BYTES],
        };
        token.family.copy_from_slice(&body[ID_BYTES..ID_BYTES + FAMILY_BYTES]);
        token.own.copy_from_slice(&body[ID_BYTES + FAMILY_BYTES..]);
        Ok(token)
    }

    /// Calls `read` with the text of the token, for the one client that it belongs to. The text is erased from memory
    /// afterwards.
    pub fn expose_text<R>(&self, read: impl FnOnce(&str) -> R) -> R {
        let mut body = Zeroizing::new([0; BODY_BYTES]);
        body[..ID_BYTES].copy_from_slice(self.session_id.as_uuid().as_bytes());
        body[ID_BYTES..ID_BYTES + FAMILY_BYTES].copy_from_slice(&self.family);
        body[ID_BYTES + FAMILY_BYTES..].copy_from_slice(&self.own);
        TEXT.expose(&body, read)
    }

    /// Returns the session that the token claims to belong to.
    #[must_use]
    pub fn unverified_session_id(&self) -> SessionId {
        self.session_id
    }

    /// Returns the token that follows this one, with the salt of the rotation.
    #[must_use]
    pub fn successor(&self, salt: RotationSalt) -> Self {
        // All inputs have a fixed length, so no two of them give the same bytes.
        let mut hash = Sha256::new();
        hash.update(b"refresh token successor");
        hash.update(self.own);
        hash.update(salt.0);
        Self { session_id: self.session_id, family: self.family, own: hash.finalize().into() }
    }

    /// Returns the CSRF token of the session that the token claims to belong to.
    #[must_use]
    pub fn csrf_token(&self) -> CsrfToken {
        CsrfToken::of_family(&self.family)
    }

    /// Returns the digest of the family secret.
    #[must_use]
    pub fn family_digest(&self) -> SecretDigest {
        SecretDigest(Sha256::digest(self.family).into())
    }

    /// Returns the digest of the own secret.
    #[must_use]
    pub fn own_digest(&self) -> SecretDigest {
        SecretDigest(Sha256::digest(self.own).into())
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(<redacted>)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token() -> RefreshToken {
        RefreshToken::first(SessionId::generate().unwrap()).unwrap()
    }

    #[test]
    fn a_token_has_one_spelling() {
        let text = token().expose_text(str::to_owned);
        assert_eq!(text.len(), 94);
        let last = text.len() - 1;
        for other in ['A', 'B', 'g', 'w', '9', '_', '=', ' '] {
            let changed = format!("{}{other}", &text[..last]);
            assert_eq!(RefreshToken::parse(&changed).is_ok(), changed == text, "{other}");
        }
        for wrong in [&text[1..], &text[..last], &format!("{text}="), &text.to_uppercase(), "", "rar_"] {
            assert!(RefreshToken::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_token_and_one_salt_have_one_successor() {
        let (first, salt) = (token(), RotationSalt::generate().unwrap());
        let second = first.successor(salt);
        assert_eq!(second, first.successor(salt));
        assert_ne!(second.own_digest(), first.own_digest());
        assert_eq!(second.family_digest(), first.family_digest());
        assert_ne!(second, first.successor(RotationSalt::generate().unwrap()));
        assert_ne!(second.own, second.own_digest().0);
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", token()), "RefreshToken(<redacted>)");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(rar_)?[ -~äß]{0,120}") {
            let _ = RefreshToken::parse(&text);
        }

        #[test]
        fn a_changed_character_is_noticed(at in 4_usize..94, with in "[A-Za-z0-9_-]") {
            let text = token().expose_text(str::to_owned);
            let changed = format!("{}{with}{}", &text[..at], &text[at + 1..]);
            prop_assert_eq!(RefreshToken::parse(&changed).is_ok(), changed == text);
        }
    }
}
