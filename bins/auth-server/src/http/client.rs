//! The client that sent a request: its address and its user agent.

use std::net::IpAddr;

use auth_core::{AuthService, Context, Session, SessionKind};
use ipnet::IpNet;
use poem::http::{HeaderMap, header};
use poem::{FromRequest, Request, RequestBody, Result};

use super::error::ApiError;
use super::state::State;

/// The address of the client, kept in the request. `None` if there is no connection, as in a test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) Option<IpAddr>);

/// The service and the circumstances of the request, for operations with a rate limit per client.
pub(crate) struct Caller {
    pub(crate) service: AuthService,
    context: Context,
}

impl Caller {
    /// Returns the circumstances of a request that opens a session of this kind.
    pub(crate) fn opening(&self, kind: SessionKind) -> Context {
        self.context.clone().with_session_kind(kind)
    }
}

impl<'a> FromRequest<'a> for Caller {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let state = State::of(request)?;
        // Without this error a request whose address is unknown would have no rate limit.
        let client = request.data::<ClientAddress>().ok_or_else(|| ApiError::internal("the request has no origin"))?;
        let context = client.0.map_or_else(Context::default, |address| Context::default().with_address(address));
        let context = match user_agent(request.headers()) {
            Some(user_agent) => context.with_user_agent(user_agent),
            None => context,
        };
        Ok(Self { service: state.service.clone(), context })
    }
}

/// Returns the `User-Agent` (RFC 9110 §10.1.5) as one line of printable ASCII, because lists of sessions and terminals show it.
/// Every other byte becomes a question mark. `None` if there is nothing to show.
fn user_agent(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::USER_AGENT)?.as_bytes();
    let shown = |byte: &u8| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '?' };
    let text: String = value.trim_ascii().iter().take(Session::MAX_USER_AGENT_CHARS).map(shown).collect();
    (!text.is_empty()).then_some(text)
}

/// Returns the address of the client: the peer of the connection or, if that is a trusted proxy, the last address in
/// `X-Forwarded-For` that is no trusted proxy. The client may have invented all addresses before it.
///
/// `Forwarded` (RFC 7239) is not read. A proxy that writes one of the two fields passes the other on as the client sent it, and
/// a request does not show which of the two its proxy writes.
pub(crate) fn address(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let trusted = |address: &IpAddr| trusted_proxies.iter().any(|network| network.contains(address));
    if !trusted(&peer) {
        return peer;
    }
    let mut client = peer;
    let headers = headers.get_all("x-forwarded-for");
    // The field is read as bytes, one hop at a time: invalid text from the client must not hide what a proxy appended.
    let mut hops: Vec<&[u8]> = headers.iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).collect();
    while let Some(hop) = hops.pop() {
        let Some(address) = str::from_utf8(hop).ok().and_then(|hop| hop_address(hop.trim())) else { break };
        client = address;
        if !trusted(&client) {
            break;
        }
    }
    client
}

/// Parses an address as proxies write it: with or without a port, IPv6 with or without brackets.
fn hop_address(hop: &str) -> Option<IpAddr> {
    hop.parse()
        .or_else(|_| hop.parse().map(|address: std::net::SocketAddr| address.ip()))
        .or_else(|_| hop.trim_start_matches('[').trim_end_matches(']').parse())
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn from(peer: &str, forwarded: &[&str]) -> String {
        let headers: Vec<_> = forwarded.iter().map(|value| ("x-forwarded-for", value.as_bytes())).collect();
        with(peer, &headers)
    }

    fn with(peer: &str, named: &[(&'static str, &[u8])]) -> String {
        let peer: std::net::SocketAddr = peer.parse().unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in named {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        address(peer.ip(), &headers, &["10.0.0.0/8".parse().unwrap()]).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(from("192.0.2.1:9", &["203.0.113.7"]), "192.0.2.1");
        assert_eq!(from("10.0.0.1:9", &["203.0.113.7"]), "203.0.113.7");
        assert_eq!(from("10.0.0.1:9", &["6.6.6.6, 203.0.113.7, 10.0.0.2"]), "203.0.113.7");
        assert_eq!(from("10.0.0.1:9", &["6.6.6.6", "203.0.113.7:1234"]), "203.0.113.7");
        assert_eq!(from("10.0.0.1:9", &["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(from("10.0.0.1:9", &["no address"]), "10.0.0.1");
        assert_eq!(from("10.0.0.1:9", &[]), "10.0.0.1");
        assert_eq!(from("[::ffff:10.0.0.1]:9", &["203.0.113.7"]), "203.0.113.7");
    }

    #[test]
    fn a_user_agent_is_one_line_of_printable_ascii() {
        let shown = |value: &[u8]| {
            let headers = HeaderMap::from_iter([(header::USER_AGENT, HeaderValue::from_bytes(value).unwrap())]);
            user_agent(&headers)
        };
        assert_eq!(shown(b"curl/8.5.0").as_deref(), Some("curl/8.5.0"));
        assert_eq!(shown(b" a\tb \xc2\x9b31m\xe2\x80\xae ").as_deref(), Some("a?b ??31m???"));
        assert_eq!(shown(&[b'x'; 9_000]).map(|text| text.len()), Some(Session::MAX_USER_AGENT_CHARS));
        assert_eq!((shown(b""), shown(b"  "), user_agent(&HeaderMap::new())), (None, None, None));
    }

    #[test]
    fn forwarded_is_not_read() {
        let forwarded = ("forwarded", b"for=198.51.100.1;proto=https".as_slice());
        assert_eq!(with("10.0.0.1:9", &[forwarded]), "10.0.0.1");
        assert_eq!(with("10.0.0.1:9", &[forwarded, ("x-forwarded-for", b"203.0.113.7")]), "203.0.113.7");
    }

    /// A field value of a client.
    fn field_value() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(b','), Just(b'['), Just(b'"'), Just(b'\t'), 0x20..0x7f_u8, 0x80..=0xff_u8];
        let address = prop_oneof!["10\\.0\\.0\\.[1-9]", "6\\.6\\.6\\.[1-9]", "\\[2001:db8::[1-9]\\]:[1-9]"];
        prop_oneof![proptest::collection::vec(byte, 0..40), address.prop_map(String::into_bytes)]
    }

    proptest! {
        #[test]
        fn no_field_of_a_client_changes_its_address(
            sent in proptest::collection::vec(field_value(), 0..4),
            in_one_line: bool,
            others in proptest::collection::vec(1..255_u8, 0..3),
        ) {
            let mut lines = sent;
            let appended = others.iter().fold("203.0.113.7".to_owned(), |hops, other| format!("{hops}, 10.0.0.{other}"));
            match lines.last_mut().filter(|_| in_one_line) {
                Some(last) => last.extend([b", ", appended.as_bytes()].concat()),
                None => lines.push(appended.into_bytes()),
            }
            let named: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", line.as_slice())).collect();
            prop_assert_eq!(with("10.0.0.1:9", &named), "203.0.113.7");
            prop_assert_eq!(with("192.0.2.1:9", &named), "192.0.2.1");
        }
    }
}
