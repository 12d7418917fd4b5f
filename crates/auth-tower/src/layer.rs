//! The layer: which gate, and how it answers those it refuses.

use auth_core::TokenVerifier;
use auth_http::{CookieAuth, Gate};
use tower_layer::Layer;

use crate::grpc::GrpcRefusal;
use crate::rejection::JsonRefusal;
use crate::service::Auth;

/// Lets a request through with its [`Principal`](auth_core::Principal) in the extensions, or refuses it. Cheap to clone.
///
/// Which requests pass is chosen by the constructor, what the others are told by [`respond_with`](Self::respond_with).
#[derive(Debug, Clone)]
pub struct AuthLayer<R = JsonRefusal> {
    pub(crate) gate: Gate,
    pub(crate) respond: R,
}

impl AuthLayer {
    /// A good token of a user is needed.
    pub fn required(verifier: impl Into<TokenVerifier>) -> Self {
        Self::new(Gate::required(verifier))
    }

    /// A token is not needed; a token that is sent must be good all the same. Without one the extensions hold no
    /// [`Principal`](auth_core::Principal).
    pub fn optional(verifier: impl Into<TokenVerifier>) -> Self {
        Self::new(Gate::optional(verifier))
    }

    /// A good token of an admin is needed.
    pub fn admin(verifier: impl Into<TokenVerifier>) -> Self {
        Self::new(Gate::admin(verifier))
    }

    fn new(gate: Gate) -> Self {
        Self { gate, respond: JsonRefusal }
    }

    /// Answers as gRPC asks for, with a `grpc-status` (see [`GrpcRefusal`]).
    #[must_use]
    pub fn grpc(self) -> AuthLayer<GrpcRefusal> {
        self.respond_with(GrpcRefusal)
    }
}

impl<R> AuthLayer<R> {
    /// Lets only tokens pass that carry this role. The role `admin` is that of [`admin`](Self::admin). A second role is needed in
    /// addition. Refuses the others with 403 `role_required`.
    #[must_use]
    pub fn role(self, name: impl Into<Box<str>>) -> Self {
        Self { gate: self.gate.role(name), ..self }
    }

    /// Lets only tokens pass that carry this scope, those of clients too. A second scope is needed in addition. Refuses the others with
    /// 403 `insufficient_scope`.
    ///
    /// Without a scope the tokens of users pass, and those of clients do not.
    #[must_use]
    pub fn scope(self, name: impl Into<Box<str>>) -> Self {
        Self { gate: self.gate.scope(name), ..self }
    }

    /// Lets only the tokens of logins pass, for routes that change the account of the user. Refuses the tokens of clients and personal
    /// access tokens with 403 `insufficient_scope`, whatever their scopes.
    #[must_use]
    pub fn login_only(self) -> Self {
        Self { gate: self.gate.login_only(), ..self }
    }

    /// Accepts the cookie of a session as well, from requests without an `Authorization` header.
    ///
    /// A request whose method may change something is refused with 403 `csrf` unless a page of the same or an allowed origin sent it,
    /// with the CSRF token of the session in `X-CSRF-Token`.
    #[must_use]
    pub fn cookies(self, cookies: CookieAuth) -> Self {
        Self { gate: self.gate.with_cookies(cookies), ..self }
    }

    /// Answers refused requests with `respond`, often a closure. [`Rejection::response`](crate::Rejection::response) makes
    /// an answer with the right status and headers around any body.
    pub fn respond_with<T>(self, respond: T) -> AuthLayer<T> {
        AuthLayer { gate: self.gate, respond }
    }
}

impl<S, R: Clone> Layer<S> for AuthLayer<R> {
    type Service = Auth<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        Auth { inner, gate: self.gate.clone(), respond: self.respond.clone() }
    }
}
