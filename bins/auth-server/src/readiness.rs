//! Readiness of the server: an ordered list of named checks behind `GET /readyz`.
//!
//! A *round* runs every check in order and stops at the first that fails. It runs in a task of its own, because a database
//! driver must not be dropped in the middle of a statement: a request that gives up waiting leaves the round running.
//! Requests that arrive while a round is running share its outcome, so polling costs at most one round at a time.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use auth_blacklist::SyncedBlacklist;
use auth_core::{BoxError, Clock, LEEWAY, MAX_CLOCK_SKEW};
use auth_jwt::ManagedKeys;
use auth_migrations::Migrations;
use auth_storage::Database;
use tokio::sync::watch;
use tokio::time::timeout;

/// Time that a request waits for a round.
const DEADLINE: Duration = Duration::from_secs(2);

/// One condition for receiving requests.
///
/// A check that asks the database does so through the stores or [`Database::run`], which bound the call.
#[async_trait]
pub(crate) trait ReadinessCheck: Send + Sync {
    /// Name of the check in the log: a noun, in lower case.
    fn name(&self) -> &'static str;

    /// Runs the check now.
    ///
    /// # Errors
    ///
    /// The reason why the server is not ready.
    async fn run(&self) -> Result<(), BoxError>;
}

/// The checks of one server. It is ready when every one of them holds, and always ready without any.
pub(crate) struct Readiness {
    checks: Arc<[Box<dyn ReadinessCheck>]>,
    /// The round that was started last.
    round: Mutex<Option<watch::Receiver<Round>>>,
}

impl Readiness {
    pub(crate) fn new(checks: Vec<Box<dyn ReadinessCheck>>) -> Self {
        Self { checks: checks.into(), round: Mutex::default() }
    }

    /// Waits for a round of all checks: the one that is running, or a new one.
    ///
    /// # Errors
    ///
    /// The first check that failed, or the check that did not end within 2 s.
    pub(crate) async fn check(&self) -> Result<(), NotReady> {
        let mut round = self.join_round();
        // The wait ends with the round, with its task, or at the deadline. The state below tells which.
        let _ = timeout(DEADLINE, round.wait_for(|round| matches!(round, Round::Ended(_)))).await;
        let round = round.borrow().clone();
        match round {
            Round::Ended(outcome) => outcome,
            Round::Running(check) => Err(NotReady::Unanswered { check }),
        }
    }

    /// The running round, or a new one when none is running.
    fn join_round(&self) -> watch::Receiver<Round> {
        let mut current = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        // The channel of a round whose task has ended is closed.
        if let Some(running) = current.as_ref().filter(|round| round.has_changed().is_ok()) {
            return running.clone();
        }
        let (sender, receiver) = watch::channel(Round::Running("start"));
        let checks = Arc::clone(&self.checks);
        tokio::spawn(async move {
            let outcome = run_all(&checks, &sender).await;
            sender.send_replace(Round::Ended(outcome));
        });
        *current = Some(receiver.clone());
        receiver
    }
}

async fn run_all(checks: &[Box<dyn ReadinessCheck>], progress: &watch::Sender<Round>) -> Result<(), NotReady> {
    for check in checks {
        progress.send_replace(Round::Running(check.name()));
        let outcome = check.run().await;
        outcome.map_err(|cause| NotReady::Failed { check: check.name(), cause: cause.into() })?;
    }
    Ok(())
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.checks.iter().map(|check| check.name())).finish()
    }
}

/// Progress of a round.
#[derive(Debug, Clone)]
enum Round {
    /// The check of this name is running.
    Running(&'static str),
    Ended(Result<(), NotReady>),
}

/// The reason why the server is not ready.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum NotReady {
    /// A check failed.
    #[error("the readiness check `{check}` failed")]
    Failed {
        /// Name of the check.
        check: &'static str,
        /// The reason that the check gave.
        #[source]
        cause: Arc<dyn StdError + Send + Sync>,
    },
    /// A check did not end in time, or panicked.
    #[error("the readiness check `{check}` gave no answer")]
    Unanswered {
        /// Name of the check.
        check: &'static str,
    },
}

/// The database answers.
pub(crate) struct DatabaseAnswers(pub(crate) Database);

#[async_trait]
impl ReadinessCheck for DatabaseAnswers {
    fn name(&self) -> &'static str {
        "database"
    }

    async fn run(&self) -> Result<(), BoxError> {
        Ok(self.0.ping().await?)
    }
}

/// Writing to the database works: there is room on its disk, and it is no standby.
pub(crate) struct DatabaseTakesWrites(pub(crate) Database);

#[async_trait]
impl ReadinessCheck for DatabaseTakesWrites {
    fn name(&self) -> &'static str {
        "writing"
    }

    async fn run(&self) -> Result<(), BoxError> {
        Ok(self.0.check_writable().await?)
    }
}

/// The database has the tables that this server needs, with the columns, types and unique keys that it relies on.
pub(crate) struct SchemaIsCurrent(pub(crate) Database, pub(crate) Migrations);

#[async_trait]
impl ReadinessCheck for SchemaIsCurrent {
    fn name(&self) -> &'static str {
        "schema"
    }

    async fn run(&self) -> Result<(), BoxError> {
        is_migrated(&self.0, &self.1).await?.then_some(()).ok_or_else(|| "the database is not migrated".into())
    }
}

