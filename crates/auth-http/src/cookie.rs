//! The cookie that carries a session in a browser (RFC 6265).
//!
//! One cookie holds the access token and the refresh token, with a `~` between them. So both change at once, and no answer of two can
//! be lost. A script of the page cannot read it (`HttpOnly`).

use std::fmt;
use std::time::Duration;

use auth_core::personal::PersonalTokenSecret;
use auth_core::{AccessToken, RefreshToken};

use crate::refusal::{Refusal, RefusalKind};

/// Longest name and value of a cookie, in bytes. Browsers store no longer one (RFC 6265 §6.1).
const MAX_BYTES: usize = 4096;

/// Separates the two tokens. It occurs in no refresh token.
const SEPARATOR: char = '~';

/// Name and attributes of the cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionCookie {
    /// `__Host-auth`, with the attribute `Secure`. Because of the prefix a browser takes the cookie from the host itself over TLS only,
    /// never from a subdomain or over plain HTTP.
    Secure,
    /// `auth`, for development over plain HTTP. Every page on the host, at any port, can set it.
    Plain,
}

/// The two tokens in the cookie of a request. Only their form has been checked.
pub struct CookieTokens<'h> {
    /// The access token.
    pub unverified_access: &'h str,
    /// The refresh token.
    pub unverified_refresh: RefreshToken,
}

impl SessionCookie {
    /// Returns the name of the cookie. It is compared exactly.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Secure => "__Host-auth",
            Self::Plain => "auth",
        }
    }

    fn attributes(self) -> &'static str {
        match self {
            Self::Secure => "Path=/; Secure; HttpOnly; SameSite=Lax",
            Self::Plain => "Path=/; HttpOnly; SameSite=Lax",
        }
    }

    /// Reads the tokens from the values of a request's `Cookie` headers. HTTP/2 may have several (RFC 9113 §8.2.3).
    ///
    /// # Errors
    ///
    /// [`RefusalKind::TokenMissing`] without the cookie, and [`RefusalKind::TokenInvalid`] if there are two of it, or if it is too
    /// long or malformed.
    pub fn read<'h>(self, cookie: impl IntoIterator<Item = &'h [u8]>) -> Result<CookieTokens<'h>, RefusalKind> {
        let pairs = cookie.into_iter().flat_map(|header| header.split(|byte| *byte == b';'));
        let mut values = pairs.filter_map(|pair| self.value_in(pair));
        let value = match (values.next(), values.next()) {
            (None, _) => return Err(RefusalKind::TokenMissing),
            (Some(value), None) => value,
            // Which of the two the server set is not known.
            (Some(_), Some(_)) => return Err(RefusalKind::TokenInvalid),
        };
        self.tokens_in(value).ok_or(RefusalKind::TokenInvalid)
    }

    fn value_in(self, pair: &[u8]) -> Option<&[u8]> {
        pair.trim_ascii().strip_prefix(self.name().as_bytes())?.trim_ascii_start().strip_prefix(b"=")
    }

    fn tokens_in(self, value: &[u8]) -> Option<CookieTokens<'_>> {
        if self.name().len() + value.len() > MAX_BYTES || !value.iter().all(|byte| is_cookie_octet(*byte)) {
            return None;
        }
        let (access, refresh) = str::from_utf8(value).ok()?.rsplit_once(SEPARATOR)?;
        // A program sends a personal access token in a header. No server set a cookie with one.
        if PersonalTokenSecret::has_prefix(access) {
            return None;
        }
        let unverified_refresh = RefreshToken::parse(refresh).ok()?;
        Some(CookieTokens { unverified_access: access, unverified_refresh })
    }

    /// Returns the `Set-Cookie` that gives the tokens to a browser for `max_age`. It is a secret.
    ///
    /// # Errors
    ///
    /// [`RefusalKind::Internal`] if the access token is too long for a cookie, or has characters that a cookie cannot hold.
    pub fn set(self, access: &AccessToken, refresh: &RefreshToken, max_age: Duration) -> Result<String, Refusal> {
        let (name, attributes, seconds) = (self.name(), self.attributes(), max_age.as_secs());
        let access = access.expose_token();
        refresh.expose_text(|refresh| {
            let length = name.len() + access.len() + SEPARATOR.len_utf8() + refresh.len();
            if length > MAX_BYTES || !access.bytes().all(is_cookie_octet) {
                return Err(Refusal::internal("the access token does not fit into a cookie"));
            }
            Ok(format!("{name}={access}{SEPARATOR}{refresh}; {attributes}; Max-Age={seconds}"))
        })
    }

    /// Returns the `Set-Cookie` that removes the cookie from a browser.
    #[must_use]
    pub fn clear(self) -> String {
        format!("{}=; {}; Max-Age=0", self.name(), self.attributes())
    }
}

/// Returns whether a value of a cookie may have the byte (RFC 6265 §4.1.1).
fn is_cookie_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

impl fmt::Debug for CookieTokens<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieTokens(<redacted>)")
    }
}

#[cfg(test)]
mod tests {
    use auth_core::SessionId;
    use proptest::prelude::*;

    use super::*;

    const ACCESS: &str = "aa.bb-_.cc";

    fn refresh() -> RefreshToken {
        RefreshToken::first(SessionId::generate().unwrap()).unwrap()
    }

    fn value(refresh: &RefreshToken) -> String {
        refresh.expose_text(|text| format!("{ACCESS}~{text}"))
    }

