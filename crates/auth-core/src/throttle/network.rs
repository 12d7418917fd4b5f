//! Network of a client, the unit that attempts are counted by.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Length of the network prefix of an IPv6 address, in bits. The client chooses the rest (RFC 4291 §2.5.1).
const IPV6_PREFIX: u32 = 64;

/// Network that a client is counted with: an IPv4 address, or the /64 of an IPv6 address.
///
/// An IPv4 address in IPv6 form (`::ffff:192.0.2.1`) counts as the IPv4 address.
///
/// ```
/// use auth_core::throttle::ClientNetwork;
///
/// let of = |text: &str| ClientNetwork::of(text.parse().unwrap());
/// assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:ffff:ffff:ffff"));
/// assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
/// assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientNetwork(IpAddr);

impl ClientNetwork {
    /// Returns the network of a client at `address`.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() & (u128::MAX << (u128::BITS - IPV6_PREFIX));
                Ipv6Addr::from_bits(network).into()
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

impl fmt::Display for ClientNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/{IPV6_PREFIX}"),
        }
    }
}
