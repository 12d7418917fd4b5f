//! Names of personal tokens.

use std::fmt;
use std::str::FromStr;

/// Maximum length of the name of a personal token, in characters.
pub const MAX_TOKEN_NAME_CHARS: usize = 64;

/// Name that a user gives a personal token: 1 to 64 characters, no control characters, no blank at either end.
///
/// ```
/// use auth_core::personal::TokenName;
///
/// assert_eq!("  nightly backup ".parse::<TokenName>()?.as_str(), "nightly backup");
/// assert!("  ".parse::<TokenName>().is_err());
/// # Ok::<(), auth_core::personal::TokenNameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenName(Box<str>);

/// Rule that a text breaks, so that it cannot be the name of a personal token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {MAX_TOKEN_NAME_CHARS} characters and no control characters")]
pub struct TokenNameError;

impl TokenName {
    /// Returns the name as a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenName {
    type Err = TokenNameError;

    /// Blanks at both ends are left out.
    fn from_str(text: &str) -> Result<Self, TokenNameError> {
        let name = text.trim();
        let length = name.chars().take(MAX_TOKEN_NAME_CHARS + 1).count();
        if (1..=MAX_TOKEN_NAME_CHARS).contains(&length) && !name.chars().any(char::is_control) {
            Ok(Self(name.into()))
        } else {
            Err(TokenNameError)
        }
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_printable() {
        let longest = "ü".repeat(MAX_TOKEN_NAME_CHARS);
        for good in ["a", "nightly backup", "백업", &longest] {
            assert_eq!(good.parse::<TokenName>().unwrap().as_str(), good);
        }
        for bad in ["", " \t", "a\nb", "a\0", &format!("{longest}x")] {
            assert_eq!(bad.parse::<TokenName>(), Err(TokenNameError), "{bad:?}");
        }
    }
}
