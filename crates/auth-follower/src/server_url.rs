//! The address of the auth server.

use std::net::IpAddr;

use http::Uri;
use http::uri::Scheme;

use crate::error::FollowError;

/// Address of the auth server, with the path below which it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    pub(crate) tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The path, without a slash at its end.
    pub(crate) base: String,
}

impl ServerUrl {
    /// Reads an address. `plain_http` allows `http` for other machines too.
    pub(crate) fn parse(text: &str, plain_http: bool) -> Result<Self, FollowError> {
        let uri: Uri = text.parse().map_err(|_| FollowError::Url)?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(FollowError::Url),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let authority = authority.ok_or(FollowError::Url)?;
        if uri.query().is_some() || text.contains('#') || authority.host().is_empty() {
            return Err(FollowError::Url);
        }
        let url = Self {
            tls,
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            base: uri.path().trim_end_matches('/').to_owned(),
        };
        if tls || plain_http || url.is_of_this_machine() { Ok(url) } else { Err(FollowError::PlainHttp) }
    }

    fn is_of_this_machine(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Returns the value of the `Host` header (RFC 9110 §7.2).
    pub(crate) fn host_header(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.tls { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_maybe_a_port_and_a_path() {
        for (text, host, base) in [
            ("https://auth.example", "auth.example", ""),
            ("https://auth.example/", "auth.example", ""),
            ("https://auth.example:8443/login/", "auth.example:8443", "/login"),
            ("http://127.0.0.1:3001", "127.0.0.1:3001", ""),
            ("http://[::1]:3001", "[::1]:3001", ""),
            ("http://localhost", "localhost", ""),
        ] {
            let url = ServerUrl::parse(text, false).ok();
            let shown = url.map(|url| (url.host_header(), url.base));
            assert_eq!(shown, Some((host.to_owned(), base.to_owned())), "{text}");
        }
    }

    #[test]
    fn other_texts_and_plain_http_to_other_machines_are_refused() {
        for text in [
            "",
            "auth.example",
            "/auth",
            "ftp://auth.example",
            "https://",
            "https://me@auth.example",
            "https://a/?b",
            "https://a/#b",
        ] {
            assert!(matches!(ServerUrl::parse(text, true), Err(FollowError::Url)), "{text}");
        }
        for text in ["http://auth.example", "http://127.0.0.1.example", "http://10.0.0.1"] {
            assert!(matches!(ServerUrl::parse(text, false), Err(FollowError::PlainHttp)), "{text}");
            assert!(ServerUrl::parse(text, true).is_ok(), "{text}");
        }
    }
}
