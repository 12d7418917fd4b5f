//! Usernames, parsed once where they enter. They follow the PRECIS profile `Nickname` (RFC 8266), with the characters
//! of `FreeformClass` (RFC 8264 §4.3). A space between words is allowed, as in RFC 8265 §3.5.

mod freeform;

use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization as _;

use crate::email::folded;

/// Maximum length of a username, in characters (Unicode scalar values).
pub const MAX_USERNAME_CHARS: usize = 50;

/// A username together with the key by which it is unique.
///
/// Invariants: 1 to [`MAX_USERNAME_CHARS`] characters, no control characters. The key is the name in NFKC and lower
/// case, so that spellings of one name that differ in case, width, composition or compatibility variants have one key.
/// A name that was [parsed](Self::parse) also has no invisible, unassigned or private-use characters, single spaces
/// (U+0020) between its words and none around them. The same holds for its key.
///
/// Keys do not cover homographs: letters of different scripts that look alike, such as Latin `a` and Cyrillic `а`, are
/// different letters (RFC 8264 §12.5). Show the id of a user beside a name that others have to rely upon.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username {
    name: String,
    key: String,
}

impl Username {
    /// Parses a username that somebody chooses. Surrounding white space is dropped.
    ///
    /// # Errors
    ///
    /// When the name is empty or too long, has characters that no name may have, or has white space other than single
    /// spaces.
    ///
    /// # Examples
    ///
    /// ```
    /// use auth_core::{Username, UsernameError};
    ///
    /// let name = Username::parse("Ada")?;
    /// assert_eq!((name.as_str(), name.key()), ("Ada", "ada"));
    /// assert_eq!(Username::parse(" "), Err(UsernameError::Empty));
    /// # Ok::<(), UsernameError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, UsernameError> {
        let name = text.trim();
        if name.is_empty() {
            return Err(UsernameError::Empty);
        }
        let key = folded(name);
        // Composition comes first, because a keyboard may have sent a Hangul syllable as its parts.
        let composed: String = name.nfc().collect();
        for text in [name, &key] {
            if text.chars().count() > MAX_USERNAME_CHARS {
                return Err(UsernameError::TooLong);
            }
        }
        for text in [&composed, &key] {
            check_spaces(text)?;
            if text.chars().any(freeform::is_disallowed) {
                return Err(UsernameError::Invisible);
            }
        }
        if !freeform::is_in_context(&key) {
            return Err(UsernameError::Misplaced);
        }
        Ok(Self { name: name.to_owned(), key })
    }

    /// Returns the name of nobody, which stands in decoys.
    pub(crate) fn nobody() -> Self {
        Self { name: "nobody".to_owned(), key: "nobody".to_owned() }
    }

    /// Parses a username that a store has kept. Earlier releases accepted names that [`parse`](Self::parse) refuses,
    /// and their owners keep them. The key is computed as in those releases.
    ///
    /// # Errors
    ///
    /// When no release has accepted the name: it is empty, too long, or has control characters.
    ///
    /// # Examples
    ///
    /// ```
    /// use auth_core::Username;
    ///
    /// assert!(Username::parse("ada  lovelace").is_err());
    /// assert_eq!(Username::from_stored("ada  lovelace")?.as_str(), "ada  lovelace");
    /// # Ok::<(), auth_core::UsernameError>(())
    /// ```
    pub fn from_stored(name: &str) -> Result<Self, UsernameError> {
        if name.is_empty() {
            return Err(UsernameError::Empty);
        }
        if name.chars().count() > MAX_USERNAME_CHARS {
            return Err(UsernameError::TooLong);
        }
        if name.chars().any(char::is_control) {
            return Err(UsernameError::Invisible);
        }
        Ok(Self { name: name.to_owned(), key: folded(name) })
    }

    /// Returns the name as it was given, trimmed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// Returns the key by which names are compared.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Refuses white space other than single spaces.
///
/// Two spaces look like one, and a space of another width looks like a space. They are refused and not replaced, so
/// that a name is stored as it was given and the keys of earlier releases stay the same.
fn check_spaces(text: &str) -> Result<(), UsernameError> {
    let is_other_space = |c: char| c.is_whitespace() && !c.is_control() && c != ' ';
    let trimmed = text.trim_matches(' ');
    if trimmed.len() != text.len() || trimmed.contains("  ") || trimmed.chars().any(is_other_space) {
        return Err(UsernameError::Spaces);
    }
    Ok(())
}

