//! The side with the log: answers followers from memory, without a read of the database for each.

mod live;
mod recent;
mod request;
mod waiting;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth_core::blacklist::{LogIdentity, LogObserver, LogProgress, Purged};
use auth_core::{BoxError, Clock, NoRandomness, random_bytes};
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use self::live::Live;
use self::recent::Recent;
pub use self::request::{BadParameter, MAX_LIMIT, MAX_WAIT, PageRequest};
use self::waiting::Waiting;
use crate::cursor::Cursor;
use crate::page::{FeedEntry, FeedPage};
use crate::snapshot::{SnapshotCounts, SnapshotHeader};
use crate::stamp::Stamp;

/// Time for which a snapshot is answered again, and for which a cache may keep it.
pub const SNAPSHOT_MAX_AGE: Duration = Duration::from_secs(10);

/// Shortest wait for the poll that must show whether a cursor is ahead of this node, or of another history.
const AHEAD_WAIT: Duration = Duration::from_secs(1);

/// Options of a [`FeedServer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedServerOptions {
    /// Number of the latest entries that are kept for pages. A follower that is further behind takes the snapshot.
    pub kept: usize,
    /// Age of this node's own copy of the log up to which it answers.
    pub max_age: Duration,
}

impl Default for FeedServerOptions {
    fn default() -> Self {
        Self { kept: 100_000, max_age: Duration::from_secs(2) }
    }
}

/// The feed of a node that reads the log.
///
/// It knows nothing but what it observes: pass it to `SyncedBlacklist::observed_by` of `auth-blacklist`.
#[derive(Debug)]
pub struct FeedServer {
    clock: Arc<dyn Clock>,
    options: FeedServerOptions,
    instance: Uuid,
    started: Duration,
    state: Mutex<State>,
    /// Woken with every new entry, and when the log is read from its beginning.
    waiting: Waiting,
    /// Raised when the log was read to its end.
    rounds: watch::Sender<u64>,
    /// The latest snapshot. Locked while one is built.
    built: AsyncMutex<Option<Built>>,
    /// Whether nobody is to wait any more.
    ended: AtomicBool,
    pages: AtomicU64,
    page_bytes: AtomicU64,
    snapshots: AtomicU64,
    snapshot_bytes: AtomicU64,
}

#[derive(Debug)]
struct State {
    epoch: Option<LogIdentity>,
    recent: Recent,
    live: Live,
    purged: Purged,
    /// Monotonic time as of which everything committed is here. `None` until the log was read to its end.
    as_of: Option<Duration>,
}

#[derive(Debug)]
struct Built {
    at: Duration,
    next: Cursor,
    answer: SnapshotAnswer,
}

/// Answer to a request for a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageAnswer {
    /// The page as JSON.
    pub body: Vec<u8>,
    /// Whether the page has as many entries as were asked for. Its entries never change then.
    pub full: bool,
}

impl PageAnswer {
    /// Returns the value of the `Cache-Control` header.
    #[must_use]
    pub fn cache_control(&self) -> &'static str {
        if self.full { "public, max-age=60" } else { "public, max-age=1" }
    }
}

/// Answer to a request for the snapshot.
#[derive(Debug, Clone)]
pub struct SnapshotAnswer {
    /// The snapshot, in the form that [`snapshot`](crate::snapshot) describes.
    pub body: Arc<[u8]>,
    /// Value of the `ETag` header. It is weak, because two snapshots of one position differ in the time that they say.
    pub etag: String,
}

/// Reason that a request has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// The cursor is of another log or history, or older than what is kept. The follower takes the snapshot, and goes on to
    /// refuse what it refused.
    #[error("the cursor cannot be continued")]
    Gone,
    /// This node has not read the log recently enough to answer.
    #[error("the log of revocations was not read for too long")]
    NotFresh,
    /// The snapshot could not be built.
    #[error("the snapshot could not be built")]
    Snapshot(#[source] BoxError),
}

