//! Observations about the connections of a pool, shared by the calls that make them and the pool that acts on them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use auth_core::StoreError;
use sea_orm::{ConnAcquireErr, DbErr};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use super::primary::NotPrimary;
use crate::error::AttemptError;

/// How long connections are replaced after a call was dropped in the middle of a statement.
const SUSPECT_FOR: Duration = Duration::from_secs(60);

/// The observations about one pool.
#[derive(Debug)]
pub(super) struct PoolHealth {
    suspect_until: Mutex<Option<Instant>>,
    refusal: Mutex<Option<NotPrimary>>,
    failure: Notify,
    /// One for each connection of the pool.
    turns: Semaphore,
    acquire_timeout: Duration,
}

impl PoolHealth {
    pub(super) fn new(acquire_timeout: Duration, turns: usize) -> Self {
        Self {
            suspect_until: Mutex::default(),
            refusal: Mutex::default(),
            failure: Notify::default(),
            turns: Semaphore::new(turns),
            acquire_timeout,
        }
    }

    /// Waits until a call may ask the pool for a connection, at most as long as it then may wait for that connection.
    ///
    /// The pool counts the time in its own queue as well. If the queue of a silent server were there, each call would get a slot of the
    /// pool just before its time is up, open a connection and drop it: the server would get as many connections as there are calls.
    /// Here each attempt to connect lasts the whole time, so their number does not depend on that of the calls.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, AttemptError> {
        if let Ok(turn) = self.turns.try_acquire() {
            return Ok(turn);
        }
        match timeout(self.acquire_timeout, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout).into()),
        }
    }

    /// Records that a call was dropped in the middle of a statement. It is unknown which connection it used.
    pub(super) fn note_interruption(&self) {
        *self.suspect_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + SUSPECT_FOR);
    }

    /// Returns true while connections that come back to the pool must be replaced.
    pub(super) fn is_suspect(&self) -> bool {
        self.suspect_until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    /// The reason why the last attempt to connect was refused.
    pub(super) fn refusal(&self) -> Option<NotPrimary> {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the error of a call. The lack of a connection is explained by the refusal of the server, if there was one.
    pub(super) fn explain(&self, error: AttemptError) -> StoreError {
        if error.is_no_connection() {
            self.note_failure();
        }
        match self.refusal() {
            Some(reason) if error.is_no_connection() => reason.into(),
            _ => error.into(),
        }
    }

    /// Wakes the task that waits for a [`failure`](Self::failure).
    pub(super) fn note_failure(&self) {
        self.failure.notify_one();
    }
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
impl PoolHealth {
    /// Records why an attempt to connect was refused, or `None` when it was not.
    pub(super) fn note_refusal(&self, reason: Option<NotPrimary>) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// Waits until a call got no connection.
    pub(super) async fn failure(&self) {
        self.failure.notified().await;
    }
}
