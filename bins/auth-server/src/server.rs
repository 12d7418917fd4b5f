//! Connections: accepting them, bounding their number and their patience, and letting them finish.
//!
//! When as many are open as may be, the oldest idle one is closed for each new one, so that clients that hold connections
//! and ask for nothing keep nobody out.
//!
//! The framework's own server sets no limit on the time a request's head may take, so a client that sends a byte a
//! minute would hold a connection for ever; and it counts no connections. Hence this loop over the same `hyper`.

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

use self::connection::{Answer, UnderWay};
pub(crate) use self::connections::Connections;
use self::connections::Place;
use self::io_timeout::{Patient, Traffic};
pub(crate) use self::request_head::BadHead;
use crate::telemetry::LineLimit;

mod connection;
mod connections;
mod io_timeout;
mod request_head;

/// How many connections may be open. Each costs a file descriptor and some kilobytes.
pub(crate) const MAX_CONNECTIONS: usize = 4_096;

/// How long the head of a request may take, the wait for it on an idle connection included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a connection may stay open without a request; found out no later than after twice that. HTTP/1 has the limit on
/// the head as well; HTTP/2 has none, and a client that answers pings could hold all connections for ever.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// The same once the server is to stop, and nothing may be on its way either: a client that takes no notice of the stop shall
/// not hold it up.
const STOPPING_IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// The largest head of a request, in bytes.
const MAX_HEAD_BYTES: u32 = 32 * 1024;

/// How long a client may take no byte of an answer before it is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long to wait after the operating system refused to accept a connection, as it does when descriptors run out.
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

/// A socket that listens, and what answers on it.
pub struct Server<A> {
    listener: TcpListener,
    address: SocketAddr,
    application: Arc<A>,
    connections: Arc<Connections>,
    idle_timeout: Duration,
}

impl<A: Application + 'static> Server<A> {
    /// Listens on `address`. Connections queue from now on and are answered once the server runs.
    ///
    /// # Errors
    ///
    /// When the address cannot be had.
    pub async fn bind(address: SocketAddr, application: A) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let connections = Arc::new(Connections::new(MAX_CONNECTIONS));
        Ok(Self { listener, address, application: Arc::new(application), connections, idle_timeout: IDLE_TIMEOUT })
    }

    /// The same server with another limit on its open connections, which is 4,096 otherwise.
    #[must_use]
    pub fn with_max_connections(mut self, limit: usize) -> Self {
        self.connections = Arc::new(Connections::new(limit));
        self
    }

    /// Its connections, for those who count them.
    pub(crate) fn connections(&self) -> Arc<Connections> {
        Arc::clone(&self.connections)
    }

    /// The address it listens on, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is done; then accepts no more, and gives requests that are under way `grace` to finish.
    /// Returns whether all of them did. Connections without a request are closed.
    pub async fn run(self, stop: impl Future<Output = ()>, grace: Duration) -> bool {
        let graceful = GracefulShutdown::new();
        let (stopping, stopped) = watch::channel(false);
        let http = http();
        let failures = LineLimit::default();
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = self.accept() => accepted,
            };
            let (stream, peer, place) = match accepted {
                Ok(accepted) => accepted,
                // The client was gone before its connection was accepted.
                Err(error) if is_of_the_client(&error) => continue,
                Err(error) => {
                    self.connections.accept_failed();
                    if let Some(held_back) = failures.admit() {
                        tracing::warn!(%error, held_back, "a connection could not be accepted");
                    }
                    // The process or the system has run out of descriptors or memory, of which a connection holds some.
                    self.connections.close_oldest_idle();
                    tokio::select! {
                        () = &mut stop => break,
                        () = tokio::time::sleep(ACCEPT_PAUSE) => continue,
                    }
                }
            };
            let application = Arc::clone(&self.application);
            let local = self.address;
            let counted = Arc::clone(place.connection());
            let idle_timeout = self.idle_timeout;
            let service = service_fn(move |mut request| {
                let under_way = UnderWay::begin(&counted);
                let at_once = match BadHead::find(&request) {
                    None => application.answer_without_routing(&request, peer),
                    Some(fault) => {
                        // The application refuses it, in the form and with the log line of every other refusal.
                        request.extensions_mut().insert(fault);
                        None
                    }
                };
                // On the heap, so that what is answered at once is not moved about with all that the routes may need.
                let answer =
                    at_once.ok_or_else(|| Box::pin(by_the_routes(Arc::clone(&application), request, local, peer)));
                async move {
                    let response = match answer {
                        Ok(response) => response,
                        Err(later) => later.await,
                    };
                    let response = hyper::Response::from(response).map(|body| Answer::new(body, under_way));
                    Ok::<_, Infallible>(response)
                }
            });
            let traffic = Arc::clone(place.connection().traffic());
            let io = TokioIo::new(Patient::new(stream, WRITE_TIMEOUT, traffic));
            let mut stopped = stopped.clone();
            let connection = graceful.watch(http.serve_connection(io, service).into_owned());
            tokio::spawn(async move {
                tokio::select! {
                    // What has arrived is read and what is answered is written before the connection counts as idle.
                    biased;
                    // An error here is the client's: it went away, was too slow, or spoke no HTTP.
                    ended = connection => if let Err(error) = ended {
                        tracing::debug!(%peer, error, "a connection ended early");
                    },
                    () = place.is_wanted() => tracing::debug!(%peer, "an idle connection was closed to make room"),
                    () = place.connection().cease(|_| 0, idle_timeout) => {
                        tracing::debug!(%peer, "an idle connection was closed");
                    }
                    () = async {
                        // The sender goes away only after it has said so.
                        let _ = stopped.wait_for(|stopped| *stopped).await;
                        place.connection().cease(Traffic::moves, STOPPING_IDLE_TIMEOUT).await;
                    } => tracing::debug!(%peer, "a connection was closed that its client kept open"),
                }
                drop(place);
            });
        }
        drop(self.listener);
        stopping.send_replace(true);
        tokio::time::timeout(grace, graceful.shutdown()).await.is_ok()
    }

    /// The next connection, once there is room for it. Others wait in the queue of the operating system meanwhile.
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr, Place)> {
        let (stream, peer) = self.listener.accept().await?;
        // It fails where the client is gone already, which shows as well when the connection is read.
        let _ = stream.set_nodelay(true);
        let permit = self.connections.room().await.map_err(io::Error::other)?;
        Ok((stream, peer, self.connections.enter(permit)))
    }
}

/// Whether accepting failed because of one client, which is no reason to pause.
fn is_of_the_client(error: &io::Error) -> bool {
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

async fn by_the_routes(
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
