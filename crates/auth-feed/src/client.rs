//! The side that only checks: follows pages and snapshots, over a transport that the application brings.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::blacklist::{FeedStep, RevocationFeed, RevocationSink};
use auth_core::{BoxError, Clock, Revocation, StoreError};

use crate::cursor::Cursor;
use crate::page::{FeedEntry, FeedPage};
use crate::snapshot::SnapshotReader;
use crate::stamp::Freshness;

/// Answer of the server, as the transport received it.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The body of a 200.
    Body {
        /// The whole body.
        bytes: Vec<u8>,
        /// The `Age` header (RFC 9111 §5.1), zero without one, or [`Duration::MAX`] for one that cannot be read: such an answer makes
        /// nothing fresh.
        age: Duration,
    },
    /// 410: the cursor cannot be continued.
    Gone,
}

/// Reads the values of the `Age` header (RFC 9111 §5.1) of an answer. An age that cannot be read is [`Duration::MAX`]: the answer is
/// older than everything.
///
/// ```
/// use std::time::Duration;
/// use auth_feed::client::age;
///
/// assert_eq!(age([]), Duration::ZERO);
/// assert_eq!(age([b"7".as_slice()]), Duration::from_secs(7));
/// assert_eq!(age([b"soon".as_slice()]), Duration::MAX);
/// ```
pub fn age<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Duration {
    let mut values = values.into_iter();
    let Some(first) = values.next() else { return Duration::ZERO };
    let text = str::from_utf8(first).ok().map(str::trim);
    let digits = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()) && values.next().is_none());
    let seconds = digits.and_then(|digits| digits.parse::<u32>().ok());
    seconds.map_or(Duration::MAX, |seconds| Duration::from_secs(seconds.into()))
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
        let reader = SnapshotReader::new(&bytes).map_err(StoreError::unavailable)?;
        reader.read(|batch| sink.insert_all(batch)).map_err(StoreError::unavailable)?;
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
        let wait = if self.state().caught_up { self.wait } else { Duration::ZERO };
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
