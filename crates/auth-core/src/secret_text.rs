//! Texts with a prefix and a checksum, which secrets and ids have.
//!
//! Such a text is a prefix and then base64url (RFC 4648 §5) of a body of fixed length and a checksum of 3 bytes. A scanner
//! recognises a leaked secret by prefix and checksum, and the checksum tells a typing error from a forgery.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

const CHECKSUM_BYTES: usize = 3;

/// Maximum length of a body and its checksum.
const MAX_BYTES: usize = 80;

/// Form of the texts of one kind of secret, whose body has `N` bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SecretText<const N: usize> {
    prefix: &'static str,
    /// Text that is hashed before the body. It keeps the checksum from being a part of the digest that a store holds.
    checksum_label: &'static str,
}

impl<const N: usize> SecretText<N> {
    /// Returns the form with this prefix and this label of the checksum.
    pub(crate) const fn new(prefix: &'static str, checksum_label: &'static str) -> Self {
        Self { prefix, checksum_label }
    }

    /// Returns the body of a text of this form, or `None` if prefix, length, alphabet or checksum are wrong. A body has one text.
    pub(crate) fn parse(&self, unverified_text: &str) -> Option<Zeroizing<[u8; N]>> {
        let encoded = unverified_text.strip_prefix(self.prefix)?;
        if encoded.len() != Self::encoded_length() {
            return None;
        }
        let mut bytes = Zeroizing::new([0; MAX_BYTES]);
        let length = URL_SAFE_NO_PAD.decode_slice(encoded, bytes.get_mut(..N + CHECKSUM_BYTES)?).ok()?;
        let (body, checksum) = bytes.get(..length)?.split_at_checked(N)?;
        let body = Zeroizing::new(<[u8; N]>::try_from(body).ok()?);
        (checksum == self.checksum_of(&body)).then_some(body)
    }

    /// Calls `read` with the text of this body. The text is erased from memory afterwards.
    pub(crate) fn expose<R>(&self, body: &[u8; N], read: impl FnOnce(&str) -> R) -> R {
        let mut bytes = Zeroizing::new(Vec::with_capacity(N + CHECKSUM_BYTES));
        bytes.extend_from_slice(body);
        bytes.extend_from_slice(&self.checksum_of(body));
        // Room for all of it, so that no part of the secret is left behind by a reallocation. The encoder may ask for that of a padded text.
        let room = self.prefix.len() + bytes.len().div_ceil(3) * 4;
        let mut text = Zeroizing::new(String::with_capacity(room));
        text.push_str(self.prefix);
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        read(&text)
    }

    const fn encoded_length() -> usize {
        ((N + CHECKSUM_BYTES) * 4).div_ceil(3)
    }

    fn checksum_of(&self, body: &[u8; N]) -> [u8; CHECKSUM_BYTES] {
        let digest = Sha256::new().chain_update(self.checksum_label).chain_update(body).finalize();
        [digest[0], digest[1], digest[2]]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LONG: SecretText<32> = SecretText::new("rax_", "label");
    const SHORT: SecretText<16> = SecretText::new("rax_", "label");

    #[test]
    fn a_body_has_one_text() {
        for text in [LONG.expose(&[7; 32], str::to_owned), LONG.expose(&[0xff; 32], str::to_owned)] {
            let last = text.len() - 1;
            for other in ['A', 'B', 'g', 'w', '9', '_', '=', ' '] {
                let changed = format!("{}{other}", &text[..last]);
                assert_eq!(LONG.parse(&changed).is_some(), changed == text, "{other}");
            }
            for wrong in [&text[1..], &text[..last], &format!("{text}="), &text.to_uppercase(), "", "rax_"] {
                assert!(LONG.parse(wrong).is_none(), "{wrong}");
            }
        }
    }

    #[test]
    fn prefix_length_and_label_are_part_of_the_form() {
        let text = SHORT.expose(&[7; 16], str::to_owned);
        assert_eq!(SHORT.parse(&text).as_deref(), Some(&[7; 16]));
        assert!(LONG.parse(&text).is_none());
        assert!(SecretText::<16>::new("ray_", "label").parse(&text).is_none());
        assert!(SecretText::<16>::new("rax_", "another").parse(&text).is_none());
    }

    proptest! {
        #[test]
        fn every_body_survives(body in any::<[u8; 32]>()) {
            let parsed = LONG.expose(&body, |text| LONG.parse(text));
            prop_assert_eq!(parsed.as_deref(), Some(&body));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(rax_)?[ -~äß]{0,80}") {
            let _ = LONG.parse(&text);
            let _ = SHORT.parse(&text);
        }

        #[test]
        fn a_changed_character_is_noticed(body in any::<[u8; 16]>(), at in 4_usize..29, with in "[A-Za-z0-9_-]") {
            let text = SHORT.expose(&body, str::to_owned);
            let changed = format!("{}{with}{}", &text[..at], &text[at + 1..]);
            prop_assert_eq!(SHORT.parse(&changed).is_some(), changed == text);
        }
    }
}
