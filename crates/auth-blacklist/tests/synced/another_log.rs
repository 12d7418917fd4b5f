//! Reads that show another log than before.

use std::sync::Arc;
use std::time::Duration;

use auth_core::blacklist::{LogPage, Position, Standing};
use auth_core::memory::MemoryStore;
use auth_core::{Blacklist as _, Clock as _, RevocationLog as _, RevocationSource as _};

use crate::branch::Branch;
use crate::fixture::{FaultyLog, clock, logout, node, sync, token};

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
    let before = Branch::new();
    before.append(&(0..5).map(entry).collect::<Vec<_>>()).await.unwrap();
    // The backup had two entries, and four others were appended since. The head 6 is past our position 5.
    let after = before.fork(2);
    after.append(&[5, 6, 7, 8].map(entry)).await.unwrap();
    let log = FaultyLog::new();
    log.replace(before);
    let node = node(&log, &clock);
    sync(&node).await;
    log.replace(after);
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
    log.replace(Branch::of(LogPage { entries: Vec::new(), ..page }));
    assert!(node.sync_step().await.unwrap().reloading, "expired or not, it was not purged");
}

#[tokio::test]
async fn another_log_is_recognised_by_its_identity_or_head_when_no_entry_is_left_to_compare() {
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

    log.replace(Branch::of(LogPage { head: Position(1), entries: Vec::new(), ..page }));
    assert!(knows_other.sync_step().await.unwrap().reloading, "a head that went backwards");
}
