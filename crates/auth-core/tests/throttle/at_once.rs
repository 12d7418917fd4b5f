//! Many at once, and several nodes.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use auth_core::ManualClock;
use auth_core::memory::MemoryStore;
use auth_core::throttle::MemoryAttempts;
use time::OffsetDateTime;

use crate::world::{Answer, HOME, OpenHasher, World, elsewhere, login, node};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_guesses_at_once_do_not_slip_through_before_the_first_has_failed() {
    let world = Arc::new(World::new());
    for (name, networks, let_through) in [("ada", 1, 10), ("bob", 1_000, 30)] {
        let before = world.hashes();
        let guesses: Vec<_> = (0..1_000_u16)
            .map(|number| {
                let world = world.clone();
                tokio::spawn(async move { world.guess(name, elsewhere(number % networks)).await })
            })
            .collect();
        let mut wrong = 0;
        for guess in guesses {
            wrong += usize::from(guess.await.unwrap() == Answer::Wrong);
        }
        assert_eq!((wrong, world.hashes() - before), (let_through, let_through), "{name}");
    }
}

#[tokio::test]
async fn a_guess_whose_caller_goes_away_stays_counted() {
    let world = World::new();
    for _ in 0..10 {
        let mut guess = Box::pin(world.guess("ada", HOME));
        // As far as the threads that hash, and no further.
        let _ = std::future::poll_fn(|context| Poll::Ready(guess.as_mut().poll(context))).await;
    }
    assert!(matches!(world.guess("ada", HOME).await, Answer::Wait(_)));
}

#[tokio::test]
async fn counters_are_shared_by_nodes_and_outlive_a_restart() {
    let clock = Arc::new(ManualClock::new(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)));
    let hasher = Arc::new(OpenHasher { clock: clock.clone(), wrong: Mutex::default(), all: AtomicUsize::default() });
    let (users, attempts) = (Arc::new(MemoryStore::new().unwrap()), Arc::new(MemoryAttempts::default()));
    for number in 0..12 {
        // Each node is started for one guess.
        let (auth, _) = node(&users, attempts.clone(), &clock, &hasher);
        let answer = login(&auth.for_client(HOME), "ada", "a wrong password").await;
        assert_eq!(answer == Answer::Wrong, number < 10, "guess {number}: {answer:?}");
    }
}
