//! The side that only checks: follows pages and snapshots, over a transport that the application brings.

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::blacklist::{FeedStep, RevocationFeed, RevocationSink};
use auth_core::{BoxError, Clock, Revocation, StoreError};
use sha2::{Digest as _, Sha256};

use crate::cursor::Cursor;
use crate::page::{FeedEntry, FeedPage};
use crate::snapshot::{SnapshotReader, digested};
use crate::stamp::Freshness;

/// Number of bytes of a snapshot that are digested before other tasks run: some milliseconds of work.
const DIGESTED_AT_ONCE: usize = 1 << 20;

/// Answer of the server, as the transport received it.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The body of a 200.
    Body {
        /// The whole body.
        bytes: Vec<u8>,
        /// Age of the answer, as [`age`] reads it. An answer of the age [`Duration::MAX`] makes nothing fresh.
        age: Duration,
    },
    /// 410: the cursor cannot be continued.
    Gone,
}

/// Reads the values of the `Age` header (RFC 9111 §5.1) of an answer. Caches round it down to whole seconds, so a second is added. An
/// age that cannot be read is [`Duration::MAX`]: the answer is older than everything.
///
/// ```
/// use std::time::Duration;
/// use auth_feed::client::age;
///
/// assert_eq!(age([]), Duration::ZERO);
/// assert_eq!(age([b"7".as_slice()]), Duration::from_secs(8));
/// assert_eq!(age([b"soon".as_slice()]), Duration::MAX);
/// ```
pub fn age<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Duration {
    let mut values = values.into_iter();
    let Some(first) = values.next() else { return Duration::ZERO };
    let text = str::from_utf8(first).ok().map(str::trim);
    let digits = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()) && values.next().is_none());
    let seconds = digits.and_then(|digits| digits.parse::<u32>().ok());
    seconds.map_or(Duration::MAX, |seconds| Duration::from_secs(u64::from(seconds) + 1))
}

/// Requests to the server. It sends `GET /auth/revocations` and `GET /auth/revocations/snapshot` with the token of a client that
/// has the scope `revocations`, and limits the time and the size of the answers.
#[async_trait]
pub trait FeedTransport: fmt::Debug + Send + Sync {
    /// Asks for the page after a cursor. `wait` is in whole seconds.
    ///
    /// # Errors
    ///
    /// When there was no whole answer, or one that is neither 200 nor 410.
    async fn page(&self, after: &Cursor, wait: Duration) -> Result<Answer, BoxError>;

    /// Asks for the snapshot.
    ///
    /// # Errors
    ///
    /// When there was no whole answer, or one that is not 200.
    async fn snapshot(&self) -> Result<Answer, BoxError>;
}

/// Feed of revocations that another server keeps. Give it to `ReadOnlyBlacklist` of `auth-blacklist`.
///
/// It begins with the snapshot and goes on with pages. After a 410 it takes the snapshot again. A page that is broken in any way is
/// discarded as a whole, and is asked for again.
#[derive(Debug)]
pub struct FeedSource {
    transport: Arc<dyn FeedTransport>,
    clock: Arc<dyn Clock>,
    wait: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Where the next page begins. `None` if the snapshot is next.
    cursor: Option<Cursor>,
    freshness: Freshness,
    /// Whether the last page had everything. Only then is it worth waiting for news.
    caught_up: bool,
}

/// Error of a server that sends no snapshot.
#[derive(Debug, thiserror::Error)]
#[error("the server has no snapshot")]
struct NoSnapshot;

impl FeedSource {
    /// Returns a feed that has read nothing. `wait` is the time for which the server may wait for news before it answers, in whole
    /// seconds: one second is good. Let the bound of the blacklist be at least twice as long, plus the poll of the server.
    #[must_use]
    pub fn new(transport: Arc<dyn FeedTransport>, clock: Arc<dyn Clock>, wait: Duration) -> Self {
        Self { transport, clock, wait, state: Mutex::default() }
    }

    async fn take_snapshot(&self, sink: &dyn RevocationSink) -> Result<FeedStep, StoreError> {
        let answer = self.transport.snapshot().await.map_err(StoreError::unavailable)?;
        let Answer::Body { bytes, .. } = answer else { return Err(StoreError::unavailable(NoSnapshot)) };
        // Ten million entries take seconds. The other tasks of this thread run in between.
        let mut digest = Sha256::new();
        for part in digested(&bytes).chunks(DIGESTED_AT_ONCE) {
            digest.update(part);
            let_others_run().await;
        }
        let reader = SnapshotReader::with_digest(&bytes, digest.finalize().into()).map_err(StoreError::unavailable)?;
        for batch in reader.batches().map_err(StoreError::unavailable)? {
            sink.insert_all(&batch);
            let_others_run().await;
        }
        let header = reader.header();
        let mut state = self.state();
        (state.cursor, state.caught_up) = (Some(header.next), false);
        Ok(FeedStep {
            read: header.counts.total(),
            position: header.next.position,
            head: header.head,
            purged: header.purged,
            complete_as_of: None,
            snapshot: true,
        })
    }

