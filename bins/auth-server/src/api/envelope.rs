//! What every request passes through and every answer is wrapped in: an id, a limit on its time, one form for every
//! refusal — the framework's and a panic's too —, one line in the log, and the meters.

use std::any::Any;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use auth_core::Clock;
use ipnet::IpNet;
use poem::http::{HeaderValue, Method, header};
use poem::middleware::CatchPanic;
use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response, Result};

use super::client::ClientAddress;
use super::error::{Code, Failure};
use super::{State, client};
use crate::metrics::RouteMeters;

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
    /// Of what no route matches.
    unmatched: RouteMeters,
}

impl<E: Endpoint> Envelope<E> {
    pub(super) fn around(
        inner: E,
        state: Arc<State>,
        clock: Arc<dyn Clock>,
        trusted_proxies: Vec<IpNet>,
    ) -> impl Endpoint<Output = Response> {
        let inner = inner.with(CatchPanic::new().with_handler(panicked));
        let unmatched = state.metrics.unmatched();
        Envelope { inner, state, clock, trusted_proxies, unmatched }
    }

    async fn answer(&self, request: Request) -> Response {
        match tokio::time::timeout(REQUEST_TIMEOUT, self.inner.call(request)).await {
            Ok(Ok(response)) => response.into_response(),
            Ok(Err(error)) => Failure::from(error).into_response(),
            Err(_) => Failure::unavailable("the request took longer than a request may").into_response(),
        }
    }
}

impl<E: Endpoint> Endpoint for Envelope<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let started = self.clock.monotonic();
        let _in_flight = self.state.metrics.request_started();
        let id = client::request_id(&request);
        let address = client::address(&request, &self.trusted_proxies);
        request.set_data(ClientAddress(address));
        let method = request.method().clone();
        let route = MatchedRoute::default();
        request.set_data(route.clone());
        request.set_data(Arc::clone(&self.state));

        let mut response = self.answer(request).await;

        let headers = response.headers_mut();
        headers.insert(client::REQUEST_ID, id.clone());
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // Nothing here is for a cache, but what says so itself.
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));

        let took = self.clock.monotonic().saturating_sub(started);
        let refusal = response.data::<Refusal>().cloned();
        let result = refusal.as_ref().map_or("ok", |refusal| refusal.code.as_str());
        let (status, meters) = (response.status(), route.0.get().map_or(&self.unmatched, Arc::as_ref));
        self.state.metrics.request_answered(&method, meters, status, took);
        self.state.metrics.outcome(&method, meters.pattern(), result);
        log(&Line {
            id: id.to_str().unwrap_or_default(),
            method: &method,
            route: meters.pattern(),
            status: status.as_u16(),
            took,
            client: Client(address),
            result,
            cause: refusal.as_ref().and_then(|refusal| refusal.cause.as_deref()),
        });
        Ok(response)
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

fn panicked(_: Box<dyn Any + Send>) -> Response {
    // What was said and where is in the line that the panic hook wrote.
    Failure::new(Code::Internal).caused_by("a handler panicked").into_response()
}
