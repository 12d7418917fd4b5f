//! Names of clients.

use std::fmt;
use std::str::FromStr;

/// Maximum length of the name of a client, in characters.
pub const MAX_CLIENT_NAME_CHARS: usize = 64;

/// Name of a client, for people: 1 to 64 characters without control characters, and without blanks at either end.
///
/// ```
/// use auth_core::clients::ClientName;
///
/// assert_eq!("Nightly report".parse::<ClientName>()?.as_str(), "Nightly report");
/// assert!(" ".parse::<ClientName>().is_err());
/// # Ok::<(), auth_core::clients::ClientNameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientName(Box<str>);

/// The text cannot be the name of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {MAX_CLIENT_NAME_CHARS} characters, no control characters, and no blank at either end")]
pub struct ClientNameError;

impl ClientName {
    /// Returns the name as a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientName {
    type Err = ClientNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length_fits = (1..=MAX_CLIENT_NAME_CHARS).contains(&text.chars().count());
        let is_name = length_fits && text.trim() == text && !text.chars().any(char::is_control);
        if is_name { Ok(Self(text.into())) } else { Err(ClientNameError) }
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_rules() {
        for good in ["a", "Nightly report", "보고서", &"ä".repeat(MAX_CLIENT_NAME_CHARS)] {
            assert!(good.parse::<ClientName>().is_ok(), "{good}");
        }
        for bad in ["", " ", " a", "a ", "a\tb", "a\u{7}", &"a".repeat(MAX_CLIENT_NAME_CHARS + 1)] {
            assert_eq!(bad.parse::<ClientName>(), Err(ClientNameError), "{bad:?}");
        }
    }
}
