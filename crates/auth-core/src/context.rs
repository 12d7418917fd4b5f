//! Circumstances of a call.

use std::net::IpAddr;

use crate::letters::Language;
use crate::session::SessionKind;
use crate::throttle::ClientNetwork;

/// Circumstances of a call: who asks, as far as the transport knows.
///
/// ```
/// use auth_core::Context;
///
/// let context = Context::default()
///     .with_address("2001:db8::7".parse().unwrap())
///     .with_user_agent("curl/8.5.0")
///     .with_request_id("0192f3a1");
/// assert_eq!(context.network().unwrap().to_string(), "2001:db8::/64");
/// assert_eq!(context.user_agent(), Some("curl/8.5.0"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Context {
    network: Option<ClientNetwork>,
    user_agent: Option<String>,
    request_id: Option<String>,
    session_kind: SessionKind,
    language: Language,
}

impl Context {
    /// Sets the address that the client connects from. Attempts count against its network.
    ///
    /// Without an address attempts count against the account alone, and everybody who guesses at an account shares the
    /// waits of its owner. Take the address of the connection. A header may be believed only if a proxy of your own wrote it.
    #[must_use]
    pub fn with_address(self, address: IpAddr) -> Self {
        Self { network: Some(ClientNetwork::of(address)), ..self }
    }

    /// Sets the `User-Agent` of the request (RFC 9110 §10.1.5).
    #[must_use]
    pub fn with_user_agent(self, user_agent: impl Into<String>) -> Self {
        Self { user_agent: Some(user_agent.into()), ..self }
    }

    /// Sets the identifier of the request, for logs and traces.
    #[must_use]
    pub fn with_request_id(self, request_id: impl Into<String>) -> Self {
        Self { request_id: Some(request_id.into()), ..self }
    }

    /// Sets the kind of session that a login opens. Default: [`SessionKind::Single`]. Without a
    /// [`SessionStore`](crate::session::SessionStore) no session is opened, whatever is set.
    #[must_use]
    pub fn with_session_kind(self, session_kind: SessionKind) -> Self {
        Self { session_kind, ..self }
    }

    /// Sets the language that the user seems to read, for letters. Default: English.
    #[must_use]
    pub fn with_language(self, language: Language) -> Self {
        Self { language, ..self }
    }

    /// Returns the kind of session that a login opens.
    #[must_use]
    pub fn session_kind(&self) -> SessionKind {
        self.session_kind
    }

    /// Returns the language of the letters that the call causes.
    #[must_use]
    pub fn language(&self) -> &Language {
        &self.language
    }

    /// Returns the network of the client, if its address is known.
    #[must_use]
    pub fn network(&self) -> Option<ClientNetwork> {
        self.network
    }

    /// Returns the `User-Agent` of the request, if it sent one.
    #[must_use]
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }

    /// Returns the identifier of the request, if it has one.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }
}
