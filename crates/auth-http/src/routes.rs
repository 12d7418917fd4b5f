//! The operations on accounts that an application offers without writing them, with the answers of `auth-server`.
//!
//! Adapters translate: they find the [`Route`], describe the request as a [`RouteRequest`], and send the [`Answer`].

mod answer;
mod request;
mod response_bodies;
mod sessions;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use auth_core::{AuthService, Context, Credentials, LoginError, NewAccount, Principal, RegisterOutcome};

pub use self::answer::Answer;
pub use self::request::{ClientAddress, RouteRequest};
use self::response_bodies::{AccountCreated, Done, TokenClaims, TokenGranted, UserView};
use crate::client::{client_address, user_agent};
use crate::code::Code;
use crate::demand::Demand;
use crate::error_answer::ErrorAnswer;
use crate::fields::{Fields, FromFields, MAX_BODY_BYTES};
use crate::gate::{Gate, Passage};
use crate::holder_headers::holder_headers;
use crate::media_type::declared_as_json;
use crate::query::{parameters, wrong_parameters};
use crate::refusal::RefusalKind;
use crate::request::RequestHead;
use crate::request_bodies::PasswordChange;

/// A method and a path, and the operation that answers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The method, `GET`, `POST` or `DELETE`. `HEAD` is answered wherever `GET` is.
    pub method: &'static str,
    /// The path. `{id}` stands for one segment of any text.
    pub path: &'static str,
    /// The operation.
    pub operation: Operation,
}

/// Operation that a client may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Creates a user and logs them in.
    Register,
    /// Answers with a token.
    Login,
    /// Revokes the token that the request came with.
    Logout,
    /// Revokes every token of the user.
    LogoutEverywhere,
    /// Says whether the token is good.
    Verify,
    /// Returns the user whose token it is.
    CurrentUser,
    /// Changes the password and revokes every token of the user.
    ChangePassword,
    /// Exchanges a refresh token.
    Refresh,
    /// Lists the sessions of the user.
    ListSessions,
    /// Ends a session of the user.
    EndSession,
    /// Ends every session of the user but that of the token that the request came with.
    LogoutOthers,
}

impl Route {
    /// Every route.
    pub const ALL: [Self; 13] = [
        Self::new("POST", "/auth/register", Operation::Register),
        Self::new("POST", "/user", Operation::Register),
        Self::new("POST", "/user/", Operation::Register),
        Self::new("POST", "/auth/login", Operation::Login),
        Self::new("POST", "/auth/logout", Operation::Logout),
        Self::new("POST", "/auth/logout-all", Operation::LogoutEverywhere),
        Self::new("GET", "/auth/verify", Operation::Verify),
        Self::new("GET", "/user/me", Operation::CurrentUser),
        Self::new("POST", "/user/me/password", Operation::ChangePassword),
        Self::new("POST", "/auth/refresh", Operation::Refresh),
        Self::new("GET", "/user/me/sessions", Operation::ListSessions),
        Self::new("DELETE", "/user/me/sessions/{id}", Operation::EndSession),
        Self::new("POST", "/auth/logout-others", Operation::LogoutOthers),
    ];

    const fn new(method: &'static str, path: &'static str, operation: Operation) -> Self {
        Self { method, path, operation }
    }

    /// Returns the answer to a request of this path whose method no route has.
    #[must_use]
    pub fn method_not_allowed(self) -> Answer {
        let allow = if self.method == "GET" { "GET, HEAD" } else { self.method };
        ErrorAnswer::method_not_allowed(allow).into()
    }
}

/// The service behind the routes, and which proxies may name a client. Cheap to clone.
///
/// Registrations and guesses are limited by the network of the client. Behind a proxy every request comes from the address
/// of the proxy: name it with [`trusted_proxies`](Self::trusted_proxies), or all clients share one limit.
#[derive(Clone)]
pub struct Routes {
    service: AuthService,
    gate: Gate,
    is_trusted_proxy: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

impl Routes {
    /// Creates the routes of a service, behind no proxy.
    #[must_use]
    pub fn new(service: AuthService) -> Self {
        Self { gate: Gate::demanding(&service, Demand::anyone()), service, is_trusted_proxy: Arc::new(|_| false) }
    }

