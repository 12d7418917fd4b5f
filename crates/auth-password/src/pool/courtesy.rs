//! How a hashing thread lets others go first.
//!
//! A low priority decides who gets how much of a core, not how soon: a thread that has just begun its turn keeps the core
//! for milliseconds although a request waits. So a hashing thread offers its core every [`EVERY`]; where nobody waits
//! the offer costs less than a microsecond.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use super::ThreadPriority;
use auth_core::Clock;

/// How long a hashing thread computes between two offers.
const EVERY: Duration = Duration::from_micros(150);

/// Of the time since it began, the part that a batch may spend waiting for its core back, as a divisor. Once that is
/// used up it offers no more until it has caught up: whoever saturates the cores with requests must not stop logins.
const WAITING: u32 = 6;

/// What one batch has given away so far.
pub(super) struct Courtesy<'a> {
    clock: &'a dyn Clock,
    began: Duration,
    /// When the core was last offered or come back.
    last: Cell<Duration>,
    waited: Cell<Duration>,
    offers: bool,
}

impl<'a> Courtesy<'a> {
    /// For a batch that begins now. At a normal priority nothing is given away.
    pub(super) fn new(clock: &'a dyn Clock, priority: ThreadPriority, now: Duration) -> Self {
        let offers = priority != ThreadPriority::Normal;
        Self { clock, began: now, last: Cell::new(now), waited: Cell::default(), offers }
    }

    /// Offers the core if it is time to.
    pub(super) fn give_way(&self) {
        self.give_way_by(thread::yield_now);
    }

    fn give_way_by(&self, offer: impl FnOnce()) {
        if !self.offers {
            return;
        }
        let now = self.clock.monotonic();
        if now.saturating_sub(self.last.get()) < EVERY {
            return;
        }
        self.last.set(now);
        if self.waited.get() * WAITING > now.saturating_sub(self.began) {
            return;
        }
        offer();
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

    /// Computes for some steps; each offer makes the thread wait for `waits`. How often it offered, and how long it took.
    fn offers(priority: ThreadPriority, steps: u32, waits: Duration) -> (u32, Duration) {
        let clock = ManualClock::new(OffsetDateTime::UNIX_EPOCH);
        let courtesy = Courtesy::new(&clock, priority, clock.monotonic());
        let made = Cell::new(0);
        for _ in 0..steps {
            clock.advance(STEP);
            courtesy.give_way_by(|| {
                made.set(made.get() + 1);
                clock.advance(waits);
            });
        }
        (made.get(), clock.monotonic())
    }

    #[test]
    fn a_core_that_nobody_wants_is_offered_regularly() {
        let (made, took) = offers(ThreadPriority::Low, 3_000, Duration::ZERO);
        assert_eq!((made, took), (1_000, STEP * 3_000));
        assert_eq!(offers(ThreadPriority::Normal, 3_000, Duration::ZERO).0, 0);
    }

    #[test]
    fn waiting_takes_a_bounded_part_of_a_batch_however_long_others_keep_the_core() {
        for waits in [Duration::from_micros(100), Duration::from_millis(3), Duration::from_millis(20)] {
            let (made, took) = offers(ThreadPriority::Low, 6_000, waits);
            let waited = took.saturating_sub(STEP * 6_000);
            assert!(made > 0 && waited * WAITING <= took + waits * WAITING, "waited {waited:?} of {took:?}");
        }
    }
}
