//! Background tasks: following the log, purging, and upgrading hashes after logins.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth_blacklist::{FollowEvent, SyncedBlacklist};
use auth_core::StoreError;
use auth_core::letters::{Delivery, DeliveryStep};
use auth_core::purge::{Purge, PurgeEvent};
use auth_jwt::{KeyChange, KeyEvent, ManagedKeys};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::error::StopError;

/// The background tasks of one [`RevocableAuth`](crate::RevocableAuth). Dropping it aborts them.
#[derive(Debug)]
pub(crate) struct Tasks {
    /// Tasks that run until they are aborted. Each may be aborted at any await point: a statement that a store has begun is a
    /// task of its own and ends by itself.
    loops: JoinSet<()>,
    upgrades: Upgrades,
}

impl Tasks {
    pub(crate) fn new(upgrades: Upgrades) -> Self {
        Self { loops: JoinSet::new(), upgrades }
    }

    /// Keeps the blacklist in step with its log.
    pub(crate) fn follow(&mut self, blacklist: Arc<SyncedBlacklist>, poll: Duration) {
        self.loops.spawn(async move { blacklist.follow(poll, tokio::time::sleep, log_follow).await });
    }

    /// Follows the managed keys, and makes a new one when that is due.
    pub(crate) fn follow_keys(&mut self, keys: Arc<ManagedKeys>) {
        self.loops.spawn(async move { keys.follow(log_keys).await });
    }

    /// Removes expired rows at an interval.
    pub(crate) fn purge(&mut self, purge: Purge) {
        self.loops.spawn(purge.run(tokio::time::sleep, |event| log_purge(&event)));
    }

    /// Sends the letters of the outbox.
    pub(crate) fn deliver(&mut self, delivery: Delivery) {
        self.loops.spawn(async move { delivery.run(tokio::time::sleep, log_delivery).await });
    }

    /// Aborts the loops, waits for the hash upgrade that is under way, and returns when no task is left.
    ///
    /// # Errors
    ///
    /// [`StopError::Panicked`] if a task had panicked.
    pub(crate) async fn stop(mut self) -> Result<(), StopError> {
        self.loops.abort_all();
        let mut panicked = false;
        while let Some(ended) = self.loops.join_next().await {
            panicked |= ended.is_err_and(|error| error.is_panic());
        }
        if let Some(mut upgrades) = self.upgrades.close() {
            while let Some(ended) = upgrades.join_next().await {
                panicked |= ended.is_err();
            }
        }
        if panicked { Err(StopError::Panicked) } else { Ok(()) }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        drop(self.upgrades.close());
    }
}

/// The tasks that replace a password hash after a login. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Upgrades {
    /// `None` once stopped.
    running: Arc<Mutex<Option<JoinSet<()>>>>,
    runtime: Handle,
}

impl Upgrades {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self { running: Arc::new(Mutex::new(Some(JoinSet::new()))), runtime }
    }

    /// Runs a task, unless upgrades have been closed.
    pub(crate) fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        if let Some(running) = self.lock().as_mut() {
            // Frees the results of those that have ended.
            while running.try_join_next().is_some() {}
            running.spawn_on(task, &self.runtime);
        }
    }

    fn close(&self) -> Option<JoinSet<()>> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log_follow(event: FollowEvent) {
    match event {
        FollowEvent::Failing(error) => {
            let error = &error as &dyn Error;
            tracing::error!(error, "the log of revocations cannot be read; token checks will read the database");
        }
        FollowEvent::Recovered => tracing::info!("the log of revocations is read again"),
        FollowEvent::LossFound(found) => tracing::error!(
            %found,
            "the log of revocations lost entries that were acknowledged, as after a failover or a restored backup: \
             tokens that were logged out may be accepted again"
        ),
        FollowEvent::LossAcknowledged => tracing::info!("the loss of revocations was acknowledged"),
        _ => {}
    }
}

fn log_keys(event: KeyEvent) {
    match event {
        KeyEvent::Changed(KeyChange::Published { kid, signs_from }) => {
            tracing::info!(kid, %signs_from, "a new key was published");
        }
        KeyEvent::Changed(KeyChange::Signing { kid }) => tracing::info!(kid, "tokens are signed with another key"),
        KeyEvent::Failing(error) => {
            tracing::error!(error = &error as &dyn Error, "the keys cannot be read or used; those that were read stay");
        }
        KeyEvent::Recovered => tracing::info!("the keys are read again"),
        _ => {}
    }
}

fn log_delivery(step: Result<DeliveryStep, StoreError>) {
    let step = match step {
        Ok(step) => step,
        Err(error) => {
            let error = &error as &dyn Error;
            return tracing::warn!(error, "the outbox cannot be read; trying again");
        }
    };
    for letter in &step.delayed {
        let error = letter.error.as_deref().map(|error| error as &dyn Error);
        tracing::warn!(letter = %letter.id, attempts = letter.attempts, error, "a letter was not sent; trying again later");
    }
    for letter in &step.given_up {
        let error = letter.error.as_deref().map(|error| error as &dyn Error);
        tracing::error!(letter = %letter.id, user = %letter.user_id, error, "a letter was given up");
    }
    for id in &step.unreadable {
        tracing::error!(letter = %id, "a row of the outbox cannot be read");
    }
    for error in &step.failures {
        tracing::warn!(error = error as &dyn Error, "the outbox cannot be written; a letter may be sent again");
    }
}

fn log_purge(event: &PurgeEvent) {
    match event {
        PurgeEvent::Revocations(Ok(removed @ 1..)) => tracing::debug!(removed, "expired revocations were removed"),
        PurgeEvent::Attempts(Ok(removed @ 1..)) => tracing::debug!(removed, "expired attempt counters were removed"),
        PurgeEvent::Sessions(Ok(removed @ 1..)) => tracing::debug!(removed, "sessions that had ended were removed"),
        PurgeEvent::OneTimeTokens(Ok(removed @ 1..)) => {
            tracing::debug!(removed, "one-time tokens that expired were removed");
        }
        PurgeEvent::PersonalTokens(Ok(removed @ 1..)) => {
            tracing::debug!(removed, "personal access tokens that expired were removed");
        }
        PurgeEvent::Revocations(Err(error))
        | PurgeEvent::Attempts(Err(error))
        | PurgeEvent::Sessions(Err(error))
        | PurgeEvent::OneTimeTokens(Err(error))
        | PurgeEvent::PersonalTokens(Err(error)) => {
            tracing::warn!(error = error as &dyn Error, "expired rows were not removed; trying again later");
        }
        _ => {}
    }
}