    async fn read_page(&self, after: Cursor, sink: &dyn RevocationSink) -> Result<Option<FeedStep>, StoreError> {
        // A page that fails is asked for again without a wait, because time is short then.
        let wait = if mem::take(&mut self.state().caught_up) { self.wait } else { Duration::ZERO };
        let sent = self.clock.monotonic();
        let answer = self.transport.page(&after, wait).await.map_err(StoreError::unavailable)?;
        let received = self.clock.monotonic();
        let Answer::Body { bytes, age } = answer else {
            self.state().cursor = None;
            return Ok(None);
        };
        let page = FeedPage::from_json(&bytes, &after).map_err(StoreError::unavailable)?;
        let revocations: Vec<Revocation> = page.entries.iter().map(FeedEntry::revocation).collect();
        // First the entries, then the cursor: there is no await in between.
        sink.insert_all(&revocations);
        let mut state = self.state();
        let as_of = state.freshness.as_of(&page.stamp, sent, received, age);
        (state.cursor, state.caught_up) = (Some(page.next), page.is_complete());
        Ok(Some(FeedStep {
            read: revocations.len() as u64,
            position: page.next.position,
            head: page.head,
            purged: page.purged,
            complete_as_of: page.is_complete().then_some(as_of),
            snapshot: false,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives way to the other tasks of the thread, once.
async fn let_others_run() {
    let mut gave_way = false;
    poll_fn(|context| {
        if mem::replace(&mut gave_way, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[async_trait]
impl RevocationFeed for FeedSource {
    async fn advance(&self, sink: &dyn RevocationSink) -> Result<FeedStep, StoreError> {
        let cursor = self.state().cursor;
        if let Some(after) = cursor
            && let Some(step) = self.read_page(after, sink).await?
        {
            return Ok(step);
        }
        self.take_snapshot(sink).await
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Waker};

    use auth_core::SystemClock;
    use auth_core::blacklist::{LogIdentity, Mark, Position, Purged};
    use uuid::Uuid;

    use super::*;
    use crate::snapshot::{SnapshotCounts, SnapshotHeader, SnapshotWriter};
    use crate::stamp::Stamp;

    const ENTRIES: u128 = 10_000;

    #[derive(Debug)]
    struct Snapshots(Vec<u8>);

    #[async_trait]
    impl FeedTransport for Snapshots {
        async fn page(&self, _after: &Cursor, _wait: Duration) -> Result<Answer, BoxError> {
            Err("the snapshot comes first".into())
        }

        async fn snapshot(&self) -> Result<Answer, BoxError> {
            Ok(Answer::Body { bytes: self.0.clone(), age: Duration::ZERO })
        }
    }

    #[derive(Default)]
    struct Sink(AtomicUsize);

    impl RevocationSink for Sink {
        fn insert_all(&self, revocations: &[Revocation]) {
            self.0.fetch_add(revocations.len(), Ordering::Relaxed);
        }
    }

    fn snapshot() -> Vec<u8> {
        let ids: Vec<_> = (0..ENTRIES).map(u128::to_be_bytes).collect();
        let mut writer = SnapshotWriter::default();
        writer.add_tokens(500_000, &ids);
        let next = Cursor { epoch: LogIdentity(Uuid::nil()), position: Position(1), mark: Some(Mark(1)) };
        let stamp = Stamp { instance: Uuid::nil(), uptime: Duration::ZERO, age: Duration::ZERO };
        let counts = SnapshotCounts::default();
        writer.finish(&SnapshotHeader { stamp, head: next.position, purged: Purged::default(), next, counts })
    }

    #[test]
    fn other_tasks_run_while_a_long_snapshot_is_loaded() {
        let source = FeedSource::new(Arc::new(Snapshots(snapshot())), Arc::new(SystemClock), Duration::ZERO);
        let sink = Sink::default();
        let mut context = Context::from_waker(Waker::noop());
        let mut loading = pin!(source.advance(&sink));
        let mut loaded = Vec::new();
        while loading.as_mut().poll(&mut context).is_pending() {
            loaded.push(sink.0.load(Ordering::Relaxed));
        }
        // Once after the digest, then after each batch.
        assert_eq!(loaded, [0, 4_096, 8_192, 10_000]);
    }

    #[test]
    fn a_snapshot_that_was_dropped_half_way_is_taken_again() {
        let source = FeedSource::new(Arc::new(Snapshots(snapshot())), Arc::new(SystemClock), Duration::ZERO);
        let (dropped, whole) = (Sink::default(), Sink::default());
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(source.advance(&dropped)).poll(&mut context).is_pending());
        let mut loading = pin!(source.advance(&whole));
        while loading.as_mut().poll(&mut context).is_pending() {}
        assert_eq!(whole.0.load(Ordering::Relaxed), 10_000);
    }
}
