//! Entries that expired or were purged, or seem so because a clock is wrong.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use auth_core::blacklist::{Standing, purge_expired};
use auth_core::{Blacklist as _, Claims, Clock as _, ManualClock, RevocationLog as _, UserId};

use crate::fixture::{FaultyLog, clock, logout, node, sync, token, verdict};

#[tokio::test]
async fn purged_entries_are_no_reason_to_reload_and_cost_no_position() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = node(&log, &clock);
    log.append(&[logout(&token(&clock)), logout(&token(&clock))]).await.unwrap();
    sync(&node).await;
    clock.advance(Duration::from_secs(6 * 3600));
    assert_eq!(log.purge(clock.now(), 100).await.unwrap(), 2);
    let claims = token(&clock);
    log.append(&[logout(&claims)]).await.unwrap();
    sync(&node).await;
    assert_eq!((node.peek(&claims), node.stats().reloads), (Standing::Revoked, 0));
    assert_eq!(node.stats().index.tokens, 1, "what expired was forgotten");
}

#[tokio::test]
async fn a_purge_by_a_node_whose_clock_is_hours_ahead_revives_no_token_anywhere() {
    let (log, clock) = (FaultyLog::new(), clock());
    let knows = node(&log, &clock);
    let (claims, user) = (token(&clock), UserId::generate(clock.now()).unwrap());
    let later = Claims { expires_at: claims.expires_at + Duration::from_secs(1), ..token(&clock) };
    knows.revoke(logout(&claims)).await.unwrap();
    sync(&knows).await;
    let wrong = clock.now() + Duration::from_secs(3 * 3600 + 2);
    *log.store_clock.lock().unwrap() = Some(clock.now());
    assert_eq!(purge_expired(log.as_ref(), wrong, 10, async |_| {}).await.unwrap(), 0, "the store's clock is right");
    *log.store_clock.lock().unwrap() = Some(wrong);
    assert_eq!(
        purge_expired(log.as_ref(), clock.now(), 10, async |_| {}).await.unwrap(),
        0,
        "the node's clock is right"
    );
    assert_eq!(purge_expired(log.as_ref(), wrong, 10, async |_| {}).await.unwrap(), 1, "it expires in an hour");

    // One node knew the entry, one reads the log only now, and one asks the log at every check. One clock is behind as
    // well.
    let starting = node(&log, &clock);
    sync(&starting).await;
    let asking = node(&log, &clock);
    let behind = Arc::new(ManualClock::new(clock.now() - Duration::from_secs(86_400)));
    let behind = node(&log, &behind);
    sync(&behind).await;
    sync(&knows).await;
    for node in [&knows, &starting, &asking, &behind] {
        assert_eq!(verdict(node, &claims).await, "revoked");
        assert_eq!(verdict(node, &later).await, "good");
        assert_eq!(verdict(node, &Claims { user_id: user, ..later.clone() }).await, "good");
    }
    assert_eq!((starting.stats().fallbacks, knows.stats().reloads), (0, 0));
}

#[tokio::test]
async fn a_purge_beside_a_reader_is_seen_by_it_before_the_entry_is_gone() {
    let (log, clock) = (FaultyLog::new(), clock());
    let claims: Vec<_> = (0..9).map(|_| token(&clock)).collect();
    log.append(&claims.iter().map(logout).collect::<Vec<_>>()).await.unwrap();
    let node = node(&log, &clock);
    // With pages of three the purge comes between the first page and the second.
    assert!(!node.sync_step().await.unwrap().complete);
    assert_eq!(log.purge(clock.now() + Duration::from_secs(7200), 100).await.unwrap(), 9);
    sync(&node).await;
    assert!(claims.iter().all(|claims| node.peek(claims) == Standing::Revoked));
}

#[tokio::test]
async fn a_clock_set_forward_and_back_never_revives_a_token() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = node(&log, &clock);
    let claims = token(&clock);
    node.revoke(logout(&claims)).await.unwrap();
    sync(&node).await;
    let right = clock.now();
    clock.set(right + Duration::from_secs(30 * 86_400));
    sync(&node).await;
    clock.set(right);
    assert_eq!(verdict(&node, &claims).await, "revoked");
}

#[tokio::test]
async fn a_revocation_of_an_expired_token_is_accepted_and_stored_nowhere() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = node(&log, &clock);
    let claims = token(&clock);
    clock.advance(Duration::from_secs(86_400));
    node.revoke(logout(&claims)).await.unwrap();
    assert_eq!((log.appends.load(Ordering::SeqCst), node.stats().index.tokens), (0, 0));
}
