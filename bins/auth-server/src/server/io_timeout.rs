//! Timeouts for reading from and writing to a client.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Length of the preface of HTTP/2 (RFC 9113 §3.4). Until as much was read the version of HTTP is unknown and no other timeout
/// applies.
const PREFACE_BYTES: usize = 24;

/// A stream whose writes fail if they make no progress for `timeout`, and whose first reads fail if the client sends nothing for
/// `timeout` after it connected. Later reads have no timeout here, because the head and the body of a request have their own.
pub(super) struct IoTimeout<S> {
    stream: S,
    timeout: Duration,
    /// The deadline of a pending write.
    deadline: Option<Pin<Box<Sleep>>>,
    traffic: Arc<Traffic>,
    /// The wait for the first bytes, until it is over.
    preface: Option<Preface>,
}

/// Reads and writes of one connection.
#[derive(Debug)]
pub(super) struct Traffic {
    write_pending: AtomicBool,
    transfers: AtomicUsize,
    epoch: Instant,
    last_activity: AtomicU64,
    /// True until a byte is read after the connection was accepted or the last response was given.
    quiet: AtomicBool,
}

impl Traffic {
    /// Creates the record of a connection that is accepted now. [`last_activity`](Self::last_activity) counts from `epoch`.
    pub(super) fn new(epoch: Instant) -> Self {
        let traffic = Self {
            write_pending: AtomicBool::new(false),
            transfers: AtomicUsize::new(0),
            epoch,
            last_activity: AtomicU64::new(0),
            quiet: AtomicBool::new(true),
        };
        traffic.touch();
        traffic
    }

    /// Returns the time of the last activity, in microseconds since the epoch. Activity is that the connection was accepted, that
    /// the first byte of a request was read, or that a response was given. Further bytes of a request are none, so a client that
    /// sends a head byte by byte counts as idle. A request costs two readings of the clock.
    pub(super) fn last_activity(&self) -> u64 {
        self.last_activity.load(Ordering::Acquire)
    }

    /// Notes that a response was given.
    pub(super) fn answered(&self) {
        self.touch();
        self.quiet.store(true, Ordering::Relaxed);
    }

    fn note_read(&self) {
        if self.quiet.load(Ordering::Relaxed) {
            self.quiet.store(false, Ordering::Relaxed);
            self.touch();
        }
    }

    fn touch(&self) {
        self.last_activity.store(micros_since(self.epoch), Ordering::Release);
    }

    /// Returns whether a write waits for the client.
    pub(super) fn write_is_pending(&self) -> bool {
        self.write_pending.load(Ordering::Acquire)
    }

    /// Returns the number of reads and writes that moved data.
    pub(super) fn transfers(&self) -> usize {
        self.transfers.load(Ordering::Relaxed)
    }
}

/// Returns the microseconds since `epoch`.
pub(super) fn micros_since(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_micros()).unwrap_or(u64::MAX)
}

struct Preface {
    deadline: Pin<Box<Sleep>>,
    read: usize,
}

impl<S> IoTimeout<S> {
    /// Wraps `stream` and records its reads and writes in `traffic`.
    pub(super) fn new(stream: S, timeout: Duration, traffic: Arc<Traffic>) -> Self {
        let preface = Preface { deadline: Box::pin(tokio::time::sleep(timeout)), read: 0 };
        Self { stream, timeout, deadline: None, traffic, preface: Some(preface) }
    }

    /// Counts a write. A flush does not count, because a stream may be flushed whenever its task wakes.
    fn written(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if outcome.is_ready() {
            self.traffic.transfers.fetch_add(1, Ordering::Relaxed);
        }
        self.bounded(cx, outcome)
    }

    fn bounded<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.preface = None;
        self.traffic.write_pending.store(outcome.is_pending(), Ordering::Release);
        if outcome.is_ready() {
            self.deadline = None;
            return outcome;
        }
        let timeout = self.timeout;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for IoTimeout<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let read = buffer.filled().len() - before;
        if read > 0 {
            self.traffic.transfers.fetch_add(1, Ordering::Relaxed);
            self.traffic.note_read();
        }
        let Some(preface) = &mut self.preface else { return outcome };
        if outcome.is_ready() {
            preface.read += read;
            if preface.read >= PREFACE_BYTES {
                self.preface = None;
            }
            return outcome;
        }
        ready!(preface.deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client says nothing")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for IoTimeout<S> {
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

    fn with_timeout<S>(stream: S) -> IoTimeout<S> {
        IoTimeout::new(stream, Duration::from_secs(20), Arc::new(Traffic::new(Instant::now())))
    }

    #[tokio::test(start_paused = true)]
    async fn activity_is_the_first_byte_of_a_request_and_the_end_of_its_answer() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = with_timeout(near);
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
    async fn a_write_to_a_client_that_reads_nothing_times_out() {
        let (near, mut far) = tokio::io::duplex(8);
        let mut stream = with_timeout(near);
        stream.write_all(b"12345678").await.unwrap();
        let error = stream.write_all(b"9").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let mut taken = [0; 8];
        far.read_exact(&mut taken).await.unwrap();
        assert_eq!(&taken, b"12345678");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_nothing_times_out_and_one_that_sent_a_preface_does_not() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = with_timeout(near);
        far.write_all(b"PRI").await.unwrap();
        let mut said = Vec::new();
        assert_eq!(stream.read_to_end(&mut said).await.unwrap_err().kind(), io::ErrorKind::TimedOut);

        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = with_timeout(near);
        far.write_all(&[b'x'; PREFACE_BYTES]).await.unwrap();
        stream.read_exact(&mut [0; PREFACE_BYTES]).await.unwrap();
        let silence = tokio::time::timeout(Duration::from_secs(60), stream.read_u8()).await;
        assert!(silence.is_err(), "nothing ends the wait");
    }
}
