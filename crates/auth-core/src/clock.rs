//! Clocks. Every part that needs the time holds a [`Clock`], so that tests can set it.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use time::OffsetDateTime;

/// Source of time.
///
/// It has two readings: [`now`](Clock::now) is the wall clock, which tokens carry. [`monotonic`](Clock::monotonic)
/// measures durations and is never set back.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns the current wall-clock time, in UTC.
    fn now(&self) -> OffsetDateTime;

    /// Returns the time since a fixed but arbitrary origin. It never goes backwards. Where the platform supports it,
    /// the time that the machine was suspended counts.
    fn monotonic(&self) -> Duration;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn monotonic(&self) -> Duration {
        let reading = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(
            u64::try_from(reading.tv_sec).unwrap_or_default(),
            u32::try_from(reading.tv_nsec).unwrap_or_default(),
        )
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    fn monotonic(&self) -> Duration {
        use std::sync::LazyLock;
        use std::time::Instant;
        static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
        ORIGIN.elapsed()
    }
}

/// Clock for tests. It moves only when a test moves it.
#[derive(Debug)]
pub struct ManualClock {
    reading: Mutex<(OffsetDateTime, Duration)>,
}

impl ManualClock {
    /// Returns a clock that stands at `now`.
    #[must_use]
    pub fn new(now: OffsetDateTime) -> Self {
        Self { reading: Mutex::new((now, Duration::ZERO)) }
    }

    /// Moves both readings forward by `by`.
    pub fn advance(&self, by: Duration) {
        let mut reading = self.lock();
        reading.0 += by;
        reading.1 += by;
    }

    /// Sets the wall clock, forwards or backwards, as an operator or a time server would. The monotonic reading stays.
    pub fn set(&self, now: OffsetDateTime) {
        self.lock().0 = now;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (OffsetDateTime, Duration)> {
        self.reading.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        self.lock().0
    }

    fn monotonic(&self) -> Duration {
        self.lock().1
    }
}
