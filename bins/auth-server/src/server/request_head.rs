//! Rules for the head of a request that `hyper` does not check (RFC 9110, RFC 9112, RFC 9113).
//!
//! A proxy and the server behind it must read a request in the same way. If the head of a request can be read in two ways, one of
//! them may hide a second request from the proxy (request smuggling). Such a head is refused.

use std::net::Ipv6Addr;

use hyper::header::{HOST, HeaderValue, TRANSFER_ENCODING};
use hyper::{Request, Version};

/// The fault of the head of a request. The connection is closed after the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadHead {
    /// HTTP/1.1 without `Host`, or HTTP/2 without `:authority` and `Host` (RFC 9112 §3.2, RFC 9113 §8.3.1).
    HostMissing,
    /// Several `Host` fields (RFC 9112 §3.2), or one that differs from `:authority` (RFC 9113 §8.3.1).
    HostAmbiguous,
    /// A `Host` that is not `uri-host [ ":" port ]` (RFC 9110 §7.2).
    HostInvalid,
    /// A `Transfer-Encoding` that is not exactly one `chunked` (RFC 9112 §6.1, §7).
    TransferEncoding,
}

impl BadHead {
    /// Returns the fault of this head, if it has one.
    pub(crate) fn find<B>(request: &Request<B>) -> Option<Self> {
        Self::in_host(request).or_else(|| Self::in_transfer_encoding(request))
    }

    /// Returns the sentence for the client.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::HostMissing => "The request has no Host header.",
            Self::HostAmbiguous => "The request names more than one host.",
            Self::HostInvalid => "The Host header is not a host name or address with an optional port.",
            Self::TransferEncoding => "The only Transfer-Encoding that is accepted is chunked, once.",
        }
    }

    fn in_host<B>(request: &Request<B>) -> Option<Self> {
        let http_2 = request.version() >= Version::HTTP_2;
        let authority = request.uri().authority().filter(|_| http_2);
        let mut hosts = request.headers().get_all(HOST).iter();
        match (hosts.next(), hosts.next()) {
            (None, _) if authority.is_some() || request.version() < Version::HTTP_11 => None,
            (None, _) => Some(Self::HostMissing),
            (Some(_), Some(_)) => Some(Self::HostAmbiguous),
            (Some(host), None) if !is_host(host.as_bytes()) => Some(Self::HostInvalid),
            (Some(host), None) => {
                let differs = |authority: &str| !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes());
                authority.is_some_and(|authority| differs(authority.as_str())).then_some(Self::HostAmbiguous)
            }
        }
    }

    /// Checks the codings, because `hyper` looks at the last one of the last field only and accepts `chunked, chunked` as chunked.
    fn in_transfer_encoding<B>(request: &Request<B>) -> Option<Self> {
        let mut fields = request.headers().get_all(TRANSFER_ENCODING).iter();
        let is_chunked = |field: &HeaderValue| field.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
        match (fields.next(), fields.next()) {
            (None, _) => None,
            (Some(field), None) if is_chunked(field) => None,
            _ => Some(Self::TransferEncoding),
        }
    }
}

/// Returns whether this is `uri-host [ ":" port ]`. It is stricter than the grammar of RFC 3986 §3.2.2: the host is not empty, and a
/// name has no `sub-delims`, because a comma among them joins two fields.
fn is_host(field: &[u8]) -> bool {
    let Ok(field) = str::from_utf8(field) else { return false };
    let (host, port) = match field.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if address.parse::<Ipv6Addr>().is_ok() => (None, port),
            _ => return false,
        },
        None => match field.find(':') {
            Some(colon) => (Some(&field[..colon]), &field[colon..]),
            None => (Some(field), ""),
        },
    };
    host.is_none_or(is_name) && is_port(port)
}

fn is_name(host: &str) -> bool {
    let mut bytes = host.bytes();
    while let Some(byte) = bytes.next() {
        let allowed = match byte {
            b'%' => (0..2).all(|_| bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit())),
            _ => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'),
        };
        if !allowed {
            return false;
        }
    }
    !host.is_empty()
}

