//! A blacklist for services without the database, which follows a feed and writes nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::blacklist::{FeedStep, Position, RevocationFeed, Standing};
use auth_core::{Blacklist, Claims, Clock, Revocation, StoreError, StoreErrorKind};

use super::follow::back_off;
use super::index::{Index, IndexStats};
use super::synced::{NEVER, nanoseconds};
use crate::events;

/// Blacklist in memory that follows a [`RevocationFeed`], with a bound on its staleness.
///
/// It promises: *a token whose logout was acknowledged at time t is not accepted from t + `max_staleness` on, whatever fails.* While
/// the feed cannot be read for that long, revoked tokens stay refused, and for all others the answer is
/// [`Unavailable`](StoreErrorKind::Unavailable).
#[derive(Debug)]
pub struct ReadOnlyBlacklist {
    feed: Arc<dyn RevocationFeed>,
    clock: Arc<dyn Clock>,
    max_staleness: Duration,
    index: Index,
    /// Monotonic time, in nanoseconds and never zero, as of which memory is complete.
    synced_at: AtomicU64,
    last: Mutex<(Position, Position)>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    steps: AtomicU64,
    failures: AtomicU64,
    snapshots: AtomicU64,
    unanswered: AtomicU64,
}

/// State and counts of a [`ReadOnlyBlacklist`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadOnlyStats {
    /// Contents of memory.
    pub index: IndexStats,
    /// Position up to which the log has been read.
    pub position: Position,
    /// Position up to which the server had read the log when it made its last answer.
    pub head: Position,
    /// Time since memory was last known to be complete. `None` before that was ever so.
    pub age: Option<Duration>,
    /// Whether checks are answered at this moment.
    pub fresh: bool,
    /// Number of answers of the feed that were asked for.
    pub steps: u64,
    /// Number of those that failed.
    pub failures: u64,
    /// Number of snapshots that were loaded.
    pub snapshots: u64,
    /// Number of checks without an answer, because memory was too old.
    pub unanswered: u64,
}

/// Cause of a check without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the feed of revocations could not be read for too long")]
struct TooOld;

/// Cause of a revocation that is refused.
#[derive(Debug, thiserror::Error)]
#[error("a follower of the feed cannot revoke; ask the auth server")]
struct CannotWrite;

impl ReadOnlyBlacklist {
    /// Returns a blacklist that has read nothing yet. `max_staleness` is the age of memory up to which it answers.
    #[must_use]
    pub fn new(feed: Arc<dyn RevocationFeed>, clock: Arc<dyn Clock>, max_staleness: Duration) -> Self {
        Self {
            feed,
            clock,
            max_staleness,
            index: Index::default(),
            synced_at: AtomicU64::new(NEVER),
            last: Mutex::default(),
            counts: Counts::default(),
        }
    }

    /// Reads one answer of the feed into memory.
    ///
    /// # Errors
    ///
    /// When the feed could not be read. Memory then ages.
    pub async fn sync_step(&self) -> Result<FeedStep, StoreError> {
        self.counts.steps.fetch_add(1, Ordering::Relaxed);
        let step = self.feed.advance(&self.index).await.inspect_err(|error| {
            self.counts.failures.fetch_add(1, Ordering::Relaxed);
            events::poll_failed(error);
        })?;
        self.index.note_purged(step.purged);
        *self.last() = (step.position, step.head);
        if step.snapshot {
            self.counts.snapshots.fetch_add(1, Ordering::Relaxed);
            events::snapshot_taken(step.read);
        }
        if let Some(as_of) = step.complete_as_of {
            // An answer that took another way may say less than the one before. What was known stays known.
            self.synced_at.fetch_max(nanoseconds(as_of), Ordering::AcqRel);
            self.index.forget(self.clock.now());
        }
        Ok(step)
    }

    /// Keeps memory in step with the feed for as long as the future is polled; it never ends by itself. `observe` is told of every
    /// step. Steps begin at least `pause` apart. After failures in a row the wait doubles, from `pause` up to one second.
    pub async fn follow<S: Future<Output = ()>>(
        &self,
        pause: Duration,
        sleep: impl Fn(Duration) -> S,
        mut observe: impl FnMut(&Result<FeedStep, StoreError>),
    ) {
        let mut failures = 0_u32;
        loop {
            let begun = self.clock.monotonic();
            let step = self.sync_step().await;
            observe(&step);
            failures = if step.is_ok() { 0 } else { failures.saturating_add(1) };
            let took = self.clock.monotonic().saturating_sub(begun);
            // What is known to follow is read at once. The page after a snapshot is not: if it needs another snapshot, and so on, the
            // server is not asked without end.
            let more = step.is_ok_and(|step| step.complete_as_of.is_none() && !step.snapshot);
            let wait = if more { Duration::ZERO } else { back_off(pause, took, failures) };
            sleep(wait).await;
        }
    }

    /// Returns whether checks are answered at this moment.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.age().is_some_and(|age| age <= self.max_staleness)
    }

    /// Returns the age of memory up to which checks are answered.
    #[must_use]
    pub fn max_staleness(&self) -> Duration {
        self.max_staleness
    }

    /// Returns the state and the counts.
    #[must_use]
    pub fn stats(&self) -> ReadOnlyStats {
        let (position, head) = *self.last();
        ReadOnlyStats {
            index: self.index.stats(),
            position,
            head,
            age: self.age(),
            fresh: self.is_fresh(),
            steps: self.counts.steps.load(Ordering::Relaxed),
            failures: self.counts.failures.load(Ordering::Relaxed),
            snapshots: self.counts.snapshots.load(Ordering::Relaxed),
            unanswered: self.counts.unanswered.load(Ordering::Relaxed),
        }
    }

    fn age(&self) -> Option<Duration> {
        match self.synced_at.load(Ordering::Acquire) {
            NEVER => None,
            at => Some(self.clock.monotonic().saturating_sub(Duration::from_nanos(at))),
        }
    }

    fn last(&self) -> MutexGuard<'_, (Position, Position)> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Blacklist for ReadOnlyBlacklist {
    fn peek(&self, claims: &Claims) -> Standing {
        // Freshness is read before the index, so that the index holds at least what was committed at that instant.
        let answers = self.is_fresh();
        match self.index.standing(claims) {
            Standing::Good if !answers => Standing::Unknown,
            standing => standing,
        }
    }

    async fn look_up(&self, _claims: &Claims) -> Result<bool, StoreError> {
        self.counts.unanswered.fetch_add(1, Ordering::Relaxed);
        Err(StoreError::unavailable(TooOld))
    }

    async fn revoke(&self, _revocation: Revocation) -> Result<(), StoreError> {
        Err(StoreError::new(StoreErrorKind::Internal, CannotWrite))
    }

    fn note(&self, revocation: &Revocation) {
        self.index.insert(revocation);
    }
}
