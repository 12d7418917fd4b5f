//! A stream that does not wait for ever for a client that takes nothing.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

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
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    waits: AtomicBool,
    moves: AtomicUsize,
}

impl Traffic {
    /// Whether a write waits for the client.
    pub(crate) fn waits(&self) -> bool {
        self.waits.load(Ordering::Acquire)
    }

    /// How often something was read or written.
    pub(crate) fn moves(&self) -> usize {
        self.moves.load(Ordering::Relaxed)
    }
}

struct Opening {
    deadline: Pin<Box<Sleep>>,
    read: usize,
}

impl<S> Patient<S> {
    pub(crate) fn new(stream: S, limit: Duration) -> Self {
        let opening = Opening { deadline: Box::pin(tokio::time::sleep(limit)), read: 0 };
        Self { stream, limit, deadline: None, traffic: Arc::default(), opening: Some(opening) }
    }

    pub(crate) fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.traffic)
    }

    fn bounded<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.opening = None;
        self.traffic.waits.store(outcome.is_pending(), Ordering::Release);
        if outcome.is_ready() {
            self.traffic.moves.fetch_add(1, Ordering::Relaxed);
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
        if outcome.is_ready() {
            self.traffic.moves.fetch_add(1, Ordering::Relaxed);
        }
        let Some(opening) = &mut self.opening else { return outcome };
        if outcome.is_ready() {
            opening.read += buffer.filled().len() - before;
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
        self.bounded(cx, outcome)
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
        self.bounded(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (near, mut far) = tokio::io::duplex(8);
        let mut stream = Patient::new(near, Duration::from_secs(20));
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
        let mut stream = Patient::new(near, Duration::from_secs(20));
        far.write_all(b"PRI").await.unwrap();
        let mut said = Vec::new();
        assert_eq!(stream.read_to_end(&mut said).await.unwrap_err().kind(), io::ErrorKind::TimedOut);

        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = Patient::new(near, Duration::from_secs(20));
        far.write_all(&[b'x'; OPENING_BYTES]).await.unwrap();
        stream.read_exact(&mut [0; OPENING_BYTES]).await.unwrap();
        let silence = tokio::time::timeout(Duration::from_secs(60), stream.read_u8()).await;
        assert!(silence.is_err(), "nothing ends the wait");
    }
}
