//! CSRF tokens of sessions that a browser keeps in a cookie.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// CSRF token of a session: a secret of the pages that may act for the user. A page of another site does not know it, even where a
/// browser sends the cookie of the session along.
///
/// It is derived from the family secret of the session's refresh tokens. So it belongs to one session, stays the same when the
/// refresh token is rotated, and can be computed from the cookie alone. Nobody can compute the family secret from it.
///
/// ```
/// use auth_core::{RefreshToken, SessionId};
///
/// let token = RefreshToken::first(SessionId::generate()?)?.csrf_token();
/// assert!(token.is(token.expose_text().as_bytes()));
/// assert!(!token.is(b"another"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct CsrfToken([u8; 32]);

impl CsrfToken {
    pub(super) fn of_family(secret: &[u8; 16]) -> Self {
        // A store keeps the digest of the family secret without this label, from which the token cannot be computed.
        Self(Sha256::new().chain_update(b"csrf token").chain_update(secret).finalize().into())
    }

    /// Returns the text of the token: base64url (RFC 4648 §5) of 32 bytes, for the pages that act for the user.
    #[must_use]
    pub fn expose_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Returns whether this is the text of the token. The time that it takes does not depend on the characters.
    #[must_use]
    pub fn is(&self, unverified_text: &[u8]) -> bool {
        self.expose_text().as_bytes().ct_eq(unverified_text).into()
    }
}

impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfToken(<redacted>)")
    }
}

#[cfg(test)]
mod tests {
    use crate::ids::SessionId;
    use crate::session::{RefreshToken, RotationSalt};

    fn first() -> RefreshToken {
        RefreshToken::first(SessionId::generate().unwrap()).unwrap()
    }

    #[test]
    fn a_session_keeps_its_token_and_shares_it_with_no_other() {
        let token = first();
        let text = token.csrf_token().expose_text();
        assert_eq!(text.len(), 43);
        assert!(token.csrf_token().is(text.as_bytes()));
        let successor = token.successor(RotationSalt::generate().unwrap());
        assert_eq!(successor.csrf_token().expose_text(), text);
        assert!(!first().csrf_token().is(text.as_bytes()));
    }

    #[test]
    fn only_the_whole_text_is_the_token() {
        let token = first().csrf_token();
        let text = token.expose_text();
        for wrong in ["", &text[1..], &text[..42], &format!("{text}="), &format!("{text} "), &text.to_lowercase()] {
            assert!(!token.is(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn the_token_is_not_what_a_store_keeps() {
        let token = first();
        assert_ne!(token.csrf_token().0, token.family_digest().0);
        assert_eq!(format!("{:?}", token.csrf_token()), "CsrfToken(<redacted>)");
    }
}
