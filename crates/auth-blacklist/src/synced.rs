//! A blacklist that answers from memory and keeps itself in step with the log that all nodes share.
//!
//! The promise: *a token whose logout was acknowledged at time t is refused by that node from t on, and by every other
//! node from t + `max_staleness` on, whatever fails.*

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_lock::Mutex as AsyncMutex;
use async_trait::async_trait;
use time::OffsetDateTime;

use super::group::GroupCommit;
use super::index::{Index, IndexStats};
use super::reader::{Duty, Reader, RoundUnderWay, Sequel};
use super::tail::Tail;
use crate::events;
use auth_core::blacklist::{LogEntry, LogPage, PURGE_MARGIN, Position, Standing};
use auth_core::{Blacklist, Claims, Clock, LEEWAY, Revocation, RevocationLog, StoreError};

/// Nothing was read yet, or what was read counts no more.
const NEVER: u64 = 0;

/// How many revocations are appended again at a time.
const RESTORE_BATCH: usize = 500;

/// How a [`SyncedBlacklist`] keeps in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncOptions {
    /// How old the last successful read of the log may be for memory to answer alone. Zero: every check asks the log.
    pub max_staleness: Duration,
    /// How many entries one read of the log asks for.
    pub page: u32,
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self { max_staleness: Duration::from_secs(2), page: 10_000 }
    }
}

/// What came of reading one page of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncStep {
    /// Whether memory now holds all that was committed when this round of reads began.
    pub complete: bool,
    /// Entries read by this step.
    pub read: usize,
    /// Up to where the log has been read.
    pub position: Position,
    /// The end of the log.
    pub head: Position,
    /// The log is another one than before, or went backwards (a failover that lost commits, a restored backup, a re-created
    /// database): it is read from its beginning again, and until that is done every check asks the log.
    pub reloading: bool,
    /// This step found that the log lost entries: it is [`reloading`](Self::reloading), or does not have what this node
    /// appended. [`SyncStats::lost`] says so until it is acknowledged.
    pub lost: bool,
    /// How many entries that the log had lost this step appended again.
    pub restored: u64,
}

/// How a [`SyncedBlacklist`] is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncStats {
    /// What is in memory.
    pub index: IndexStats,
    /// Up to where the log has been read.
    pub position: Position,
    /// The end of the log when it was last read.
    pub head: Position,
    /// How long ago the read was sent that memory is as fresh as; `None` before the first load is complete.
    pub age: Option<Duration>,
    /// Whether memory answers alone at this moment.
    pub fresh: bool,
    /// Reads of the log so far.
    pub polls: u64,
    /// Reads of the log that failed so far.
    pub failures: u64,
    /// Times that the log had to be read from its beginning again.
    pub reloads: u64,
    /// When some node last found that the log lost entries: revocations that were acknowledged may be gone. `None` when that
    /// never happened, or an operator has acknowledged it ([`RevocationLog::mark_loss`]).
    pub lost: Option<OffsetDateTime>,
    /// Times that this node found that the log lost entries.
    pub losses: u64,
    /// Lost entries that this node appended again.
    pub restored: u64,
    /// Checks that asked the log because memory could not tell.
    pub fallbacks: u64,
}

/// A log, an index and a bound on how stale the index may be. Something has to call [`sync_step`](Self::sync_step)
/// regularly, as [`follow`](Self::follow) does; while nothing does, every check asks the log.
#[derive(Debug)]
pub struct SyncedBlacklist {
    log: Arc<dyn RevocationLog>,
    clock: Arc<dyn Clock>,
    options: SyncOptions,
    index: Index,
    group: GroupCommit,
    /// The monotonic instant, in nanoseconds and never zero, before the read was sent that memory is as fresh as.
    synced_at: AtomicU64,
    reader: AsyncMutex<Reader>,
    tail: Tail,
    seen: Mutex<Seen>,
    polls: AtomicU64,
    failures: AtomicU64,
    reloads: AtomicU64,
    losses: AtomicU64,
    restored: AtomicU64,
    fallbacks: AtomicU64,
}

/// What the last read said.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    position: Position,
    head: Position,
    lost: Option<OffsetDateTime>,
}

/// A read of the log that does not show what this node appended before the read was sent, although the log has it.
#[derive(Debug, thiserror::Error)]
#[error("the log does not show what it has acknowledged; is the database a replica that lags?")]
struct StaleRead;

impl SyncedBlacklist {
    /// A blacklist over `log` that has read nothing yet.
    #[must_use]
    pub fn new(log: Arc<dyn RevocationLog>, clock: Arc<dyn Clock>, options: SyncOptions) -> Self {
        // A page has room for the last entry, which is read again, and for a new one.
        let options = SyncOptions { page: options.page.max(2), ..options };
        Self {
            group: GroupCommit::new(Arc::clone(&log)),
            log,
            clock,
            options,
            index: Index::default(),
            synced_at: AtomicU64::new(NEVER),
            reader: AsyncMutex::default(),
            tail: Tail::default(),
            seen: Mutex::default(),
            polls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            reloads: AtomicU64::new(0),
            losses: AtomicU64::new(0),
            restored: AtomicU64::new(0),
            fallbacks: AtomicU64::new(0),
        }
    }

