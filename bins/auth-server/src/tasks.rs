//! What the server does on its own account.

use std::sync::Arc;
use std::time::Duration;

use auth_blacklist::SyncedBlacklist;
use auth_core::blacklist::purge_expired;
use auth_core::throttle::purge_counters;
use auth_core::{AttemptStore, Clock, RevocationLog, StoreError};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use crate::metrics::Metrics;

/// How often expired entries are removed from the blacklist.
const PURGE_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// How many are removed in one transaction.
pub(crate) const PURGE_BATCH: u32 = 1_000;

/// How long logouts get the log for themselves between two batches.
pub(crate) const PURGE_PAUSE: Duration = Duration::from_millis(50);

/// Removes expired entries from the blacklist, and counters of attempts that say nothing any more, from time to time.
pub(crate) struct Purge {
    pub(crate) log: Arc<dyn RevocationLog>,
    pub(crate) attempts: Arc<dyn AttemptStore>,
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
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.attempts_once() => {}
            }
        }
    }

    /// Removes expired counters of attempts.
    async fn attempts_once(&self) {
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

/// Reads the log of revocations into memory, again and again.
pub(crate) struct Sync {
    pub(crate) blacklist: Arc<SyncedBlacklist>,
    pub(crate) poll: Duration,
}

/// What the first load says of itself: a line for this many entries.
const PROGRESS_STEP: u64 = 100_000;

impl Sync {
    /// Reads the first page before the server listens, so that it is ready from the start where that is all there is.
    pub(crate) async fn begin(&self) {
        if let Err(error) = self.blacklist.sync_step().await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the log of revocations cannot be read yet");
        }
    }

    /// Runs until `stop` says so. What [`begin`](Self::begin) left to be read is read at once.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let first = if self.blacklist.is_loaded() { self.poll } else { Duration::ZERO };
        let mut ticks = tokio::time::interval_at(Instant::now() + first, self.poll);
        // After a slow read the next one comes a poll interval later, not a burst of those that were missed.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut trouble, mut losses) = (Trouble::default(), Losses::default());
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                outcome = self.round() => trouble.note(outcome),
            }
            losses.note(self.blacklist.lost());
        }
    }

    /// Reads pages until memory holds what was committed when the round began.
    async fn round(&self) -> Result<(), StoreError> {
        let mut read = 0;
        loop {
            let step = self.blacklist.sync_step().await?;
            if step.reloading {
                tracing::warn!(
                    "the log of revocations is another one, or went backwards; reading it from its beginning"
                );
            }
            if step.restored > 0 {
                tracing::warn!(restored = step.restored, "revocations that the log had lost were appended again");
            }
            let before = read / PROGRESS_STEP;
            read += step.read as u64;
            if read / PROGRESS_STEP > before {
                tracing::info!(read, position = step.position.0, head = step.head.0, "reading the log of revocations");
            }
            if step.complete {
                return Ok(());
            }
        }
    }
}

/// Says once that reading fails, and once that it works again.
#[derive(Default)]
struct Trouble {
    failing: bool,
}

impl Trouble {
    fn note(&mut self, outcome: Result<(), StoreError>) {
        let failing = outcome.is_err();
        match outcome {
            Ok(()) if self.failing => tracing::info!("the log of revocations is read again"),
            Err(error) if !self.failing => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the log of revocations cannot be read; past the bound checks ask the database");
            }
            _ => {}
        }
        self.failing = failing;
    }
}

/// Says once for every loss that the log lost revocations, whichever node found it and also after a restart, and once that
/// it was acknowledged.
#[derive(Default)]
struct Losses {
    told: Option<OffsetDateTime>,
}

impl Losses {
    fn note(&mut self, lost: Option<OffsetDateTime>) {
        match lost {
            Some(found) if self.told < lost => tracing::error!(
                %found,
                "the log of revocations lost entries that were acknowledged, as after a failover or a restored backup: \
                 tokens that were logged out may be accepted again. Every server is not ready until their life is over, or \
                 until you have run `auth-server key retire` and `auth-server token acknowledge-loss`; see \"When the log \
                 lost revocations\" in docs/OPERATIONS.md"
            ),
            None if self.told.is_some() => tracing::info!("the loss of revocations was acknowledged"),
            _ => {}
        }
        self.told = lost;
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
