//! The HTTP server: accepts connections, limits their number and their idle time, and lets requests finish at the end.
//!
//! At the limit the oldest idle connection is closed for each new one, so that clients that hold connections without requests cannot
//! keep others out.
//!
//! The framework's own server has no timeout for the head of a request, so that a client could hold a connection with a byte a
//! minute, and it does not count connections. So this module has its own accept loop over the same `hyper`.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use self::connection::{ActiveRequest, ResponseBody};
pub(crate) use self::connections::Connections;
use self::connections::Slot;
use self::io_timeout::{IoTimeout, Traffic};
pub(crate) use self::request_head::BadHead;
use crate::telemetry::LogRateLimit;

mod connection;
mod connections;
mod io_timeout;
mod request_head;

/// Largest number of open connections. Each takes a file descriptor and some kilobytes of memory.
pub(crate) const MAX_CONNECTIONS: usize = 4_096;

/// Time within which the head of a request must arrive, including the wait for it on an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);

/// Time after which a connection without a request is closed; it takes at most twice that time. HTTP/1 has the timeout of the head
/// as well. HTTP/2 has no other, so that a client that answers pings could hold all connections.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// The same while the server stops; then a transfer counts as activity. It keeps a client that ignores the stop from delaying it.
const STOPPING_IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Largest head of a request, in bytes.
const MAX_HEAD_BYTES: u32 = 32 * 1024;

/// Time after which a connection is closed whose client reads no byte of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// Pause after the operating system failed to accept a connection, as it does when descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The endpoint that a server answers with.
///
/// A request whose head is invalid carries a `BadHead` in its extensions. The endpoint refuses it.
pub trait Application: Endpoint<Output = Response> {
    /// Answers a request from `peer` at once and without the framework, or returns `None`, which leaves it to the endpoint. The
    /// head of `request` is valid.
    fn answer_without_routing<B: Body>(&self, request: &hyper::Request<B>, peer: SocketAddr) -> Option<Response> {
        let _ = (request, peer);
        None
    }
}

/// A listening socket with the application that answers on it.
pub struct Server<A> {
    listener: TcpListener,
    address: SocketAddr,
    application: Arc<A>,
    connections: Arc<Connections>,
    idle_timeout: Duration,
}

