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
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::patience::Patient;

/// How many connections may be open. Each costs a file descriptor and some kilobytes.
const MAX_CONNECTIONS: usize = 4_096;

/// How long the head of a request may take, the wait for it on an idle connection included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);

/// The largest head of a request, in bytes.
const MAX_HEAD_BYTES: u32 = 32 * 1024;

/// How long a client may take no byte of an answer before it is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long to wait after the operating system refused to accept a connection, as it does when descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A socket that listens, and what answers on it.
pub struct Server<E> {
    listener: TcpListener,
    address: SocketAddr,
    endpoint: Arc<E>,
}

impl<E: Endpoint<Output = Response> + 'static> Server<E> {
    /// Listens on `address`. Connections queue from now on and are answered once the server runs.
    ///
    /// # Errors
    ///
    /// When the address cannot be had.
    pub async fn bind(address: SocketAddr, endpoint: E) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, endpoint: Arc::new(endpoint) })
    }

    /// The address it listens on, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is done; then accepts no more, and gives requests that are under way `grace` to finish.
    /// Returns whether all of them did.
    pub async fn run(self, stop: impl Future<Output = ()>, grace: Duration) -> bool {
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let graceful = GracefulShutdown::new();
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
            let endpoint = Arc::clone(&self.endpoint);
            let local = self.address;
            let service = service_fn(move |request| answer(Arc::clone(&endpoint), request, local, peer));
            let io = TokioIo::new(Patient::new(stream, WRITE_TIMEOUT));
            let connection = graceful.watch(http.serve_connection(io, service).into_owned());
            tokio::spawn(async move {
                // An error here is the client's: it went away, was too slow, or spoke no HTTP.
                if let Err(error) = connection.await {
                    tracing::debug!(%peer, error, "a connection ended early");
                }
                drop(permit);
            });
        }
        drop(self.listener);
        tokio::time::timeout(grace, graceful.shutdown()).await.is_ok()
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

async fn answer<E: Endpoint<Output = Response>>(
    endpoint: Arc<E>,
    request: hyper::Request<Incoming>,
    local: SocketAddr,
    peer: SocketAddr,
) -> Result<hyper::Response<BoxBody<Bytes, io::Error>>, Infallible> {
    let addresses = (LocalAddr(Addr::SocketAddr(local)), RemoteAddr(Addr::SocketAddr(peer)));
    let request = Request::from((request, addresses.0, addresses.1, Scheme::HTTP));
    Ok(endpoint.get_response(request).await.into())
}
