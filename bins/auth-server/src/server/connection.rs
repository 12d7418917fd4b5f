//! One connection: its requests, and when it counts as idle.

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

/// What is known of one connection. A request costs it a few atomic operations and no lock.
pub(super) struct Connection {
    id: u64,
    traffic: Arc<Traffic>,
    begun: AtomicUsize,
    under_way: AtomicUsize,
    /// How many connections of the server have not made a request yet.
    without_request: Arc<AtomicUsize>,
    told_to_close: Notify,
}

impl Connection {
    pub(super) fn new(id: u64, traffic: Traffic, without_request: Arc<AtomicUsize>) -> Self {
        without_request.fetch_add(1, Ordering::AcqRel);
        Self {
            id,
            traffic: Arc::new(traffic),
            begun: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            without_request,
            told_to_close: Notify::new(),
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// Whether it has made a request. The head of one is not enough until it is complete.
    pub(super) fn has_asked(&self) -> bool {
        self.begun.load(Ordering::Acquire) > 0
    }

    /// Whether no request is under way and no part of an answer waits to be taken.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.load(Ordering::Acquire) == 0 && !self.traffic.waits()
    }

    /// Tells the task of the connection to close it if it is idle.
    pub(super) fn tell_to_close(&self) {
        self.told_to_close.notify_one();
    }

    /// Returns once [`tell_to_close`](Self::tell_to_close) was called, at once if it was before.
    pub(super) async fn told_to_close(&self) {
        self.told_to_close.notified().await;
    }

    /// Returns once the connection was idle for `idle_timeout`, with no change in what `moves` says of the traffic.
    /// Looks now and then, so that a request costs no timer.
    pub(super) async fn cease(&self, moves: fn(&Traffic) -> usize, idle_timeout: Duration) {
        let mut before = None;
        loop {
            let begun = self.begun.load(Ordering::Acquire);
            let idle = self.is_idle().then(|| (begun, moves(&self.traffic)));
            if idle.is_some() && idle == before {
                return;
            }
            before = idle;
            tokio::time::sleep(idle_timeout).await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.has_asked() {
            self.without_request.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// A request that is under way, until this is dropped.
pub(super) struct UnderWay(Arc<Connection>);

impl UnderWay {
    pub(super) fn begin(connection: &Arc<Connection>) -> Self {
        connection.under_way.fetch_add(1, Ordering::AcqRel);
        if connection.begun.fetch_add(1, Ordering::AcqRel) == 0 {
            connection.without_request.fetch_sub(1, Ordering::AcqRel);
        }
        Self(Arc::clone(connection))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.traffic.answered();
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The body of an answer. The request is under way until `hyper` has taken all of it: between the end of the handler and the
/// first byte on the wire an answer of HTTP/2 is in the hands of another task.
pub(super) struct Answer {
    body: BoxBody<Bytes, io::Error>,
    _under_way: UnderWay,
}

impl Answer {
    pub(super) fn new(body: BoxBody<Bytes, io::Error>, under_way: UnderWay) -> Self {
        Self { body, _under_way: under_way }
    }
}

impl Body for Answer {
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

    use super::super::io_timeout::Patient;
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_waits_or_is_on_its_way_is_no_idleness() {
        let connection = Connection::new(0, Traffic::new(Instant::now()), Arc::default());
        let (server, mut client) = tokio::io::duplex(1);
        let mut stream = Patient::new(server, Duration::from_secs(20), Arc::clone(connection.traffic()));
        let ceases = async |moves: fn(&Traffic) -> usize| {
            tokio::time::timeout(SHORT * 9, connection.cease(moves, SHORT)).await.is_ok()
        };
        assert!(ceases(Traffic::moves).await);
        stream.write_all(b"1").await.unwrap();
        // Nobody takes the second byte.
        assert!(tokio::time::timeout(SHORT, stream.write_all(b"2")).await.is_err());
        assert!(!ceases(|_| 0).await);
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
