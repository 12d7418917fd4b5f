//! A blacklist that answers from memory and follows the log that all nodes share.
//!
//! It promises: *a token whose logout was acknowledged at time t is refused by that node from t on, and by every other
//! node from t + `max_staleness` on, whatever fails.*

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_lock::Mutex as AsyncMutex;
use async_trait::async_trait;
use group_commit::GroupCommit;
use time::OffsetDateTime;

use super::index::Index;
use super::observer::Observer;
use super::reader::{Continuity, PendingRepair, Reader, RoundUnderWay};
use super::stats::{SyncStats, SyncStep};
use super::tail::Tail;
use crate::events;
use auth_core::blacklist::{LogEntry, LogObserver, LogPage, PURGE_MARGIN, Position, Standing};
use auth_core::{Blacklist, Claims, Clock, LEEWAY, Revocation, RevocationLog, StoreError};

/// Value of `synced_at` before the first load, and after a read that showed another log.
pub(super) const NEVER: u64 = 0;

/// Maximum number of logouts that share a transaction.
const MAX_BATCH: usize = 500;

/// Number of revocations that one append restores.
const RESTORE_BATCH: usize = 500;

/// Options of a [`SyncedBlacklist`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncOptions {
    /// Maximum age of the last successful read of the log at which memory may answer alone. With zero every check asks
    /// the log.
    pub max_staleness: Duration,
    /// Maximum number of entries that one read of the log returns.
    pub page: u32,
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self { max_staleness: Duration::from_secs(2), page: 10_000 }
    }
}

/// Blacklist in memory that follows a log, with a bound on its staleness.
///
/// The application must call [`follow`](Self::follow) or [`sync_step`](Self::sync_step) regularly. Otherwise every
/// check asks the log.
#[derive(Debug)]
pub struct SyncedBlacklist {
    log: Arc<dyn RevocationLog>,
    clock: Arc<dyn Clock>,
    options: SyncOptions,
    index: Index,
    group: GroupCommit<Revocation, (), StoreError>,
    /// Monotonic time, in nanoseconds and never zero, as of which memory is complete: that at which the first read of the last
    /// complete round was sent, less the age of its answer.
    synced_at: AtomicU64,
    reader: AsyncMutex<Reader>,
    tail: Tail,
    observer: Observer,
    last_page: Mutex<LastPage>,
    polls: AtomicU64,
    failures: AtomicU64,
    reloads: AtomicU64,
    losses: AtomicU64,
    restored: AtomicU64,
    fallbacks: AtomicU64,
}

/// Content of the last page that was read.
#[derive(Debug, Clone, Copy, Default)]
struct LastPage {
    position: Position,
    head: Position,
    lost: Option<OffsetDateTime>,
}

/// Error of a read that does not show entries that this node appended before the read was sent, although the log has
/// them.
#[derive(Debug, thiserror::Error)]
#[error("the log does not show what it has acknowledged; is the database a replica that lags?")]
struct StaleRead;

impl SyncedBlacklist {
    /// Returns a blacklist over `log` that has read nothing yet.
    #[must_use]
    pub fn new(log: Arc<dyn RevocationLog>, clock: Arc<dyn Clock>, options: SyncOptions) -> Self {
        // A page needs room for the last entry, which is read again, and for a new one.
        let options = SyncOptions { page: options.page.max(2), ..options };
        Self {
            group: GroupCommit::new(MAX_BATCH),
            log,
            clock,
            options,
            index: Index::default(),
            synced_at: AtomicU64::new(NEVER),
            reader: AsyncMutex::default(),
            tail: Tail::default(),
            observer: Observer::default(),
            last_page: Mutex::default(),
            polls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            reloads: AtomicU64::new(0),
            losses: AtomicU64::new(0),
            restored: AtomicU64::new(0),
            fallbacks: AtomicU64::new(0),
        }
    }

