//! A blacklist that answers from memory and keeps itself in step with the log that all nodes share.
//!
//! The promise: *a token whose logout was acknowledged at time t is refused by that node from t on, and by every other
//! node from t + `max_staleness` on, whatever fails.*

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_lock::Mutex as AsyncMutex;
use async_trait::async_trait;

use super::group::GroupCommit;
use super::index::{Index, IndexStats};
use super::{Blacklist, LogIdentity, LogPage, PURGE_MARGIN, Position, Revocation, RevocationLog, Standing};
use crate::clock::Clock;
use crate::error::StoreError;
use crate::token::{Claims, LEEWAY};

/// Nothing was read yet, or what was read counts no more.
const NEVER: u64 = 0;

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
    /// The log is another one than before, or went backwards (a restored backup, a re-created database): it is read
    /// from its beginning again, and until that is done every check asks the log.
    pub reloading: bool,
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
    /// Checks that asked the log because memory could not tell.
    pub fallbacks: u64,
}

/// A log, an index and a bound on how stale the index may be. Something has to call [`sync_step`](Self::sync_step)
/// regularly; while nothing does, every check asks the log.
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
    seen: Mutex<(Position, Position)>,
    polls: AtomicU64,
    failures: AtomicU64,
    reloads: AtomicU64,
    fallbacks: AtomicU64,
}

/// Where reading the log stands.
#[derive(Debug, Default)]
struct Reader {
    identity: Option<LogIdentity>,
    position: Position,
    /// The last entry that was read. It is read again with every page: if it is another one, the log is another one.
    last: Option<(Position, Revocation)>,
    /// The round under way: when its first read was sent, and the head which that read saw.
    round: Option<(Duration, Position)>,
}

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
            seen: Mutex::default(),
            polls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            reloads: AtomicU64::new(0),
            fallbacks: AtomicU64::new(0),
        }
    }

    /// Reads one page of the log into memory. Call it again at once until [`complete`](SyncStep::complete), then after
    /// the poll interval.
    ///
    /// # Errors
    ///
    /// When the log cannot be read, or an entry of it cannot be understood. Memory then grows stale and, past the
    /// bound, checks ask the log.
    pub async fn sync_step(&self) -> Result<SyncStep, StoreError> {
        let mut reader = self.reader.lock().await;
        let sent = self.clock.monotonic();
        self.polls.fetch_add(1, Ordering::Relaxed);
        let after = reader.last.map_or(reader.position, |(position, _)| Position(position.0.saturating_sub(1)));
        let page = self.log.read_after(after, self.options.page).await;
        let page = page.inspect_err(|_| {
            self.failures.fetch_add(1, Ordering::Relaxed);
        })?;
        if reader.is_another_log(&page) {
            self.synced_at.store(NEVER, Ordering::Release);
            self.reloads.fetch_add(1, Ordering::Relaxed);
            *reader = Reader { identity: Some(page.identity), ..Reader::default() };
            return Ok(self.step(&reader, &page, 0, true));
        }
        self.index.note_purged(page.purged);
        let known = reader.position;
        let mut read = 0;
        for (position, revocation) in &page.entries {
            if *position > known {
                self.index.insert(revocation);
                read += 1;
            }
        }
        reader.identity = Some(page.identity);
        if let Some(last) = page.entries.last() {
            reader.position = reader.position.max(last.0);
            reader.last = Some(*last);
        }
        if (page.entries.len() as u64) < u64::from(self.options.page) {
            // Nothing more was there: what lies between the last entry and the head has been purged.
            reader.position = reader.position.max(page.head);
        }
        let (round_sent, goal) = *reader.round.get_or_insert((sent, page.head));
        let complete = reader.position >= goal;
        if complete {
            reader.round = None;
            self.synced_at.store(nanoseconds(round_sent), Ordering::Release);
            self.index.forget(self.clock.now());
        }
        Ok(SyncStep { complete, ..self.step(&reader, &page, read, false) })
    }

    /// Keeps memory in step for as long as it is polled: reads all there is, calls `pause` with how that went, and begins
    /// again once `pause` returns. Have it wait for a fraction of
    /// [`max_staleness`](SyncOptions::max_staleness); a failed round is made up for by the next one.
    ///
    /// ```
    /// # use std::{sync::Arc, time::Duration};
    /// # use auth_core::{SystemClock, memory::MemoryStore};
    /// # use auth_core::blacklist::{SyncOptions, SyncedBlacklist};
    /// # async fn example(blacklist: Arc<SyncedBlacklist>) {
    /// tokio::spawn(async move {
    ///     blacklist.follow(async |_| tokio::time::sleep(Duration::from_millis(250)).await).await;
    /// });
    /// # }
    /// ```
    pub async fn follow(&self, mut pause: impl AsyncFnMut(Result<(), StoreError>)) {
        loop {
            pause(self.sync_round().await).await;
        }
    }

    /// Reads pages until memory holds all that was committed when this began.
    async fn sync_round(&self) -> Result<(), StoreError> {
        while !self.sync_step().await?.complete {}
        Ok(())
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

    /// How it is doing.
    #[must_use]
    pub fn stats(&self) -> SyncStats {
        let (position, head) = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        SyncStats {
            index: self.index.stats(),
            position,
            head,
            age: self.age(),
            fresh: self.is_fresh(),
            polls: self.polls.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            reloads: self.reloads.load(Ordering::Relaxed),
            fallbacks: self.fallbacks.load(Ordering::Relaxed),
        }
    }

    fn age(&self) -> Option<Duration> {
        match self.synced_at.load(Ordering::Acquire) {
            NEVER => None,
            at => Some(self.clock.monotonic().saturating_sub(Duration::from_nanos(at))),
        }
    }

    fn step(&self, reader: &Reader, page: &LogPage, read: usize, reloading: bool) -> SyncStep {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = (reader.position, page.head);
        SyncStep { complete: false, read, position: reader.position, head: page.head, reloading }
    }
}

impl Reader {
    /// Whether `page` comes from another log than what was read before: another identity, a head behind our position,
    /// or another entry where the last one was. That entry may be missing only if it may have been purged.
    fn is_another_log(&self, page: &LogPage) -> bool {
        let Some(identity) = self.identity else { return false };
        if identity != page.identity || page.head < self.position {
            return true;
        }
        let Some((position, last)) = self.last else { return false };
        match page.entries.first() {
            Some((first, entry)) if *first == position => *entry != last,
            _ => !page.purged.may_hold(&last),
        }
    }
}

#[async_trait]
impl Blacklist for SyncedBlacklist {
    fn peek(&self, claims: &Claims) -> Standing {
        // Freshness is read before the index: the index then holds at least what was committed at that instant.
        let vouches = !self.options.max_staleness.is_zero() && self.is_fresh();
        match self.index.standing(claims) {
            Standing::Good if !vouches => Standing::AskTheLog,
            standing => standing,
        }
    }

    async fn look_up(&self, claims: &Claims) -> Result<bool, StoreError> {
        self.fallbacks.fetch_add(1, Ordering::Relaxed);
        self.log.covers(claims).await
    }

    async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        if self.clock.now() >= revocation.expires_at + LEEWAY + PURGE_MARGIN {
            return Ok(());
        }
        self.group.append(revocation).await?;
        self.index.insert(&revocation);
        Ok(())
    }

    fn note(&self, revocation: &Revocation) {
        self.index.insert(revocation);
    }
}

fn nanoseconds(instant: Duration) -> u64 {
    u64::try_from(instant.as_nanos()).unwrap_or(u64::MAX).max(NEVER + 1)
}
