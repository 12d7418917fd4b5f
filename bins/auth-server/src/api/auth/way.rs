//! The way in which a client carries the session of a login.

use std::fmt;

use auth_core::{PasswordPolicy, SessionKind};
use auth_http::{ErrorAnswer, Fields, FromFields};
use poem::Request;
use poem_openapi::Enum;

use crate::http::cookie::Head;
use crate::http::error::ApiError;
use crate::http::state::State;

/// How the client keeps the login: the member `session` of a request. Default: `token`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
pub(crate) enum SessionWay {
    /// One access token, which lasts as long as the session.
    #[default]
    Token,
    /// A short access token, and a refresh token for the next one.
    Refresh,
    /// Both tokens in a cookie, which no script can read. For browsers.
    Cookie,
}

/// The word names no [`SessionWay`]. The text continues a sentence that begins with the name of the member.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownWay;

impl SessionWay {
    const ALL: [Self; 3] = [Self::Token, Self::Refresh, Self::Cookie];

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
            Self::Refresh | Self::Cookie => SessionKind::Renewable,
        }
    }

    /// Checks that a page of another origin did not ask for the cookie.
    ///
    /// # Errors
    ///
    /// [`Code::Csrf`](auth_http::Code::Csrf) if one did.
    pub(crate) fn check_page(self, request: &Request) -> Result<(), ApiError> {
        match self {
            Self::Token | Self::Refresh => Ok(()),
            Self::Cookie => Head::of(request).check_login(State::of(request)?),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Refresh => "refresh",
            Self::Cookie => "cookie",
        }
    }
}

/// A body that is answered like a login, with its member `session`.
pub(crate) struct WithWay<T> {
    pub(crate) body: T,
    pub(crate) way: SessionWay,
}

impl<T: FromFields> FromFields for WithWay<T> {
    fn from_fields(mut fields: Fields, policy: &PasswordPolicy) -> Result<Self, ErrorAnswer> {
        // If the word is wrong, the rest of the body is refused with that error too.
        let way = fields.parsed_or("session", SessionWay::default(), SessionWay::parse).unwrap_or_default();
        Ok(Self { body: T::from_fields(fields, policy)?, way })
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
        assert_eq!(UnknownWay.to_string(), "must be one of: token, refresh, cookie");
    }
}
