//! A log in memory that can branch: a copy of its beginning continues by itself, as a standby does after a failover.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::blacklist::{LogEntry, LogIdentity, LogPage, Mark, Position, Purged};
use auth_core::{Claims, Revocation, RevocationLog, RevocationSource, StoreError};
use time::OffsetDateTime;

#[derive(Debug)]
pub(crate) struct Branch {
    page: Mutex<LogPage>,
    /// Number of the latest entries that a reader does not see yet.
    pub(crate) lag: AtomicU64,
    /// Source of marks that all branches share, so that no two transactions have the same one.
    marks: Arc<AtomicU64>,
}

impl Branch {
    /// Returns an empty log. All logs that were made by this function have the same identity.
    pub(crate) fn new() -> Arc<Self> {
        let (identity, head, purged) = (LogIdentity(uuid::Uuid::nil()), Position(0), Purged::default());
        Self::of(LogPage { identity, head, purged, lost: None, age: Duration::ZERO, entries: Vec::new() })
    }

    pub(crate) fn of(page: LogPage) -> Arc<Self> {
        Arc::new(Self { page: Mutex::new(page), lag: AtomicU64::new(0), marks: Arc::default() })
    }

    /// Returns a log that has the first `kept` entries of this one.
    pub(crate) fn fork(&self, kept: u64) -> Arc<Self> {
        let mut page = self.page.lock().unwrap().clone();
        page.entries.retain(|entry| entry.position.0 <= kept);
        page.head = Position(kept);
        Arc::new(Self { page: Mutex::new(page), lag: AtomicU64::new(0), marks: self.marks.clone() })
    }
}

#[async_trait]
impl RevocationSource for Branch {
    async fn read_after(&self, after: Position, limit: u32) -> Result<LogPage, StoreError> {
        let page = self.page.lock().unwrap().clone();
        let head = Position(page.head.0 - self.lag.load(Ordering::SeqCst));
        let entries = page.entries.into_iter().filter(|entry| entry.position > after && entry.position <= head);
        let entries = entries.take(usize::try_from(limit).unwrap()).collect();
        Ok(LogPage { head, entries, ..page })
    }

    async fn covers(&self, claims: &Claims) -> Result<bool, StoreError> {
        Ok(self.page.lock().unwrap().entries.iter().any(|entry| entry.revocation.covers(claims)))
    }
}

#[async_trait]
impl RevocationLog for Branch {
    async fn append(&self, batch: &[Revocation]) -> Result<u64, StoreError> {
        let mut page = self.page.lock().unwrap();
        let (mark, before) = (Mark(self.marks.fetch_add(1, Ordering::SeqCst) + 1), page.head.0);
        for revocation in batch {
            if page.entries.iter().all(|known| known.revocation.target != revocation.target) {
                page.head.0 += 1;
                let entry = LogEntry { position: page.head, mark, revocation: *revocation };
                page.entries.push(entry);
            }
        }
        Ok(page.head.0 - before)
    }

    async fn purge(&self, before: OffsetDateTime, _limit: u32) -> Result<u64, StoreError> {
        let mut page = self.page.lock().unwrap();
        let (gone, kept): (Vec<_>, Vec<_>) =
            page.entries.drain(..).partition(|entry| entry.revocation.expires_at < before);
        page.entries = kept;
        for entry in &gone {
            page.purged.note(&entry.revocation);
        }
        Ok(gone.len() as u64)
    }

    async fn mark_loss(&self, at: Option<OffsetDateTime>) -> Result<(), StoreError> {
        let mut page = self.page.lock().unwrap();
        let later = page.lost.map(|lost| lost + Duration::from_micros(1));
        page.lost = at.map(|at| later.map_or(at, |later| later.max(at)));
        Ok(())
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(None)
    }
}
