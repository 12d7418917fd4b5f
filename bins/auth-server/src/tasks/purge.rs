//! Removes rows that no check needs any more: expired entries of the blacklist and old counters of attempts.

use std::sync::Arc;
use std::time::Duration;

use auth_core::blacklist::purge_expired;
use auth_core::throttle::purge_counters;
use auth_core::{AttemptStore, Clock, RevocationLog};

use super::Task;
use crate::metrics::Metrics;

/// Average time between two purges.
const INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Number of entries that one transaction removes.
pub(crate) const PURGE_BATCH: u32 = 1_000;

/// Pause between two batches, in which logouts can write to the log.
pub(crate) const PURGE_PAUSE: Duration = Duration::from_millis(50);

/// The task that purges.
pub(crate) struct Purge {
    pub(crate) log: Arc<dyn RevocationLog>,
    pub(crate) attempts: Arc<dyn AttemptStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
}

impl Task for Purge {
    async fn wait(&mut self) {
        tokio::time::sleep(jittered(INTERVAL)).await;
    }

    /// When this is cancelled the database finishes the batch that is under way.
    async fn round(&mut self) {
        self.purge_blacklist().await;
        self.purge_counters().await;
    }
}

impl Purge {
    async fn purge_blacklist(&self) {
        let pause = async |_| tokio::time::sleep(PURGE_PAUSE).await;
        match purge_expired(self.log.as_ref(), self.clock.now(), PURGE_BATCH, pause).await {
            Ok(0) => {}
            Ok(removed) => {
                self.metrics.purged(removed);
                tracing::info!(removed, "expired entries were removed from the blacklist");
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "expired entries were not removed from the blacklist; trying again later");
            }
        }
    }

    async fn purge_counters(&self) {
        let pause = async |_| tokio::time::sleep(PURGE_PAUSE).await;
        match purge_counters(self.attempts.as_ref(), self.clock.now(), PURGE_BATCH, pause).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "old counters of attempts were removed"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "old counters of attempts were not removed; trying again later");
            }
        }
    }
}

/// Returns a time that is up to a fifth longer or shorter, so that servers that were started together do not purge together.
fn jittered(interval: Duration) -> Duration {
    let mut random = [0];
    // If there is no randomness the time is a fifth shorter.
    let _ = getrandom::fill(&mut random);
    interval.mul_f64(0.8 + 0.4 * f64::from(random[0]) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jitter_stays_within_a_fifth() {
        for _ in 0..200 {
            let interval = jittered(Duration::from_secs(100));
            assert!((Duration::from_secs(79)..=Duration::from_secs(121)).contains(&interval));
        }
    }
}
