//! The unlock of an account by an operator.

use std::time::Duration;

use auth_core::throttle::{MemoryAttempts, purge_counters};
use auth_core::{AccountError, Clock as _, Email};

use crate::fixture::{Answer, HOME, HOUR, RIGHT, ThrottleFixture, elsewhere};

fn ada() -> Email {
    Email::parse("ada@example.org").unwrap()
}

/// Guesses until a wait is imposed, and returns it.
async fn guess_until_a_wait(fixture: &ThrottleFixture, from: std::net::IpAddr) -> Duration {
    for _ in 0..100 {
        if let Answer::Wait(wait) = fixture.guess("ada", from).await {
            return wait;
        }
    }
    panic!("no wait was imposed");
}

#[tokio::test]
async fn an_unlock_ends_the_waits_of_an_account_from_every_network() {
    let fixture = ThrottleFixture::new();
    fixture.register("ada", HOME).await.unwrap();
    let networks = [HOME, elsewhere(1), elsewhere(2)];
    for from in networks {
        guess_until_a_wait(&fixture, from).await;
    }
    fixture.clock.advance(Duration::from_secs(1));
    for from in networks {
        guess_until_a_wait(&fixture, from).await;
        assert!(matches!(fixture.login("ada", RIGHT, from).await, Answer::Wait(_)));
    }
    fixture.auth.unlock(&ada()).await.unwrap();
    fixture.clock.advance(Duration::from_millis(1));
    // A network is told of no wait, and has its free guesses again.
    for from in networks {
        for _ in 0..10 {
            assert_eq!(fixture.guess("ada", from).await, Answer::Wrong);
        }
        assert!(matches!(fixture.guess("ada", from).await, Answer::Wait(_)), "the limits are as before");
    }
}

#[tokio::test]
async fn an_unlock_makes_the_quotas_of_the_account_whole() {
    let fixture = ThrottleFixture::new();
    fixture.register("ada", HOME).await.unwrap();
    let mut number = 10;
    let refused = loop {
        number += 1;
        if let Answer::Wait(wait) = fixture.guess("ada", elsewhere(number)).await {
            break wait;
        }
    };
    assert!(refused > Duration::from_secs(1), "{refused:?}");
    assert!(matches!(fixture.login("ada", RIGHT, elsewhere(5_000)).await, Answer::Wait(_)));
    fixture.auth.unlock(&ada()).await.unwrap();
    assert_eq!(fixture.login("ada", RIGHT, elsewhere(5_000)).await, Answer::In);
}

#[tokio::test]
async fn failures_before_an_unlock_count_no_more_even_when_its_counters_were_purged() {
    let attempts = std::sync::Arc::new(MemoryAttempts::default());
    let fixture = ThrottleFixture::over(attempts.clone());
    fixture.register("ada", HOME).await.unwrap();
    // The waits double until they are long.
    loop {
        let wait = guess_until_a_wait(&fixture, HOME).await;
        if wait > Duration::from_secs(60) {
            break;
        }
        fixture.clock.advance(wait);
    }
    fixture.auth.unlock(&ada()).await.unwrap();
    // The failures are remembered for an hour after the wait that they caused.
    fixture.clock.advance(HOUR);
    purge_counters(attempts.as_ref(), fixture.clock.now(), 100, async |_| {}).await.unwrap();
    for _ in 0..10 {
        assert_eq!(fixture.guess("ada", HOME).await, Answer::Wrong);
    }
}

#[tokio::test]
async fn an_unlock_leaves_other_accounts_and_the_waits_of_networks_alone() {
    let fixture = ThrottleFixture::new();
    for name in ["ada", "bob"] {
        fixture.register(name, elsewhere(9)).await.unwrap();
    }
    for _ in 0..10 {
        assert_eq!(fixture.guess("bob", HOME).await, Answer::Wrong);
    }
    fixture.auth.unlock(&ada()).await.unwrap();
    assert!(matches!(fixture.guess("bob", HOME).await, Answer::Wait(_)));
}

#[tokio::test]
async fn an_account_that_does_not_exist_is_reported() {
    let fixture = ThrottleFixture::new();
    assert!(matches!(fixture.auth.unlock(&ada()).await, Err(AccountError::UserNotFound)));
}
