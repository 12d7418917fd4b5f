//! Freshness: when memory answers, and when the log is asked.

use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use auth_blacklist::{FollowEvent, SyncOptions, SyncedBlacklist};
use auth_core::blacklist::Standing;
use auth_core::{Blacklist as _, RevocationLog as _, StoreErrorKind};
use tokio::sync::Notify;

use crate::fixture::{BOUND, FaultyLog, clock, logout, node, sync, token, verdict};

#[tokio::test]
async fn before_the_first_load_is_complete_the_log_is_asked() {
    let (log, clock) = (FaultyLog::new(), clock());
    let revoked: Vec<_> = (0..5).map(|_| token(&clock)).collect();
    log.append(&revoked.iter().map(logout).collect::<Vec<_>>()).await.unwrap();
    let node = node(&log, &clock);
    assert!(!node.sync_step().await.unwrap().complete, "five entries are more than one page of three");
    assert!(!node.is_loaded() && !node.is_fresh());
    assert_eq!(verdict(&node, &revoked[4]).await, "revoked");
    assert_eq!(verdict(&node, &token(&clock)).await, "good");
    assert_eq!(log.look_ups.load(Ordering::SeqCst), 2);
    sync(&node).await;
    assert_eq!(verdict(&node, &revoked[4]).await, "revoked");
    assert_eq!(verdict(&node, &token(&clock)).await, "good");
    assert_eq!(log.look_ups.load(Ordering::SeqCst), 2, "memory answers alone now");
}

#[tokio::test]
async fn a_follower_reads_all_there_is_and_goes_on_after_a_failure() {
    let (log, clock) = (FaultyLog::new(), clock());
    let revoked: Vec<_> = (0..5).map(|_| token(&clock)).collect();
    log.append(&revoked.iter().map(logout).collect::<Vec<_>>()).await.unwrap();
    let node = node(&log, &clock);
    let (later, done, rounds) = (token(&clock), Notify::new(), Mutex::new(Vec::new()));
    let sleep = |_| async {
        let round = rounds.lock().unwrap().len();
        match round {
            1 => {
                assert_eq!(verdict(&node, &revoked[4]).await, "revoked");
                log.append(&[logout(&later)]).await.unwrap();
                log.set_down(true);
            }
            2 => log.set_down(false),
            _ => {
                done.notify_one();
                std::future::pending::<()>().await;
            }
        }
    };
    let follow = node.follow(Duration::from_secs(1), sleep, |event| match event {
        FollowEvent::Read(step) if step.complete => rounds.lock().unwrap().push(true),
        FollowEvent::Failing(_) => rounds.lock().unwrap().push(false),
        _ => {}
    });
    tokio::select! {
        () = follow => {}
        () = done.notified() => {}
    }
    assert_eq!(*rounds.lock().unwrap(), [true, false, true]);
    assert_eq!(verdict(&node, &later).await, "revoked");
    assert_eq!(log.look_ups.load(Ordering::SeqCst), 0, "memory answered");
}

#[tokio::test]
async fn a_logout_is_refused_at_once_here_and_within_the_bound_elsewhere() {
    let (log, clock) = (FaultyLog::new(), clock());
    let (here, there) = (node(&log, &clock), node(&log, &clock));
    sync(&here).await;
    sync(&there).await;
    let claims = token(&clock);
    here.revoke(logout(&claims)).await.unwrap();
    assert_eq!(verdict(&here, &claims).await, "revoked");
    clock.advance(BOUND);
    assert_eq!(verdict(&there, &claims).await, "good", "within the bound memory may be behind");
    clock.advance(Duration::from_nanos(1));
    assert_eq!(verdict(&there, &claims).await, "revoked", "past the bound the log is asked");
    log.set_down(true);
    assert_eq!(verdict(&there, &claims).await, "unknown", "and when it cannot be asked nothing is accepted");
    assert_eq!(verdict(&here, &claims).await, "revoked", "what memory knows to be revoked needs no log");
    assert!(there.sync_step().await.is_err());
    log.set_down(false);
    sync(&there).await;
    assert_eq!(there.peek(&claims), Standing::Revoked);
    assert_eq!((there.stats().failures, there.stats().fallbacks), (1, 2));
}

#[tokio::test]
async fn freshness_counts_from_before_the_read_was_sent_not_from_its_end() {
    let (log, clock) = (FaultyLog::new(), clock());
    let entries: Vec<_> = (0..5).map(|_| logout(&token(&clock))).collect();
    log.append(&entries).await.unwrap();
    let node = node(&log, &clock);
    assert!(!node.sync_step().await.unwrap().complete);
    clock.advance(Duration::from_secs(1));
    sync(&node).await;
    assert_eq!(node.stats().age, Some(Duration::from_secs(1)), "the round began a second ago");
    clock.advance(Duration::from_secs(1));
    assert!(node.is_fresh());
    clock.advance(Duration::from_nanos(1));
    assert!(!node.is_fresh());

    *log.slow.lock().unwrap() = Some((Duration::from_millis(1_500), clock.clone()));
    sync(&node).await;
    assert_eq!(node.stats().age, Some(Duration::from_millis(1_500)), "what it read is as old as that");
}

#[tokio::test]
async fn a_log_that_grows_as_fast_as_it_is_read_is_loaded_all_the_same() {
    let (log, clock) = (FaultyLog::new(), clock());
    let some = |count| (0..count).map(|_| logout(&token(&clock))).collect::<Vec<_>>();
    log.append(&some(5)).await.unwrap();
    let node = node(&log, &clock);
    assert!(!node.sync_step().await.unwrap().complete);
    log.append(&some(3)).await.unwrap();
    assert!(node.sync_step().await.unwrap().complete, "it holds the five that were there when the round began");
}

#[tokio::test]
async fn a_bound_of_zero_asks_the_log_at_every_check() {
    let (log, clock) = (FaultyLog::new(), clock());
    let options = SyncOptions { max_staleness: Duration::ZERO, page: 100 };
    let node = SyncedBlacklist::new(log.clone(), clock.clone(), options);
    sync(&node).await;
    let claims = token(&clock);
    assert_eq!(verdict(&node, &claims).await, "good");
    log.append(&[logout(&claims)]).await.unwrap();
    assert_eq!(verdict(&node, &claims).await, "revoked");
}

#[tokio::test]
async fn a_corrupt_entry_stops_the_sync_loudly_and_checks_go_to_the_log() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = node(&log, &clock);
    sync(&node).await;
    let claims = token(&clock);
    log.append(&[logout(&claims)]).await.unwrap();
    log.corrupt_after.store(0, Ordering::SeqCst);
    assert_eq!(node.sync_step().await.unwrap_err().kind(), StoreErrorKind::Corrupt);
    clock.advance(BOUND + Duration::from_nanos(1));
    assert_eq!(verdict(&node, &claims).await, "revoked");
    assert!(!node.is_fresh());
}

#[tokio::test]
async fn a_copy_of_the_log_that_says_its_age_makes_memory_stale_sooner() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = node(&log, &clock);
    *log.age.lock().unwrap() = BOUND.saturating_sub(Duration::from_millis(100));
    sync(&node).await;
    assert_eq!(node.stats().age, Some(BOUND.saturating_sub(Duration::from_millis(100))));
    clock.advance(Duration::from_millis(100));
    assert!(node.is_fresh());
    clock.advance(Duration::from_millis(1));
    assert!(!node.is_fresh() && node.peek(&token(&clock)) == Standing::Unknown);
}
