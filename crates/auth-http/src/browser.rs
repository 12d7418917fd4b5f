//! Which page of a browser sent a request, and whether that page may act for the user.
//!
//! A browser sends cookies along with requests of any page. So a cookie alone proves nothing of the page (CSRF). The browser itself
//! names the page in `Origin` (RFC 6454 §7) and `Sec-Fetch-Site`, which no script can set, and a page of ours knows the CSRF
//! token of its session.

use crate::cookie::{CookieTokens, SessionCookie};
use crate::origin::{AllowedOrigins, Origin};
use crate::refusal::RefusalKind;

/// Name of the header with the CSRF token.
pub const CSRF_HEADER: &str = "X-CSRF-Token";

/// A header of a request that may occur once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Field<'h> {
    #[default]
    Absent,
    Once(&'h [u8]),
    Repeated,
}

impl<'h> Field<'h> {
    fn of(values: impl IntoIterator<Item = &'h [u8]>) -> Self {
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (None, _) => Self::Absent,
            (Some(value), None) => Self::Once(value),
            (Some(_), Some(_)) => Self::Repeated,
        }
    }
}

/// The parts of a request that tell which page sent it.
#[derive(Debug, Clone, Copy, Default)]
pub struct BrowserRequest<'h> {
    host: Field<'h>,
    origin: Field<'h>,
    fetch_site: Field<'h>,
    csrf_token: Field<'h>,
}

impl<'h> BrowserRequest<'h> {
    /// Reads a request. `values` returns the values of the headers of a name, and `authority` is that of the request's URI, which HTTP/2
    /// has in place of `Host`.
    pub fn read<I>(authority: Option<&'h str>, values: impl Fn(&'static str) -> I) -> Self
    where
        I: IntoIterator<Item = &'h [u8]>,
    {
        let host = match Field::of(values("host")) {
            Field::Absent => Field::of(authority.map(str::as_bytes)),
            host => host,
        };
        Self {
            host,
            origin: Field::of(values("origin")),
            fetch_site: Field::of(values("sec-fetch-site")),
            csrf_token: Field::of(values("x-csrf-token")),
        }
    }
}

/// Sender of a request, as far as the request tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    /// A page of the same origin, or of an allowed one.
    Trusted,
    /// Another page, or one that does not tell its origin.
    Untrusted,
    /// No page: a program other than a browser, or the user's own hand in the address bar.
    NoPage,
}

/// Authentication of browsers by a cookie: which cookie, and whose pages may use it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CookieAuth {
    cookie: SessionCookie,
    allowed: AllowedOrigins,
}

impl CookieAuth {
    /// Accepts `cookie` from pages of the same origin and of `allowed` ones. With [`SessionCookie::Secure`] a page of the same host counts
    /// as the same origin only if it is [trustworthy](Origin::is_trustworthy).
    #[must_use]
    pub fn new(cookie: SessionCookie, allowed: AllowedOrigins) -> Self {
        Self { cookie, allowed }
    }

    /// Returns the cookie.
    #[must_use]
    pub fn cookie(&self) -> SessionCookie {
        self.cookie
    }

    /// Returns the origins besides its own whose pages may use the API.
    #[must_use]
    pub fn allowed(&self) -> &AllowedOrigins {
        &self.allowed
    }

    /// Checks that a request with this method and with `tokens` in its cookie was sent by a page that may act for the user. A method that
    /// changes nothing (RFC 9110 §9.2.1) is always allowed, because its answer is readable by such pages only.
    ///
    /// # Errors
    ///
    /// [`RefusalKind::Csrf`] if the page is another one, or the CSRF token is missing or wrong.
    pub fn check(
        &self,
        method: &str,
        request: &BrowserRequest<'_>,
        tokens: &CookieTokens<'_>,
    ) -> Result<(), RefusalKind> {
        if is_safe(method) {
            return Ok(());
        }
        let Field::Once(csrf_token) = request.csrf_token else { return Err(RefusalKind::Csrf) };
        let is_right = tokens.unverified_refresh.csrf_token().is(csrf_token);
        if is_right && self.sender(request) == Sender::Trusted { Ok(()) } else { Err(RefusalKind::Csrf) }
    }

    /// Checks that a request that sets the cookie was not sent by another page, which could log the user in as somebody else (login
    /// CSRF). A program other than a browser may log in.
    ///
    /// # Errors
    ///
    /// [`RefusalKind::Csrf`] if the page is another one.
    pub fn check_login(&self, request: &BrowserRequest<'_>) -> Result<(), RefusalKind> {
        match self.sender(request) {
            Sender::Trusted | Sender::NoPage => Ok(()),
            Sender::Untrusted => Err(RefusalKind::Csrf),
        }
    }

