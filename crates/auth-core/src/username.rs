//! Usernames, parsed once at the edge.

use std::fmt;
use std::str::FromStr;

use crate::email::folded;

/// The most characters (Unicode scalar values) in a username.
pub const MAX_USERNAME_CHARS: usize = 50;

/// A username together with the key by which it is unique.
///
/// Invariants: trimmed, 1 to [`MAX_USERNAME_CHARS`] characters, no control, line-separating or invisible characters;
/// the key is the name in NFKC and lower case and is within the same bound.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username {
    name: String,
    key: String,
}

impl Username {
    /// Reads a username. Surrounding white space is dropped.
    ///
    /// # Errors
    ///
    /// When it is empty, too long or holds characters that cannot be seen.
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
        if name.chars().count() > MAX_USERNAME_CHARS {
            return Err(UsernameError::TooLong);
        }
        if name.chars().any(is_invisible) {
            return Err(UsernameError::Invisible);
        }
        let key = folded(name);
        if key.trim() != key || key.is_empty() || key.chars().any(is_invisible) {
            return Err(UsernameError::Invisible);
        }
        if key.chars().count() > MAX_USERNAME_CHARS {
            return Err(UsernameError::TooLong);
        }
        Ok(Self { name: name.to_owned(), key })
    }

    /// The name as it was given, trimmed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The key by which names are compared.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Controls, line separators, zero-width and direction-changing characters: they make one name look like another.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}')
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

/// Why a text is no username.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsernameError {
    /// Nothing but white space.
    #[error("must not be empty")]
    Empty,
    /// More than [`MAX_USERNAME_CHARS`] characters.
    #[error("must have at most {MAX_USERNAME_CHARS} characters")]
    TooLong,
    /// A control or invisible character.
    #[error("must not contain control or invisible characters")]
    Invisible,
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
        assert_eq!(Username::parse("a\u{200B}b"), Err(UsernameError::Invisible));
        assert_eq!(Username::parse("a\nb"), Err(UsernameError::Invisible));
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_its_key_is_a_fixed_point(text in any::<String>()) {
            if let Ok(name) = Username::parse(&text) {
                let again = Username::parse(name.key()).unwrap();
                prop_assert_eq!(again.key(), name.key());
                prop_assert_eq!(Username::parse(name.as_str()).unwrap(), name);
            }
        }
    }
}
