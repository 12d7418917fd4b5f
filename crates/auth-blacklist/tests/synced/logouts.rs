//! Concurrent logouts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use auth_blacklist::SyncedBlacklist;
use auth_core::blacklist::Standing;
use auth_core::{Blacklist as _, Claims, StoreError, StoreErrorKind};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::fixture::{FaultyLog, clock, logout, node, sync, token};

/// Logouts under way, the first of which is held in the middle of its append.
struct Held {
    tasks: Vec<JoinHandle<Result<(), StoreError>>>,
    /// Gate that lets it continue.
    gate: Arc<Notify>,
}

impl Held {
    async fn under_way(log: &FaultyLog, node: &Arc<SyncedBlacklist>, tokens: &[Claims]) -> Self {
        let (gate, before) = (Arc::new(Notify::new()), log.appends.load(Ordering::SeqCst));
        *log.hold.lock().unwrap() = Some(gate.clone());
        let tasks = tokens.iter().map(|claims| {
            let (node, revocation) = (node.clone(), logout(claims));
            tokio::spawn(async move { node.revoke(revocation).await })
        });
        let tasks = tasks.collect();
        while log.appends.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
        *log.hold.lock().unwrap() = None;
        Self { tasks, gate }
    }
}

#[tokio::test]
async fn concurrent_logouts_share_a_transaction_and_a_single_one_does_not_wait() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = Arc::new(node(&log, &clock));
    node.revoke(logout(&token(&clock))).await.unwrap();
    assert_eq!(log.appends.load(Ordering::SeqCst), 1);
    let tokens: Vec<_> = (0..64).map(|_| token(&clock)).collect();
    let held = Held::under_way(&log, &node, &tokens).await;
    held.gate.notify_one();
    for task in held.tasks {
        task.await.unwrap().unwrap();
    }
    assert!(log.appends.load(Ordering::SeqCst) <= 4, "64 took {} transactions", log.appends.load(Ordering::SeqCst));
    assert!(tokens.iter().all(|claims| node.peek(claims) == Standing::Revoked));
}

#[tokio::test]
async fn a_cancelled_writer_affects_no_other_caller() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = Arc::new(node(&log, &clock));
    let tokens: Vec<_> = (0..8).map(|_| token(&clock)).collect();
    let mut held = Held::under_way(&log, &node, &tokens).await;
    // The first caller writes and holds the batch. It is cancelled in the middle.
    let writer = held.tasks.remove(0);
    writer.abort();
    assert!(writer.await.unwrap_err().is_cancelled());
    for task in held.tasks {
        task.await.unwrap().unwrap();
    }
    assert!(tokens[1..].iter().all(|claims| node.peek(claims) == Standing::Revoked));
}

#[tokio::test]
async fn a_batch_that_could_not_be_written_is_acknowledged_to_nobody() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = Arc::new(node(&log, &clock));
    let tokens: Vec<_> = (0..8).map(|_| token(&clock)).collect();
    let held = Held::under_way(&log, &node, &tokens).await;
    // The first caller writes, and the others wait to be written together.
    log.set_down(true);
    held.gate.notify_one();
    for task in held.tasks {
        assert_eq!(task.await.unwrap().unwrap_err().kind(), StoreErrorKind::Unavailable);
    }
    assert_eq!(log.appends.load(Ordering::SeqCst), 2);
    log.set_down(false);
    sync(&node).await;
    assert!(tokens.iter().all(|claims| node.peek(claims) == Standing::Good));
}

#[tokio::test]
async fn a_failed_append_is_reported_to_its_callers_and_to_nobody_later() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = node(&log, &clock);
    log.set_down(true);
    let claims = token(&clock);
    let error = node.revoke(logout(&claims)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    log.set_down(false);
    sync(&node).await;
    assert_eq!(node.peek(&claims), Standing::Good, "it was not acknowledged and not written");
    node.revoke(logout(&claims)).await.unwrap();
    assert_eq!(node.peek(&claims), Standing::Revoked);
}

#[tokio::test]
async fn an_entry_that_is_noted_again_after_its_tokens_have_expired_is_not_waited_for() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = node(&log, &clock);
    let entry = logout(&token(&clock));
    node.revoke(entry).await.unwrap();
    sync(&node).await;
    clock.advance(Duration::from_secs(48 * 3600));
    sync(&node).await;
    node.note(&entry);
    sync(&node).await;
    assert!(node.is_fresh());
}
