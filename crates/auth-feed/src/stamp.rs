//! Freshness of what a server has sent, measured without trust in any wall clock.

use std::time::Duration;

use uuid::Uuid;

/// Part of the elapsed time by which two monotonic clocks may differ: one millisecond a second. NTP changes the speed of each by up to
/// 500 parts in a million, and a server and a follower that run apart for days must not look like a cache that keeps its answers.
const DRIFT: i128 = 1_000;

/// Number of server processes that are remembered. A load balancer may lead to several.
const MAX_INSTANCES: usize = 64;

/// When, by the clock of the server, a page or a snapshot was made, and how old the server's own copy of the log was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Id of the server process.
    pub instance: Uuid,
    /// Monotonic time of that process when the answer was made, since an origin that is fixed for the process.
    pub uptime: Duration,
    /// Age of the server's own copy of the log when the answer was made.
    pub age: Duration,
}

/// Calculation of the moment as of which an answer counts.
///
/// An answer that a cache keeps too long, or that lags on its way, must not count as fresh. The `Age` header (RFC 9111 §5.1) says
/// how long a well-behaved cache has kept an answer. For all others this compares the server's monotonic time in the answers: the
/// answer with the shortest way so far shows how far the two clocks are apart, and an answer that is late by comparison counts as
/// older.
///
/// ```
/// use std::time::Duration;
/// use auth_feed::{Freshness, Stamp};
///
/// let secs = Duration::from_secs;
/// let stamp = Stamp { instance: uuid::Uuid::nil(), uptime: secs(100), age: Duration::ZERO };
/// let mut freshness = Freshness::default();
/// assert_eq!(freshness.as_of(&stamp, secs(9), secs(9), Duration::ZERO), secs(9));
/// // A cache answers with the same page ten seconds later.
/// let as_of = freshness.as_of(&stamp, secs(19), secs(19), Duration::ZERO);
/// assert!(as_of < secs(10));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Freshness {
    instances: Vec<Instance>,
}

/// What the answers of a server process have shown.
#[derive(Debug, Clone, Copy)]
struct Instance {
    id: Uuid,
    /// Largest difference between the server's monotonic time in an answer and ours at its receipt, in nanoseconds.
    best: i128,
    /// Our monotonic time when `best` was adjusted last.
    at: Duration,
}

impl Freshness {
    /// Returns the moment, on our monotonic clock, as of which an answer counts: all that was revoked until then is in it or was
    /// in an answer before it.
    ///
    /// `sent` and `received` are our monotonic times of the request and of the whole answer, `cached` is the `Age` header of the
    /// answer.
    pub fn as_of(&mut self, stamp: &Stamp, sent: Duration, received: Duration, cached: Duration) -> Duration {
        let uptime = nanoseconds(stamp.uptime);
        let best = self.best(stamp.instance, uptime - nanoseconds(received), received);
        let generated = Duration::from_nanos(u64::try_from(uptime - best).unwrap_or_default());
        sent.min(generated).saturating_sub(stamp.age).saturating_sub(cached)
    }

    fn best(&mut self, id: Uuid, difference: i128, now: Duration) -> i128 {
        let known = self.instances.iter_mut().find(|instance| instance.id == id);
        if let Some(known) = known {
            // The best answer loses weight slowly, because the clocks may run apart. An answer that a cache keeps for ever
            // becomes younger at the same slow rate only.
            let faded = known.best - nanoseconds(now.saturating_sub(known.at)) / DRIFT;
            (known.best, known.at) = (faded.max(difference), now);
            return known.best;
        }
        if self.instances.len() == MAX_INSTANCES {
            let oldest = self.instances.iter().enumerate().min_by_key(|(_, instance)| instance.at);
            let oldest = oldest.map_or(0, |(place, _)| place);
            self.instances.swap_remove(oldest);
        }
        self.instances.push(Instance { id, best: difference, at: now });
        difference
    }
}

fn nanoseconds(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Duration = Duration::ZERO;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn stamp(uptime: u64) -> Stamp {
        Stamp { instance: Uuid::from_u128(1), uptime: millis(uptime), age: NONE }
    }

    #[test]
    fn an_answer_counts_as_of_its_request_less_every_age_that_is_known() {
        let mut freshness = Freshness::default();
        assert_eq!(freshness.as_of(&stamp(70_000), millis(5_000), millis(6_000), NONE), millis(5_000));
        let old = Stamp { age: millis(300), ..stamp(71_000) };
        assert_eq!(freshness.as_of(&old, millis(6_000), millis(6_500), millis(1_000)), millis(4_700));
        assert_eq!(freshness.as_of(&stamp(72_000), millis(10), millis(20), millis(9_999)), NONE, "never below zero");
    }

    #[test]
    fn a_page_that_a_cache_repeats_grows_old() {
        let mut freshness = Freshness::default();
        freshness.as_of(&stamp(70_000), millis(1_000), millis(1_010), NONE);
        for second in 2..100 {
            let now = second * 1_000;
            let as_of = freshness.as_of(&stamp(70_000), millis(now), millis(now + 10), NONE);
            assert!(as_of <= millis(1_010 + 100), "{as_of:?} at {now}");
        }
    }

    #[test]
    fn a_page_that_lags_counts_as_of_its_making() {
        let mut freshness = Freshness::default();
        freshness.as_of(&stamp(70_000), millis(1_000), millis(1_010), NONE);
        // Made one second after the first page, and received four seconds after it.
        let as_of = freshness.as_of(&stamp(71_000), millis(4_900), millis(5_010), NONE);
        assert!((millis(2_010)..millis(2_015)).contains(&as_of), "{as_of:?}");
    }

    #[test]
    fn clocks_that_run_apart_slowly_make_nothing_stale() {
        let mut freshness = Freshness::default();
        for second in 1..100_000_u64 {
            // The server's clock loses 500 microseconds a second.
            let uptime = Stamp { uptime: Duration::from_micros(second * 999_500), ..stamp(0) };
            let now = Duration::from_secs(second);
            assert_eq!(
                freshness.as_of(&uptime, now.saturating_sub(millis(20)), now, NONE),
                now.saturating_sub(millis(20))
            );
        }
    }

    #[test]
    fn each_process_has_its_own_clock_and_the_number_of_processes_is_bounded() {
        let mut freshness = Freshness::default();
        for instance in 0..1_000_u64 {
            let now = millis(10_000 + instance);
            let stamp = Stamp { instance: Uuid::from_u128(instance.into()), ..stamp(instance * 77) };
            assert_eq!(
                freshness.as_of(&stamp, now.saturating_sub(millis(5)), now, NONE),
                now.saturating_sub(millis(5))
            );
        }
        assert_eq!(freshness.instances.len(), MAX_INSTANCES);
        assert!(freshness.instances.iter().all(|instance| instance.at > millis(10_900)), "the latest ones stay");
    }
}
