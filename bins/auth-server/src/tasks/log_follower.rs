//! Reads the log of revocations into memory.

use std::sync::Arc;
use std::time::Duration;

use auth_blacklist::SyncedBlacklist;
use auth_core::StoreError;
use time::OffsetDateTime;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::Task;

/// Number of entries after which the first load logs its progress.
const PROGRESS_STEP: u64 = 100_000;

/// The task that reads what other nodes revoked.
pub(crate) struct LogFollower {
    blacklist: Arc<SyncedBlacklist>,
    poll: Duration,
    /// The times of the rounds, from the first on.
    ticks: Option<Interval>,
    failures: FailureReports,
    losses: LossReports,
}

impl LogFollower {
    /// `poll` is the interval between two rounds.
    pub(crate) fn new(blacklist: Arc<SyncedBlacklist>, poll: Duration) -> Self {
        let (failures, losses) = (FailureReports::default(), LossReports::default());
        Self { blacklist, poll, ticks: None, failures, losses }
    }

    /// Reads the first page. If that is the whole log, a server that listens afterwards is ready from the start.
    pub(crate) async fn begin(&self) {
        if let Err(error) = self.blacklist.sync_step().await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the log of revocations cannot be read yet");
        }
    }

    /// Reads pages until memory holds what was committed when the round began.
    async fn read_to_head(&self) -> Result<(), StoreError> {
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

impl Task for LogFollower {
    /// The first round begins at once if [`begin`](Self::begin) has not read the whole log.
    async fn wait(&mut self) {
        let ticks = self.ticks.get_or_insert_with(|| {
            let first = if self.blacklist.is_loaded() { self.poll } else { Duration::ZERO };
            let mut ticks = tokio::time::interval_at(Instant::now() + first, self.poll);
            // After a slow read the next round begins one interval later. Missed rounds are not made up for.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        ticks.tick().await;
    }

    async fn round(&mut self) {
        let outcome = self.read_to_head().await;
        self.failures.report(outcome);
        self.losses.report(self.blacklist.lost());
    }
}

/// Logs that reading fails, once, and that it works again, once.
#[derive(Default)]
struct FailureReports {
    failing: bool,
}

impl FailureReports {
    fn report(&mut self, outcome: Result<(), StoreError>) {
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

/// Logs that the log of revocations lost entries, once for each loss, and that an operator acknowledged it. A loss is logged whichever
/// node found it, and again after a restart.
#[derive(Default)]
struct LossReports {
    /// Time at which the last loss that was logged was found.
    reported: Option<OffsetDateTime>,
}

impl LossReports {
    fn report(&mut self, lost: Option<OffsetDateTime>) {
        match lost {
            Some(found) if self.reported < lost => tracing::error!(
                %found,
                "the log of revocations lost entries that were acknowledged, as after a failover or a restored backup: \
                 tokens that were logged out may be accepted again. Every server is not ready until their life is over, or \
                 until you have run `auth-server key retire` and `auth-server token acknowledge-loss`; see \"When the log \
                 lost revocations\" in docs/OPERATIONS.md"
            ),
            None if self.reported.is_some() => tracing::info!("the loss of revocations was acknowledged"),
            _ => {}
        }
        self.reported = lost;
    }
}