/// Counts of a [`FeedServer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedServerStats {
    /// Number of requests for pages that are under way.
    pub followers: usize,
    /// Number of pages that were answered.
    pub pages: u64,
    /// Size of all these pages, in bytes.
    pub page_bytes: u64,
    /// Number of snapshots that were built.
    pub snapshots: u64,
    /// Size of the latest snapshot, in bytes.
    pub snapshot_bytes: u64,
    /// Age of this node's own copy of the log. `None` before it was read to its end.
    pub age: Option<Duration>,
}

impl FeedServer {
    /// Returns a feed that has observed nothing yet.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn new(clock: Arc<dyn Clock>, options: FeedServerOptions) -> Result<Self, NoRandomness> {
        Ok(Self {
            instance: Uuid::from_bytes(random_bytes()?),
            started: clock.monotonic(),
            clock,
            options,
            state: Mutex::new(State {
                epoch: None,
                recent: Recent::new(options.kept.max(1)),
                live: Live::default(),
                purged: Purged::default(),
                as_of: None,
            }),
            waiting: Waiting::default(),
            rounds: watch::Sender::new(0),
            built: AsyncMutex::default(),
            ended: AtomicBool::new(false),
            pages: AtomicU64::new(0),
            page_bytes: AtomicU64::new(0),
            snapshots: AtomicU64::new(0),
            snapshot_bytes: AtomicU64::new(0),
        })
    }

    /// Returns the page after the cursor: at once if there is anything, otherwise with the next entry or when the wait is over.
    ///
    /// # Errors
    ///
    /// When the cursor cannot be continued, or this node is not fresh.
    pub async fn page(&self, request: &PageRequest) -> Result<PageAnswer, FeedError> {
        let follower = self.waiting.enter();
        let until = Instant::now() + request.wait;
        self.catch_up(request).await?;
        let news = async {
            loop {
                // Before the look, so that no entry comes unnoticed between the two.
                let mut news = pin!(follower.news());
                news.as_mut().enable();
                let page = self.look(request);
                if !matches!(&page, Ok((page, _)) if page.entries.is_empty() && page.skipped == 0)
                    || self.ended.load(Ordering::Acquire)
                {
                    return page;
                }
                news.await;
            }
        };
        let looked = timeout_at(until, news).await;
        let (page, full) = looked.unwrap_or_else(|_| self.look(request))?;
        let body = page.to_json();
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.page_bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
        Ok(PageAnswer { body, full })
    }

    /// Answers everybody who waits for news, and lets nobody wait from now on: a server that stops does not wait for its followers.
    pub fn end_waits(&self) {
        self.ended.store(true, Ordering::Release);
        self.waiting.wake_at_once();
    }

    /// Waits until this node has read the log, if the cursor is ahead of it: another node that was asked before may have read more.
    async fn catch_up(&self, request: &PageRequest) -> Result<(), FeedError> {
        let arrived = self.clock.monotonic();
        let mut rounds = self.rounds.subscribe();
        let settled = async {
            loop {
                rounds.borrow_and_update();
                let is_settled = {
                    let state = self.state();
                    let ahead = state.epoch == Some(request.after.epoch) && request.after.position > state.recent.tip();
                    !ahead || state.as_of.is_some_and(|as_of| as_of >= arrived)
                };
                if is_settled || rounds.changed().await.is_err() {
                    return;
                }
            }
        };
        timeout(request.wait.max(AHEAD_WAIT), settled).await.map_err(|_| FeedError::NotFresh)
    }

    fn look(&self, request: &PageRequest) -> Result<(FeedPage, bool), FeedError> {
        let state = self.state();
        let (stamp, epoch) = self.stamp(&state)?;
        let after = &request.after;
        let part =
            Some(&state.recent).filter(|_| epoch == after.epoch).and_then(|recent| recent.after(after, request.limit));
        let part = part.ok_or(FeedError::Gone)?;
        let full = part.entries.len() == request.limit;
        let page = FeedPage {
            stamp,
            head: state.recent.tip(),
            purged: state.purged,
            skipped: part.position.0 - after.position.0 - part.entries.len() as u64,
            entries: part.entries,
            next: Cursor { epoch, position: part.position, mark: Some(part.mark) },
        };
        Ok((page, full))
    }

    /// Returns the snapshot of everything that is revoked. It is built on a thread for blocking work, at most once in
    /// [`SNAPSHOT_MAX_AGE`].
    ///
    /// # Errors
    ///
    /// When this node is not fresh.
    pub async fn snapshot(&self) -> Result<SnapshotAnswer, FeedError> {
        let mut built = self.built.lock().await;
        let now = self.clock.monotonic();
        let (header, live) = {
            let state = self.state();
            let (stamp, epoch) = self.stamp(&state)?;
            let next = Cursor { epoch, position: state.recent.tip(), mark: Some(state.recent.tip_mark()) };
            if let Some(Built { at, next, answer }) = &*built
                && now.saturating_sub(*at) < SNAPSHOT_MAX_AGE
                && next.epoch == epoch
                // Pages can continue it.
                && state.recent.after(next, 1).is_some()
            {
                return Ok(answer.clone());
            }
            let counts = SnapshotCounts::default();
            let header = SnapshotHeader { stamp, head: next.position, purged: state.purged, next, counts };
            (header, state.live.clone())
        };
        let next = header.next;
        let etag = format!("W/\"{next}\"");
        let written = tokio::task::spawn_blocking(move || live.write().finish(&header)).await;
        let body: Arc<[u8]> = written.map_err(|error| FeedError::Snapshot(error.into()))?.into();
        self.snapshots.fetch_add(1, Ordering::Relaxed);
        self.snapshot_bytes.store(body.len() as u64, Ordering::Relaxed);
        let answer = SnapshotAnswer { body, etag };
        *built = Some(Built { at: now, next, answer: answer.clone() });
        Ok(answer)
    }

    /// Returns the age of this node's own copy of the log up to which it answers.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        self.options.max_age
    }

    /// Returns the counts.
    #[must_use]
    pub fn stats(&self) -> FeedServerStats {
        let as_of = self.state().as_of;
        FeedServerStats {
            followers: self.waiting.count(),
            pages: self.pages.load(Ordering::Relaxed),
            page_bytes: self.page_bytes.load(Ordering::Relaxed),
            snapshots: self.snapshots.load(Ordering::Relaxed),
            snapshot_bytes: self.snapshot_bytes.load(Ordering::Relaxed),
            age: as_of.map(|as_of| self.clock.monotonic().saturating_sub(as_of)),
        }
    }

    fn stamp(&self, state: &State) -> Result<(Stamp, LogIdentity), FeedError> {
        let now = self.clock.monotonic();
        let age = state.as_of.map(|as_of| now.saturating_sub(as_of)).filter(|age| *age <= self.options.max_age);
        let (Some(age), Some(epoch)) = (age, state.epoch) else { return Err(FeedError::NotFresh) };
        Ok((Stamp { instance: self.instance, uptime: now.saturating_sub(self.started), age }, epoch))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogObserver for FeedServer {
    fn reset(&self, identity: LogIdentity) {
        {
            let mut state = self.state();
            state.recent.clear();
            (state.epoch, state.live, state.as_of) = (Some(identity), Live::default(), None);
        }
        self.waiting.wake();
    }

    fn read(&self, progress: &LogProgress<'_>) {
        {
            let mut state = self.state();
            let State { recent, live, purged, .. } = &mut *state;
            recent
                .take(progress.entries.iter().map(FeedEntry::from).inspect(|entry| live.add(entry)), progress.position);
            if *purged != progress.purged {
                *purged = progress.purged;
                live.purge(progress.purged);
            }
        }
        if !progress.entries.is_empty() {
            self.waiting.wake();
        }
    }

    fn complete(&self, as_of: Duration) {
        self.state().as_of = Some(as_of);
        self.rounds.send_modify(|rounds| *rounds += 1);
    }
}