    /// Tells `observer` everything that is read from the log.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn LogObserver>) -> Self {
        Self { observer: Observer(Some(observer)), ..self }
    }

    /// Reads one page of the log into memory. Call it again at once until [`complete`](SyncStep::complete), then after
    /// the poll interval.
    ///
    /// After a loss the next steps first append again the revocations that this node remembers, its latest 16,384,
    /// until that succeeds.
    ///
    /// # Errors
    ///
    /// When the log cannot be read, an entry of it is corrupt, or a read does not show entries that this node appended
    /// before. Memory then ages, and past the bound checks ask the log. Also when lost entries could not be appended
    /// again, although the log was read.
    pub async fn sync_step(&self) -> Result<SyncStep, StoreError> {
        let mut reader = self.reader.lock().await;
        self.polls.fetch_add(1, Ordering::Relaxed);
        let repaired = self.repair(&mut reader).await;
        let step = self.read_page(&mut reader).await;
        let step = step.and_then(|step| Ok(SyncStep { restored: step.restored + repaired?, ..step }));
        step.inspect_err(|error| {
            self.failures.fetch_add(1, Ordering::Relaxed);
            events::poll_failed(error);
        })
    }

    async fn read_page(&self, reader: &mut Reader) -> Result<SyncStep, StoreError> {
        let sent = self.clock.monotonic();
        let number = reader.round.map_or_else(|| self.tail.begin_round(), |round| round.number);
        let page = self.log.read_after(reader.after(), self.options.page).await?;
        match reader.continuity(&page) {
            Continuity::Continues => {}
            Continuity::Unknown => {
                // The log may be another one, so it is read again, but without an alarm. Memory keeps its age until
                // that is done.
                reader.begin_again();
                self.observer.reset(page.identity);
                return Ok(self.step(reader, &page, 0));
            }
            Continuity::OtherLog => {
                self.synced_at.store(NEVER, Ordering::Release);
                self.reloads.fetch_add(1, Ordering::Relaxed);
                events::reloading();
                self.observer.reset(page.identity);
                *reader = Reader { identity: Some(page.identity), ..Reader::default() };
                let step = self.step(reader, &page, 0);
                self.found_loss(reader);
                return Ok(SyncStep { reloading: true, lost: true, ..step });
            }
        }
        if reader.identity.is_none() {
            self.observer.reset(page.identity);
        }
        self.index.note_purged(page.purged);
        let new = reader.new_entries(&page);
        for LogEntry { revocation, .. } in new {
            let was_known = self.index.holds(revocation);
            self.index.insert(revocation);
            self.tail.read(revocation, was_known);
        }
        if reader.pending == PendingRepair::None && reader.reports_new_loss(&page) {
            reader.pending = PendingRepair::Restore;
        }
        // A copy of the log is as old as it says.
        let as_of = sent.saturating_sub(page.age);
        let round = *reader.round.get_or_insert(RoundUnderWay { number, as_of, goal: page.head });
        reader.take(&page, self.options.page);
        self.observer.read(reader, &page, new);
        let step = self.step(reader, &page, new.len());
        if reader.position < round.goal {
            return Ok(step);
        }
        reader.round = None;
        let missing = self.tail.missing_from(round.number, page.purged);
        if !missing.is_empty() {
            let restored = self.append_again(&missing).await?;
            if restored == 0 {
                return Err(StoreError::unavailable(StaleRead));
            }
            self.found_loss(reader);
            return Ok(SyncStep { lost: true, restored, ..step });
        }
        self.synced_at.store(nanoseconds(round.as_of), Ordering::Release);
        self.observer.complete(round.as_of);
        self.index.forget(self.clock.now());
        Ok(SyncStep { complete: true, ..step })
    }

    fn found_loss(&self, reader: &mut Reader) {
        self.losses.fetch_add(1, Ordering::Relaxed);
        events::entries_lost();
        let now = self.clock.now();
        self.last_page().lost = Some(now);
        reader.pending = PendingRepair::Report(now);
    }

    /// Does the work that a loss requires. Returns the number of entries that were appended again.
    async fn repair(&self, reader: &mut Reader) -> Result<u64, StoreError> {
        if let PendingRepair::Report(found) = reader.pending {
            self.log.mark_loss(Some(found)).await?;
            reader.pending = PendingRepair::Restore;
        }
        let mut restored = 0;
        if reader.pending == PendingRepair::Restore {
            for batch in self.tail.recent().chunks(RESTORE_BATCH) {
                restored += self.append_again(batch).await?;
            }
            reader.pending = PendingRepair::None;
        }
        Ok(restored)
    }

    async fn append_again(&self, batch: &[Revocation]) -> Result<u64, StoreError> {
        let appended = self.log.append(batch).await?;
        self.restored.fetch_add(appended, Ordering::Relaxed);
        Ok(appended)
    }

    /// Returns whether memory answers alone at this moment: the log has been loaded, and read recently enough.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.age().is_some_and(|age| age <= self.options.max_staleness)
    }

    /// Returns whether checks are answered as intended: the log has been loaded and read recently enough. With a bound
    /// of zero every check asks the log anyway, and loading is enough.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_loaded() && (self.options.max_staleness.is_zero() || self.is_fresh())
    }

    /// Returns whether the log has been loaded into memory.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.synced_at.load(Ordering::Acquire) != NEVER
    }

    /// Returns the time at which the log was found to have lost entries, until that is acknowledged. See
    /// [`SyncStats::lost`].
    #[must_use]
    pub fn lost(&self) -> Option<OffsetDateTime> {
        self.last_page().lost
    }

    /// Returns the state and the counts.
    #[must_use]
    pub fn stats(&self) -> SyncStats {
        let LastPage { position, head, lost } = *self.last_page();
        SyncStats {
            index: self.index.stats(),
            position,
            head,
            age: self.age(),
            fresh: self.is_fresh(),
            polls: self.polls.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            reloads: self.reloads.load(Ordering::Relaxed),
            lost,
            losses: self.losses.load(Ordering::Relaxed),
            restored: self.restored.load(Ordering::Relaxed),
            fallbacks: self.fallbacks.load(Ordering::Relaxed),
        }
    }

    /// The clock that ages and expiries are measured with.
    pub(super) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    fn age(&self) -> Option<Duration> {
        match self.synced_at.load(Ordering::Acquire) {
            NEVER => None,
            at => Some(self.clock.monotonic().saturating_sub(Duration::from_nanos(at))),
        }
    }

    fn step(&self, reader: &Reader, page: &LogPage, read: usize) -> SyncStep {
        let (position, head) = (reader.position, page.head);
        *self.last_page() = LastPage { position, head, lost: reader.loss(page) };
        SyncStep { complete: false, read, position, head, reloading: false, lost: false, restored: 0 }
    }

    fn last_page(&self) -> MutexGuard<'_, LastPage> {
        self.last_page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a durable revocation to memory.
    fn remember(&self, revocation: &Revocation) {
        // An entry that was read long ago and forgotten since would be waited for without end.
        self.tail.acknowledged(revocation, || self.index.holds(revocation) || self.index.has_forgotten(revocation));
        self.index.insert(revocation);
    }
}

