//! The way in which a client carries the session of a login.

use std::fmt;

use auth_core::SessionKind;
use poem_openapi::Enum;

/// How the client keeps the login: the member `session` of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
pub(crate) enum SessionWay {
    /// One access token, which lasts as long as the session.
    #[default]
    Token,
    /// A short access token, and a refresh token for the next one.
    Refresh,
}

/// The word names no [`SessionWay`]. The text continues a sentence that begins with the name of the member.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownWay;

impl SessionWay {
    const ALL: [Self; 2] = [Self::Token, Self::Refresh];

    /// Parses the word that a client sends.
    ///
    /// # Errors
    ///
    /// The word names no way. Case matters.
    pub(crate) fn parse(word: &str) -> Result<Self, UnknownWay> {
        Self::ALL.into_iter().find(|way| way.as_str() == word).ok_or(UnknownWay)
    }

    /// Returns the kind of session that a login opens.
    pub(crate) fn kind(self) -> SessionKind {
        match self {
            Self::Token => SessionKind::Single,
            Self::Refresh => SessionKind::Renewable,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Refresh => "refresh",
        }
    }
}

impl fmt::Display for UnknownWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be one of: {}", SessionWay::ALL.map(SessionWay::as_str).join(", "))
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::ToJSON as _;

    use super::*;

    #[test]
    fn a_way_is_parsed_from_the_word_that_the_document_has() {
        for way in SessionWay::ALL {
            assert_eq!(SessionWay::parse(way.as_str()), Ok(way));
            assert_eq!(way.to_json().as_ref().and_then(|word| word.as_str()), Some(way.as_str()));
        }
        for unknown in ["", "Token", "REFRESH", " refresh", "basic"] {
            assert_eq!(SessionWay::parse(unknown), Err(UnknownWay), "{unknown}");
        }
        assert_eq!(UnknownWay.to_string(), "must be one of: token, refresh");
    }
}
