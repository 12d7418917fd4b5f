//! Following the log: one round of reads after the other, for as long as a node runs.

use std::time::Duration;

use auth_core::StoreError;
use time::OffsetDateTime;

use super::stats::SyncStep;
use super::synced::SyncedBlacklist;

/// Longest wait between two failed rounds, unless the poll interval is longer.
const MAX_BACK_OFF: Duration = Duration::from_secs(1);

/// Something that happened while a [`SyncedBlacklist`] followed its log. Meant for log lines and metrics; nothing has to be
/// done about it.
#[derive(Debug)]
#[non_exhaustive]
pub enum FollowEvent {
    /// A page of the log was read.
    Read(SyncStep),
    /// Reading failed. Reported for the first of several failures in a row;
    /// [`SyncStats::failures`](super::SyncStats::failures) counts all of them.
    Failing(StoreError),
    /// Reading works again after [`Failing`](Self::Failing).
    Recovered,
    /// The log lost entries that had been acknowledged, found at this time by this node or another one. Also reported once
    /// after a start, if the loss is not acknowledged yet.
    LossFound(OffsetDateTime),
    /// Every loss that was found has been acknowledged.
    LossAcknowledged,
}

impl SyncedBlacklist {
    /// Keeps memory in step with the log for as long as the future is polled; it never ends by itself. Spawn it as a task and
    /// abort or drop the task to stop. Works with any runtime: `sleep` is the timer of yours.
    ///
    /// A round reads all that was committed when it began. Rounds begin `poll` apart; a round that takes longer delays the next
    /// one. After failures in a row the wait doubles, from `poll` up to one second. Choose a `poll` of at most half of
    /// [`max_staleness`](super::SyncOptions::max_staleness), so that one slow round does not make memory stale.
    ///
    /// ```
    /// use std::{sync::Arc, time::Duration};
    /// use auth_blacklist::SyncedBlacklist;
    ///
    /// fn spawn(blacklist: Arc<SyncedBlacklist>) -> tokio::task::JoinHandle<()> {
    ///     let poll = Duration::from_millis(250);
    ///     tokio::spawn(async move { blacklist.follow(poll, tokio::time::sleep, |_| {}).await })
    /// }
    /// ```
    pub async fn follow<S: Future<Output = ()>>(
        &self,
        poll: Duration,
        sleep: impl Fn(Duration) -> S,
        mut observe: impl FnMut(FollowEvent),
    ) {
        let mut follower = Follower::default();
        if self.is_loaded() {
            sleep(poll).await;
        }
        loop {
            let begun = self.clock().monotonic();
            let outcome = self.round(&mut observe).await;
            let took = self.clock().monotonic().saturating_sub(begun);
            follower.note(outcome, self.lost(), &mut observe);
            sleep(follower.wait(poll, took)).await;
        }
    }

    /// Reads pages until memory holds all that was committed when this began.
    async fn round(&self, observe: &mut impl FnMut(FollowEvent)) -> Result<(), StoreError> {
        loop {
            let step = self.sync_step().await?;
            observe(FollowEvent::Read(step));
            if step.complete {
                return Ok(());
            }
        }
    }
}

/// State between the rounds, from which changes are told apart from repetitions.
#[derive(Default)]
struct Follower {
    /// Failed rounds in a row.
    failures: u32,
    /// The loss that was reported last.
    lost: Option<OffsetDateTime>,
}

impl Follower {
    fn note(
        &mut self,
        outcome: Result<(), StoreError>,
        lost: Option<OffsetDateTime>,
        observe: &mut impl FnMut(FollowEvent),
    ) {
        match outcome {
            Ok(()) => {
                if self.failures > 0 {
                    observe(FollowEvent::Recovered);
                }
                self.failures = 0;
            }
            Err(error) => {
                if self.failures == 0 {
                    observe(FollowEvent::Failing(error));
                }
                self.failures = self.failures.saturating_add(1);
            }
        }
        match lost {
            Some(found) if self.lost < lost => observe(FollowEvent::LossFound(found)),
            None if self.lost.is_some() => observe(FollowEvent::LossAcknowledged),
            _ => {}
        }
        self.lost = lost;
    }

    /// The wait after a round that took `took`.
    fn wait(&self, poll: Duration, took: Duration) -> Duration {
        back_off(poll, took, self.failures)
    }
}

/// Returns the wait after a round that took `took`: the rest of `poll`, or after failures in a row a doubled wait.
pub(super) fn back_off(poll: Duration, took: Duration, failures: u32) -> Duration {
    match failures {
        0 => poll.saturating_sub(took),
        failures => {
            let doubled = 2_u32.checked_pow(failures - 1).and_then(|factor| poll.checked_mul(factor));
            doubled.unwrap_or(MAX_BACK_OFF).min(MAX_BACK_OFF).max(poll)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: Duration = Duration::from_millis(250);

    #[test]
    fn rounds_begin_one_poll_interval_apart() {
        let follower = Follower::default();
        assert_eq!(follower.wait(POLL, Duration::from_millis(50)), Duration::from_millis(200));
        assert_eq!(follower.wait(POLL, Duration::from_secs(3)), Duration::ZERO);
    }

    #[test]
    fn the_wait_doubles_after_failures_in_a_row_up_to_a_second() {
        let waits = |poll: Duration| {
            [1, 2, 3, 4, 40, u32::MAX].map(|failures| {
                let follower = Follower { failures, lost: None };
                follower.wait(poll, Duration::from_secs(5)).as_millis()
            })
        };
        assert_eq!(waits(POLL), [250, 500, 1000, 1000, 1000, 1000]);
        assert_eq!(waits(Duration::from_secs(30)), [30_000; 6]);
    }

    #[test]
    fn only_changes_are_reported() {
        let mut follower = Follower::default();
        let mut note = |outcome: Result<(), &'static str>, lost: Option<i64>| {
            let mut events = Vec::new();
            let lost = lost.map(|at| OffsetDateTime::from_unix_timestamp(at).unwrap());
            follower.note(outcome.map_err(StoreError::unavailable), lost, &mut |event| events.push(name(&event)));
            events
        };
        assert_eq!(note(Ok(()), None), [""; 0]);
        assert_eq!(note(Err("down"), None), ["failing"]);
        assert_eq!(note(Err("down"), Some(1)), ["found"]);
        assert_eq!(note(Ok(()), Some(1)), ["recovered"]);
        assert_eq!(note(Ok(()), Some(2)), ["found"]);
        assert_eq!(note(Ok(()), None), ["acknowledged"]);
        assert_eq!(note(Ok(()), None), [""; 0]);
    }

    fn name(event: &FollowEvent) -> &'static str {
        match event {
            FollowEvent::Read(_) => "read",
            FollowEvent::Failing(_) => "failing",
            FollowEvent::Recovered => "recovered",
            FollowEvent::LossFound(_) => "found",
            FollowEvent::LossAcknowledged => "acknowledged",
        }
    }
}
