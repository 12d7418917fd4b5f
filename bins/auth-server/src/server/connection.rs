//! One connection: its requests, and whether it is idle.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::Notify;

use super::io_timeout::Traffic;

/// The state of one connection. A request updates it with a few atomic operations and without a lock.
pub(super) struct Connection {
    id: u64,
    traffic: Arc<Traffic>,
    /// Number of requests so far.
    requests: AtomicUsize,
    /// Number of requests that are not answered yet.
    active: AtomicUsize,
    /// Number of connections of the server that have not made a request yet.
    without_request: Arc<AtomicUsize>,
    close_requested: Notify,
}

impl Connection {
    pub(super) fn new(id: u64, traffic: Traffic, without_request: Arc<AtomicUsize>) -> Self {
        without_request.fetch_add(1, Ordering::AcqRel);
        Self {
            id,
            traffic: Arc::new(traffic),
            requests: AtomicUsize::new(0),
            active: AtomicUsize::new(0),
            without_request,
            close_requested: Notify::new(),
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// Returns whether it has made a request. The head of a request counts once it is complete.
    pub(super) fn has_made_request(&self) -> bool {
        self.requests.load(Ordering::Acquire) > 0
    }

    /// Returns whether no request is active and no part of a response waits to be written.
    pub(super) fn is_idle(&self) -> bool {
        self.active.load(Ordering::Acquire) == 0 && !self.traffic.write_is_pending()
    }

    /// Asks the task of the connection to close it if it is idle.
    pub(super) fn request_close(&self) {
        self.close_requested.notify_one();
    }

    /// Waits until [`request_close`](Self::request_close) is called. Returns at once if it was called before.
    pub(super) async fn close_requested(&self) {
        self.close_requested.notified().await;
    }

    /// Waits until the connection has been idle for `timeout`, during which `transfers` of the traffic did not change. It polls, so that
    /// a request needs no timer; so it returns after at most twice that time.
    pub(super) async fn idle_for(&self, timeout: Duration, transfers: fn(&Traffic) -> usize) {
        let mut before = None;
        loop {
            let requests = self.requests.load(Ordering::Acquire);
            let idle = self.is_idle().then(|| (requests, transfers(&self.traffic)));
            if idle.is_some() && idle == before {
                return;
            }
            before = idle;
            tokio::time::sleep(timeout).await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.has_made_request() {
            self.without_request.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// A request that is active until this is dropped.
pub(super) struct ActiveRequest(Arc<Connection>);

impl ActiveRequest {
    pub(super) fn begin(connection: &Arc<Connection>) -> Self {
        connection.active.fetch_add(1, Ordering::AcqRel);
        if connection.requests.fetch_add(1, Ordering::AcqRel) == 0 {
            connection.without_request.fetch_sub(1, Ordering::AcqRel);
        }
        Self(Arc::clone(connection))
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.traffic.answered();
        self.0.active.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The body of a response. The request is active until `hyper` has taken all of it, because between the end of the handler and the first
/// byte on the wire a response of HTTP/2 belongs to another task.
pub(super) struct ResponseBody {
    body: BoxBody<Bytes, io::Error>,
    _request: ActiveRequest,
}

impl ResponseBody {
    pub(super) fn new(body: BoxBody<Bytes, io::Error>, request: ActiveRequest) -> Self {
        Self { body, _request: request }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::Instant;

    use super::super::io_timeout::IoTimeout;
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test(start_paused = true)]
    async fn a_connection_whose_response_waits_or_is_transferred_is_not_idle() {
        let connection = Connection::new(0, Traffic::new(Instant::now()), Arc::default());
        let (server, mut client) = tokio::io::duplex(1);
        let mut stream = IoTimeout::new(server, Duration::from_secs(20), Arc::clone(connection.traffic()));
        let becomes_idle = async |transfers: fn(&Traffic) -> usize| {
            tokio::time::timeout(SHORT * 9, connection.idle_for(SHORT, transfers)).await.is_ok()
        };
        assert!(becomes_idle(Traffic::transfers).await);
        stream.write_all(b"1").await.unwrap();
        // Nobody reads the second byte.
        assert!(tokio::time::timeout(SHORT, stream.write_all(b"2")).await.is_err());
        assert!(!becomes_idle(|_| 0).await);
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
        let (cut, ()) = tokio::join!(becomes_idle(Traffic::transfers), slowly);
        assert!(!cut, "something was transferred");
        assert!(becomes_idle(Traffic::transfers).await);
        taken.abort();
    }
}