#[async_trait]
impl Blacklist for SyncedBlacklist {
    fn peek(&self, claims: &Claims) -> Standing {
        // Freshness is read before the index, so that the index holds at least the entries that were committed at that
        // instant.
        let answers_alone = !self.options.max_staleness.is_zero() && self.is_fresh();
        match self.index.standing(claims) {
            Standing::Good if !answers_alone => Standing::Unknown,
            standing => standing,
        }
    }

    async fn look_up(&self, claims: &Claims) -> Result<bool, StoreError> {
        self.fallbacks.fetch_add(1, Ordering::Relaxed);
        events::fallback();
        self.log.covers(claims).await
    }

    async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        if self.clock.now() >= revocation.expires_at + LEEWAY + PURGE_MARGIN {
            return Ok(());
        }
        let append = |batch: Vec<Revocation>| async move {
            self.log.append(&batch).await?;
            Ok(vec![(); batch.len()])
        };
        self.group.write(revocation, append).await?;
        self.remember(&revocation);
        Ok(())
    }

    fn note(&self, revocation: &Revocation) {
        self.remember(revocation);
    }
}

pub(super) fn nanoseconds(instant: Duration) -> u64 {
    u64::try_from(instant.as_nanos()).unwrap_or(u64::MAX).max(NEVER + 1)
}
