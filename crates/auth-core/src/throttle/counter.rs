//! Counters of attempts, and the arithmetic of waits.

use std::time::Duration;

use time::OffsetDateTime;

/// Time for which failures in a row are remembered after the last wait. It is as long as the hour of the quotas, so
/// that waiting for it gains nothing within that hour.
const STREAK_MEMORY: Duration = HOUR;

/// Time for which an unlock is remembered: that of the longest wait and then of [`STREAK_MEMORY`]. Every failure before the unlock
/// is forgotten then.
const UNLOCK_MEMORY: Duration = Duration::from_secs(2 * 60 * 60);

/// Period that the quotas refer to.
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);

/// State under one key. [`Counter::default`] is the state of a counter that was never written.
///
/// An instant in the past has no effect. Instants are whole microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// Failures in a row.
    pub failures: u32,
    /// Instant before which no attempt is admitted.
    pub not_before: OffsetDateTime,
    /// Instant at which the whole quota is available again. In a counter of failures in a row: instant of the last failure.
    pub spent_until: OffsetDateTime,
    /// Instant until which the network is known to the account because of a successful login. In a counter of a whole account:
    /// instant until which an unlock has an effect.
    pub known_until: OffsetDateTime,
}

impl Default for Counter {
    fn default() -> Self {
        let long_ago = OffsetDateTime::UNIX_EPOCH;
        Self { failures: 0, not_before: long_ago, spent_until: long_ago, known_until: long_ago }
    }
}

impl Counter {
    /// Returns the instant from which the counter imposes no wait. It is in the past for a counter that was never
    /// charged.
    #[must_use]
    pub fn charged_until(&self) -> OffsetDateTime {
        match self.failures {
            0 => self.spent_until,
            _ => self.spent_until.max(self.not_before + STREAK_MEMORY),
        }
    }

    /// Returns the instant from which the counter has no effect at all and may be purged.
    #[must_use]
    pub fn expires_at(&self) -> OffsetDateTime {
        self.charged_until().max(self.known_until)
    }

    pub(super) fn is_known(&self, now: OffsetDateTime) -> bool {
        now < self.known_until
    }

    /// Unlocks the account whose counter this is: its quota is whole, and failures in a row until `now` count no more.
    pub(super) fn unlock(&mut self, now: OffsetDateTime) {
        *self = Self { known_until: now + UNLOCK_MEMORY, ..Self::default() };
    }

    /// Returns the instant of the last [unlock](Self::unlock) of the account whose counter this is.
    pub(super) fn unlocked_at(&self) -> Option<OffsetDateTime> {
        (self.known_until > Self::default().known_until).then(|| self.known_until - UNLOCK_MEMORY)
    }

    /// Returns the counter of failures in a row as it counts at `now` for an account that was unlocked at `unlocked_at`.
    pub(super) fn since_unlock(self, unlocked_at: Option<OffsetDateTime>, now: OffsetDateTime) -> Self {
        let mut counter = self;
        // An unlock in the future comes from a clock that was wrong.
        if unlocked_at.is_some_and(|unlocked_at| self.spent_until <= unlocked_at && unlocked_at <= now) {
            Backoff::reset(&mut counter);
        }
        counter
    }
}

/// Waits that double with every failure in a row, up to a maximum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    /// Number of failures before the first wait.
    pub(super) free: u32,
    /// Length of the first wait.
    pub(super) first: Duration,
    /// Length of the longest wait.
    pub(super) ceiling: Duration,
}

impl Backoff {
    /// Returns the wait before an attempt at `now`, or zero if it may be made.
    pub(super) fn wait(&self, counter: &Counter, now: OffsetDateTime) -> Duration {
        until(counter.not_before, now, self.ceiling)
    }

    pub(super) fn charge(&self, counter: &mut Counter, now: OffsetDateTime) {
        let forgotten = now >= counter.not_before + STREAK_MEMORY;
        counter.failures = if forgotten { 1 } else { counter.failures.saturating_add(1) };
        counter.not_before = now + self.after(counter.failures);
        counter.spent_until = now;
    }

    /// Takes one failure back that was none. The wait that other failures caused stays.
    pub(super) fn refund(&self, counter: &mut Counter, now: OffsetDateTime) {
        counter.failures = counter.failures.saturating_sub(1);
        if counter.failures < self.free {
            counter.not_before = counter.not_before.min(now);
        }
    }

    pub(super) fn reset(counter: &mut Counter) {
        *counter = Counter { known_until: counter.known_until, ..Counter::default() };
    }

    /// Returns the wait after this many failures in a row.
    fn after(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(self.free) else { return Duration::ZERO };
        2_u32.checked_pow(doublings).map_or(self.ceiling, |factor| self.first.saturating_mul(factor).min(self.ceiling))
    }
}

/// Quota of attempts in any hour. Half of them are available at once, and the other half returns one by one.
///
/// It is the leaky bucket in the form of ITU-T I.371 (GCRA). Its whole state is one instant: the time at which the
/// bucket will be empty.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quota {
    burst: u32,
    /// Time until one attempt is available again.
    interval: Duration,
}

impl Quota {
    /// Returns a quota of at most `limit` in any hour. The limit is at least 2.
    pub(super) fn per_hour(limit: u32) -> Self {
        Self::with_burst(limit, limit / 2)
    }

    /// Returns a quota of at most `limit` in any hour, of which `burst` are available at once.
    pub(super) fn with_burst(limit: u32, burst: u32) -> Self {
        let burst = burst.max(1);
        let rate = u64::from(limit.saturating_sub(burst).max(1));
        // Rounded up, because an interval one microsecond too short would let one attempt too many through.
        let micros = (HOUR.as_secs() * 1_000_000).div_ceil(rate);
        Self { burst, interval: Duration::from_micros(micros) }
    }

    /// Returns the longest wait that this quota can impose.
    pub(super) fn interval(self) -> Duration {
        self.interval
    }

    pub(super) fn wait(self, counter: &Counter, now: OffsetDateTime) -> Duration {
        let full = self.interval * (self.burst - 1);
        until(counter.spent_until, now, self.interval * self.burst).saturating_sub(full)
    }

    pub(super) fn charge(self, counter: &mut Counter, now: OffsetDateTime) {
        counter.spent_until = now + until(counter.spent_until, now, self.interval * self.burst) + self.interval;
    }

    /// Gives back one attempt, whose charge left `spent_until` at `mark`. An attempt that is available again by itself
    /// is not given back a second time: the bucket has been empty since, and holds only the attempts of others.
    pub(super) fn refund(self, counter: &mut Counter, mark: OffsetDateTime, now: OffsetDateTime) {
        if now < mark && mark <= counter.spent_until {
            counter.spent_until -= self.interval;
        }
    }
}

/// Returns how far `instant` is ahead of `now`.
///
/// No instant is ever set further ahead than `longest`. One that is more than twice as far comes from a clock that was
/// wrong, and is ignored. Otherwise a node whose clock once ran a year ahead would have locked people out for a year.
fn until(instant: OffsetDateTime, now: OffsetDateTime, longest: Duration) -> Duration {
    let ahead = Duration::try_from(instant - now).unwrap_or_default();
    if ahead > longest * 2 { Duration::ZERO } else { ahead }
}
