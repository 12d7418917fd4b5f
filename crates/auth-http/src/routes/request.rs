//! [`RouteRequest`]: a request to a ready route, without its body.

use std::net::IpAddr;

use crate::request::RequestHead;

/// A request to a ready route, without its body.
#[derive(Debug)]
pub struct RouteRequest<'r, H> {
    pub(super) head: &'r H,
    pub(super) query: Option<&'r str>,
    pub(super) peer: Option<IpAddr>,
    pub(super) client: Option<ClientAddress>,
    pub(super) path_id: Option<&'r str>,
}

impl<'r, H: RequestHead> RouteRequest<'r, H> {
    /// Describes a request by its head, its query without the question mark, and the other end of its connection.
    pub fn new(head: &'r H, query: Option<&'r str>, peer: Option<IpAddr>) -> Self {
        Self { head, query, peer, client: None, path_id: None }
    }

    /// Sets the address of the client, if the application knows it.
    #[must_use]
    pub fn with_client(self, client: Option<ClientAddress>) -> Self {
        Self { client, ..self }
    }

    /// Sets the text that stands for `{id}` in the path of the [`Route`](super::Route).
    #[must_use]
    pub fn with_path_id(self, id: Option<&'r str>) -> Self {
        Self { path_id: id, ..self }
    }

    /// The first value of the header with this name.
    pub(super) fn first(&self, name: &'static str) -> Option<&[u8]> {
        self.head.values(name).next()
    }
}

/// The address of a client, as the application knows it. Put it into the extensions of a request to overrule the address of
/// the connection: where that has none, as a Unix socket, or where a proxy names the client otherwise than in
/// `X-Forwarded-For`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);