    fn read(cookie: SessionCookie, headers: &[&str]) -> Result<(String, RefreshToken), RefusalKind> {
        let tokens = cookie.read(headers.iter().map(|header| header.as_bytes()))?;
        Ok((tokens.unverified_access.to_owned(), tokens.unverified_refresh))
    }

    #[test]
    fn a_cookie_carries_no_personal_token() {
        let personal = PersonalTokenSecret::generate().unwrap().expose_text(str::to_owned);
        for (access, expected) in [(ACCESS, true), (&personal, false), ("rap_", false)] {
            let pair = refresh().expose_text(|text| format!("auth={access}~{text}"));
            assert_eq!(read(SessionCookie::Plain, &[&pair]).is_ok(), expected, "{access}");
        }
    }

    #[test]
    fn what_is_set_is_read_again() {
        for cookie in [SessionCookie::Secure, SessionCookie::Plain] {
            let refresh = refresh();
            let set = cookie.set(&AccessToken::new(ACCESS.into()), &refresh, Duration::from_secs(60)).unwrap();
            let (pair, attributes) = set.split_once("; ").unwrap();
            assert_eq!(read(cookie, &[pair]), Ok((ACCESS.into(), refresh)));
            let expected = match cookie {
                SessionCookie::Secure => "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60",
                SessionCookie::Plain => "Path=/; HttpOnly; SameSite=Lax; Max-Age=60",
            };
            assert_eq!(attributes, expected);
            let cleared = cookie.clear();
            let (pair, attributes) = cleared.split_once("; ").unwrap();
            assert_eq!((pair, attributes), (&*format!("{}=", cookie.name()), &*expected.replace("=60", "=0")));
            assert_eq!(read(cookie, &[pair]), Err(RefusalKind::TokenInvalid));
        }
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let refresh = refresh();
        let ours = format!("__Host-auth={}", value(&refresh));
        for headers in [
            &[&*format!("a=1; {ours}; b=\"2\"")][..],
            &["a=1", &*ours, "b=2"],
            &[&*format!("{ours};")],
            &[&*format!("auth=x;{ours}")],
            &[&*format!("__host-auth=x;__Host-auth2=x; x__Host-auth=x; {ours}")],
        ] {
            assert_eq!(read(SessionCookie::Secure, headers), Ok((ACCESS.into(), refresh.clone())), "{headers:?}");
        }
    }

    #[test]
    fn the_name_is_exact() {
        let value = value(&refresh());
        for name in ["auth", "__Host-Auth", "__host-auth", "__Secure-auth", "__Host-auth ~", "a__Host-auth", ""] {
            assert_eq!(
                read(SessionCookie::Secure, &[&format!("{name}={value}")]),
                Err(RefusalKind::TokenMissing),
                "{name}"
            );
        }
        assert_eq!(read(SessionCookie::Plain, &[&format!("__Host-auth={value}")]), Err(RefusalKind::TokenMissing));
        assert_eq!(read(SessionCookie::Secure, &[]), Err(RefusalKind::TokenMissing));
        assert_eq!(read(SessionCookie::Secure, &["", ";", "__Host-auth"]), Err(RefusalKind::TokenMissing));
    }

    #[test]
    fn two_cookies_or_a_malformed_one_are_an_invalid_token() {
        let good = format!("__Host-auth={}", value(&refresh()));
        let long = refresh().expose_text(|text| format!("__Host-auth={}~{text}", "a".repeat(4100)));
        let refused = |headers: &[&str]| {
            assert_eq!(read(SessionCookie::Secure, headers), Err(RefusalKind::TokenInvalid), "{headers:?}");
        };
        refused(&[&format!("{good}; {good}")]);
        refused(&[&good, &good]);
        refused(&[&good, "__Host-auth="]);
        refused(&["__Host-auth = x", &good]);
        refused(&[&long]);
        for bad in [
            "__Host-auth=",
            "__Host-auth=~",
            "__Host-auth=a.b.c",
            "__Host-auth=a.b.c~",
            "__Host-auth=a.b.c~rar_x",
            &good.replace('~', "%7E"),
            &good.replace("aa.", "a a."),
            &good.replace("aa.", "\"aa."),
            &good.replace("aa.", "ää."),
        ] {
            refused(&[bad]);
        }
    }

    #[test]
    fn a_token_that_no_cookie_can_hold_is_not_set() {
        for access in ["a;b".to_owned(), "a b".to_owned(), "ä".to_owned(), "a".repeat(4000)] {
            let set = SessionCookie::Secure.set(&AccessToken::new(access), &refresh(), Duration::from_secs(1));
            assert_eq!(set.unwrap_err().kind(), RefusalKind::Internal);
        }
    }

    #[test]
    fn debug_shows_no_token() {
        let header = format!("auth={}", value(&refresh()));
        let tokens = SessionCookie::Plain.read([header.as_bytes()]).unwrap();
        assert_eq!(format!("{tokens:?}"), "CookieTokens(<redacted>)");
    }

    proptest! {
        #[test]
        fn no_header_makes_the_reader_panic(headers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..4)) {
            let _ = SessionCookie::Plain.read(headers.iter().map(Vec::as_slice));
        }

        #[test]
        fn other_cookies_change_nothing(before in "([a-z]{1,9}=[ -:<-~]{0,20}; ?){0,3}", after in "(; ?[a-z]{1,9}=[ -:<-~]{0,20}){0,3}") {
            let refresh = refresh();
            let header = format!("{before}__Host-auth={}{after}", value(&refresh));
            prop_assert_eq!(read(SessionCookie::Secure, &[&header]), Ok((ACCESS.to_owned(), refresh)));
        }
    }
}
