//! How often a check asks the store, and what it answers when the store does not.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;

use crate::fixture::{Fixture, check, made_up, text};

#[tokio::test]
async fn a_token_is_looked_up_once_in_a_quarter_of_an_hour() {
    let fixture = Fixture::new().await;
    let token = fixture.create().await;
    for _ in 0..10 {
        assert_eq!(check(&fixture.near, &text(&token)).await, "good");
    }
    assert_eq!(fixture.near.personal_token_stats().look_ups, 1);
    fixture.clock.advance(Duration::from_secs(16 * 60));
    assert_eq!(check(&fixture.near, &text(&token)).await, "good");
    let stats = fixture.near.personal_token_stats();
    assert_eq!((stats.look_ups, stats.remembered, stats.refused, stats.failed), (2, 1, 0, 0));
}

#[tokio::test]
async fn checks_at_the_same_time_share_one_look_up() {
    let fixture = Fixture::new().await;
    let text = text(&fixture.create().await);
    let answers = join_all((0..20).map(|_| check(&fixture.near, &text))).await;
    assert_eq!(answers, ["good"; 20]);
    assert_eq!(fixture.near.personal_token_stats().look_ups, 1);
}

#[tokio::test]
async fn a_malformed_token_never_reaches_the_store() {
    let fixture = Fixture::new().await;
    let good = text(&fixture.create().await);
    let swapped = if good.ends_with('A') { "B" } else { "A" };
    let longer = format!("{good}A");
    let changed = format!("{}{swapped}", &good[..good.len() - 1]);
    let spelt = format!("{good}=");
    for wrong in ["rap_", "rap_x", &longer, &changed, &spelt, &good[..good.len() - 1], &good.to_uppercase()] {
        assert_eq!(check(&fixture.near, wrong).await, "invalid", "{wrong}");
    }
    assert_eq!(fixture.near.personal_token_stats().look_ups, 0);
    assert_eq!(check(&fixture.near, &made_up()).await, "invalid");
    let stats = fixture.near.personal_token_stats();
    assert_eq!((stats.look_ups, stats.refused, stats.remembered), (1, 1, 0));
}

#[tokio::test]
async fn an_outage_says_nothing_about_a_token() {
    let fixture = Fixture::new().await;
    let (used, unused) = (fixture.create().await, fixture.create().await);
    assert_eq!(fixture.checks(&used).await, ["good", "good"]);
    fixture.gate.is_down.store(true, Ordering::SeqCst);
    assert_eq!(fixture.checks(&used).await, ["good", "good"], "memory answers");
    assert_eq!(fixture.checks(&unused).await, ["unknown", "unknown"]);
    assert_eq!(fixture.near.personal_token_stats().failed, 1);
    fixture.clock.advance(Duration::from_secs(16 * 60));
    assert_eq!(fixture.checks(&used).await, ["unknown", "unknown"]);
    fixture.gate.is_down.store(false, Ordering::SeqCst);
    assert_eq!(fixture.checks(&used).await, ["good", "good"]);
}

#[tokio::test]
async fn a_flood_of_made_up_tokens_reads_little_at_once_and_holds_up_no_token_in_use() {
    let fixture = Fixture::new().await;
    let token = fixture.create().await;
    assert_eq!(check(&fixture.near, &text(&token)).await, "good");
    fixture.clock.advance(Duration::from_secs(16 * 60));
    fixture.gate.permits.forget_permits(usize::MAX);
    let flood: Vec<_> = (0..50).map(|_| made_up()).collect();
    let mut flood: Vec<_> = flood.iter().map(|text| Box::pin(check(&fixture.near, text))).collect();
    for request in &mut flood {
        assert_eq!(request.as_mut().now_or_never(), None);
    }
    assert_eq!(fixture.gate.reading.load(Ordering::SeqCst), 4);
    let text = text(&token);
    let mut in_use = Box::pin(check(&fixture.near, &text));
    assert_eq!(in_use.as_mut().now_or_never(), None);
    assert_eq!(fixture.gate.reading.load(Ordering::SeqCst), 5, "a token in use does not wait for the flood");
    fixture.gate.permits.add_permits(100);
    assert_eq!(in_use.await, "good");
    assert_eq!(join_all(flood).await, ["invalid"; 50]);
}

#[tokio::test]
async fn the_last_use_is_recorded_to_a_quarter_of_an_hour() {
    let fixture = Fixture::new().await;
    let token = fixture.create().await;
    let last = async || fixture.near.list_personal_tokens(fixture.ada).await.unwrap()[0].last_used_at;
    assert_eq!(last().await, None);
    assert_eq!(fixture.checks(&token).await, ["good", "good"]);
    let first = last().await.unwrap();
    assert_eq!(first, token.token.created_at);
    fixture.clock.advance(Duration::from_secs(5 * 60));
    assert_eq!(fixture.checks(&token).await, ["good", "good"]);
    assert_eq!(last().await, Some(first));
    fixture.clock.advance(Duration::from_secs(11 * 60));
    assert_eq!(fixture.checks(&token).await, ["good", "good"]);
    assert_eq!(last().await, Some(first + Duration::from_secs(16 * 60)));
}