impl<A: Application + 'static> Server<A> {
    /// Listens on `address`. Connections queue from now on and are accepted once the server runs.
    ///
    /// # Errors
    ///
    /// The address is not available.
    pub async fn bind(address: SocketAddr, application: A) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let connections = Arc::new(Connections::new(MAX_CONNECTIONS));
        Ok(Self { listener, address, application: Arc::new(application), connections, idle_timeout: IDLE_TIMEOUT })
    }

    /// Sets the largest number of open connections, which is 4,096 by default.
    #[must_use]
    pub fn with_max_connections(mut self, limit: usize) -> Self {
        self.connections = Arc::new(Connections::new(limit));
        self
    }

    /// Returns the connections, for the metrics.
    pub(crate) fn connections(&self) -> Arc<Connections> {
        Arc::clone(&self.connections)
    }

    /// Returns the address that it listens on, with the actual port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts connections until `stop` is ready, and then gives active requests `grace` to finish. Returns whether all of them did.
    /// Connections without an active request are closed.
    pub async fn run(self, stop: impl Future<Output = ()>, grace: Duration) -> bool {
        let graceful = GracefulShutdown::new();
        let (stopping, stopped) = watch::channel(false);
        let http = http();
        let failures = LogRateLimit::default();
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = self.accept() => accepted,
            };
            let (stream, peer, slot) = match accepted {
                Ok(accepted) => accepted,
                // The client closed the connection before it was accepted.
                Err(error) if is_caused_by_client(&error) => continue,
                Err(error) => {
                    self.connections.note_accept_failure();
                    if let Some(held_back) = failures.admit() {
                        tracing::warn!(%error, held_back, "a connection could not be accepted");
                    }
                    // The process or the system has no descriptors or memory left. Closing a connection frees some.
                    self.connections.close_oldest_idle();
                    tokio::select! {
                        () = &mut stop => break,
                        () = tokio::time::sleep(ACCEPT_PAUSE) => continue,
                    }
                }
            };
            let application = Arc::clone(&self.application);
            let local = self.address;
            let state = Arc::clone(slot.connection());
            let idle_timeout = self.idle_timeout;
            let service = service_fn(move |mut request| {
                let active = ActiveRequest::begin(&state);
                let response = match BadHead::find(&request) {
                    None => application.answer_without_routing(&request, peer),
                    Some(fault) => {
                        // The application answers it with the body and the log line of every other error.
                        request.extensions_mut().insert(fault);
                        None
                    }
                };
                // On the heap, so that the future of the fast path is small.
                let answer = response.ok_or_else(|| Box::pin(route(Arc::clone(&application), request, local, peer)));
                async move {
                    let response = match answer {
                        Ok(response) => response,
                        Err(later) => later.await,
                    };
                    let response = hyper::Response::from(response).map(|body| ResponseBody::new(body, active));
                    Ok::<_, Infallible>(response)
                }
            });
            let traffic = Arc::clone(slot.connection().traffic());
            let io = TokioIo::new(IoTimeout::new(stream, WRITE_TIMEOUT, traffic));
            let mut stopped = stopped.clone();
            let connection = graceful.watch(http.serve_connection(io, service).into_owned());
            tokio::spawn(async move {
                tokio::select! {
                    // Everything that arrived is read and every response is written before the connection counts as idle.
                    biased;
                    // The client caused an error here: it closed the connection, was too slow, or sent no HTTP.
                    ended = connection => if let Err(error) = ended {
                        tracing::debug!(%peer, error, "a connection ended early");
                    },
                    () = slot.evicted() => tracing::debug!(%peer, "an idle connection was closed to make room"),
                    () = slot.connection().idle_for(idle_timeout, |_| 0) => {
                        tracing::debug!(%peer, "an idle connection was closed");
                    }
                    () = async {
                        // The sender is dropped only after it has sent the value.
                        let _ = stopped.wait_for(|stopped| *stopped).await;
                        slot.connection().idle_for(STOPPING_IDLE_TIMEOUT, Traffic::transfers).await;
                    } => tracing::debug!(%peer, "a connection was closed that its client kept open"),
                }
                drop(slot);
            });
        }
        drop(self.listener);
        stopping.send_replace(true);
        tokio::time::timeout(grace, graceful.shutdown()).await.is_ok()
    }

    /// Accepts a connection, and waits until one more may be open. Further ones wait in the queue of the operating system.
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr, Slot)> {
        let (stream, peer) = self.listener.accept().await?;
        // It fails if the client has closed the connection, which is noticed when the connection is read.
        let _ = stream.set_nodelay(true);
        let permit = self.connections.acquire().await.map_err(io::Error::other)?;
        Ok((stream, peer, self.connections.add(permit)))
    }
}

/// Returns whether accepting failed because of the client, which is no reason to pause.
fn is_caused_by_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn http() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES as usize)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(128)
        .max_header_list_size(MAX_HEAD_BYTES)
        .keep_alive_interval(HEAD_TIMEOUT)
        .keep_alive_timeout(HEAD_TIMEOUT);
    builder
}

async fn route(
    application: Arc<impl Application>,
    request: hyper::Request<Incoming>,
    local: SocketAddr,
    peer: SocketAddr,
) -> Response {
    let addresses = (LocalAddr(Addr::SocketAddr(local)), RemoteAddr(Addr::SocketAddr(peer)));
    let request = Request::from((request, addresses.0, addresses.1, Scheme::HTTP));
    application.get_response(request).await
}

#[cfg(test)]
mod tests;
