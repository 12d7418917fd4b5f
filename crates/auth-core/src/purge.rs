//! Removing expired revocations, attempt counters, sessions, one-time tokens and personal tokens, over and over, for as long as a node runs.

use std::sync::Arc;
use std::time::Duration;

use crate::blacklist::{RevocationLog, purge_expired};
use crate::clock::Clock;
use crate::error::StoreError;
use crate::events;
use crate::one_time_store::{OneTimeTokenStore, purge_one_time_tokens};
use crate::personal::{PersonalTokenStore, purge_personal_tokens};
use crate::random::jittered;
use crate::session::{SessionStore, purge_sessions};
use crate::throttle::{AttemptStore, purge_counters};

/// Time between two purges unless [`Purge::interval`] is called: ten minutes.
pub const PURGE_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Largest number of rows that a purge removes in one transaction.
pub const PURGE_BATCH: u32 = 1_000;

/// Pause between two batches of a purge, in which logouts have the log to themselves.
pub const PURGE_PAUSE: Duration = Duration::from_millis(50);

/// Removes expired revocations, attempt counters, sessions, one-time tokens and personal tokens at an interval.
///
/// Without it their tables grow for ever. Every node may run one; they do not disturb each other.
#[derive(Debug)]
#[must_use]
pub struct Purge {
    clock: Arc<dyn Clock>,
    revocations: Option<Arc<dyn RevocationLog>>,
    attempts: Option<Arc<dyn AttemptStore>>,
    sessions: Option<Arc<dyn SessionStore>>,
    one_time_tokens: Option<Arc<dyn OneTimeTokenStore>>,
    personal_tokens: Option<Arc<dyn PersonalTokenStore>>,
    interval: Duration,
}

/// The outcome of one purge of one store, for log lines and metrics. After a failure the next purge tries again.
#[derive(Debug)]
#[non_exhaustive]
pub enum PurgeEvent {
    /// The number of expired entries that were removed from the log of revocations, or why the purge failed.
    Revocations(Result<u64, StoreError>),
    /// The number of expired counters that were removed from the store of attempts, or why the purge failed.
    Attempts(Result<u64, StoreError>),
    /// The number of sessions that were removed, or why the purge failed.
    Sessions(Result<u64, StoreError>),
    /// The number of expired one-time tokens that were removed, or why the purge failed.
    OneTimeTokens(Result<u64, StoreError>),
    /// The number of expired personal tokens that were removed, or why the purge failed.
    PersonalTokens(Result<u64, StoreError>),
}

impl Purge {
    /// Creates a purge of nothing. The earlier of `clock` and the clock of each store decides what has expired.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            revocations: None,
            attempts: None,
            sessions: None,
            one_time_tokens: None,
            personal_tokens: None,
            interval: PURGE_INTERVAL,
        }
    }

    /// Removes expired entries from this log of revocations.
    pub fn revocations(self, log: Arc<dyn RevocationLog>) -> Self {
        Self { revocations: Some(log), ..self }
    }

    /// Removes expired counters from this store of attempts.
    pub fn attempts(self, store: Arc<dyn AttemptStore>) -> Self {
        Self { attempts: Some(store), ..self }
    }

    /// Removes sessions that nothing needs any more from this store.
    pub fn sessions(self, store: Arc<dyn SessionStore>) -> Self {
        Self { sessions: Some(store), ..self }
    }

    /// Removes expired one-time tokens from this store.
    pub fn one_time_tokens(self, store: Arc<dyn OneTimeTokenStore>) -> Self {
        Self { one_time_tokens: Some(store), ..self }
    }

    /// Removes expired personal access tokens from this store.
    pub fn personal_tokens(self, store: Arc<dyn PersonalTokenStore>) -> Self {
        Self { personal_tokens: Some(store), ..self }
    }

    /// Sets the time between two purges. The default is [`PURGE_INTERVAL`]. Each wait is up to a fifth shorter or longer, so
    /// that nodes which were started together do not purge together.
    pub fn interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// Purges for as long as the future is polled; it never ends by itself. The first purge comes one interval after the
    /// start. Works with any runtime: `sleep` is the timer of yours. Dropping the future loses nothing, because what was
    /// removed stays removed.
    ///
    /// ```
    /// # async fn example(log: std::sync::Arc<dyn auth_core::RevocationLog>) {
    /// use std::sync::Arc;
    /// use auth_core::SystemClock;
    /// use auth_core::purge::Purge;
    ///
    /// let purge = Purge::new(Arc::new(SystemClock)).revocations(log);
    /// tokio::spawn(async move { purge.run(tokio::time::sleep, |_| {}).await });
    /// # }
    /// ```
    pub async fn run<S: Future<Output = ()>>(
        self,
        sleep: impl Fn(Duration) -> S + Clone,
        mut observe: impl FnMut(PurgeEvent),
    ) {
        let pause = || {
            let sleep = sleep.clone();
            move |_| sleep(PURGE_PAUSE)
        };
        loop {
            sleep(jittered(self.interval)).await;
            if let Some(log) = &self.revocations {
                let outcome = purge_expired(log.as_ref(), self.clock.now(), PURGE_BATCH, pause()).await;
                events::purge("revocations", &outcome);
                observe(PurgeEvent::Revocations(outcome));
            }
            if let Some(store) = &self.attempts {
                let outcome = purge_counters(store.as_ref(), self.clock.now(), PURGE_BATCH, pause()).await;
                events::purge("attempts", &outcome);
                observe(PurgeEvent::Attempts(outcome));
            }
            if let Some(store) = &self.sessions {
                let outcome = purge_sessions(store.as_ref(), self.clock.now(), PURGE_BATCH, pause()).await;
                events::purge("sessions", &outcome);
                observe(PurgeEvent::Sessions(outcome));
            }
            if let Some(store) = &self.one_time_tokens {
                let outcome = purge_one_time_tokens(store.as_ref(), self.clock.now(), PURGE_BATCH, pause()).await;
                events::purge("one_time_tokens", &outcome);
                observe(PurgeEvent::OneTimeTokens(outcome));
            }
            if let Some(store) = &self.personal_tokens {
                let outcome = purge_personal_tokens(store.as_ref(), self.clock.now(), PURGE_BATCH, pause()).await;
                events::purge("personal_tokens", &outcome);
                observe(PurgeEvent::PersonalTokens(outcome));
            }
        }
    }
}
