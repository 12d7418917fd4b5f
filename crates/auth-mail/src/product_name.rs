//! The name of the product, as letters show it.

use std::fmt;
use std::str::FromStr;

/// Maximum length of the name of a product, in characters (Unicode scalar values).
pub const MAX_PRODUCT_NAME_CHARS: usize = 64;

/// Name of the product, as letters show it in their subject and text.
///
/// Invariants: trimmed, 1 to [`MAX_PRODUCT_NAME_CHARS`] characters, no control characters.
///
/// ```
/// use auth_mail::ProductName;
///
/// assert_eq!(ProductName::parse(" Orchard ")?.as_str(), "Orchard");
/// assert!(ProductName::parse("Orchard\r\nBcc: all@example.org").is_err());
/// # Ok::<(), auth_mail::ProductNameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductName(String);

/// Reason that a text is not the name of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name of the product must have from 1 to {MAX_PRODUCT_NAME_CHARS} characters and no control characters")]
pub struct ProductNameError;

impl ProductName {
    /// Parses the name of a product. Surrounding white space is dropped.
    ///
    /// # Errors
    ///
    /// When it is empty, too long, or has control characters.
    pub fn parse(text: &str) -> Result<Self, ProductNameError> {
        let name = text.trim();
        let length = name.chars().count();
        if length == 0 || length > MAX_PRODUCT_NAME_CHARS || name.chars().any(char::is_control) {
            return Err(ProductNameError);
        }
        Ok(Self(name.to_owned()))
    }

    /// Takes a host, which may be longer than a name that somebody chooses.
    pub(crate) fn from_host(host: &str) -> Self {
        Self(host.to_owned())
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProductName {
    type Err = ProductNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for ProductName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_length_and_no_control_characters() {
        assert_eq!(ProductName::parse(" 과수원 & Söhne ").unwrap().as_str(), "과수원 & Söhne");
        assert!(ProductName::parse(&"n".repeat(MAX_PRODUCT_NAME_CHARS)).is_ok());
        for wrong in ["", " \t", "a\nb", "a\rb", "a\0b", "a\u{85}b", &"n".repeat(MAX_PRODUCT_NAME_CHARS + 1)] {
            assert_eq!(ProductName::parse(wrong), Err(ProductNameError), "{wrong:?}");
        }
    }
}
