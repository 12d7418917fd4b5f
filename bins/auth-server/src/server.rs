//! Connections: accepting them, bounding their number and their patience, and letting them finish.
//!
//! The framework's own server sets no limit on the time a request's head may take, so a client that sends a byte a
//! minute would hold a connection for ever; and it counts no connections. Hence this loop over the same `hyper`.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::patience::{Patient, Traffic};
use crate::request_head::BadHead;

/// How many connections may be open. Each costs a file descriptor and some kilobytes.
const MAX_CONNECTIONS: usize = 4_096;

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

/// What a server answers with: routes, and before them what needs none.
pub trait Application: Endpoint<Output = Response> {
    /// The answer to `request`, which came from `peer`, where it can be given without waiting and is asked for so often
    /// that the framework's part in it would be felt. Where there is none, the routes answer. The head of `request` was
    /// checked; a request with a [`BadHead`] comes to the routes, with that in its extensions.
    fn at_once<B: Body>(&self, request: &hyper::Request<B>, peer: SocketAddr) -> Option<Response>;
}

/// A socket that listens, and what answers on it.
pub struct Server<A> {
    listener: TcpListener,
    address: SocketAddr,
    application: Arc<A>,
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
        Ok(Self { listener, address, application: Arc::new(application), idle_timeout: IDLE_TIMEOUT })
    }

    /// The address it listens on, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is done; then accepts no more, and gives requests that are under way `grace` to finish.
    /// Returns whether all of them did. Connections without a request are closed.
    pub async fn run(self, stop: impl Future<Output = ()>, grace: Duration) -> bool {
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let graceful = GracefulShutdown::new();
        let (stopping, stopped) = watch::channel(false);
        let http = http();
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&self.listener, &connections) => accepted,
            };
            let (stream, peer, permit) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::select! {
                        () = &mut stop => break,
                        () = tokio::time::sleep(ACCEPT_PAUSE) => continue,
                    }
                }
            };
            let application = Arc::clone(&self.application);
            let local = self.address;
            let requests = Arc::new(Requests::default());
            let (counted, idle_timeout) = (Arc::clone(&requests), self.idle_timeout);
            let service = service_fn(move |mut request| {
                let under_way = UnderWay::begin(&counted);
                let at_once = match BadHead::find(&request) {
                    None => application.at_once(&request, peer),
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
                    drop(under_way);
                    Ok::<hyper::Response<BoxBody<Bytes, io::Error>>, Infallible>(response.into())
                }
            });
            let stream = Patient::new(stream, WRITE_TIMEOUT);
            let (traffic, io) = (stream.traffic(), TokioIo::new(stream));
            let mut stopped = stopped.clone();
            let connection = graceful.watch(http.serve_connection(io, service).into_owned());
            tokio::spawn(async move {
                tokio::select! {
                    // An error here is the client's: it went away, was too slow, or spoke no HTTP.
                    ended = connection => if let Err(error) = ended {
                        tracing::debug!(%peer, error, "a connection ended early");
                    },
                    () = requests.cease(&traffic, |_| 0, idle_timeout) => tracing::debug!(%peer, "an idle connection was closed"),
                    () = async {
                        // The sender goes away only after it has said so.
                        let _ = stopped.wait_for(|stopped| *stopped).await;
                        requests.cease(&traffic, Traffic::moves, STOPPING_IDLE_TIMEOUT).await;
                    } => tracing::debug!(%peer, "a connection was closed that its client kept open"),
                }
                drop(permit);
            });
        }
        drop(self.listener);
        stopping.send_replace(true);
        tokio::time::timeout(grace, graceful.shutdown()).await.is_ok()
    }
}

/// The requests of one connection.
#[derive(Default)]
struct Requests {
    begun: AtomicUsize,
    under_way: AtomicUsize,
}

impl Requests {
    /// Returns once there was none for so long, no answer that waits to be taken, and no change in what `moves` says of the
    /// traffic. Looks now and then, so that a request costs no timer.
    async fn cease(&self, traffic: &Traffic, moves: fn(&Traffic) -> usize, idle_timeout: Duration) {
        let mut before = None;
        loop {
            let begun = self.begun.load(Ordering::Acquire);
            let busy = self.under_way.load(Ordering::Acquire) > 0 || traffic.waits();
            let idle = (!busy).then(|| (begun, moves(traffic)));
            if idle.is_some() && idle == before {
                return;
            }
            before = idle;
            tokio::time::sleep(idle_timeout).await;
        }
    }
}

/// One of them, until it is dropped.
struct UnderWay(Arc<Requests>);

