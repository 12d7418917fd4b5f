//! What is remembered of attempts, and the arithmetic of waiting.

use std::time::Duration;

use time::OffsetDateTime;

/// How long failures in a row are remembered once no wait is left of them. As long as the hour that limits are stated
/// for, so that sitting it out gains nothing within that hour.
const STREAK_MEMORY: Duration = HOUR;

/// What limits are stated for.
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);

/// What is remembered under one key. A counter that was never written is [`Counter::default`]: nothing happened.
///
/// An instant in the past says nothing. Instants are whole microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// Failures in a row.
    pub failures: u32,
    /// No attempt before this instant.
    pub not_before: OffsetDateTime,
    /// When everything that was taken from the quota will have flowed back.
    pub spent_until: OffsetDateTime,
    /// Until when a success vouches for the network.
    pub known_until: OffsetDateTime,
}

impl Default for Counter {
    fn default() -> Self {
        let long_ago = OffsetDateTime::UNIX_EPOCH;
        Self { failures: 0, not_before: long_ago, spent_until: long_ago, known_until: long_ago }
    }
}

impl Counter {
    /// From when on the counter holds nobody back. One that was never charged never did.
    #[must_use]
    pub fn charged_until(&self) -> OffsetDateTime {
        match self.failures {
            0 => self.spent_until,
            _ => self.spent_until.max(self.not_before + STREAK_MEMORY),
        }
    }

    /// From when on the counter says nothing at all and may be purged.
    #[must_use]
    pub fn expires_at(&self) -> OffsetDateTime {
        self.charged_until().max(self.known_until)
    }

    pub(super) fn is_known(&self, now: OffsetDateTime) -> bool {
        now < self.known_until
    }
}

/// Waits that double with every failure in a row, up to a ceiling.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    /// Failures before the first wait.
    pub(super) free: u32,
    /// The first wait.
    pub(super) first: Duration,
    /// The longest wait.
    pub(super) ceiling: Duration,
}

impl Backoff {
    /// How long to wait before an attempt at `now`; zero if it may be made.
    pub(super) fn wait(&self, counter: &Counter, now: OffsetDateTime) -> Duration {
        until(counter.not_before, now, self.ceiling)
    }

    pub(super) fn charge(&self, counter: &mut Counter, now: OffsetDateTime) {
        let forgotten = now >= counter.not_before + STREAK_MEMORY;
        counter.failures = if forgotten { 1 } else { counter.failures.saturating_add(1) };
        counter.not_before = now + self.after(counter.failures);
    }

    /// Takes one failure back that was none. The wait that others have earned stays.
    pub(super) fn refund(&self, counter: &mut Counter, now: OffsetDateTime) {
        counter.failures = counter.failures.saturating_sub(1);
        if counter.failures < self.free {
            counter.not_before = counter.not_before.min(now);
        }
    }

    pub(super) fn reset(counter: &mut Counter) {
        (counter.failures, counter.not_before) = (0, Counter::default().not_before);
    }

    /// The wait after this many failures in a row.
    fn after(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(self.free) else { return Duration::ZERO };
        2_u32.checked_pow(doublings).map_or(self.ceiling, |factor| self.first.saturating_mul(factor).min(self.ceiling))
    }
}

/// So many in any hour: half of them at once, the other half flowing back one by one.
///
/// It is the leaky bucket in the form of ITU-T I.371 (GCRA), which needs one instant for its state: when the bucket
/// will be empty.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quota {
    burst: u32,
    /// How long it takes until one flows back.
    interval: Duration,
}

impl Quota {
    /// At most `limit`, at least 2, in any hour.
    pub(super) fn per_hour(limit: u32) -> Self {
        let burst = (limit / 2).max(1);
        let rate = u64::from(limit.saturating_sub(burst).max(1));
        // Rounded up: an interval that is short by a microsecond would let one too many through.
        let micros = (HOUR.as_secs() * 1_000_000).div_ceil(rate);
        Self { burst, interval: Duration::from_micros(micros) }
    }

    /// The longest wait that it can impose.
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

    /// Gives back one of which the charge left `spent_until` at `mark`. What has flowed back by itself is not given back
    /// once more: then the bucket has been empty since, and holds only what others took.
    pub(super) fn refund(self, counter: &mut Counter, mark: OffsetDateTime, now: OffsetDateTime) {
        if now < mark && mark <= counter.spent_until {
            counter.spent_until -= self.interval;
        }
    }
}

/// How far `instant` is ahead of `now`. No instant is ever set further ahead than `longest`: one that is more than twice as
/// far comes from a clock that was wrong, and is ignored. Without this a node whose clock once ran a year ahead would
/// have locked people out for a year.
fn until(instant: OffsetDateTime, now: OffsetDateTime, longest: Duration) -> Duration {
    let ahead = Duration::try_from(instant - now).unwrap_or_default();
    if ahead > longest * 2 { Duration::ZERO } else { ahead }
}