    /// Chooses the proxies whose `X-Forwarded-For` is believed, by their addresses. See [`client_address`].
    ///
    /// ```
    /// # fn example(service: auth_core::AuthService) -> auth_http::Routes {
    /// let proxy = "10.0.0.7".parse::<std::net::IpAddr>().unwrap();
    /// auth_http::Routes::new(service).trusted_proxies(move |address| address == proxy)
    /// # }
    /// ```
    #[must_use]
    pub fn trusted_proxies(self, is_trusted: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self { is_trusted_proxy: Arc::new(is_trusted), ..self }
    }

    /// Answers a request. `body` reads at most [`MAX_BODY_BYTES`] of the body; it is polled only when the operation reads one
    /// and the head is good.
    pub async fn answer(
        &self,
        operation: Operation,
        request: RouteRequest<'_, impl RequestHead>,
        body: impl Future<Output = Result<Vec<u8>, ErrorAnswer>>,
    ) -> Answer {
        let answered = match operation {
            Operation::Register => self.register(&request, body).await,
            Operation::Login => self.login(&request, body).await,
            Operation::Logout => self.logout(&request).await,
            Operation::LogoutEverywhere => self.logout_everywhere(&request).await,
            Operation::Verify => self.admit(&request, Demand::anyone()).await.map(|principal| verified(&principal)),
            Operation::CurrentUser => self.current_user(&request).await,
            Operation::ChangePassword => self.change_password(&request, body).await,
            Operation::Refresh => self.refresh(&request, body).await,
            Operation::ListSessions => self.list_sessions(&request).await,
            Operation::EndSession => self.end_session(&request).await,
            Operation::LogoutOthers => self.logout_others(&request).await,
        };
        answered.unwrap_or_else(Answer::from)
    }

    async fn register(
        &self,
        request: &RouteRequest<'_, impl RequestHead>,
        body: impl Future<Output = Result<Vec<u8>, ErrorAnswer>>,
    ) -> Result<Answer, ErrorAnswer> {
        check_query(request)?;
        let context = self.context(request)?;
        let (account, context): (NewAccount, _) = self.read_login(request, body, context).await?;
        match self.service.register(account, &context).await? {
            RegisterOutcome::SignedIn(signed_in) => {
                Ok(Answer::json(201, &TokenGranted::new("Successfully registered.", &signed_in)))
            }
            RegisterOutcome::Unverified(user) => Ok(Answer::json(201, &AccountCreated::new(&user))),
            _ => Err(ErrorAnswer::internal("the registration has an unknown outcome")),
        }
    }

    async fn login(
        &self,
        request: &RouteRequest<'_, impl RequestHead>,
        body: impl Future<Output = Result<Vec<u8>, ErrorAnswer>>,
    ) -> Result<Answer, ErrorAnswer> {
        check_query(request)?;
        let context = self.context(request)?;
        let (credentials, context): (Credentials, _) = self.read_login(request, body, context).await?;
        let outcome = self.service.login(credentials, &context).await?;
        let signed_in =
            outcome.signed_in().ok_or_else(|| ErrorAnswer::internal("the login needs an unknown factor"))?;
        Ok(Answer::json(200, &TokenGranted::new("Successfully logged in.", &signed_in)))
    }

    async fn logout(&self, request: &RouteRequest<'_, impl RequestHead>) -> Result<Answer, ErrorAnswer> {
        let principal = self.admit(request, Demand::login()).await.map_err(|error| match error.code() {
            Code::TokenMissing => ErrorAnswer::new(Code::TokenMissingAtLogout),
            _ => error,
        })?;
        self.service.logout(&principal).await?;
        Ok(Answer::json(200, &Done::new("Successfully logged out.")))
    }

    async fn logout_everywhere(&self, request: &RouteRequest<'_, impl RequestHead>) -> Result<Answer, ErrorAnswer> {
        let principal = self.admit(request, Demand::login()).await?;
        self.service.logout_everywhere(principal.user_id()).await?;
        Ok(Answer::json(200, &Done::new("Successfully logged out everywhere.")))
    }

