//! A log of revocations in memory, right and wrong.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth_conformance::{Row, pass};
use auth_core::blacklist::{
    LogEntry, LogIdentity, LogPage, Mark, Position, Purged, RevocationReason, RevocationTarget,
};
use auth_core::{Claims, Generation, Revocation, StoreError, UserId};
use time::OffsetDateTime;

use crate::Fault;

#[derive(Debug)]
pub(crate) struct Log {
    fault: Fault,
    rows: Mutex<Rows>,
    /// How often a page was read: writers that are late on purpose wait for readers to come by.
    reads: AtomicUsize,
    /// How often an append was late.
    late: AtomicUsize,
}

#[derive(Debug, Default)]
struct Rows {
    head: u64,
    purged: Purged,
    lost: Option<OffsetDateTime>,
    entries: Vec<(Position, Revocation)>,
}

impl Rows {
    fn add(&mut self, fault: Fault, revocation: Revocation) -> bool {
        let known = match fault {
            Fault::AppendsAgain => false,
            Fault::OneEntryPerUser => self.entries.iter().any(|(_, known)| same_user(known, &revocation)),
            _ => self.knows(&revocation),
        };
        if !known {
            self.head += 1;
            self.entries.push((Position(self.head), revocation));
        }
        !known
    }

    fn knows(&self, revocation: &Revocation) -> bool {
        self.entries.iter().any(|(_, known)| known.target == revocation.target)
    }
}

fn same_user(known: &Revocation, other: &Revocation) -> bool {
    match (known.target, other.target) {
        (RevocationTarget::User { id, .. }, RevocationTarget::User { id: other, .. }) => id == other,
        (known, other) => known == other,
    }
}