/// Returns whether this is empty, or a colon with the digits of a port, which may be none (RFC 3986 §3.2.3).
fn is_port(text: &str) -> bool {
    let Some(digits) = text.strip_prefix(':') else { return text.is_empty() };
    digits.is_empty() || digits.bytes().all(|digit| digit.is_ascii_digit()) && digits.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(version: Version, uri: &str, headers: &[(&str, &str)]) -> Option<BadHead> {
        let head = Request::builder().version(version).uri(uri);
        let head = headers.iter().fold(head, |head, (name, value)| head.header(*name, *value));
        BadHead::find(&head.body(()).unwrap())
    }

    #[test]
    fn http_1_1_needs_exactly_one_valid_host() {
        let with = |hosts: &[&str]| {
            let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            find(Version::HTTP_11, "/livez", &headers)
        };
        assert_eq!(with(&[]), Some(BadHead::HostMissing));
        assert_eq!(with(&["a.example", "a.example"]), Some(BadHead::HostAmbiguous));
        for good in ["a", "a.example", "A.Example:5000", "127.0.0.1:80", "[::1]", "[::1]:5000", "a_b", "a:", "x%20y"] {
            assert_eq!(with(&[good]), None, "{good}");
        }
        for bad in [
            "",
            " ",
            "a b",
            "a,b",
            "a, b",
            "user@a",
            "a/b",
            "a?b",
            "a#b",
            "a\\b",
            "<a>",
            "http://a",
            "[::1",
            "::1",
            "[a]",
            "[]",
            "a:b",
            "a:80:80",
            "a:65536",
            ":80",
            "a%2",
            "a%zz",
            "a;b",
            "[::1]x",
            "[fe80::1%25eth0]",
        ] {
            assert_eq!(with(&[bad]), Some(BadHead::HostInvalid), "{bad}");
        }
        let mut latin = Request::new(());
        latin.headers_mut().insert(HOST, HeaderValue::from_bytes(b"b\xfccher").unwrap());
        assert_eq!(BadHead::find(&latin), Some(BadHead::HostInvalid));
    }

    #[test]
    fn http_1_0_may_do_without() {
        assert_eq!(find(Version::HTTP_10, "/livez", &[]), None);
        assert_eq!(find(Version::HTTP_10, "/livez", &[("host", "a b")]), Some(BadHead::HostInvalid));
        assert_eq!(find(Version::HTTP_10, "/", &[("host", "a"), ("host", "a")]), Some(BadHead::HostAmbiguous));
    }

    #[test]
    fn http_2_has_an_authority_and_a_host_only_if_it_is_the_same() {
        assert_eq!(find(Version::HTTP_2, "http://a.example/livez", &[]), None);
        assert_eq!(find(Version::HTTP_2, "http://a.example/livez", &[("host", "A.example")]), None);
        assert_eq!(find(Version::HTTP_2, "http://a.example/", &[("host", "b")]), Some(BadHead::HostAmbiguous));
        assert_eq!(find(Version::HTTP_2, "/livez", &[("host", "a.example")]), None);
        assert_eq!(find(Version::HTTP_2, "/livez", &[]), Some(BadHead::HostMissing));
    }

    #[test]
    fn the_authority_of_http_1_1_does_not_replace_its_host() {
        assert_eq!(find(Version::HTTP_11, "http://a.example/livez", &[]), Some(BadHead::HostMissing));
        assert_eq!(find(Version::HTTP_11, "http://a.example/livez", &[("host", "b")]), None, "RFC 9112 §3.2.2");
    }

    #[test]
    fn chunked_once_is_the_only_transfer_coding() {
        let with = |fields: &[&str]| {
            let host = [("host", "a")].into_iter();
            let headers: Vec<_> = host.chain(fields.iter().map(|field| ("transfer-encoding", *field))).collect();
            find(Version::HTTP_11, "/auth/login", &headers)
        };
        for good in [&[][..], &["chunked"], &["Chunked"], &["chunked "]] {
            assert_eq!(with(good), None, "{good:?}");
        }
        for bad in [
            &["chunked, chunked"][..],
            &["chunked,chunked"],
            &["chunked", "chunked"],
            &["gzip, chunked"],
            &["gzip", "chunked"],
            &["identity, chunked"],
            &[", chunked"],
            &["chunked;q=1"],
            &["\"chunked\""],
            &[""],
        ] {
            assert_eq!(with(bad), Some(BadHead::TransferEncoding), "{bad:?}");
        }
    }
}
