//! Observations about the connections of a pool, shared by the calls that make them and the pool that acts on them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use auth_core::StoreError;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::primary::NotPrimary;
use crate::error::AttemptError;

/// How long connections are replaced after a call was dropped in the middle of a statement.
const SUSPECT_FOR: Duration = Duration::from_secs(60);

/// The observations about one pool.
#[derive(Debug, Default)]
pub(super) struct PoolHealth {
    suspect_until: Mutex<Option<Instant>>,
    refusal: Mutex<Option<NotPrimary>>,
    failure: Notify,
}

impl PoolHealth {
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
