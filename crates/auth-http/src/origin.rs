//! Origins of web pages (RFC 6454), as a browser writes them in the header `Origin`.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// An origin: a scheme, a host and, where it is not the default, a port. It has one spelling, that of browsers (RFC 6454 §6.2), so that
/// origins are compared byte by byte.
///
/// ```
/// use auth_http::Origin;
///
/// assert_eq!(Origin::parse("https://app.example.com")?.to_string(), "https://app.example.com");
/// assert!(Origin::parse("https://app.example.com/").is_err());
/// assert!(Origin::parse("https://APP.example.com").is_err());
/// assert!(Origin::parse("*").is_err());
/// # Ok::<(), auth_http::InvalidOrigin>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    /// Host and port.
    authority: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn split(text: &str) -> Option<(Self, &str)> {
        let http = || Some((Self::Http, text.strip_prefix("http://")?));
        text.strip_prefix("https://").map(|rest| (Self::Https, rest)).or_else(http)
    }

    fn default_port(self) -> &'static str {
        match self {
            Self::Http => "80",
            Self::Https => "443",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Http => "http://",
            Self::Https => "https://",
        }
    }
}

/// The rule that a text breaks which is no origin, as the end of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidOrigin(&'static str);

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidOrigin {}

impl Origin {
    /// Parses an origin as browsers write it: lower case, no path, no default port, a name in ASCII.
    ///
    /// # Errors
    ///
    /// The rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        if text.contains('*') {
            return Err(InvalidOrigin("must name each origin: `*` is not possible, because answers are for one user"));
        }
        let form = InvalidOrigin("must be an origin such as https://app.example.com or http://localhost:8080");
        let (scheme, authority) = Scheme::split(text).ok_or(form)?;
        if authority.contains(['/', '?', '#', '@']) {
            return Err(InvalidOrigin("must end after the host and the port, without a slash"));
        }
        let (host, port) = split_port(authority).ok_or(form)?;
        if !is_host(host) {
            return Err(InvalidOrigin("must have a host in lower case and in ASCII, as a browser writes it"));
        }
        match port {
            None => {}
            Some(port) if port == scheme.default_port() => {
                return Err(InvalidOrigin("must not have the default port, which a browser leaves out"));
            }
            Some(port) => {
                let number = port.parse::<u16>().ok().filter(|number| *number > 0);
                number.filter(|number| number.to_string() == port).ok_or(form)?;
            }
        }
        Ok(Self { scheme, authority: authority.to_owned() })
    }

    /// Returns whether nobody on the network can change the pages of the origin: it has the scheme `https`, or is the machine of the
    /// browser itself (Secure Contexts §3.1).
    #[must_use]
    pub fn is_trustworthy(&self) -> bool {
        let host = split_port(&self.authority).map_or("", |(host, _)| host);
        let is_local = || host == "localhost" || host.ends_with(".localhost") || host == "[::1]";
        let is_loopback = || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback());
        self.scheme == Scheme::Https || is_local() || is_loopback()
    }

    /// Returns whether the host and the port are those of a `Host` header (RFC 9110 §7.2).
    #[must_use]
    pub fn is_at(&self, host: &[u8]) -> bool {
        let Some((name, port)) = str::from_utf8(host).ok().and_then(split_port) else { return false };
        let Some((own_name, own_port)) = split_port(&self.authority) else { return false };
        let default = self.scheme.default_port();
        let port = port.filter(|port| !port.is_empty()).unwrap_or(default);
        name.eq_ignore_ascii_case(own_name) && port == own_port.unwrap_or(default)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme.prefix())?;
        f.write_str(&self.authority)
    }
}

/// Splits host and port. The brackets of an IPv6 address belong to the host.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let end_of_address = if authority.starts_with('[') { authority.find(']')? + 1 } else { 0 };
    let (address, rest) = authority.split_at(end_of_address);
    match rest.split_once(':') {
        None if end_of_address == 0 || rest.is_empty() => Some((authority, None)),
        Some((name, port)) if end_of_address == 0 || name.is_empty() => {
            Some((&authority[..address.len() + name.len()], Some(port)))
        }
        _ => None,
    }
}

/// Returns whether this is a host as browsers write it.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address);
    }
    // A name whose last label is a number is an IPv4 address to a browser.
    let last = host.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return host.parse::<Ipv4Addr>().is_ok();
    }
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        !label.is_empty() && label.bytes().all(allowed)
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

/// A list of origins that are allowed to use the API from a browser. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedOrigins {
    origins: Arc<[Origin]>,
}