    async fn current_user(&self, request: &RouteRequest<'_, impl RequestHead>) -> Result<Answer, ErrorAnswer> {
        let principal = self.admit(request, Demand::user()).await?;
        let user = self.service.current_user(&principal).await?;
        Ok(Answer::json(200, &UserView::from(&user)))
    }

    async fn change_password(
        &self,
        request: &RouteRequest<'_, impl RequestHead>,
        body: impl Future<Output = Result<Vec<u8>, ErrorAnswer>>,
    ) -> Result<Answer, ErrorAnswer> {
        let context = self.context(request)?;
        let principal = self.admit(request, Demand::login()).await?;
        let (change, context): (PasswordChange, _) = self.read_login(request, body, context).await?;
        let PasswordChange { current, new } = change;
        let current = current.ok_or(LoginError::InvalidCredentials)?;
        let signed_in = self.service.change_password(&principal, current, new, &context).await?;
        Ok(Answer::json(200, &TokenGranted::new("Successfully changed the password.", &signed_in)))
    }

    /// Checks the token, then the query: a missing token is reported first.
    async fn admit(
        &self,
        request: &RouteRequest<'_, impl RequestHead>,
        demand: Demand,
    ) -> Result<Principal, ErrorAnswer> {
        let principal = match self.gate.check_request(request.head)? {
            Passage::Admitted(principal) => principal,
            Passage::Unsettled(unsettled) => unsettled.settle().await?,
            Passage::Anonymous => return Err(RefusalKind::TokenMissing.into()),
        };
        demand.check(&principal)?;
        check_query(request)?;
        Ok(principal)
    }

    async fn read<T: FromFields>(
        &self,
        request: &RouteRequest<'_, impl RequestHead>,
        body: impl Future<Output = Result<Vec<u8>, ErrorAnswer>>,
    ) -> Result<T, ErrorAnswer> {
        // The length is checked before the media type: a body that is too large is reported as such, whatever its type.
        let announced =
            request.first("content-length").and_then(|length| str::from_utf8(length).ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
            return Err(Code::PayloadTooLarge.into());
        }
        declared_as_json(request.head.values("content-type"), request.head.values("content-encoding"))?;
        let body = zeroize::Zeroizing::new(body.await?);
        T::from_fields(Fields::from_json(&body)?, self.service.password_policy())
    }

    /// The circumstances of a request. Without an address there would be no limit by network, so that is an error.
    fn context(&self, request: &RouteRequest<'_, impl RequestHead>) -> Result<Context, ErrorAnswer> {
        let address = match (request.client, request.peer) {
            (Some(ClientAddress(address)), _) => address,
            (None, Some(peer)) => {
                client_address(peer, request.head.values("x-forwarded-for"), |proxy| (self.is_trusted_proxy)(proxy))
            }
            (None, None) => return Err(ErrorAnswer::internal(NO_ADDRESS)),
        };
        let context = Context::default().with_address(address);
        Ok(match request.first("user-agent").and_then(user_agent) {
            Some(user_agent) => context.with_user_agent(user_agent),
            None => context,
        })
    }
}

const NO_ADDRESS: &str = "the address of the client is unknown: serve axum with \
                          into_make_service_with_connect_info::<SocketAddr>(), or put a ClientAddress into the extensions of \
                          the request";

fn check_query(request: &RouteRequest<'_, impl RequestHead>) -> Result<(), ErrorAnswer> {
    let wrong = wrong_parameters(&parameters(request.query.unwrap_or_default()), |_| false);
    if wrong.is_empty() { Ok(()) } else { Err(ErrorAnswer::validation(wrong)) }
}

fn verified(principal: &Principal) -> Answer {
    holder_headers(principal)
        .into_iter()
        .flatten()
        .fold(Answer::json(200, &TokenClaims::from(principal)), |answer, (name, value)| answer.with_header(name, value))
}

impl From<AuthService> for Routes {
    fn from(service: AuthService) -> Self {
        Self::new(service)
    }
}

impl From<&AuthService> for Routes {
    fn from(service: &AuthService) -> Self {
        Self::new(service.clone())
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes").field("service", &self.service).finish_non_exhaustive()
    }
}
