//! Stores that fail or are full, and clocks that are wrong.

use auth_core::Context;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::memory::MemoryStore;
use auth_core::throttle::{AttemptKey, Change, Counter, MemoryAttempts};
use auth_core::{AttemptStore, Clock, RegisterError, StoreError};
use auth_password::PoolOptions;
use time::OffsetDateTime;

use crate::fixture::{Answer, HOME, HOUR, RIGHT, ThrottleFixture, elsewhere, login, node};

/// Store that stops working: then it fails or gives malformed answers.
#[derive(Debug)]
struct BrokenAttempts {
    /// Number of calls that still work.
    works: AtomicUsize,
    inner: MemoryAttempts,
}

impl BrokenAttempts {
    fn after(calls: usize) -> Arc<Self> {
        Arc::new(Self { works: AtomicUsize::new(calls), inner: MemoryAttempts::default() })
    }

    fn works(&self) -> bool {
        self.works.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

#[async_trait]
impl AttemptStore for BrokenAttempts {
    async fn read(&self, keys: &[AttemptKey]) -> Result<Vec<Counter>, StoreError> {
        if self.works() { self.inner.read(keys).await } else { Err(StoreError::unavailable("gone")) }
    }
    async fn update(&self, keys: &[AttemptKey], change: Change) -> Result<Vec<Counter>, StoreError> {
        // Too few counters, and a change that is given none.
        if self.works() {
            self.inner.update(keys, change).await
        } else {
            change(&mut []);
            Ok(Vec::new())
        }
    }
    async fn purge(&self, _: OffsetDateTime, _: u32) -> Result<u64, StoreError> {
        Err(StoreError::unavailable("gone"))
    }
    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Err(StoreError::unavailable("gone"))
    }
}

#[tokio::test]
async fn when_attempts_cannot_be_counted_nobody_is_let_through() {
    for works in [0, 1] {
        let fixture = ThrottleFixture::over(BrokenAttempts::after(works));
        assert_eq!(fixture.login("ada", RIGHT, HOME).await, Answer::Unavailable);
        assert!(matches!(fixture.register("ada", HOME).await, Err(RegisterError::Uncounted(_))));
        assert_eq!((fixture.hashes(), fixture.throttle.stats().failures), (0, 2));
    }
}

#[tokio::test]
async fn a_right_password_lets_in_even_if_that_cannot_be_noted() {
    // Five calls work: read and update for the registration, its settlement, read and update for the login.
    let fixture = ThrottleFixture::over(BrokenAttempts::after(5));
    fixture.register("ada", HOME).await.unwrap();
    assert_eq!(fixture.login("ada", RIGHT, HOME).await, Answer::In);
    assert_eq!(fixture.throttle.stats().failures, 1);
}

#[tokio::test]
async fn a_guess_that_was_never_compared_counts_for_nothing() {
    let attempts = Arc::new(MemoryAttempts::default());
    let fixture = ThrottleFixture::over(attempts.clone());
    let mut no_room = PoolOptions::default();
    no_room.queue = 0;
    let users = Arc::new(MemoryStore::new().unwrap());
    let (overloaded, _) = node(&users, attempts, &fixture.clock, &fixture.hasher, no_room);
    for number in 0..400 {
        for from in [HOME, elsewhere(number)] {
            assert_eq!(
                login(&overloaded, "ada", RIGHT, &Context::default().with_address(from)).await,
                Answer::Overloaded
            );
        }
    }
    for _ in 0..10 {
        assert_eq!(fixture.guess("ada", HOME).await, Answer::Wrong);
    }
    assert!(matches!(fixture.guess("ada", HOME).await, Answer::Wait(_)));
}

#[tokio::test]
async fn a_clock_that_once_ran_a_year_ahead_locks_nobody_out() {
    let fixture = ThrottleFixture::new();
    fixture.register("ada", HOME).await.unwrap();
    let now = fixture.clock.now();
    fixture.clock.set(now + HOUR * 24 * 365);
    for number in 0..400_u16 {
        fixture.guess("ada", elsewhere(number)).await;
        fixture.guess("ada", HOME).await;
    }
    fixture.clock.set(now);
    assert_eq!(fixture.login("ada", RIGHT, HOME).await, Answer::In);
    assert_eq!(fixture.login("ada", RIGHT, elsewhere(1)).await, Answer::In);
}

#[tokio::test]
async fn memory_stays_within_its_bound_and_a_flood_evicts_itself() {
    let attempts = Arc::new(MemoryAttempts::new(1_000));
    let fixture = ThrottleFixture::over(attempts.clone());
    for _ in 0..10 {
        fixture.guess("ada", HOME).await;
    }
    let Answer::Wait(_) = fixture.guess("ada", HOME).await else { panic!("let through") };
    fixture.clock.advance(Duration::from_secs(1));
    fixture.guess("ada", HOME).await;
    for number in 0..900_u16 {
        fixture.guess(&format!("flood{number}"), elsewhere(number)).await;
    }
    assert!(format!("{attempts:?}").contains("counters: 1000"), "{attempts:?}");
    assert!(matches!(fixture.guess("ada", HOME).await, Answer::Wait(_)), "the flood freed the guesser");
}
