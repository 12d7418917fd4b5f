//! The client that sent a request: its address and its user agent.

use std::net::{IpAddr, SocketAddr};

use auth_core::Session;

/// Returns the address of the client: the peer of the connection or, if that is a trusted proxy, the last address in
/// `X-Forwarded-For` that is no trusted proxy. The client may have invented all addresses before it.
///
/// `forwarded_for` are the values of the `X-Forwarded-For` fields in their order. `Forwarded` (RFC 7239) is not read. A proxy that writes one of the two fields passes the other on as the client sent it, and
/// a request does not show which of the two its proxy writes.
pub fn client_address<'h>(
    peer: IpAddr,
    forwarded_for: impl IntoIterator<Item = &'h [u8]>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer) {
        return peer;
    }
    let mut client = peer;
    // The field is read as bytes, one hop at a time: invalid text from the client must not hide what a proxy appended.
    let mut hops: Vec<&[u8]> = forwarded_for.into_iter().flat_map(|value| value.split(|byte| *byte == b',')).collect();
    while let Some(hop) = hops.pop() {
        let Some(address) = str::from_utf8(hop).ok().and_then(|hop| hop_address(hop.trim())) else { break };
        client = address;
        if !is_trusted(client) {
            break;
        }
    }
    client
}

/// Returns the value of `User-Agent` (RFC 9110 §10.1.5) as one line of printable ASCII, because lists of sessions and terminals show
/// it. Every other byte becomes a question mark. `None` if there is nothing to show.
#[must_use]
pub fn user_agent(value: &[u8]) -> Option<String> {
    let shown = |byte: &u8| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '?' };
    let text: String = value.trim_ascii().iter().take(Session::MAX_USER_AGENT_CHARS).map(shown).collect();
    (!text.is_empty()).then_some(text)
}

/// Parses an address as proxies write it: with or without a port, IPv6 with or without brackets.
fn hop_address(hop: &str) -> Option<IpAddr> {
    hop.parse()
        .or_else(|_| hop.parse().map(|address: SocketAddr| address.ip()))
        .or_else(|_| hop.trim_start_matches('[').trim_end_matches(']').parse())
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn from(peer: &str, forwarded_for: &[&str]) -> String {
        with(peer, &forwarded_for.iter().map(|value| value.as_bytes()).collect::<Vec<_>>())
    }

    fn with(peer: &str, forwarded_for: &[&[u8]]) -> String {
        let peer: SocketAddr = peer.parse().unwrap();
        let trusted = |proxy: IpAddr| matches!(proxy, IpAddr::V4(address) if address.octets()[0] == 10);
        client_address(peer.ip(), forwarded_for.iter().copied(), trusted).to_string()
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
        assert_eq!(user_agent(b"curl/8.5.0").as_deref(), Some("curl/8.5.0"));
        assert_eq!(user_agent(b" a\tb \xc2\x9b31m\xe2\x80\xae ").as_deref(), Some("a?b ??31m???"));
        assert_eq!(user_agent(&[b'x'; 9_000]).map(|text| text.len()), Some(Session::MAX_USER_AGENT_CHARS));
        assert_eq!((user_agent(b""), user_agent(b"  ")), (None, None));
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
            let named: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(with("10.0.0.1:9", &named), "203.0.113.7");
            prop_assert_eq!(with("192.0.2.1:9", &named), "192.0.2.1");
        }
    }
}
