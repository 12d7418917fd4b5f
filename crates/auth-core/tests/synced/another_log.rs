//! A log that is not the one that was read before.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::blacklist::{LogIdentity, LogPage, Position, Purged, Standing};
use auth_core::memory::MemoryStore;
use auth_core::{Blacklist as _, Claims, Clock as _, Revocation, RevocationLog, StoreError, StoreErrorKind};
use time::OffsetDateTime;

use crate::world::{FaultyLog, clock, logout, node, sync, token};

/// A log that can only be read, and holds this.
#[derive(Debug)]
struct Fixed(LogPage);

impl Fixed {
    /// These entries, under the same identity as every other log made so.
    fn of(entries: impl IntoIterator<Item = Revocation>) -> Self {
        let entries: Vec<_> = (1..).map(Position).zip(entries).collect();
        let (identity, head) = (LogIdentity(uuid::Uuid::nil()), Position(entries.len() as u64));
        Self(LogPage { identity, head, purged: Purged::default(), entries })
    }
}

#[async_trait]
impl RevocationLog for Fixed {
    async fn append(&self, _batch: &[Revocation]) -> Result<u64, StoreError> {
        Err(StoreError::new(StoreErrorKind::Internal, "not used"))
    }

    async fn read_after(&self, after: Position, limit: u32) -> Result<LogPage, StoreError> {
        let entries = self.0.entries.iter().filter(|entry| entry.0 > after).take(usize::try_from(limit).unwrap());
        Ok(LogPage { entries: entries.copied().collect(), ..self.0 })
    }

    async fn covers(&self, _claims: &Claims) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn purge(&self, _before: OffsetDateTime, _limit: u32) -> Result<u64, StoreError> {
        Ok(0)
    }
}

#[tokio::test]
async fn a_log_that_is_another_one_or_went_backwards_is_read_again_from_its_beginning() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = node(&log, &clock);
    let old = token(&clock);
    log.append(&[logout(&old), logout(&token(&clock))]).await.unwrap();
    sync(&node).await;
    let fresh = Arc::new(MemoryStore::new().unwrap());
    log.replace(fresh.clone());
    let new: Vec<_> = (0..7).map(|_| token(&clock)).collect();
    fresh.append(&new.iter().map(logout).collect::<Vec<_>>()).await.unwrap();
    let step = node.sync_step().await.unwrap();
    assert!(step.reloading && !step.complete);
    assert!(!node.is_loaded(), "until it is loaded every check asks the log");
    sync(&node).await;
    assert!(new.iter().all(|claims| node.peek(claims) == Standing::Revoked));
    assert_eq!(node.peek(&old), Standing::Revoked, "once refused, always refused");
    assert_eq!(node.stats().reloads, 1);
}

#[tokio::test]
async fn a_backup_that_has_grown_past_our_position_is_noticed_by_the_entry_that_changed() {
    let clock = clock();
    let tokens: Vec<_> = (0..9).map(|_| token(&clock)).collect();
    let entry = |number: usize| logout(&tokens[number]);
    let before = Fixed::of((0..5).map(entry));
    // The backup held two entries; four others were appended since: 6 is past our position 5.
    let after = Fixed::of([0, 1, 5, 6, 7, 8].map(entry));
    let log = FaultyLog::new();
    log.replace(Arc::new(before));
    let node = node(&log, &clock);
    sync(&node).await;
    log.replace(Arc::new(after));
    assert!(node.sync_step().await.unwrap().reloading);
    sync(&node).await;
    assert!(tokens.iter().all(|claims| node.peek(claims) == Standing::Revoked));
}

#[tokio::test]
async fn an_entry_that_is_gone_without_a_purge_means_another_log() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = node(&log, &clock);
    log.append(&[logout(&token(&clock))]).await.unwrap();
    sync(&node).await;
    clock.advance(Duration::from_secs(86_400));
    let page = log.read_after(Position(0), 1).await.unwrap();
    log.replace(Arc::new(Fixed(LogPage { entries: Vec::new(), ..page })));
    assert!(node.sync_step().await.unwrap().reloading, "expired or not, it was not purged");
}

#[tokio::test]
async fn another_log_is_told_by_its_identity_or_its_head_when_no_entry_is_left_to_compare() {
    let (log, clock) = (FaultyLog::new(), clock());
    log.append(&[logout(&token(&clock)), logout(&token(&clock))]).await.unwrap();
    clock.advance(Duration::from_secs(6 * 3600));
    assert_eq!(log.purge(clock.now(), 100).await.unwrap(), 2);
    let page = log.read_after(Position(0), 1).await.unwrap();
    let (knows_one, knows_other) = (node(&log, &clock), node(&log, &clock));
    sync(&knows_one).await;
    sync(&knows_other).await;

    let longer = Arc::new(MemoryStore::new().unwrap());
    let revoked: Vec<_> = (0..3).map(|_| token(&clock)).collect();
    longer.append(&revoked.iter().map(logout).collect::<Vec<_>>()).await.unwrap();
    log.replace(longer);
    assert!(knows_one.sync_step().await.unwrap().reloading, "another identity");
    sync(&knows_one).await;
    assert!(revoked.iter().all(|claims| knows_one.peek(claims) == Standing::Revoked));

    log.replace(Arc::new(Fixed(LogPage { head: Position(1), entries: Vec::new(), ..page })));
    assert!(knows_other.sync_step().await.unwrap().reloading, "a head that went backwards");
}
