//! Compares the clock of this machine with that of the database.
//!
//! A wrong clock shows in the expiry of tokens, and in what a purge takes for expired. Nothing waits for a comparison and
//! no request depends on one: it is there for the operator.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auth_core::{Clock, RevocationLog, StoreError};
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::metrics::Metrics;

/// How often the clocks are compared.
const INTERVAL: Duration = Duration::from_secs(60);

/// A difference that is worth telling: the leeway of a token.
const TOLERANCE: time::Duration = time::Duration::seconds(1);

/// How often a difference that stays is told again.
const REPEAT: Duration = Duration::from_secs(60 * 60);

/// How far the clock of this machine is ahead of that of the database.
#[derive(Debug, Default)]
pub(crate) struct ClockOffset(AtomicI64);

impl ClockOffset {
    fn set(&self, offset: time::Duration) {
        let micros = i64::try_from(offset.whole_microseconds()).unwrap_or(i64::MAX);
        self.0.store(micros, Ordering::Relaxed);
    }

    /// The offset that was measured last, zero before that: positive when this clock is ahead, negative when it is behind.
    pub(crate) fn last(&self) -> time::Duration {
        time::Duration::microseconds(self.0.load(Ordering::Relaxed))
    }

    /// What an operator should know, when it is more than a second.
    pub(crate) fn warning(&self) -> Option<String> {
        let offset = self.last();
        let direction = if offset.is_negative() { "behind" } else { "ahead of" };
        let seconds = offset.abs().as_seconds_f64();
        (offset.abs() > TOLERANCE).then(|| format!("the clock is {seconds:.1} s {direction} that of the database"))
    }
}

/// Measures the offset from time to time.
pub(crate) struct ClockWatch {
    pub(crate) log: Arc<dyn RevocationLog>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) offset: Arc<ClockOffset>,
    /// When the difference that lasts was told, on the monotonic clock.
    pub(crate) told: Mutex<Option<Duration>>,
}

impl ClockWatch {
    /// Runs until `stop` says so, beginning at once.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.once() => {}
            }
        }
    }

    async fn once(&self) {
        match self.measure().await {
            Ok(None) => {}
            Ok(Some(offset)) => {
                self.offset.set(offset);
                self.metrics.observe_clock(offset);
                self.tell();
            }
            // That the database cannot be asked is told by the task that reads the log.
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "the clocks were not compared"),
        }
    }

    /// How far this clock is ahead. The database answered at some moment between two readings of ours: only what lies
    /// outside of them counts, so that a slow answer is no difference.
    async fn measure(&self) -> Result<Option<time::Duration>, StoreError> {
        let (sent, before) = (self.clock.now(), self.clock.monotonic());
        let Some(there) = self.log.now().await? else { return Ok(None) };
        let received = sent + self.clock.monotonic().saturating_sub(before);
        Ok(Some(outside(there, sent, received)))
    }

    /// One line when the difference becomes too large, one an hour while it is, and one when it is over.
    fn tell(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.monotonic();
        match (self.offset.warning(), *told) {
            (Some(_), Some(before)) if now.saturating_sub(before) < REPEAT => {}
            (Some(warning), _) => {
                let offset_seconds = self.offset.last().as_seconds_f64();
                tracing::warn!(offset_seconds, "{warning}; set both by NTP");
                *told = Some(now);
            }
            (None, Some(_)) => {
                tracing::info!("the clock agrees with that of the database again");
                *told = None;
            }
            (None, None) => {}
        }
    }
}

/// How far the interval between `sent` and `received` lies after `there`; negative when it lies before, zero around it.
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
    use async_trait::async_trait;
    use auth_core::blacklist::{LogPage, Position};
    use auth_core::{Claims, ManualClock, Revocation, RevocationSource};

    use super::*;

    /// A store with a clock of its own, which is slow to tell the time.
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
        let watch = ClockWatch { log: store.clone(), clock, metrics, offset: offset.clone(), told: Mutex::default() };
        for (ahead, measured, warning) in [
            (0, 0, None),
            (2, 0, None),
            (-2, 0, None),
            (10, -8, Some("the clock is 8.0 s behind that of the database")),
            (-10, 8, Some("the clock is 8.0 s ahead of that of the database")),
            (3, -1, None),
        ] {
            *store.ahead.lock().unwrap_or_else(PoisonError::into_inner) = time::Duration::seconds(ahead);
            watch.once().await;
            assert_eq!(offset.last(), time::Duration::seconds(measured), "{ahead} s");
            assert_eq!(offset.warning().as_deref(), warning, "{ahead} s");
            let told = watch.told.lock().unwrap_or_else(PoisonError::into_inner).is_some();
            assert_eq!(told, warning.is_some(), "{ahead} s");
        }
        Ok(())
    }
}
