//! The language of a letter or a page.

use std::fmt;
use std::str::FromStr;

/// Maximum length of a language tag (RFC 5646 §4.4.1).
const MAX_BYTES: usize = 35;

/// Language of a letter or a page: a tag such as `en` or `ko` (BCP 47), in lower case. Default: `en`.
///
/// ```
/// use auth_core::letters::Language;
///
/// assert_eq!(Language::parse("KO")?.as_str(), "ko");
/// assert!(Language::parse("../en").is_err());
/// # Ok::<(), auth_core::letters::LanguageError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Language(String);

/// The text is not a language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a language tag has from 1 to {MAX_BYTES} letters, digits and hyphens, and begins with a letter")]
pub struct LanguageError;

impl Language {
    /// Parses a language tag. Its case does not matter.
    ///
    /// # Errors
    ///
    /// When it is empty, too long, or has a character other than an ASCII letter, an ASCII digit or a hyphen.
    pub fn parse(tag: &str) -> Result<Self, LanguageError> {
        let begins_right = tag.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        let is_right = tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if begins_right && is_right && tag.len() <= MAX_BYTES {
            Ok(Self(tag.to_ascii_lowercase()))
        } else {
            Err(LanguageError)
        }
    }

    /// Returns the tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the primary language subtag: `pt` of `pt-br` (RFC 5646 §2.2.1).
    #[must_use]
    pub fn primary(&self) -> &str {
        self.0.split_once('-').map_or(&self.0, |(primary, _)| primary)
    }
}

impl Default for Language {
    fn default() -> Self {
        Self("en".to_owned())
    }
}

impl FromStr for Language {
    type Err = LanguageError;

    fn from_str(tag: &str) -> Result<Self, Self::Err> {
        Self::parse(tag)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