    fn sender(&self, request: &BrowserRequest<'_>) -> Sender {
        let origin = match request.origin {
            Field::Absent => None,
            // `null` is the origin of a page that has none or hides it.
            Field::Once(text) => match str::from_utf8(text).ok().and_then(|text| Origin::parse(text).ok()) {
                Some(origin) => Some(origin),
                None => return Sender::Untrusted,
            },
            Field::Repeated => return Sender::Untrusted,
        };
        if origin.as_ref().is_some_and(|origin| self.allowed.contains(origin)) {
            return Sender::Trusted;
        }
        match (request.fetch_site, origin) {
            // The browser has compared the whole origin, also where a proxy changes `Host`.
            (Field::Once(b"same-origin"), _) => Sender::Trusted,
            (Field::Absent, Some(origin)) if self.is_own(&origin, request.host) => Sender::Trusted,
            (Field::Absent | Field::Once(b"none"), None) => Sender::NoPage,
            _ => Sender::Untrusted,
        }
    }

    fn is_own(&self, origin: &Origin, host: Field<'_>) -> bool {
        let Field::Once(host) = host else { return false };
        origin.is_at(host) && (self.cookie == SessionCookie::Plain || origin.is_trustworthy())
    }
}

/// Returns whether a method changes nothing. Methods are case-sensitive (RFC 9110 §9.1).
fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

#[cfg(test)]
mod tests {
    use auth_core::{RefreshToken, SessionId};
    use proptest::prelude::*;

    use super::*;

    const HOST: (&str, &str) = ("host", "auth.example");
    const OWN: (&str, &str) = ("origin", "https://auth.example");
    const ALLOWED: (&str, &str) = ("origin", "https://app.example:8443");
    const FOREIGN: (&str, &str) = ("origin", "https://evil.example");
    const SAME_ORIGIN: (&str, &str) = ("sec-fetch-site", "same-origin");
    const SAME_SITE: (&str, &str) = ("sec-fetch-site", "same-site");
    const CROSS_SITE: (&str, &str) = ("sec-fetch-site", "cross-site");
    const NO_SITE: (&str, &str) = ("sec-fetch-site", "none");

    fn auth(cookie: SessionCookie) -> CookieAuth {
        CookieAuth::new(cookie, [Origin::parse(ALLOWED.1).unwrap()].into_iter().collect())
    }