impl FromStr for Username {
    type Err = UsernameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Username({:?})", self.name)
    }
}

/// Reason that a text is not a username.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsernameError {
    /// The text is empty or only white space.
    #[error("must not be empty")]
    Empty,
    /// The name has more than [`MAX_USERNAME_CHARS`] characters.
    #[error("must have at most {MAX_USERNAME_CHARS} characters")]
    TooLong,
    /// The name has a control, invisible, private-use or unassigned character.
    #[error("must not contain control, invisible, private-use or unassigned characters")]
    Invisible,
    /// The name has white space other than single spaces between words.
    #[error("must not contain white space other than single spaces")]
    Spaces,
    /// The name begins with a combining mark, or has a character that is allowed beside certain others only (RFC 5892
    /// appendix A).
    #[error("must not begin with a combining mark, nor have punctuation that its script does not have there")]
    Misplaced,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_one_name_have_one_key() {
        for spelling in ["Straße", "STRAßE", "  straße", "ｓtraße"] {
            assert_eq!(Username::parse(spelling).unwrap().key(), "straße", "{spelling:?}");
        }
    }

    #[test]
    fn bounds_count_characters() {
        assert!(Username::parse(&"ü".repeat(50)).is_ok());
        assert_eq!(Username::parse(&"ü".repeat(51)), Err(UsernameError::TooLong));
    }

    #[test]
    fn invisible_and_indistinguishable_characters_are_refused() {
        for bad in [
            "a\u{200B}b",
            "a\nb",
            "a\tb",
            "\u{2800}",
            "a\u{2800}",
            "\u{3164}",
            "a\u{115F}",
            "a\u{FE0F}",
            "a\u{202E}b",
            "a\u{E000}",
            "a\u{FFFF}",
            "a\u{378}",
            "\u{FEFF}a",
            "a\u{AD}b",
            "\u{1F468}\u{200D}\u{1F469}",
        ] {
            assert_eq!(Username::parse(bad), Err(UsernameError::Invisible), "{bad:?}");
        }
        for bad in ["a  b", "a\u{A0}b", "a\u{3000}b", "a \u{2003}b", "a\u{1680}b", "a\u{2028}b", "a \u{A8}", "\u{A8}"] {
            assert_eq!(Username::parse(bad), Err(UsernameError::Spaces), "{bad:?}");
        }
        for bad in ["\u{301}a", "a\u{B7}b"] {
            assert_eq!(Username::parse(bad), Err(UsernameError::Misplaced), "{bad:?}");
        }
        assert_eq!(Username::parse("\u{A0}Ada Lovelace\u{3000}").unwrap().as_str(), "Ada Lovelace");
        // A Hangul syllable in its parts is the same name as the syllable.
        assert_eq!(Username::parse("\u{1112}\u{1161}\u{11AB}").unwrap().key(), Username::parse("한").unwrap().key());
    }

    #[test]
    fn a_homograph_is_another_name() {
        assert_ne!(Username::parse("аda").unwrap().key(), Username::parse("ada").unwrap().key());
    }

    #[test]
    fn a_stored_name_of_an_earlier_release_is_read_with_the_key_it_has() {
        // Earlier releases accepted each of these, and databases hold these keys.
        for (name, key) in [
            ("Ada  Lovelace", "ada  lovelace"),
            ("a\u{A0}b", "a b"),
            ("a\u{1680}b", "a\u{1680}b"),
            ("\u{2800}", "\u{2800}"),
            ("\u{E000}", "\u{E000}"),
            ("\u{301}a", "\u{301}a"),
            ("a\u{378}", "a\u{378}"),
            ("ＡＤＡ", "ada"),
        ] {
            let stored = Username::from_stored(name).unwrap();
            assert_eq!((stored.as_str(), stored.key()), (name, key), "{name:?}");
        }
        assert_eq!(Username::from_stored(""), Err(UsernameError::Empty));
        assert_eq!(Username::from_stored("a\nb"), Err(UsernameError::Invisible));
        assert_eq!(Username::from_stored(&"a".repeat(51)), Err(UsernameError::TooLong));
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_its_key_is_a_fixed_point(text in any::<String>()) {
            if let Ok(name) = Username::parse(&text) {
                let again = Username::parse(name.key()).unwrap();
                prop_assert_eq!(again.key(), name.key());
                prop_assert_eq!(Username::parse(name.as_str()).unwrap(), name.clone());
                prop_assert_eq!(Username::from_stored(name.as_str()).unwrap(), name);
            }
        }
    }
}
