//! A stream that does not wait for ever for a client that takes nothing.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// What the preface of HTTP/2 has (RFC 9113 §3.4): until so much was read nobody knows which HTTP it will be, and no
/// other limit holds.
const OPENING_BYTES: usize = 24;

/// Wraps a stream. A write that makes no progress for `limit` is an error, which ends the connection, and so is a
/// client that says nothing for `limit` after it connected. Other reading is not bounded here: the head of a request
/// and its body have limits of their own.
pub(crate) struct Patient<S> {
    stream: S,
    limit: Duration,
    /// Set while a write waits.
    deadline: Option<Pin<Box<Sleep>>>,
    traffic: Arc<Traffic>,
    opening: Option<Opening>,
}

/// What goes on between a server and one client.
#[derive(Debug)]
pub(crate) struct Traffic {
    waits: AtomicBool,
    moves: AtomicUsize,
    epoch: Instant,
    last_activity: AtomicU64,
    /// No byte was read since the connection was made or the last answer was given.
    quiet: AtomicBool,
}

impl Traffic {
    /// The traffic of a connection that is made now. `epoch` is where [`last_activity`](Self::last_activity) counts from.
    pub(crate) fn new(epoch: Instant) -> Self {
        let traffic = Self {
            waits: AtomicBool::new(false),
            moves: AtomicUsize::new(0),
            epoch,
            last_activity: AtomicU64::new(0),
            quiet: AtomicBool::new(true),
        };
        traffic.touch();
        traffic
    }

    /// Time of the last activity in microseconds since the epoch: the connection was made, the first byte of a request
    /// was read, or an answer was given. Further bytes of a request are no activity, so a client that sends its head
    /// byte by byte does not look alive. Costs a request two readings of the clock.
    pub(crate) fn last_activity(&self) -> u64 {
        self.last_activity.load(Ordering::Acquire)
    }

    /// Notes that an answer was given.
    pub(crate) fn answered(&self) {
        self.touch();
        self.quiet.store(true, Ordering::Relaxed);
    }

    fn heard(&self) {
        if self.quiet.load(Ordering::Relaxed) {
            self.quiet.store(false, Ordering::Relaxed);
            self.touch();
        }
    }

    fn touch(&self) {
        self.last_activity.store(micros_since(self.epoch), Ordering::Release);
    }

    /// Whether a write waits for the client.
    pub(crate) fn waits(&self) -> bool {
        self.waits.load(Ordering::Acquire)
    }

    /// How often something was read or written.
    pub(crate) fn moves(&self) -> usize {
        self.moves.load(Ordering::Relaxed)
    }
}

/// Microseconds since `epoch`.
pub(crate) fn micros_since(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_micros()).unwrap_or(u64::MAX)
}

struct Opening {
    deadline: Pin<Box<Sleep>>,
    read: usize,
}

impl<S> Patient<S> {
    /// `traffic` tells others what goes on.
    pub(crate) fn new(stream: S, limit: Duration, traffic: Arc<Traffic>) -> Self {
        let opening = Opening { deadline: Box::pin(tokio::time::sleep(limit)), read: 0 };
        Self { stream, limit, deadline: None, traffic, opening: Some(opening) }
    }

    /// A flush is no move: a stream may be flushed whenever its task wakes.
    fn written(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if outcome.is_ready() {
            self.traffic.moves.fetch_add(1, Ordering::Relaxed);
        }
        self.bounded(cx, outcome)
    }

    fn bounded<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.opening = None;
        self.traffic.waits.store(outcome.is_pending(), Ordering::Release);
        if outcome.is_ready() {
            self.deadline = None;
            return outcome;
        }
        let limit = self.limit;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let read = buffer.filled().len() - before;
        if read > 0 {
            self.traffic.moves.fetch_add(1, Ordering::Relaxed);
            self.traffic.heard();
        }
        let Some(opening) = &mut self.opening else { return outcome };
        if outcome.is_ready() {
            opening.read += read;
            if opening.read >= OPENING_BYTES {
                self.opening = None;
            }
            return outcome;
        }
        ready!(opening.deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client says nothing")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.bounded(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.bounded(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn patient<S>(stream: S) -> Patient<S> {
        Patient::new(stream, Duration::from_secs(20), Arc::new(Traffic::new(Instant::now())))
    }

    #[tokio::test(start_paused = true)]
    async fn activity_is_the_first_byte_of_a_request_and_the_end_of_its_answer() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = patient(near);
        let mut after_a_second_of = async |act: &str| {
            tokio::time::advance(Duration::from_secs(1)).await;
            match act {
                "answering" => stream.traffic.answered(),
                byte => {
                    far.write_all(byte.as_bytes()).await.unwrap();
                    stream.read_u8().await.unwrap();
                }
            }
            stream.traffic.last_activity() / 1_000_000
        };
        assert_eq!(after_a_second_of("G").await, 1);
        assert_eq!(after_a_second_of("E").await, 1, "a head that goes on");
        assert_eq!(after_a_second_of("answering").await, 3);
        assert_eq!(after_a_second_of("G").await, 4);
        assert_eq!(after_a_second_of("E").await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (near, mut far) = tokio::io::duplex(8);
        let mut stream = patient(near);
        stream.write_all(b"12345678").await.unwrap();
        let error = stream.write_all(b"9").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let mut taken = [0; 8];
        far.read_exact(&mut taken).await.unwrap();
        assert_eq!(&taken, b"12345678");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_given_up_and_one_that_has_spoken_is_not() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = patient(near);
        far.write_all(b"PRI").await.unwrap();
        let mut said = Vec::new();
        assert_eq!(stream.read_to_end(&mut said).await.unwrap_err().kind(), io::ErrorKind::TimedOut);

        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = patient(near);
        far.write_all(&[b'x'; OPENING_BYTES]).await.unwrap();
        stream.read_exact(&mut [0; OPENING_BYTES]).await.unwrap();
        let silence = tokio::time::timeout(Duration::from_secs(60), stream.read_u8()).await;
        assert!(silence.is_err(), "nothing ends the wait");
    }
}