impl UnderWay {
    fn begin(requests: &Arc<Requests>) -> Self {
        requests.under_way.fetch_add(1, Ordering::AcqRel);
        requests.begun.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(requests))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    // Beyond the limit connections wait in the queue of the operating system.
    let permit = Arc::clone(connections).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, permit))
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
mod tests {
    use poem::EndpointExt as _;
    use poem::endpoint::make;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::Notify;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    /// The preface of HTTP/2, empty settings and the acknowledgement of the server's.
    const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0";

    struct RoutesOnly<E>(E);

    impl<E: Endpoint<Output = Response>> Endpoint for RoutesOnly<E> {
        type Output = Response;

        async fn call(&self, request: Request) -> poem::Result<Response> {
            self.0.call(request).await
        }
    }

    impl<E: Endpoint<Output = Response>> Application for RoutesOnly<E> {
        fn at_once<B: Body>(&self, _: &hyper::Request<B>, _: SocketAddr) -> Option<Response> {
            None
        }
    }

    /// A server whose answers wait to be let go, and that has little patience with idle connections.
    async fn start(go_on: Arc<Notify>) -> SocketAddr {
        let endpoint = make(move |_| {
            let go_on = Arc::clone(&go_on);
            async move { go_on.notified().await }
        });
        let application = RoutesOnly(endpoint.map_to_response());
        let mut server = Server::bind("127.0.0.1:0".parse().unwrap(), application).await.unwrap();
        server.idle_timeout = SHORT;
        let address = server.address();
        tokio::spawn(server.run(std::future::pending(), SHORT));
        address
    }

    /// Reads to the end that the server makes.
    async fn is_closed(stream: &mut TcpStream) -> Vec<u8> {
        let mut all = Vec::new();
        tokio::time::timeout(HEAD_TIMEOUT / 2, stream.read_to_end(&mut all)).await.expect("it is closed").unwrap();
        all
    }

    #[tokio::test]
    async fn an_idle_connection_is_closed_and_one_with_a_request_under_way_is_not() {
        let go_on = Arc::new(Notify::new());
        let address = start(Arc::clone(&go_on)).await;
        let mut busy = TcpStream::connect(address).await.unwrap();
        busy.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        for _ in 0..3 {
            let mut idle = TcpStream::connect(address).await.unwrap();
            idle.write_all(HTTP_2).await.unwrap();
            is_closed(&mut idle).await;
        }
        go_on.notify_one();
        assert!(is_closed(&mut busy).await.starts_with(b"HTTP/1.1 200 OK"));
    }

    #[tokio::test]
    async fn a_client_that_does_not_hear_of_the_end_does_not_hold_it_up() {
        let application = RoutesOnly(make(|_| async {}).map_to_response());
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), application).await.unwrap();
        let mut deaf = TcpStream::connect(server.address()).await.unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async { stopped.await.unwrap() }, HEAD_TIMEOUT));
        deaf.write_all(HTTP_2).await.unwrap();
        deaf.read_exact(&mut [0; 9]).await.unwrap();
        stop.send(()).unwrap();
        let finished = tokio::time::timeout(HEAD_TIMEOUT / 2, running).await.expect("it stops").unwrap();
        assert!(finished, "no request was under way");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_waits_or_is_on_its_way_is_no_idleness() {
        let (requests, (server, client)) = (Requests::default(), tokio::io::duplex(1));
        let mut stream = Patient::new(server, HEAD_TIMEOUT);
        let traffic = stream.traffic();
        let ceases = async |moves: fn(&Traffic) -> usize| {
            tokio::time::timeout(SHORT * 9, requests.cease(&traffic, moves, SHORT)).await.is_ok()
        };
        assert!(ceases(Traffic::moves).await);
        stream.write_all(b"1").await.unwrap();
        // Nobody takes the second byte.
        assert!(tokio::time::timeout(SHORT, stream.write_all(b"2")).await.is_err());
        assert!(!ceases(|_| 0).await);
        let mut client = client;
        let taken = tokio::spawn(async move {
            while client.read_u8().await.is_ok() {
                tokio::time::sleep(SHORT / 2).await;
            }
        });
        let slowly = async {
            for _ in 0..18 {
                stream.write_all(b"3").await.unwrap();
                tokio::time::sleep(SHORT / 2).await;
            }
        };
        let (cut, ()) = tokio::join!(ceases(Traffic::moves), slowly);
        assert!(!cut, "something was on its way");
        assert!(ceases(Traffic::moves).await);
        taken.abort();
    }
}
