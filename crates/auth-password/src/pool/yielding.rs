//! Cooperative yield of the hashing threads.
//!
//! A low priority decides how much of a core a thread gets, not how soon. A thread that has just begun its time slice
//! keeps the core for milliseconds although a request waits. So a hashing thread yields its core every [`INTERVAL`].
//! When no other thread waits, a yield costs less than a microsecond.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use super::ThreadPriority;
use auth_core::Clock;

/// Time that a hashing thread computes between two yields.
const INTERVAL: Duration = Duration::from_micros(150);

/// Maximum part of its duration that a batch may spend waiting for its core, as a divisor. A batch that has used it up
/// yields no more until it has caught up. Otherwise a client that saturates the cores with requests could stop logins.
const WAIT_DIVISOR: u32 = 6;

/// Yields of one batch so far.
pub(super) struct CooperativeYield<'a> {
    clock: &'a dyn Clock,
    began: Duration,
    /// Time of the last yield, or of the return from it.
    last: Cell<Duration>,
    waited: Cell<Duration>,
    enabled: bool,
}

impl<'a> CooperativeYield<'a> {
    /// Returns the state for a batch that begins now. At normal priority it never yields.
    pub(super) fn new(clock: &'a dyn Clock, priority: ThreadPriority, now: Duration) -> Self {
        let enabled = priority != ThreadPriority::Normal;
        Self { clock, began: now, last: Cell::new(now), waited: Cell::default(), enabled }
    }

    /// Yields the core if the interval has passed.
    pub(super) fn yield_if_due(&self) {
        self.yield_with(thread::yield_now);
    }

    fn yield_with(&self, yield_core: impl FnOnce()) {
        if !self.enabled {
            return;
        }
        let now = self.clock.monotonic();
        if now.saturating_sub(self.last.get()) < INTERVAL {
            return;
        }
        self.last.set(now);
        if self.waited.get() * WAIT_DIVISOR > now.saturating_sub(self.began) {
            return;
        }
        yield_core();
        let back = self.clock.monotonic();
        self.waited.set(self.waited.get() + back.saturating_sub(now));
        self.last.set(back);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use time::OffsetDateTime;

    use super::*;
    use auth_core::ManualClock;

    const STEP: Duration = Duration::from_micros(50);

    /// Computes for some steps, where each yield makes the thread wait for `waits`. Returns the number of yields and
    /// the total time.
    fn yields(priority: ThreadPriority, steps: u32, waits: Duration) -> (u32, Duration) {
        let clock = ManualClock::new(OffsetDateTime::UNIX_EPOCH);
        let cooperative = CooperativeYield::new(&clock, priority, clock.monotonic());
        let made = Cell::new(0);
        for _ in 0..steps {
            clock.advance(STEP);
            cooperative.yield_with(|| {
                made.set(made.get() + 1);
                clock.advance(waits);
            });
        }
        (made.get(), clock.monotonic())
    }

    #[test]
    fn a_core_that_no_other_thread_wants_is_yielded_regularly() {
        let (made, took) = yields(ThreadPriority::Low, 3_000, Duration::ZERO);
        assert_eq!((made, took), (1_000, STEP * 3_000));
        assert_eq!(yields(ThreadPriority::Normal, 3_000, Duration::ZERO).0, 0);
    }

    #[test]
    fn waiting_takes_a_bounded_part_of_a_batch_however_long_others_keep_the_core() {
        for waits in [Duration::from_micros(100), Duration::from_millis(3), Duration::from_millis(20)] {
            let (made, took) = yields(ThreadPriority::Low, 6_000, waits);
            let waited = took.saturating_sub(STEP * 6_000);
            assert!(made > 0 && waited * WAIT_DIVISOR <= took + waits * WAIT_DIVISOR, "waited {waited:?} of {took:?}");
        }
    }
}
