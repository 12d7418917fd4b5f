//! Codes that a person types.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::password::Password;
use crate::random::{NoRandomness, random_bytes};

/// Number of characters of a code.
pub const CODE_LENGTH: usize = 8;

/// The characters of a code: digits and capitals without 0, 1, I and O, which look like others. There are 32, so five random
/// bits give one, and a code has 40.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// Code that stands in a letter beside the link, for a person who reads the letter on one device and continues on another.
///
/// It is a secret of 40 random bits. Tries at it are limited like guesses at a password, and a store keeps a hash of it by the
/// password hash function: a fast hash of so few bits can be inverted.
///
/// ```
/// use auth_core::recovery::OneTimeCode;
///
/// let code = OneTimeCode::generate()?;
/// let shown = code.expose_grouped();
/// assert_eq!(shown.len(), 9); // Two groups of four, with a hyphen between them.
/// assert_eq!(OneTimeCode::parse(&shown.to_lowercase().replace('-', " "))?, code);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct OneTimeCode([u8; CODE_LENGTH]);

/// The text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code has {CODE_LENGTH} characters: digits and letters without 0, 1, I and O")]
pub struct CodeError;

impl OneTimeCode {
    /// Returns a new random code.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut code = random_bytes::<CODE_LENGTH>()?;
        for character in &mut code {
            *character = ALPHABET[usize::from(*character % 32)];
        }
        Ok(Self(code))
    }

    /// Parses what a person typed. Spaces, hyphens and the case of letters do not matter.
    ///
    /// # Errors
    ///
    /// When it has another length or another character.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let mut code = Self([0; CODE_LENGTH]);
        let mut length = 0;
        for character in text.bytes().filter(|byte| !matches!(byte, b' ' | b'-')) {
            let character = character.to_ascii_uppercase();
            if length == CODE_LENGTH || !ALPHABET.contains(&character) {
                return Err(CodeError);
            }
            code.0[length] = character;
            length += 1;
        }
        if length == CODE_LENGTH { Ok(code) } else { Err(CodeError) }
    }

    /// Returns the code in two groups, as a letter shows it: `ABCD-2345`.
    #[must_use]
    pub fn expose_grouped(&self) -> String {
        let (first, second) = self.text().split_at(CODE_LENGTH / 2);
        format!("{first}-{second}")
    }

    /// Returns the code as the password that is hashed.
    ///
    /// # Panics
    ///
    /// Never: eight characters are within the bounds of a password.
    #[must_use]
    pub fn to_password(&self) -> Password {
        Password::parse(self.text()).expect("eight characters are within the bounds of a password")
    }

    fn text(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeCode(<redacted>)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_characters_of_the_alphabet_make_a_code() {
        for wrong in ["", "ABCD234", "ABCD23456", "ABCD-234O", "ABCD-2341", "ABCD-234I", "ABCD-2340", "ÄBCD2345"] {
            assert!(OneTimeCode::parse(wrong).is_err(), "{wrong}");
        }
        for right in ["ABCD2345", "abcd-2345", " a b c d 2 3 4 5 "] {
            assert_eq!(OneTimeCode::parse(right).unwrap().expose_grouped(), "ABCD-2345");
        }
    }

    #[test]
    fn generated_codes_use_the_whole_alphabet() {
        let codes: Vec<_> = (0..200).map(|_| OneTimeCode::generate().unwrap()).collect();
        for character in ALPHABET {
            assert!(codes.iter().any(|code| code.0.contains(character)), "{}", char::from(*character));
        }
        assert!(codes.iter().all(|code| OneTimeCode::parse(&code.expose_grouped()).as_ref() == Ok(code)));
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", OneTimeCode::generate().unwrap()), "OneTimeCode(<redacted>)");
    }
}
