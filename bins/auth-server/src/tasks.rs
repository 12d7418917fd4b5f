//! What the server does on its own account.

use std::sync::Arc;
use std::time::Duration;

use auth_core::blacklist::purge_expired;
use auth_core::{Clock, RevocationLog};
use tokio::sync::watch;

use crate::metrics::Metrics;

/// How often expired entries are removed from the blacklist.
const PURGE_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// How many are removed in one transaction.
const PURGE_BATCH: u32 = 1_000;

/// How long logouts get the log for themselves between two batches.
const PURGE_PAUSE: Duration = Duration::from_millis(50);

/// Removes expired entries from the blacklist, from time to time.
pub(crate) struct Purge {
    pub(crate) log: Arc<dyn RevocationLog>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
}

impl Purge {
    /// Runs until `stop` says so; a batch that is under way is finished by the database, not waited for.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(jittered(PURGE_INTERVAL)) => {}
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.once() => {}
            }
        }
    }

    async fn once(&self) {
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
}

/// Up to a fifth more or less, so that servers that were started together do not purge together.
fn jittered(interval: Duration) -> Duration {
    let mut random = [0];
    // Without randomness there is no jitter, which does no harm.
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
