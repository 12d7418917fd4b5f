//! Compares the clock of this machine with that of the database.
//!
//! A wrong clock has an effect on the expiry of tokens and on what a purge removes. The comparison informs the operator; no
//! request waits for it or depends on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use auth_core::{Clock, RevocationLog, StoreError};
use time::OffsetDateTime;
use tokio::time::{Interval, MissedTickBehavior};

use crate::metrics::Metrics;

/// Time between two comparisons.
const INTERVAL: Duration = Duration::from_secs(60);

/// Largest offset that is not reported. It equals the leeway of a token's expiry.
const TOLERANCE: time::Duration = time::Duration::seconds(1);

/// Time after which an offset that stays is logged again.
const REPEAT: Duration = Duration::from_secs(60 * 60);

/// The last measured offset of this machine's clock from that of the database.
#[derive(Debug, Default)]
pub(crate) struct ClockOffset(AtomicI64);

impl ClockOffset {
    fn set(&self, offset: time::Duration) {
        let micros = i64::try_from(offset.whole_microseconds()).unwrap_or(i64::MAX);
        self.0.store(micros, Ordering::Relaxed);
    }

    /// Returns the offset: positive if this clock is ahead, negative if it is behind, zero if it was not measured yet.
    pub(crate) fn last(&self) -> time::Duration {
        time::Duration::microseconds(self.0.load(Ordering::Relaxed))
    }

    /// Returns a sentence for the operator if the offset is more than a second.
    pub(crate) fn warning(&self) -> Option<String> {
        let offset = self.last();
        let direction = if offset.is_negative() { "behind" } else { "ahead of" };
        let seconds = offset.abs().as_seconds_f64();
        (offset.abs() > TOLERANCE).then(|| format!("the clock is {seconds:.1} s {direction} that of the database"))
    }
}

/// The task that compares the clocks.
pub(crate) struct ClockWatch {
    log: Arc<dyn RevocationLog>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    offset: Arc<ClockOffset>,
    ticks: Interval,
    /// Time on the monotonic clock at which the offset was logged, while it is larger than [`TOLERANCE`].
    logged_at: Option<Duration>,
}

impl ClockWatch {
    /// Creates the task, whose first round begins at once. It writes the measured offset into `offset` and `metrics`.
    pub(crate) fn new(
        log: Arc<dyn RevocationLog>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        offset: Arc<ClockOffset>,
    ) -> Self {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { log, clock, metrics, offset, ticks, logged_at: None }
    }

    /// Measures the offset; `None` if the store has no clock. The database read its clock at some moment between two readings of
    /// ours, so only a time outside of these counts, and a slow answer is no offset.
    async fn measure(&self) -> Result<Option<time::Duration>, StoreError> {
        let (sent, before) = (self.clock.now(), self.clock.monotonic());
        let Some(there) = self.log.now().await? else { return Ok(None) };
        let received = sent + self.clock.monotonic().saturating_sub(before);
        Ok(Some(outside(there, sent, received)))
    }

    /// Logs one line when the offset becomes too large, one each hour while it is, and one when it no longer is.
    fn log_offset(&mut self) {
        let now = self.clock.monotonic();
        match (self.offset.warning(), self.logged_at) {
            (Some(_), Some(before)) if now.saturating_sub(before) < REPEAT => {}
            (Some(warning), _) => {
                let offset_seconds = self.offset.last().as_seconds_f64();
                tracing::warn!(offset_seconds, "{warning}; set both by NTP");
                self.logged_at = Some(now);
            }
            (None, Some(_)) => {
                tracing::info!("the clock agrees with that of the database again");
                self.logged_at = None;
            }
            (None, None) => {}
        }
    }
}

impl ClockWatch {
    /// Compares the clocks at an interval.
    pub(crate) async fn run(mut self) {
        loop {
            self.ticks.tick().await;
            self.round().await;
        }
    }

    async fn round(&mut self) {
        match self.measure().await {
            Ok(None) => {}
            Ok(Some(offset)) => {
                self.offset.set(offset);
                self.metrics.observe_clock(offset);
                self.log_offset();
            }
            // The task that reads the log reports a database that cannot be reached.
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "the clocks were not compared"),
        }
    }
}

/// Returns by how much the interval from `sent` to `received` lies after `there`: negative if it lies before it, zero if it
/// contains it.
fn outside(there: OffsetDateTime, sent: OffsetDateTime, received: OffsetDateTime) -> time::Duration {
    if there < sent {
        sent - there
    } else if there > received {
        received - there
    } else {
        time::Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use async_trait::async_trait;
    use auth_core::blacklist::{LogPage, Position};
    use auth_core::{Claims, ManualClock, Revocation, RevocationSource};

    use super::*;

    /// A store with a clock of its own, which it takes long to read.
    #[derive(Debug)]
    struct Store {
        ahead: Mutex<time::Duration>,
        takes: Duration,
        clock: Arc<ManualClock>,
    }

    #[async_trait]
    impl RevocationSource for Store {
        async fn read_after(&self, _: Position, _: u32) -> Result<LogPage, StoreError> {
            Err(StoreError::unavailable("not used"))
        }
        async fn covers(&self, _: &Claims) -> Result<bool, StoreError> {
            Err(StoreError::unavailable("not used"))
        }
    }

    #[async_trait]
    impl RevocationLog for Store {
        async fn append(&self, _: &[Revocation]) -> Result<u64, StoreError> {
            Err(StoreError::unavailable("not used"))
        }
        async fn purge(&self, _: OffsetDateTime, _: u32) -> Result<u64, StoreError> {
            Err(StoreError::unavailable("not used"))
        }
        async fn mark_loss(&self, _: Option<OffsetDateTime>) -> Result<(), StoreError> {
            Err(StoreError::unavailable("not used"))
        }
        async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
            self.clock.advance(self.takes);
            let now = self.clock.now() + *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            self.clock.advance(self.takes);
            Ok(Some(now))
        }
    }

    #[tokio::test]
    async fn a_difference_is_measured_in_both_directions_and_a_slow_answer_is_none() -> Result<(), StoreError> {
        let clock = Arc::new(ManualClock::new(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)));
        let takes = Duration::from_secs(2);
        let store = Arc::new(Store { ahead: Mutex::default(), takes, clock: clock.clone() });
        let (offset, metrics) = (Arc::<ClockOffset>::default(), Metrics::new().map_err(StoreError::corrupt)?);
        let mut watch = ClockWatch::new(store.clone(), clock, metrics, offset.clone());
        for (ahead, measured, warning) in [
            (0, 0, None),
            (2, 0, None),
            (-2, 0, None),
            (10, -8, Some("the clock is 8.0 s behind that of the database")),
            (-10, 8, Some("the clock is 8.0 s ahead of that of the database")),
            (3, -1, None),
        ] {
            *store.ahead.lock().unwrap_or_else(PoisonError::into_inner) = time::Duration::seconds(ahead);
            watch.round().await;
            assert_eq!(offset.last(), time::Duration::seconds(measured), "{ahead} s");
            assert_eq!(offset.warning().as_deref(), warning, "{ahead} s");
            assert_eq!(watch.logged_at.is_some(), warning.is_some(), "{ahead} s");
        }
        Ok(())
    }
}
