//! Authentication by a cookie: the check that the page which sent a request may act for the user.
//!
//! A browser sends cookies along with requests of any page. So a cookie alone proves nothing of the page (CSRF). The browser itself
//! names the page in `Origin` (RFC 6454 §7) and `Sec-Fetch-Site`, which no script can set, and a page of ours knows the CSRF
//! token of its session.

use crate::cookie::{CookieTokens, SessionCookie};
use crate::origin::{AllowedOrigins, Origin};
use crate::refusal::RefusalKind;
use crate::request::RequestHead;

/// A header of a request that may occur once.
#[derive(Debug, Clone, Copy)]
enum Field<'h> {
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

    /// Returns the tokens in the cookie of a request that a page sent which may act for the user.
    ///
    /// A request whose method changes nothing (RFC 9110 §9.2.1) may come from every page, because only such a page can read the answer.
    /// A gateway that asks about a request may name its method in `X-Forwarded-Method`. That method counts as well. A client that sends
    /// this header itself only makes the check stricter.
    ///
    /// # Errors
    ///
    /// Those of [`SessionCookie::read`]. [`RefusalKind::Csrf`] if the page is another one, or the CSRF token in `X-CSRF-Token` is missing
    /// or wrong.
    pub fn tokens<'h>(&self, request: &'h impl RequestHead) -> Result<CookieTokens<'h>, RefusalKind> {
        let tokens = self.cookie.read(request.values("cookie"))?;
        let forwarded_safely = || request.values("x-forwarded-method").all(is_safe);
        if (is_safe(request.method().as_bytes()) && forwarded_safely()) || self.may_act(request, &tokens) {
            Ok(tokens)
        } else {
            Err(RefusalKind::Csrf)
        }
    }

    /// Checks that a request that sets the cookie was not sent by another page, which could log the user in as somebody else (login
    /// CSRF). A program other than a browser may log in.
    ///
    /// # Errors
    ///
    /// [`RefusalKind::Csrf`] if the page is another one.
    pub fn check_login(&self, request: &impl RequestHead) -> Result<(), RefusalKind> {
        match self.sender(request) {
            Sender::Trusted | Sender::NoPage => Ok(()),
            Sender::Untrusted => Err(RefusalKind::Csrf),
        }
    }

    fn may_act(&self, request: &impl RequestHead, tokens: &CookieTokens<'_>) -> bool {
        let Field::Once(csrf_token) = Field::of(request.values("x-csrf-token")) else { return false };
        tokens.unverified_refresh.csrf_token().is(csrf_token) && self.sender(request) == Sender::Trusted
    }

    fn sender(&self, request: &impl RequestHead) -> Sender {
        let origin = match Field::of(request.values("origin")) {
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
        match (Field::of(request.values("sec-fetch-site")), origin) {
            // The browser has compared the whole origin, also where a proxy changes `Host`.
            (Field::Once(b"same-origin"), _) => Sender::Trusted,
            (Field::Absent, Some(origin)) if self.is_own(&origin, request) => Sender::Trusted,
            (Field::Absent | Field::Once(b"none"), None) => Sender::NoPage,
            _ => Sender::Untrusted,
        }
    }

    fn is_own(&self, origin: &Origin, request: &impl RequestHead) -> bool {
        let host = match Field::of(request.values("host")) {
            Field::Absent => request.authority().map(str::as_bytes),
            Field::Once(host) => Some(host),
            Field::Repeated => None,
        };
        let Some(host) = host else { return false };
        origin.is_at(host) && (self.cookie == SessionCookie::Plain || origin.is_trustworthy())
    }
}

/// Returns whether a method changes nothing. Methods are case-sensitive (RFC 9110 §9.1).
fn is_safe(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS")
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

    struct Head<'h> {
        method: &'h str,
        authority: Option<&'h str>,
        headers: &'h [(&'h str, &'h str)],
    }

    impl RequestHead for Head<'_> {
        fn method(&self) -> &str {
            self.method
        }

        fn authority(&self) -> Option<&str> {
            self.authority
        }

        fn authorization(&self) -> impl Iterator<Item = &[u8]> {
            self.values("authorization")
        }

        fn values(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
            self.headers.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_bytes())
        }
    }

    fn request<'h>(authority: Option<&'h str>, headers: &'h [(&'h str, &'h str)]) -> Head<'h> {
        Head { method: "POST", authority, headers }
    }

    fn sender(headers: &[(&str, &str)]) -> Sender {
        auth(SessionCookie::Secure).sender(&request(None, &[&[HOST], headers].concat()))
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
        let cookie = format!("__Host-auth=a.b.c~{}", token.expose_text(str::to_owned));
        let check = |method: &str, headers: &[(&str, &str)]| {
            let headers = [&[HOST, ("cookie", &cookie)], headers].concat();
            auth.tokens(&Head { method, authority: None, headers: &headers }).map(|tokens| tokens.unverified_refresh)
        };
        let right = ("x-csrf-token", right.as_str());
        for method in ["POST", "PUT", "PATCH", "DELETE", "get", "BREW"] {
            assert_eq!(check(method, &[OWN, right]), Ok(token.clone()), "{method}");
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
            assert_eq!(check(method, &[FOREIGN]), Ok(token.clone()), "{method}");
            let forwarded = |method| ("x-forwarded-method", method);
            assert_eq!(check(method, &[FOREIGN, forwarded("HEAD")]), Ok(token.clone()), "{method}");
            assert_eq!(check(method, &[FOREIGN, forwarded("POST")]), Err(RefusalKind::Csrf), "{method}");
            assert_eq!(check(method, &[FOREIGN, forwarded("GET"), forwarded("PUT")]), Err(RefusalKind::Csrf));
            assert_eq!(check(method, &[OWN, right, forwarded("POST")]), Ok(token.clone()), "{method}");
        }
        assert_eq!(check("POST", &[FOREIGN, right, ("x-forwarded-method", "GET")]), Err(RefusalKind::Csrf));
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
