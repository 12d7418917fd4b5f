//! The client that sent a request: its address, its user agent and its language.

use std::net::IpAddr;

use auth_core::{AuthService, Context, SessionKind};
use auth_http::{client_address, preferred_language, user_agent};
use ipnet::IpNet;
use poem::http::{HeaderMap, HeaderValue, header};
use poem::{FromRequest, Request, RequestBody, Result};

use super::error::ApiError;
use super::state::State;

/// The address of the client, kept in the request. `None` if there is no connection, as in a test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) Option<IpAddr>);

/// The service and the circumstances of the request, for operations with a rate limit per client or a letter.
pub(crate) struct Caller {
    pub(crate) service: AuthService,
    pub(crate) context: Context,
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
        let context = match request.headers().get(header::USER_AGENT).and_then(|value| user_agent(value.as_bytes())) {
            Some(user_agent) => context.with_user_agent(user_agent),
            None => context,
        };
        let accept_language = request.headers().get_all(header::ACCEPT_LANGUAGE).iter().map(HeaderValue::as_bytes);
        let context = context.with_language(preferred_language(accept_language, &state.languages));
        Ok(Self { service: state.service.clone(), context })
    }
}

/// Returns the address of the client, whose connection comes from `peer`. Only a proxy in one of the networks may name another.
pub(crate) fn address(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> IpAddr {
    let forwarded_for = headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes);
    client_address(peer, forwarded_for, |proxy| trusted_proxies.iter().any(|network| network.contains(&proxy)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address_of(fields: &[(&'static str, &'static str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        address("10.0.0.1".parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_trusted_proxy_is_believed_in_one_field_alone() {
        let forwarded = ("forwarded", "for=198.51.100.1;proto=https");
        assert_eq!(address_of(&[forwarded]), "10.0.0.1");
        assert_eq!(address_of(&[forwarded, ("x-forwarded-for", "203.0.113.7, 10.0.0.2")]), "203.0.113.7");
    }
}