impl AllowedOrigins {
    /// Returns whether no origin is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// Returns whether the origin is one of the list.
    #[must_use]
    pub fn contains(&self, origin: &Origin) -> bool {
        self.origins.contains(origin)
    }

    /// Returns the origins in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Origin> {
        self.origins.iter()
    }
}

impl FromIterator<Origin> for AllowedOrigins {
    fn from_iter<I: IntoIterator<Item = Origin>>(origins: I) -> Self {
        Self { origins: origins.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_writes() {
        for good in [
            "https://a",
            "http://localhost:8080",
            "https://app.example.com",
            "https://xn--bcher-kva.example:8443",
            "http://127.0.0.1:5000",
            "https://[::1]",
            "https://[2001:db8::1]:444",
            "https://a_b.example",
            "https://a.example:80",
            "http://1a.example:65535",
        ] {
            assert_eq!(Origin::parse(good).map(|origin| origin.to_string()).as_deref(), Ok(good));
        }
    }

    #[test]
    fn every_other_text_is_refused() {
        for bad in [
            "",
            "null",
            "*",
            "https://*.example.com",
            "a.example",
            "https:",
            "https://",
            "https://a.example/",
            "https://a.example/x",
            "https://a.example?x",
            "https://u@a.example",
            "https://A.example",
            "HTTPS://a.example",
            "https://a.example:443",
            "http://a.example:80",
            "https://a.example:",
            "https://a.example:0",
            "https://a.example:08",
            "https://a.example:65536",
            "https://a.example:1:2",
            "https://.a.example",
            "https://a..example",
            "https://a.example.",
            "https://b\u{fc}cher.example",
            "https://[::1",
            "https://::1",
            "https://[::0:1]",
            "https://[::1]x",
            "https://[fe80::1%25eth0]",
            "https://1.2.3",
            "https://256.1.1.1",
            "https://1",
            "https://a b",
            " https://a",
            "https://a,https://b",
            "ftp://a.example",
            "file://",
            "chrome-extension://abc",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_origin_is_compared_with_a_host() {
        let at = |origin: &str, host: &str| Origin::parse(origin).unwrap().is_at(host.as_bytes());
        for (origin, host) in [
            ("https://a.example", "a.example"),
            ("https://a.example", "A.Example"),
            ("https://a.example", "a.example:443"),
            ("https://a.example", "a.example:"),
            ("http://a.example", "a.example:80"),
            ("http://127.0.0.1:5000", "127.0.0.1:5000"),
            ("https://[::1]:5000", "[::1]:5000"),
            ("https://[::1]", "[::1]"),
        ] {
            assert!(at(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("https://a.example", "a.example:80"),
            ("http://a.example", "a.example:443"),
            ("https://a.example:5000", "a.example"),
            ("https://a.example", "b.example"),
            ("https://a.example", "x.a.example"),
            ("https://a.example", "a.example.evil.example"),
            ("https://a.example", ""),
            ("https://[::1]", "::1"),
            ("https://[::1]", "[::1"),
        ] {
            assert!(!at(origin, host), "{origin} {host}");
        }
        assert!(!Origin::parse("https://a").unwrap().is_at(b"\xff"));
    }

    #[test]
    fn https_and_the_own_machine_are_trustworthy() {
        let trustworthy = |text: &str| Origin::parse(text).unwrap().is_trustworthy();
        for origin in
            ["https://a.example", "http://localhost:1", "http://app.localhost", "http://127.0.0.9", "http://[::1]:1"]
        {
            assert!(trustworthy(origin), "{origin}");
        }
        for origin in
            ["http://a.example", "http://localhost.example", "http://xlocalhost", "http://10.0.0.1", "http://[::2]"]
        {
            assert!(!trustworthy(origin), "{origin}");
        }
    }

    #[test]
    fn only_exact_origins_are_allowed() {
        let list: AllowedOrigins =
            ["https://a.example", "http://localhost:1"].into_iter().map(|text| Origin::parse(text).unwrap()).collect();
        let allowed = |text: &str| list.contains(&Origin::parse(text).unwrap());
        assert!(allowed("https://a.example") && allowed("http://localhost:1") && !list.is_empty());
        for other in ["http://a.example", "https://a.example:1", "https://x.a.example", "http://localhost"] {
            assert!(!allowed(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn what_is_parsed_is_spelt_as_it_was(text in "(https?://)?[a-zA-Z0-9.:_/*@\\[\\]-]{0,30}") {
            if let Ok(origin) = Origin::parse(&text) {
                prop_assert_eq!(origin.to_string(), text);
            }
        }

        #[test]
        fn no_host_makes_the_comparison_panic(host in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Origin::parse("https://[::1]:5").unwrap().is_at(&host);
        }
    }
}