    /// Reads one page of the log into memory. Call it again at once until [`complete`](SyncStep::complete), then after
    /// the poll interval.
    ///
    /// After a loss the next steps first append again what this node remembers, until that succeeds: its latest 16,384
    /// revocations.
    ///
    /// # Errors
    ///
    /// When the log cannot be read, an entry of it cannot be understood, or a read does not show what this node appended
    /// before. Memory then grows stale and, past the bound, checks ask the log. Also when lost entries could not be
    /// appended again; the log has been read all the same.
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
        match reader.sequel(&page) {
            Sequel::Next => {}
            Sequel::Unknown => {
                // Read again what may not be what was read, without an alarm: memory keeps its age until that is done.
                reader.begin_again();
                return Ok(self.step(reader, &page, 0));
            }
            Sequel::Other => {
                self.synced_at.store(NEVER, Ordering::Release);
                self.reloads.fetch_add(1, Ordering::Relaxed);
                events::reloading();
                *reader = Reader { identity: Some(page.identity), ..Reader::default() };
                let step = self.step(reader, &page, 0);
                self.found_loss(reader);
                return Ok(SyncStep { reloading: true, lost: true, ..step });
            }
        }
        self.index.note_purged(page.purged);
        let new = reader.new_entries(&page);
        for LogEntry { revocation, .. } in new {
            let was_known = self.index.holds(revocation);
            self.index.insert(revocation);
            self.tail.read(revocation, was_known);
        }
        if reader.duty == Duty::None && reader.is_told_of_loss(&page) {
            reader.duty = Duty::Restore;
        }
        let round = *reader.round.get_or_insert(RoundUnderWay { number, sent, goal: page.head });
        reader.take(&page, self.options.page);
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
        self.synced_at.store(nanoseconds(round.sent), Ordering::Release);
        self.index.forget(self.clock.now());
        Ok(SyncStep { complete: true, ..step })
    }

    fn found_loss(&self, reader: &mut Reader) {
        self.losses.fetch_add(1, Ordering::Relaxed);
        events::entries_lost();
        let now = self.clock.now();
        self.seen().lost = Some(now);
        reader.duty = Duty::Report(now);
    }

    /// Does what has to be done about a loss. Returns how many entries were appended again.
    async fn repair(&self, reader: &mut Reader) -> Result<u64, StoreError> {
        if let Duty::Report(found) = reader.duty {
            self.log.mark_loss(Some(found)).await?;
            reader.duty = Duty::Restore;
        }
        let mut restored = 0;
        if reader.duty == Duty::Restore {
            for batch in self.tail.recent().chunks(RESTORE_BATCH) {
                restored += self.append_again(batch).await?;
            }
            reader.duty = Duty::None;
        }
        Ok(restored)
    }

    async fn append_again(&self, batch: &[Revocation]) -> Result<u64, StoreError> {
        let appended = self.log.append(batch).await?;
        self.restored.fetch_add(appended, Ordering::Relaxed);
        Ok(appended)
    }

    /// Whether memory answers alone at this moment: the log has been loaded, and read recently enough.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.age().is_some_and(|age| age <= self.options.max_staleness)
    }

    /// Whether checks are answered as intended: the log has been loaded and, unless every check asks it anyway, read
    /// recently enough.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_loaded() && (self.options.max_staleness.is_zero() || self.is_fresh())
    }

    /// Whether the log has been loaded into memory.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.synced_at.load(Ordering::Acquire) != NEVER
    }

    /// When the log was found to have lost entries, until that is acknowledged: [`SyncStats::lost`].
    #[must_use]
    pub fn lost(&self) -> Option<OffsetDateTime> {
        self.seen().lost
    }

    /// How it is doing.
    #[must_use]
    pub fn stats(&self) -> SyncStats {
        let Seen { position, head, lost } = *self.seen();
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
        *self.seen() = Seen { position, head, lost: reader.loss(page) };
        SyncStep { complete: false, read, position, head, reloading: false, lost: false, restored: 0 }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses from now on what a durable revocation covers.
    fn remember(&self, revocation: &Revocation) {
        self.tail.acknowledged(revocation, || self.index.holds(revocation));
        self.index.insert(revocation);
    }
}

#[async_trait]
impl Blacklist for SyncedBlacklist {
    fn peek(&self, claims: &Claims) -> Standing {
        // Freshness is read before the index: the index then holds at least what was committed at that instant.
        let vouches = !self.options.max_staleness.is_zero() && self.is_fresh();
        match self.index.standing(claims) {
            Standing::Good if !vouches => Standing::Unknown,
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
        self.group.append(revocation).await?;
        self.remember(&revocation);
        Ok(())
    }

    fn note(&self, revocation: &Revocation) {
        self.remember(revocation);
    }
}

fn nanoseconds(instant: Duration) -> u64 {
    u64::try_from(instant.as_nanos()).unwrap_or(u64::MAX).max(NEVER + 1)
}