/// Returns whether the database has every table that this server needs. The call has the timeout of those of the stores.
pub(crate) async fn is_migrated(database: &Database, migrations: &Migrations) -> Result<bool, BoxError> {
    let (statements, migrations) = (database.statements(), migrations.clone());
    Ok(database.run(async move { migrations.is_current(&statements).await }).await??)
}

/// The blacklist is in memory and fresh.
pub(crate) struct BlacklistIsFresh(pub(crate) Arc<SyncedBlacklist>);

#[async_trait]
impl ReadinessCheck for BlacklistIsFresh {
    fn name(&self) -> &'static str {
        "blacklist"
    }

    async fn run(&self) -> Result<(), BoxError> {
        self.0.is_ready().then_some(()).ok_or_else(|| "the blacklist is not loaded, or stale".into())
    }
}

/// Every managed key that is needed was read and decrypted, and one of them signs.
pub(crate) struct KeysAreUsable(pub(crate) Arc<ManagedKeys>);

#[async_trait]
impl ReadinessCheck for KeysAreUsable {
    fn name(&self) -> &'static str {
        "keys"
    }

    async fn run(&self) -> Result<(), BoxError> {
        self.0.is_ready().then_some(()).ok_or_else(|| "the keys are not read, or cannot be decrypted".into())
    }
}

/// The log is not known to have lost acknowledged revocations; or every token that they ended has expired; or an operator has
/// acknowledged the loss.
pub(crate) struct LogIsWhole {
    pub(crate) blacklist: Arc<SyncedBlacklist>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Longest lifetime of a token.
    pub(crate) token_life: Duration,
}

#[async_trait]
impl ReadinessCheck for LogIsWhole {
    fn name(&self) -> &'static str {
        "revocations"
    }

    async fn run(&self) -> Result<(), BoxError> {
        match self.blacklist.lost() {
            Some(found) if self.clock.now() <= found + self.token_life + LEEWAY + MAX_CLOCK_SKEW => Err(format!(
                "the log of revocations lost entries, which was found at {found}; run `auth-server key retire`, then \
                 `auth-server token acknowledge-loss`"
            )
            .into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    /// Fails while `holds` is false and counts its runs.
    struct Counted {
        name: &'static str,
        holds: bool,
        runs: Arc<AtomicU32>,
    }

    #[async_trait]
    impl ReadinessCheck for Counted {
        fn name(&self) -> &'static str {
            self.name
        }

        async fn run(&self) -> Result<(), BoxError> {
            self.runs.fetch_add(1, Ordering::SeqCst);
            self.holds.then_some(()).ok_or_else(|| "it does not hold".into())
        }
    }

    /// Ends when `end` is notified.
    struct Stalled {
        runs: Arc<AtomicU32>,
        end: Arc<Notify>,
    }

    #[async_trait]
    impl ReadinessCheck for Stalled {
        fn name(&self) -> &'static str {
            "stalled"
        }

        async fn run(&self) -> Result<(), BoxError> {
            self.runs.fetch_add(1, Ordering::SeqCst);
            self.end.notified().await;
            Ok(())
        }
    }

    struct Panicking;

    #[async_trait]
    impl ReadinessCheck for Panicking {
        fn name(&self) -> &'static str {
            "panicking"
        }

        async fn run(&self) -> Result<(), BoxError> {
            panic!("a check that panics")
        }
    }

    #[tokio::test]
    async fn the_first_check_that_fails_is_named_and_later_ones_do_not_run() {
        let runs = [(); 3].map(|()| Arc::<AtomicU32>::default());
        let check = |name, holds, runs: &Arc<AtomicU32>| -> Box<dyn ReadinessCheck> {
            Box::new(Counted { name, holds, runs: Arc::clone(runs) })
        };
        let readiness = Readiness::new(vec![
            check("first", true, &runs[0]),
            check("second", false, &runs[1]),
            check("third", true, &runs[2]),
        ]);
        let refusal = readiness.check().await.unwrap_err();
        assert_eq!(refusal.to_string(), "the readiness check `second` failed");
        assert_eq!(refusal.source().unwrap().to_string(), "it does not hold");
        assert_eq!(runs.map(|runs| runs.load(Ordering::SeqCst)), [1, 1, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_give_up_leave_one_round_behind_and_later_ones_join_it() {
        let (runs, end) = (Arc::<AtomicU32>::default(), Arc::<Notify>::default());
        let stalled = Stalled { runs: Arc::clone(&runs), end: Arc::clone(&end) };
        let readiness = Readiness::new(vec![Box::new(stalled)]);
        for _ in 0..3 {
            let refusal = readiness.check().await.unwrap_err();
            assert_eq!(refusal.to_string(), "the readiness check `stalled` gave no answer");
        }
        assert_eq!(runs.load(Ordering::SeqCst), 1, "the abandoned round is joined, not repeated");
        end.notify_one();
        readiness.check().await.unwrap();
        end.notify_one();
        readiness.check().await.unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 2, "a round that ended is not reused");
    }

    #[tokio::test]
    async fn a_check_that_panics_fails_its_round_and_not_the_next() {
        let readiness = Readiness::new(vec![Box::new(Panicking)]);
        for _ in 0..2 {
            let refusal = readiness.check().await.unwrap_err();
            assert_eq!(refusal.to_string(), "the readiness check `panicking` gave no answer");
        }
    }
}
