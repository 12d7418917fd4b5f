//! Who sent a request: its address and its id, as far as either may be believed.

use std::cell::RefCell;
use std::net::IpAddr;

use auth_core::AuthService;
use ipnet::IpNet;
use poem::http::{HeaderMap, HeaderValue};
use poem::{FromRequest, Request, RequestBody, Result};

use super::State;
use super::error::Failure;

/// The header that carries the id of a request, in and out.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// The longest id that is taken over from a client.
const MAX_REQUEST_ID: usize = 64;

/// The id of a request: the client's own if it is short and harmless, else a new one.
pub(super) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let harmless = |id: &&HeaderValue| {
        (1..=MAX_REQUEST_ID).contains(&id.len())
            && id.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    headers.get(REQUEST_ID).filter(harmless).cloned().unwrap_or_else(new_id)
}

fn new_id() -> HeaderValue {
    let random = RANDOMNESS.with_borrow_mut(Randomness::take);
    let id = uuid::Builder::from_random_bytes(random).into_uuid();
    let mut text = uuid::Uuid::encode_buffer();
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)).unwrap_or(HeaderValue::from_static("none"))
}

thread_local! {
    static RANDOMNESS: RefCell<Randomness> = const { RefCell::new(Randomness { bytes: [0; 512], left: 0 }) };
}

/// Random bytes for some ids: one call of the operating system serves 32 requests.
struct Randomness {
    bytes: [u8; 512],
    left: usize,
}

impl Randomness {
    fn take(&mut self) -> [u8; 16] {
        if self.left == 0 {
            // An id only has to be different from the others; without randomness it says that there was none.
            let _ = getrandom::fill(&mut self.bytes);
            self.left = self.bytes.len();
        }
        self.left -= 16;
        self.bytes[self.left..].first_chunk().copied().unwrap_or_default()
    }
}

/// Where a request came from. Not there when there is no connection, as in a test.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientAddress(pub(super) Option<IpAddr>);

/// The service, acting for the client that a request came from: for the handlers of what is limited by client.
pub(super) struct Caller(pub(super) AuthService);

impl<'a> FromRequest<'a> for Caller {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let state = State::of(request)?;
        // Taking what is not known for nobody's would lift every limit.
        let client = request.data::<ClientAddress>().ok_or_else(|| Failure::internal("the request has no origin"))?;
        Ok(Self(match client.0 {
            Some(address) => state.service.for_client(address),
            None => state.service.clone(),
        }))
    }
}

/// The address of the client: that of its connection, unless a trusted proxy made it. Then it is the last address in
/// `X-Forwarded-For` that no trusted proxy has; what is before it may be invented. `Forwarded` (RFC 7239) is not read: a
/// proxy that writes the one hands the other on as the client sent it, and nothing says which of the two it writes.
pub(super) fn address(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let trusted = |address: &IpAddr| trusted_proxies.iter().any(|network| network.contains(address));
    if !trusted(&peer) {
        return peer;
    }
    let mut client = peer;
    let headers = headers.get_all("x-forwarded-for");
    // Hop by hop, and bytes: what a client has put in front must not spoil what a proxy has appended.
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

/// An address as proxies write it: with or without a port, IPv6 with or without brackets.
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
    fn forwarded_is_not_read() {
        let forwarded = ("forwarded", b"for=198.51.100.1;proto=https".as_slice());
        assert_eq!(with("10.0.0.1:9", &[forwarded]), "10.0.0.1");
        assert_eq!(with("10.0.0.1:9", &[forwarded, ("x-forwarded-for", b"203.0.113.7")]), "203.0.113.7");
    }

    /// What a client may put into a header.
    fn anything() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(b','), Just(b'['), Just(b'"'), Just(b'\t'), 0x20..0x7f_u8, 0x80..=0xff_u8];
        let address = prop_oneof!["10\\.0\\.0\\.[1-9]", "6\\.6\\.6\\.[1-9]", "\\[2001:db8::[1-9]\\]:[1-9]"];
        prop_oneof![proptest::collection::vec(byte, 0..40), address.prop_map(String::into_bytes)]
    }

    proptest! {
        #[test]
        fn nothing_that_a_client_sends_changes_who_it_is(
            sent in proptest::collection::vec(anything(), 0..4),
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

    #[test]
    fn a_request_id_is_taken_over_only_if_it_is_harmless() {
        let with = |id: &str| request_id(Request::builder().header(REQUEST_ID, id).finish().headers());
        assert_eq!(with("abc-1.2_3"), "abc-1.2_3");
        for odd in ["", "a b", "a\tb", "<script>", &"a".repeat(65)] {
            assert_ne!(with(odd), odd);
            assert_eq!(with(odd).len(), 36);
        }
    }

    #[test]
    fn ids_are_different_also_when_the_randomness_has_to_be_renewed() {
        let ids: std::collections::HashSet<_> = (0..200).map(|_| request_id(&HeaderMap::new())).collect();
        assert_eq!(ids.len(), 200);
    }
}
