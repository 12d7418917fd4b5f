//! What every request passes through and every answer is wrapped in: an id, a limit on its time, one form for every
//! refusal — the framework's and a panic's too —, one line in the log, and the meters.

use std::any::Any;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use auth_core::Clock;
use hyper::body::Body;
use ipnet::IpNet;
use poem::http::{HeaderMap, HeaderValue, Method, Version, header};
use poem::middleware::CatchPanic;
use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response, Result};

use super::client::ClientAddress;
use super::error::{Code, Failure};
use super::{State, VERIFY, auth, client};
use crate::metrics::{InFlight, RouteMeters};
use crate::request_head::BadHead;
use crate::server::Application;

/// How long a request may take altogether. Longer than a login may wait for its turn.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Where the route that matched leaves its pattern.
#[derive(Clone, Default)]
pub(super) struct MatchedRoute(Arc<OnceLock<Arc<RouteMeters>>>);

impl MatchedRoute {
    pub(super) fn set(&self, meters: Arc<RouteMeters>) {
        // The first one wins: it is the outermost.
        let _ = self.0.set(meters);
    }
}

/// What an answer was a refusal of; left in the response for this file.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) code: Code,
    pub(super) cause: Option<Arc<str>>,
}

/// The outermost endpoint.
pub(super) struct Envelope<E> {
    inner: E,
    state: Arc<State>,
    clock: Arc<dyn Clock>,
    trusted_proxies: Vec<IpNet>,
    /// Of [`VERIFY`].
    verify: RouteMeters,
    /// Of what no route matches.
    unmatched: RouteMeters,
}

/// A request that is being answered.
struct Begun {
    at: Duration,
    id: HeaderValue,
    client: Option<IpAddr>,
    _in_flight: InFlight,
}

impl<E: Endpoint> Envelope<E> {
    pub(super) fn around(
        inner: E,
        state: Arc<State>,
        clock: Arc<dyn Clock>,
        trusted_proxies: Vec<IpNet>,
    ) -> impl Application {
        let inner = inner.with(CatchPanic::new().with_handler(panicked));
        let (verify, unmatched) = (state.metrics.route(VERIFY), state.metrics.unmatched());
        Envelope { inner, state, clock, trusted_proxies, verify, unmatched }
    }

    fn begin(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Begun {
        Begun {
            at: self.clock.monotonic(),
            id: client::request_id(headers),
            client: peer.map(|peer| client::address(peer, headers, &self.trusted_proxies)),
            _in_flight: self.state.metrics.request_started(),
        }
    }

    async fn answer(&self, request: Request) -> Response {
        if let Some(fault) = request.data::<BadHead>() {
            return refused_head(*fault, request.version());
        }
        match tokio::time::timeout(REQUEST_TIMEOUT, self.inner.call(request)).await {
            Ok(Ok(response)) => response.into_response(),
            Ok(Err(error)) => Failure::from(error).into_response(),
            Err(_) => Failure::unavailable("the request took longer than a request may").into_response(),
        }
    }

    fn end(&self, begun: &Begun, method: &Method, meters: &RouteMeters, mut response: Response) -> Response {
        let headers = response.headers_mut();
        headers.insert(client::REQUEST_ID, begun.id.clone());
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // Nothing here is for a cache, but what says so itself.
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));

        let took = self.clock.monotonic().saturating_sub(begun.at);
        let (status, refusal) = (response.status(), response.data::<Refusal>());
        let result = refusal.map_or("ok", |refusal| refusal.code.as_str());
        self.state.metrics.request_answered(method, meters, status, took);
        self.state.metrics.outcome(method, meters.pattern(), result);
        log(&Line {
            id: begun.id.to_str().unwrap_or_default(),
            method,
            route: meters.pattern(),
            status: status.as_u16(),
            took,
            client: Client(begun.client),
            result,
            cause: refusal.and_then(|refusal| refusal.cause.as_deref()),
        });
        response
    }
}

impl<E: Endpoint> Endpoint for Envelope<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let peer = request.remote_addr().as_socket_addr().map(SocketAddr::ip);
        let begun = self.begin(request.headers(), peer);
        request.set_data(ClientAddress(begun.client));
        let method = request.method().clone();
        let route = MatchedRoute::default();
        request.set_data(route.clone());
        request.set_data(Arc::clone(&self.state));
        let response = self.answer(request).await;
        let meters = route.0.get().map_or(&self.unmatched, Arc::as_ref);
        Ok(self.end(&begun, &method, meters, response))
    }
}

impl<E: Endpoint> Application for Envelope<E> {
    /// The check of a token, which is most of what is ever asked: the framework takes longer to find the route and to call
    /// it than the route takes to answer. The document describes that route, and what memory cannot tell it answers.
    fn at_once<B: Body>(&self, request: &hyper::Request<B>, peer: SocketAddr) -> Option<Response> {
        let is_a_check = request.method() == Method::GET && request.uri().path() == VERIFY;
        let is_plain = request.uri().query().is_none() && request.body().is_end_stream();
        if !is_a_check || !is_plain || !self.state.checks_at_once {
            return None;
        }
        let begun = self.begin(request.headers(), Some(peer.ip()));
        let answer = || auth::verify_at_once(&self.state, request.headers());
        let response = catch_unwind(AssertUnwindSafe(answer)).unwrap_or_else(|panic| Some(panicked(panic)))?;
        Some(self.end(&begun, request.method(), &self.verify, response))
    }
}

/// The one line that a request leaves in the log. No header, no body and no query: any of them may hold a secret.
struct Line<'a> {
    id: &'a str,
    method: &'a Method,
    route: &'a str,
    status: u16,
    took: Duration,
    client: Client,
    result: &'a str,
    cause: Option<&'a str>,
}

impl Line<'_> {
    /// What machines ask many times a second, answered with a yes: whoever they ask for has a log of their own.
    fn is_routine(&self) -> bool {
        self.result == "ok" && matches!(self.route, "/auth/verify" | "/livez" | "/readyz" | "/metrics")
    }
}

struct Client(Option<IpAddr>);

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}

fn log(line: &Line<'_>) {
    macro_rules! write_line {
        ($level:ident, $($cause:tt)*) => {
            tracing::$level!(
                target: "auth_server::request",
                request_id = line.id,
                method = line.method.as_str(),
                route = line.route,
                status = line.status,
                latency_us = u64::try_from(line.took.as_micros()).unwrap_or(u64::MAX),
                client = %line.client,
                result = line.result,
                $($cause)*
                "answered"
            )
        };
    }
    if let Some(cause) = line.cause {
        write_line!(error, cause,);
    } else if line.is_routine() {
        write_line!(debug,);
    } else {
        write_line!(info,);
    }
}

/// The connection is closed: what follows on it need not be what the client, or a proxy, takes for its next request.
fn refused_head(fault: BadHead, version: Version) -> Response {
    let mut response = Failure::malformed(fault.message()).into_response();
    // HTTP/2 has no such field (RFC 9113 §8.2.2), and its requests cannot be confused with each other.
    if version < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    // What was said and where is in the line that the panic hook wrote.
    Failure::new(Code::Internal).caused_by("a handler panicked").into_response()
}

#[cfg(test)]
mod tests;
