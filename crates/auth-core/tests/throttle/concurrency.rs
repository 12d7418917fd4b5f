//! Concurrent attempts, and several nodes.

use auth_core::Context;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::memory::MemoryStore;
use auth_core::throttle::{AttemptKey, Change, Counter, MemoryAttempts};
use auth_core::{AttemptStore, ManualClock, StoreError};
use auth_password::PoolOptions;
use futures_util::future::join_all;
use time::OffsetDateTime;

use crate::fixture::{Answer, HOME, OpenHasher, ThrottleFixture, elsewhere, login, node};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_guesses_at_once_do_not_slip_through_before_the_first_has_failed() {
    let fixture = Arc::new(ThrottleFixture::new());
    for (name, networks, let_through) in [("ada", 1, 10), ("bob", 1_000, 30)] {
        let before = fixture.hashes();
        let guesses: Vec<_> = (0..1_000_u16)
            .map(|number| {
                let fixture = fixture.clone();
                tokio::spawn(async move { fixture.guess(name, elsewhere(number % networks)).await })
            })
            .collect();
        let mut wrong = 0;
        for guess in guesses {
            wrong += usize::from(guess.await.unwrap() == Answer::Wrong);
        }
        assert_eq!((wrong, fixture.hashes() - before), (let_through, let_through), "{name}");
    }
}

/// Store whose reads wait for one another.
#[derive(Debug, Default)]
struct SlowAttempts(MemoryAttempts);

#[async_trait]
impl AttemptStore for SlowAttempts {
    async fn read(&self, keys: &[AttemptKey]) -> Result<Vec<Counter>, StoreError> {
        let counters = self.0.read(keys).await;
        tokio::task::yield_now().await;
        counters
    }
    async fn update(&self, keys: &[AttemptKey], change: Change) -> Result<Vec<Counter>, StoreError> {
        self.0.update(keys, change).await
    }
    async fn purge(&self, now: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.0.purge(now, limit).await
    }
    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        self.0.now().await
    }
}

#[tokio::test]
async fn guesses_that_all_saw_no_guess_before_them_are_judged_when_they_are_counted() {
    let fixture = ThrottleFixture::over(Arc::new(SlowAttempts::default()));
    let answers = join_all((0..30).map(|_| fixture.guess("ada", HOME))).await;
    let wrong = answers.iter().filter(|answer| **answer == Answer::Wrong).count();
    assert_eq!((wrong, fixture.hashes()), (10, 10));
    let second = Duration::from_secs(1);
    assert!(answers[10..].iter().all(|answer| *answer == Answer::Wait(second)), "{answers:?}");
    assert_eq!(fixture.guess("ada", HOME).await, Answer::Wait(second), "what was refused counts for nothing");
}

#[tokio::test]
async fn a_guess_whose_caller_goes_away_stays_counted() {
    let fixture = ThrottleFixture::new();
    for _ in 0..10 {
        let mut guess = Box::pin(fixture.guess("ada", HOME));
        // Polls until the guess has reached the hashing threads, and no further.
        let _ = std::future::poll_fn(|context| Poll::Ready(guess.as_mut().poll(context))).await;
    }
    assert!(matches!(fixture.guess("ada", HOME).await, Answer::Wait(_)));
}

#[tokio::test]
async fn counters_are_shared_by_nodes_and_outlive_a_restart() {
    let clock = Arc::new(ManualClock::new(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)));
    let hasher = Arc::new(OpenHasher { clock: clock.clone(), wrong: Mutex::default(), all: AtomicUsize::default() });
    let (users, attempts) = (Arc::new(MemoryStore::new().unwrap()), Arc::new(MemoryAttempts::default()));
    for number in 0..12 {
        // Each node is started for one guess.
        let (auth, _) = node(&users, attempts.clone(), &clock, &hasher, PoolOptions::default());
        let answer = login(&auth, "ada", "a wrong password", &Context::default().with_address(HOME)).await;
        assert_eq!(answer == Answer::Wrong, number < 10, "guess {number}: {answer:?}");
    }
}
