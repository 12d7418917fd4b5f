//! The blacklist of a service that follows a feed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_blacklist::ReadOnlyBlacklist;
use auth_core::blacklist::{FeedStep, Position, Purged, RevocationFeed, RevocationSink, Standing};
use auth_core::{Blacklist as _, Claims, Clock as _, ManualClock, Revocation, StoreError, StoreErrorKind};

use crate::fixture::{BOUND, clock, logout, token};

/// Feed that answers as a test wants.
#[derive(Debug, Default)]
struct Scripted(Mutex<VecDeque<(Vec<Revocation>, Option<Duration>)>>);

#[async_trait]
impl RevocationFeed for Scripted {
    async fn advance(&self, sink: &dyn RevocationSink) -> Result<FeedStep, StoreError> {
        let next = self.0.lock().unwrap().pop_front();
        let (entries, complete_as_of) = next.ok_or_else(|| StoreError::unavailable("cut off"))?;
        sink.insert_all(&entries);
        Ok(FeedStep {
            read: entries.len() as u64,
            position: Position(7),
            head: Position(9),
            purged: Purged::default(),
            complete_as_of,
            snapshot: complete_as_of.is_none(),
        })
    }
}

fn follower(clock: &Arc<ManualClock>) -> (Arc<Scripted>, ReadOnlyBlacklist) {
    let feed = Arc::new(Scripted::default());
    (feed.clone(), ReadOnlyBlacklist::new(feed, clock.clone(), BOUND))
}

fn answer(feed: &Scripted, entries: &[&Claims], complete_as_of: Option<Duration>) {
    feed.0.lock().unwrap().push_back((entries.iter().map(|claims| logout(claims)).collect(), complete_as_of));
}

async fn verdict(follower: &ReadOnlyBlacklist, claims: &Claims) -> &'static str {
    match follower.peek(claims) {
        Standing::Revoked => "revoked",
        Standing::Good => "good",
        Standing::Unknown => {
            assert_eq!(follower.look_up(claims).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
            "unavailable"
        }
    }
}

#[tokio::test]
async fn a_snapshot_refuses_and_does_not_count_as_fresh() {
    let clock = clock();
    let (feed, follower) = follower(&clock);
    let (revoked, other) = (token(&clock), token(&clock));
    assert_eq!(verdict(&follower, &revoked).await, "unavailable");
    answer(&feed, &[&revoked], None);
    assert!(follower.sync_step().await.unwrap().snapshot);
    assert_eq!((verdict(&follower, &revoked).await, verdict(&follower, &other).await), ("revoked", "unavailable"));
    answer(&feed, &[], Some(clock.monotonic()));
    follower.sync_step().await.unwrap();
    assert_eq!((verdict(&follower, &revoked).await, verdict(&follower, &other).await), ("revoked", "good"));
    assert_eq!((follower.stats().snapshots, follower.stats().unanswered), (1, 2));
}

#[tokio::test]
async fn a_follower_that_is_cut_off_keeps_refusing_and_accepts_nothing_past_the_bound() {
    let clock = clock();
    let (feed, follower) = follower(&clock);
    let (revoked, other) = (token(&clock), token(&clock));
    // Complete as of half a second ago.
    answer(&feed, &[&revoked], Some(clock.monotonic().saturating_sub(Duration::from_millis(500))));
    follower.sync_step().await.unwrap();
    clock.advance(BOUND.saturating_sub(Duration::from_millis(500)));
    assert!(follower.sync_step().await.is_err());
    assert_eq!(verdict(&follower, &other).await, "good", "at the bound");
    clock.advance(Duration::from_millis(1));
    assert_eq!((verdict(&follower, &revoked).await, verdict(&follower, &other).await), ("revoked", "unavailable"));
    answer(&feed, &[], Some(clock.monotonic()));
    follower.sync_step().await.unwrap();
    assert_eq!(verdict(&follower, &other).await, "good");
}

#[tokio::test]
async fn an_answer_that_took_a_longer_way_makes_nothing_older() {
    let clock = clock();
    let (feed, follower) = follower(&clock);
    answer(&feed, &[], Some(clock.monotonic()));
    answer(&feed, &[], Some(clock.monotonic().saturating_sub(Duration::from_secs(1))));
    follower.sync_step().await.unwrap();
    follower.sync_step().await.unwrap();
    assert_eq!(follower.stats().age, Some(Duration::ZERO));
}

#[tokio::test]
async fn a_follower_cannot_revoke() {
    let clock = clock();
    let (_, follower) = follower(&clock);
    let error = follower.revoke(logout(&token(&clock))).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Internal);
}