impl Log {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault, rows: Mutex::default(), reads: AtomicUsize::new(0), late: AtomicUsize::new(0) }
    }

    /// A restart: what only the process knew is gone.
    pub(crate) fn restart(&self) {
        if self.fault == Fault::CountsTheRowsAtStart {
            let mut rows = self.rows.lock().unwrap();
            rows.head = rows.entries.last().map_or(0, |last| last.0.0);
        }
    }

    /// Appends at once, as part of a change that no other caller can see half of.
    pub(crate) fn append_now(&self, revocation: Revocation) {
        self.rows.lock().unwrap().add(self.fault, revocation);
    }

    /// Returns whether an entry ends all tokens of this user and generation.
    pub(crate) fn ends_user(&self, user_id: UserId, generation: Generation) -> bool {
        self.rows.lock().unwrap().entries.iter().any(|(_, entry)| entry.ends_user(user_id, generation))
    }

    pub(crate) async fn append(&self, batch: &[Revocation]) -> u64 {
        match self.fault {
            Fault::ChecksThenAppends => {
                let new: Vec<_> = {
                    let rows = self.rows.lock().unwrap();
                    batch.iter().filter(|revocation| !rows.knows(revocation)).collect()
                };
                pass(1).await;
                let mut rows = self.rows.lock().unwrap();
                new.iter().map(|revocation| u64::from(rows.add(Fault::AppendsAgain, **revocation))).sum()
            }
            Fault::AppendsOneByOne => {
                let mut new = 0;
                for revocation in batch {
                    new += u64::from(self.rows.lock().unwrap().add(self.fault, *revocation));
                    pass(1).await;
                }
                new
            }
            Fault::PositionBeforeCommit => {
                self.append_late(batch).await;
                batch.len() as u64
            }
            Fault::KeepsAThousand => self.append_all(&batch[..batch.len().min(1_000)]),
            _ => self.append_all(batch),
        }
    }

    fn append_all(&self, batch: &[Revocation]) -> u64 {
        let mut rows = self.rows.lock().unwrap();
        batch.iter().map(|revocation| u64::from(rows.add(self.fault, *revocation))).sum()
    }

    /// Takes positions now and shows the entries later, as a row with an auto-incremented id does. Every other caller waits
    /// until a reader has seen a higher position.
    pub(crate) async fn append_late(&self, batch: &[Revocation]) {
        let first = {
            let mut rows = self.rows.lock().unwrap();
            rows.head += batch.len() as u64;
            rows.head - batch.len() as u64 + 1
        };
        let taken = Position(first);
        if self.late.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
            for _ in 0..20_000 {
                let overtaken = self.rows.lock().unwrap().entries.last().is_some_and(|(last, _)| *last > taken);
                if overtaken {
                    break;
                }
                pass(1).await;
            }
            let reads = self.reads.load(Ordering::SeqCst);
            for _ in 0..20_000 {
                if self.reads.load(Ordering::SeqCst) > reads + 20 {
                    break;
                }
                pass(1).await;
            }
        }
        let mut rows = self.rows.lock().unwrap();
        rows.entries.extend((first..).map(Position).zip(batch.iter().copied()));
        rows.entries.sort_unstable_by_key(|entry| entry.0);
    }

    pub(crate) fn page(
        &self,
        identity: LogIdentity,
        after: Position,
        limit: u32,
        damaged: &[Row],
    ) -> Result<LogPage, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let rows = self.rows.lock().unwrap();
        let skip = |position: Position| match self.fault {
            Fault::CursorOffByOne => position < after,
            _ => position <= after,
        };
        let mut entries: Vec<_> =
            rows.entries.iter().filter(|entry| !skip(entry.0)).take(limit as usize).copied().collect();
        let is_damaged = |position: Position| damaged.contains(&Row::Entry(position));
        if self.fault == Fault::SkipsDamagedEntries {
            entries.retain(|entry| !is_damaged(entry.0));
        } else if entries.iter().any(|entry| is_damaged(entry.0)) {
            return Err(StoreError::corrupt("the reason is none"));
        }
        if self.fault == Fault::ForgetsTheReason {
            for (_, entry) in &mut entries {
                entry.reason = RevocationReason::Logout;
            }
        }
        let last = rows.entries.last().map_or(0, |last| last.0.0);
        let head = if self.fault == Fault::HeadIsTheLastRow { last } else { rows.head };
        let purged = if self.fault == Fault::PurgesWithoutTrace { Purged::default() } else { rows.purged };
        let entry = |(position, revocation)| LogEntry { position, mark: Mark::default(), revocation };
        let entries = entries.into_iter().map(entry).collect();
        Ok(LogPage { identity, head: Position(head), purged, lost: rows.lost, age: Duration::ZERO, entries })
    }

    pub(crate) fn covers(&self, claims: &Claims) -> bool {
        let rows = self.rows.lock().unwrap();
        let seen = match self.fault {
            Fault::LagsByOne => &rows.entries[..rows.entries.len().saturating_sub(1)],
            _ => &rows.entries,
        };
        let purged = self.fault != Fault::CoversWhatIsThere && claims.expires_at <= rows.purged.tokens;
        purged
            || seen.iter().any(|(_, entry)| match entry.target {
                RevocationTarget::User { id, below } if self.fault == Fault::CoversTheNewGeneration => {
                    claims.user_id == id && claims.generation <= below
                }
                RevocationTarget::Key(_) if self.fault == Fault::CoversEveryKey => claims.key_id.is_some(),
                RevocationTarget::Key(_) if self.fault == Fault::IgnoresKeys => false,
                _ => entry.covers(claims),
            })
    }

    pub(crate) fn mark_loss(&self, at: Option<OffsetDateTime>) {
        let mut rows = self.rows.lock().unwrap();
        let later = match self.fault {
            Fault::KeepsTheFirstLoss if rows.lost.is_some() => return,
            Fault::TrustsTheClockOfALoss => None,
            _ => rows.lost.map(|lost| lost + Duration::from_micros(1)),
        };
        rows.lost = match at {
            None if self.fault == Fault::NeverForgetsALoss => rows.lost,
            at => at.map(|at| later.map_or(at, |later| later.max(at))),
        };
    }

    pub(crate) fn purge(&self, before: OffsetDateTime, limit: u32) -> u64 {
        let mut rows = self.rows.lock().unwrap();
        let limit = if self.fault == Fault::PurgesWithoutLimit { usize::MAX } else { limit as usize };
        let expired = |entry: &Revocation| match self.fault {
            Fault::PurgesAtTheBound => entry.expires_at <= before,
            _ => entry.expires_at < before,
        };
        let mut expired: Vec<_> = rows.entries.iter().filter(|entry| expired(&entry.1)).copied().collect();
        expired.sort_by_key(|(_, entry)| entry.expires_at);
        expired.truncate(limit);
        let mut gone: Vec<_> = expired.iter().map(|entry| entry.0).collect();
        if let (Fault::PurgesByPosition, Some(last)) = (self.fault, gone.iter().max().copied()) {
            gone = rows.entries.iter().map(|entry| entry.0).filter(|position| *position <= last).collect();
        }
        for (_, entry) in &expired {
            rows.purged.note(entry);
        }
        rows.entries.retain(|entry| !gone.contains(&entry.0));
        gone.len() as u64
    }
}
