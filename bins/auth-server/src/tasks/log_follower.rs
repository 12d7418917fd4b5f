//! Reads the log of revocations into memory, and logs how that goes.

use std::sync::Arc;
use std::time::Duration;

use auth_blacklist::{FollowEvent, SyncStep, SyncedBlacklist};

/// Number of entries after which a long load logs its progress.
const PROGRESS_STEP: u64 = 100_000;

/// The task that reads what other nodes revoked.
pub(crate) struct LogFollower {
    blacklist: Arc<SyncedBlacklist>,
    poll: Duration,
}

impl LogFollower {
    /// `poll` is the interval between two rounds.
    pub(crate) fn new(blacklist: Arc<SyncedBlacklist>, poll: Duration) -> Self {
        Self { blacklist, poll }
    }

    /// Reads the first page. If that is the whole log, a server that listens afterwards is ready from the start.
    pub(crate) async fn begin(&self) {
        if let Err(error) = self.blacklist.sync_step().await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the log of revocations cannot be read yet");
        }
    }

    /// Follows the log. The first round begins at once if [`begin`](Self::begin) has not read the whole log.
    pub(crate) async fn run(self) {
        let mut progress = Progress::default();
        self.blacklist.follow(self.poll, tokio::time::sleep, |event| log(event, &mut progress)).await;
    }
}

fn log(event: FollowEvent, progress: &mut Progress) {
    match event {
        FollowEvent::Read(step) => progress.log(&step),
        FollowEvent::Failing(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "the log of revocations cannot be read; past the bound checks ask the database");
        }
        FollowEvent::Recovered => tracing::info!("the log of revocations is read again"),
        FollowEvent::LossFound(found) => tracing::error!(
            %found,
            "the log of revocations lost entries that were acknowledged, as after a failover or a restored backup: \
             tokens that were logged out may be accepted again. Every server is not ready until their life is over, or \
             until you have run `auth-server key retire` and `auth-server token acknowledge-loss`; see \"When the log \
             lost revocations\" in docs/OPERATIONS.md"
        ),
        FollowEvent::LossAcknowledged => tracing::info!("the loss of revocations was acknowledged"),
        _ => {}
    }
}

/// Number of entries that the round under way has read.
#[derive(Default)]
struct Progress {
    read: u64,
}

impl Progress {
    fn log(&mut self, step: &SyncStep) {
        if step.reloading {
            tracing::warn!("the log of revocations is another one, or went backwards; reading it from its beginning");
        }
        if step.restored > 0 {
            tracing::warn!(restored = step.restored, "revocations that the log had lost were appended again");
        }
        let before = self.read / PROGRESS_STEP;
        self.read += step.read as u64;
        if self.read / PROGRESS_STEP > before {
            let (read, position, head) = (self.read, step.position.0, step.head.0);
            tracing::info!(read, position, head, "reading the log of revocations");
        }
        if step.complete {
            self.read = 0;
        }
    }
}
