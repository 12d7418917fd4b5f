//! Followers that wait for news. An entry wakes all of them, one after the other, and other requests are answered in between.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Number of followers that are woken at once.
const AT_ONCE: usize = 8;

/// Time between two followers.
const SPACING: Duration = Duration::from_micros(100);

/// Time in which the last follower is woken, however many there are.
const MAX_SPREAD: Duration = Duration::from_millis(100);

/// The followers.
#[derive(Debug, Default)]
pub(super) struct Waiting(Arc<Turns>);

#[derive(Debug, Default)]
struct Turns {
    news: Notify,
    /// Number of requests for pages that are under way.
    followers: AtomicUsize,
    round: Mutex<Round>,
}

/// Work of the thread that wakes followers.
#[derive(Debug, Default)]
struct Round {
    /// Whether the thread runs.
    is_running: bool,
    /// Number of followers that are still to be woken.
    due: usize,
    spacing: Duration,
}

/// Request for a page that is under way.
pub(super) struct Follower<'w>(&'w Turns);

impl Waiting {
    pub(super) fn enter(&self) -> Follower<'_> {
        self.0.followers.fetch_add(1, Ordering::SeqCst);
        Follower(&self.0)
    }

    pub(super) fn count(&self) -> usize {
        self.0.followers.load(Ordering::SeqCst)
    }

    /// Wakes everybody who waits now, one after the other.
    pub(super) fn wake(&self) {
        let followers = self.count();
        if followers <= AT_ONCE {
            return self.wake_at_once();
        }
        let mut round = self.0.round();
        round.begin(followers);
        if !round.is_running {
            // A timer of the runtime counts milliseconds, which is too coarse.
            let turns = Arc::clone(&self.0);
            let thread = thread::Builder::new().name("feed-turns".to_owned());
            round.is_running = thread.spawn(move || turns.run(monotonic, thread::sleep)).is_ok();
            if !round.is_running {
                self.wake_at_once();
            }
        }
    }

    /// Wakes everybody who waits now, at once.
    pub(super) fn wake_at_once(&self) {
        self.0.news.notify_waiters();
    }
}

impl Follower<'_> {
    /// Returns a future that ends when this follower is woken. The follower waits as soon as the future is enabled or polled. It can be
    /// woken without news.
    pub(super) fn news(&self) -> Notified<'_> {
        self.0.news.notified()
    }
}

impl Drop for Follower<'_> {
    fn drop(&mut self) {
        self.0.followers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Turns {
    /// Wakes one follower after the other, until there is none left.
    fn run(&self, now: impl Fn() -> Instant, pause: impl Fn(Duration)) {
        let mut turn = now();
        while let Some(spacing) = self.next() {
            self.news.notify_one();
            turn += spacing;
            let rest = turn.saturating_duration_since(now());
            if !rest.is_zero() {
                pause(rest);
            }
        }
    }

    /// Counts the next follower, and returns the time until the one after it.
    fn next(&self) -> Option<Duration> {
        let mut round = self.round();
        round.is_running = round.due > 0;
        round.due = round.due.checked_sub(1)?;
        Some(round.spacing)
    }

    fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Round {
    fn begin(&mut self, followers: usize) {
        // Who waits now stands before those who come later.
        self.due = followers;
        let most = u32::try_from(followers).map_or(Duration::ZERO, |followers| MAX_SPREAD / followers.max(1));
        self.spacing = SPACING.min(most);
    }
}

#[expect(clippy::disallowed_methods, reason = "for pauses, and for no decision")]
fn monotonic() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::pin;

    use super::*;

    #[test]
    fn followers_are_woken_one_after_the_other_within_the_longest_spread() {
        for (followers, last_pause, spread) in
            [(9, SPACING, SPACING * 9), (1_000, SPACING, MAX_SPREAD), (10_000, Duration::from_micros(10), MAX_SPREAD)]
        {
            let turns = Turns::default();
            turns.round().begin(followers);
            let begun = monotonic();
            let (passed, pauses) = (Cell::new(Duration::ZERO), Cell::new(0));
            turns.run(
                || begun + passed.get(),
                |pause| {
                    assert_eq!((pause, turns.round().due), (last_pause, followers - 1 - pauses.get()));
                    passed.set(passed.get() + pause);
                    pauses.set(pauses.get() + 1);
                },
            );
            assert_eq!((pauses.get(), passed.get()), (followers, spread));
            assert!(!turns.round().is_running);
        }
    }

    #[test]
    fn a_thread_that_was_held_up_makes_no_further_pause_until_it_has_caught_up() {
        let turns = Turns::default();
        turns.round().begin(1_000);
        let (begun, reads) = (monotonic(), Cell::new(0));
        let now = || {
            reads.set(reads.get() + 1);
            if reads.get() == 1 { begun } else { begun + MAX_SPREAD * 2 }
        };
        turns.run(now, |_| panic!("it is late already"));
        assert_eq!(turns.round().due, 0);
    }

    #[test]
    fn news_during_a_round_wake_everybody_again() {
        let turns = Turns::default();
        turns.round().begin(100);
        let (begun, woken) = (monotonic(), Cell::new(0));
        turns.run(
            || begun,
            |_| {
                woken.set(woken.get() + 1);
                if woken.get() == 60 {
                    turns.round().begin(100);
                }
            },
        );
        assert_eq!(woken.get(), 160);
    }

    #[tokio::test]
    async fn who_waits_is_woken_however_many_they_are() {
        for followers in [1, AT_ONCE, AT_ONCE + 1, 300] {
            let waiting = Waiting::default();
            let entered: Vec<_> = (0..followers).map(|_| waiting.enter()).collect();
            let mut news: Vec<_> = entered.iter().map(|follower| Box::pin(follower.news())).collect();
            for news in &mut news {
                assert!(!news.as_mut().enable());
            }
            waiting.wake();
            for news in news {
                news.await;
            }
            drop(entered);
            assert_eq!(waiting.count(), 0);
        }
    }

    #[tokio::test]
    async fn a_follower_that_goes_away_keeps_nobody_waiting() {
        let waiting = Waiting::default();
        let entered: Vec<_> = (0..=AT_ONCE).map(|_| waiting.enter()).collect();
        let [gone, left] = [&entered[0], &entered[1]];
        let mut stays = pin!(left.news());
        {
            let mut goes = pin!(gone.news());
            assert!(!goes.as_mut().enable() && !stays.as_mut().enable());
            waiting.wake();
        }
        stays.await;
    }
}
