//! The URL below which the pages are that letters link to.

use std::fmt;
use std::str::FromStr;

use auth_core::letters::LetterKind;
use auth_core::recovery::OneTimeToken;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Host, Url};

/// URL below which the pages are that letters link to, such as `https://auth.example/account`.
///
/// It comes from the configuration and never from a request: whoever chooses the header `Host` must not choose where a secret goes.
///
/// Invariants: scheme `https`, or `http` with a host that is this machine; no user, password, query or fragment; no slash at the end.
///
/// | kind of letter | link |
/// |---|---|
/// | [`VerifyEmail`](LetterKind::VerifyEmail) | `BASE/verify-email?token=…` |
/// | [`ResetPassword`](LetterKind::ResetPassword) | `BASE/reset-password?token=…` |
/// | [`ChangeEmail`](LetterKind::ChangeEmail) | `BASE/change-email?token=…` |
/// | [`EmailChanged`](LetterKind::EmailChanged) | `BASE/undo-email-change?token=…` |
///
/// ```
/// use auth_mail::LinkBase;
///
/// let base = LinkBase::parse("https://auth.example")?.join("account");
/// assert_eq!((base.as_str(), base.host()), ("https://auth.example/account", "auth.example"));
/// assert!(LinkBase::parse("http://auth.example").is_err());
/// assert!(LinkBase::parse("http://127.0.0.1:5000").is_ok());
/// # Ok::<(), auth_mail::LinkBaseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkBase {
    url: String,
    host: String,
}

/// Reason that a text is not the base of links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkBaseError {
    /// The text is no URL with a host.
    #[error("is no URL such as https://auth.example")]
    Url,
    /// The scheme is neither `https` nor, for this machine, `http`.
    #[error("must begin with https:// (http:// is accepted for localhost, 127.0.0.1 and [::1] only)")]
    Scheme,
    /// The URL has a user, a password, a query or a fragment.
    #[error("must have no user, no password, no query and no fragment")]
    Extra,
}

impl LinkBase {
    /// Parses the base of links. Slashes at its end are dropped.
    ///
    /// # Errors
    ///
    /// When the text is no URL, has another scheme, or has parts besides scheme, host, port and path.
    pub fn parse(text: &str) -> Result<Self, LinkBaseError> {
        let url = Url::parse(text.trim()).map_err(|_| LinkBaseError::Url)?;
        let is_here = match url.host().ok_or(LinkBaseError::Url)? {
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_here) {
            return Err(LinkBaseError::Scheme);
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.query().is_some() || url.fragment().is_some() {
            return Err(LinkBaseError::Extra);
        }
        let host = url.host_str().ok_or(LinkBaseError::Url)?.to_owned();
        Ok(Self { url: url.as_str().trim_end_matches('/').to_owned(), host })
    }

    /// Returns the base one step below this one. Slashes around the step are dropped, and its other characters are percent-encoded.
    #[must_use]
    pub fn join(&self, step: &str) -> Self {
        let step = utf8_percent_encode(step.trim_matches('/'), UNRESERVED);
        Self { url: format!("{}/{step}", self.url), host: self.host.clone() }
    }

    /// Returns the URL, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Returns the host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the link for a letter of this kind, or `None` for a kind that has no link.
    #[must_use]
    pub fn link(&self, kind: LetterKind, token: &OneTimeToken) -> Option<String> {
        let page = page_of(kind)?;
        Some(token.expose_text(|text| self.link_with(page, text)))
    }

    pub(crate) fn link_with(&self, page: &str, token: &str) -> String {
        format!("{}/{page}?token={}", self.url, utf8_percent_encode(token, UNRESERVED))
    }
}

/// Characters that are encoded: all but the unreserved ones (RFC 3986 §2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Returns the page that letters of this kind link to.
pub(crate) fn page_of(kind: LetterKind) -> Option<&'static str> {
    match kind {
        LetterKind::VerifyEmail => Some("verify-email"),
        LetterKind::ResetPassword => Some("reset-password"),
        LetterKind::ChangeEmail => Some("change-email"),
        LetterKind::EmailChanged => Some("undo-email-change"),
        _ => None,
    }
}

impl FromStr for LinkBase {
    type Err = LinkBaseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for LinkBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_https_or_on_this_machine() {
        for (text, url, host) in [
            ("https://auth.example", "https://auth.example", "auth.example"),
            ("https://Auth.Example:8443/a/b//", "https://auth.example:8443/a/b", "auth.example"),
            ("https://bücher.example/", "https://xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("http://localhost:5000", "http://localhost:5000", "localhost"),
            ("http://app.localhost", "http://app.localhost", "app.localhost"),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000", "127.0.0.1"),
            ("http://[::1]:5000", "http://[::1]:5000", "[::1]"),
        ] {
            let base = LinkBase::parse(text).unwrap();
            assert_eq!((base.as_str(), base.host()), (url, host), "{text}");
        }
        for (text, error) in [
            ("", LinkBaseError::Url),
            ("auth.example", LinkBaseError::Url),
            ("mailto:ada@example.org", LinkBaseError::Url),
            ("http://auth.example", LinkBaseError::Scheme),
            ("http://localhost.example", LinkBaseError::Scheme),
            ("http://notlocalhost", LinkBaseError::Scheme),
            ("ftp://localhost", LinkBaseError::Scheme),
            ("https://ada@auth.example", LinkBaseError::Extra),
            ("https://:secret@auth.example", LinkBaseError::Extra),
            ("https://auth.example?a=b", LinkBaseError::Extra),
            ("https://auth.example/#a", LinkBaseError::Extra),
        ] {
            assert_eq!(LinkBase::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_link_has_the_page_and_the_token() {
        let base = LinkBase::parse("https://auth.example/").unwrap().join("/account/");
        let token = OneTimeToken::generate().unwrap();
        let text = token.expose_text(str::to_owned);
        for (kind, page) in [
            (LetterKind::VerifyEmail, Some("verify-email")),
            (LetterKind::ResetPassword, Some("reset-password")),
            (LetterKind::ChangeEmail, Some("change-email")),
            (LetterKind::EmailChanged, Some("undo-email-change")),
            (LetterKind::PasswordChanged, None),
            (LetterKind::EmailInUse, None),
        ] {
            let link = page.map(|page| format!("https://auth.example/account/{page}?token={text}"));
            assert_eq!(base.link(kind, &token), link);
        }
    }

    #[test]
    fn what_would_end_a_parameter_is_encoded() {
        let base = LinkBase::parse("https://auth.example").unwrap();
        assert_eq!(base.link_with("p", "a&b#c d+é-_.~"), "https://auth.example/p?token=a%26b%23c%20d%2B%C3%A9-_.~");
        assert_eq!(base.join("a b/../?c").as_str(), "https://auth.example/a%20b%2F..%2F%3Fc");
    }
}
