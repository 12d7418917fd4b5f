//! The outermost endpoint, through which every request and every response passes.
//!
//! It gives the request an id and a timeout, turns every error into the one JSON form, those of the framework and panics
//! included, writes the log line and updates the metrics.

use std::any::Any;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use auth_core::Clock;
use auth_http::ErrorAnswer;
use ipnet::IpNet;
use poem::http::{HeaderMap, HeaderValue, Method, Version, header};
use poem::middleware::{CatchPanic, CatchPanicEndpoint};
use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response, Result};

use super::client::{self, ClientAddress};
use super::cors::Cors;
use super::error::{ApiError, ErrorRecord};
use super::request_id::{REQUEST_ID, request_id};
use super::route::MatchedRoute;
use super::state::State;
use crate::metrics::{InFlightGuard, RouteMeters};
use crate::server::{Application, BadHead};

/// Time within which a request must be answered. It is longer than a login may wait for a hashing thread.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

type PanicHandler = fn(Box<dyn Any + Send>) -> Response;

/// The outermost endpoint. It never returns an error.
pub(crate) struct Envelope<E> {
    inner: CatchPanicEndpoint<E, PanicHandler>,
    state: Arc<State>,
    clock: Arc<dyn Clock>,
    trusted_proxies: Vec<IpNet>,
    /// The permissions of pages of other origins, if there are any.
    cors: Option<Cors>,
    /// The meters of requests that no route matches.
    unmatched: RouteMeters,
}

/// A request from its arrival to its response.
pub(crate) struct RequestContext {
    /// Time of arrival, on the monotonic clock.
    at: Duration,
    id: HeaderValue,
    client: Option<IpAddr>,
    /// The origin that it names, if pages of that origin may read the response.
    allowed_origin: Option<HeaderValue>,
    _in_flight: InFlightGuard,
}

impl<E: Endpoint> Envelope<E> {
    /// Wraps `inner`. Only a proxy in `trusted_proxies` may name the address of a client.
    pub(crate) fn new(
        inner: E,
        state: Arc<State>,
        clock: Arc<dyn Clock>,
        trusted_proxies: Vec<IpNet>,
        cors: Option<Cors>,
    ) -> Self {
        let inner = inner.with(CatchPanic::new().with_handler(panicked as PanicHandler));
        let unmatched = state.metrics.unmatched();
        Self { inner, state, clock, trusted_proxies, cors, unmatched }
    }

    /// Notes the arrival of a request with these header fields.
    pub(crate) fn begin(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> RequestContext {
        RequestContext {
            at: self.clock.monotonic(),
            id: request_id(headers),
            client: peer.map(|peer| client::address(peer, headers, &self.trusted_proxies)),
            allowed_origin: self.cors.as_ref().and_then(|cors| cors.allowed_origin(headers)),
            _in_flight: self.state.metrics.request_started(),
        }
    }

    async fn answer(&self, request: Request) -> Response {
        if let Some(fault) = request.data::<BadHead>() {
            return refuse_head(*fault, request.version());
        }
        if let Some(response) = self.cors.as_ref().and_then(|cors| cors.answer_preflight(&request)) {
            return response;
        }
        match tokio::time::timeout(REQUEST_TIMEOUT, self.inner.call(request)).await {
            Ok(Ok(response)) => response.into_response(),
            Ok(Err(error)) => ApiError::of_framework(error).into_response(),
            Err(_) => {
                ApiError::from(ErrorAnswer::unavailable("the request took longer than a request may")).into_response()
            }
        }
    }

    /// Completes the response with the header fields of every response, logs the request and updates the metrics.
    pub(crate) fn finish(
        &self,
        context: &RequestContext,
        method: &Method,
        meters: &RouteMeters,
        mut response: Response,
    ) -> Response {
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, context.id.clone());
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // Responses default to `no-store` unless the handler sets `Cache-Control`.
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        if self.cors.is_some() {
            Cors::complete(context.allowed_origin.as_ref(), headers);
        }

        let took = self.clock.monotonic().saturating_sub(context.at);
        let (status, error) = (response.status(), response.data::<ErrorRecord>());
        let result = error.map_or("ok", |error| error.code.as_str());
        self.state.metrics.request_answered(method, meters, status, took);
        self.state.metrics.outcome(method, meters.pattern(), result);
        log(&Line {
            id: context.id.to_str().unwrap_or_default(),
            method,
            route: meters.pattern(),
            status: status.as_u16(),
            took,
            client: Client(context.client),
            result,
            cause: error.and_then(|error| error.cause.as_deref()),
        });
        response
    }
}

impl<E: Endpoint> Endpoint for Envelope<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let peer = request.remote_addr().as_socket_addr().map(SocketAddr::ip);
        let context = self.begin(request.headers(), peer);
        request.set_data(ClientAddress(context.client));
        let method = request.method().clone();
        let route = MatchedRoute::default();
        request.set_data(route.clone());
        request.set_data(Arc::clone(&self.state));
        let response = self.answer(request).await;
        let meters = route.get().unwrap_or(&self.unmatched);
        Ok(self.finish(&context, &method, meters, response))
    }
}

impl<E: Endpoint> Application for Envelope<E> {}

/// The log line of a request. It has no header field, no body and no query, because each of them may hold a secret.
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
    /// Returns whether the line is logged at the level `debug`: a machine asks for these routes many times a second, and the
    /// answer was a success.
    fn is_routine(&self) -> bool {
        self.result == "ok"
            && matches!(self.route, "/auth/verify" | "/auth/revocations" | "/livez" | "/readyz" | "/metrics")
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

/// Answers a request whose head is invalid. The connection is closed, because the client or a proxy may disagree with this server
/// about where the next request begins.
pub(crate) fn refuse_head(fault: BadHead, version: Version) -> Response {
    let mut response = ApiError::from(ErrorAnswer::malformed(fault.message())).into_response();
    // HTTP/2 has no such field (RFC 9113 §8.2.2), and its requests cannot be confused with each other.
    if version < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Returns the response to a request whose handler panicked. The panic hook has logged message and place.
pub(crate) fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::internal("a handler panicked").into_response()
}