    fn request<'h>(authority: Option<&'h str>, headers: &[(&'h str, &'h str)]) -> BrowserRequest<'h> {
        BrowserRequest::read(authority, |name| {
            let named = headers.iter().filter(|(known, _)| *known == name);
            named.map(|(_, value)| value.as_bytes()).collect::<Vec<_>>()
        })
    }

    fn sender(headers: &[(&str, &str)]) -> Sender {
        auth(SessionCookie::Secure).sender(&request(None, &[&[HOST], headers].concat()))
    }

    fn tokens(text: &RefreshToken) -> CookieTokens<'static> {
        CookieTokens { unverified_access: "a.b.c", unverified_refresh: text.clone() }
    }

    #[test]
    fn pages_of_the_same_origin_and_of_allowed_ones_are_trusted() {
        for headers in [
            &[OWN][..],
            &[OWN, SAME_ORIGIN],
            &[SAME_ORIGIN],
            &[ALLOWED],
            &[ALLOWED, SAME_SITE],
            &[ALLOWED, CROSS_SITE],
            // A proxy has changed `Host`.
            &[("origin", "https://public.example"), SAME_ORIGIN],
        ] {
            assert_eq!(sender(headers), Sender::Trusted, "{headers:?}");
        }
    }

    #[test]
    fn other_pages_are_not_trusted() {
        for headers in [
            &[FOREIGN][..],
            &[FOREIGN, SAME_SITE],
            &[FOREIGN, NO_SITE],
            &[OWN, CROSS_SITE],
            &[OWN, SAME_SITE],
            &[OWN, NO_SITE],
            &[SAME_SITE],
            &[CROSS_SITE],
            &[("sec-fetch-site", "")],
            &[("sec-fetch-site", "Same-Origin")],
            &[SAME_ORIGIN, CROSS_SITE],
            &[("origin", "null")],
            &[("origin", "null"), SAME_ORIGIN],
            &[("origin", "")],
            &[("origin", "https://auth.example/")],
            &[("origin", "https://auth.example:444")],
            &[("origin", "http://app.example:8443")],
            &[OWN, OWN],
            &[OWN, FOREIGN],
        ] {
            assert_eq!(sender(headers), Sender::Untrusted, "{headers:?}");
        }
    }

    #[test]
    fn a_program_tells_no_page() {
        assert_eq!(sender(&[]), Sender::NoPage);
        assert_eq!(sender(&[NO_SITE]), Sender::NoPage);
    }

    #[test]
    fn a_page_over_plain_http_is_of_the_same_origin_only_in_development() {
        let headers = [HOST, ("origin", "http://auth.example")];
        assert_eq!(auth(SessionCookie::Secure).sender(&request(None, &headers)), Sender::Untrusted);
        assert_eq!(auth(SessionCookie::Plain).sender(&request(None, &headers)), Sender::Trusted);
    }

    #[test]
    fn the_authority_of_http_2_is_the_host_and_two_hosts_are_none() {
        let auth = auth(SessionCookie::Secure);
        assert_eq!(auth.sender(&request(Some("auth.example"), &[OWN])), Sender::Trusted);
        assert_eq!(auth.sender(&request(None, &[OWN])), Sender::Untrusted);
        assert_eq!(auth.sender(&request(None, &[HOST, HOST, OWN])), Sender::Untrusted);
    }

    #[test]
    fn a_change_needs_a_trusted_page_and_the_csrf_token() {
        let auth = auth(SessionCookie::Secure);
        let token = RefreshToken::first(SessionId::generate().unwrap()).unwrap();
        let other = RefreshToken::first(SessionId::generate().unwrap()).unwrap();
        let (right, wrong) = (token.csrf_token().expose_text(), other.csrf_token().expose_text());
        let check = |method: &str, headers: &[(&str, &str)]| {
            auth.check(method, &request(None, &[&[HOST], headers].concat()), &tokens(&token))
        };
        let right = ("x-csrf-token", right.as_str());
        for method in ["POST", "PUT", "PATCH", "DELETE", "get", "BREW"] {
            assert_eq!(check(method, &[OWN, right]), Ok(()), "{method}");
            for headers in [
                &[OWN][..],
                &[OWN, ("x-csrf-token", "")],
                &[OWN, ("x-csrf-token", wrong.as_str())],
                &[OWN, right, right],
                &[right],
                &[NO_SITE, right],
                &[FOREIGN, right],
                &[("origin", "null"), right],
            ] {
                assert_eq!(check(method, headers), Err(RefusalKind::Csrf), "{method} {headers:?}");
            }
        }
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert_eq!(check(method, &[FOREIGN]), Ok(()), "{method}");
        }
    }

    #[test]
    fn another_page_cannot_log_in() {
        let auth = auth(SessionCookie::Secure);
        let check = |headers: &[(&str, &str)]| auth.check_login(&request(None, &[&[HOST], headers].concat()));
        for headers in [&[][..], &[NO_SITE], &[OWN], &[ALLOWED, CROSS_SITE], &[SAME_ORIGIN]] {
            assert_eq!(check(headers), Ok(()), "{headers:?}");
        }
        for headers in [&[FOREIGN][..], &[("origin", "null")], &[CROSS_SITE], &[SAME_SITE], &[OWN, CROSS_SITE]] {
            assert_eq!(check(headers), Err(RefusalKind::Csrf), "{headers:?}");
        }
    }

    proptest! {
        #[test]
        fn only_the_browser_itself_and_the_list_make_a_page_trusted(
            origin in prop::option::of("(https?://)?([a-z]{1,6}\\.)?(auth|app|evil)\\.example(:[0-9]{1,4})?|null"),
            site in prop::option::of("same-site|cross-site|none|[a-z-]{0,12}"),
        ) {
            prop_assume!(site.as_deref() != Some("same-origin"));
            let mut headers = vec![HOST];
            headers.extend(origin.as_deref().map(|origin| ("origin", origin)));
            headers.extend(site.as_deref().map(|site| ("sec-fetch-site", site)));
            let own = origin.as_deref() == Some(OWN.1) && site.is_none();
            let trusted = own || origin.as_deref() == Some(ALLOWED.1);
            prop_assert_eq!(sender(&headers[1..]) == Sender::Trusted, trusted, "{:?}", headers);
        }
    }
}
