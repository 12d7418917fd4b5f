//! One call of a store: bounded in time, and finished even when nobody waits for it.
//!
//! A driver that is dropped in the middle of a statement leaves its connection somewhere between two answers of the server, or
//! inside a transaction that it does not know of; the pool would lend it to the next caller. So a call is a task of
//! its own. A caller who goes away, or has waited long enough, leaves it behind; it ends by itself, because servers
//! bound their statements too. Only when the server is silent for much longer is the call dropped, and then every
//! connection that comes back to the pool in the next while is replaced.

use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auth_core::StoreError;
use tokio::time::{Instant, timeout};

use super::Database;
use crate::error::{CallTimedOut, Interrupted, Trouble};

/// How often a transaction is tried that the database keeps giving up in favour of others.
const MAX_ATTEMPTS: u32 = 5;

/// How many times its limit a call that nobody waits for any more may take, before it is dropped.
const PATIENCE: u32 = 3;

/// How long connections are replaced after one was dropped in the middle of a call.
const DISTRUST: Duration = Duration::from_secs(60);

impl Database {
    /// Runs a call that only reads, or writes in one statement.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        self.is_in_place()?;
        self.call(work).await
    }

    /// Runs a call, also where the database file is not in its place any more.
    pub(super) async fn call<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        let distrust = Arc::clone(&self.distrust);
        let limit = self.call_timeout * PATIENCE;
        let call = tokio::spawn(async move {
            let mut work = pin!(timeout(limit, work));
            // `work` is dropped after this, and its connection is then given back.
            work.as_mut().await.unwrap_or_else(|_| {
                distrust.begin();
                Err(StoreError::unavailable(CallTimedOut).into())
            })
        });
        match timeout(self.call_timeout, call).await {
            Ok(Ok(outcome)) => Ok(outcome?),
            Ok(Err(ended)) => match ended.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => Err(StoreError::unavailable(Interrupted)),
            },
            Err(_) => Err(StoreError::unavailable(CallTimedOut)),
        }
    }

    /// Runs a call that writes, again when the database gave its transaction up in favour of another one. `attempt` begins
    /// and commits.
    pub(crate) async fn write<T, A, F>(&self, attempt: A) -> Result<T, StoreError>
    where
        T: Send + 'static,
        A: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        let write_turn = self.write_turn.clone();
        self.read(async move {
            let _turn = match &write_turn {
                Some(turn) => Some(turn.lock().await),
                None => None,
            };
            for _ in 1..MAX_ATTEMPTS {
                match attempt().await {
                    Err(trouble) if trouble.is_conflict() => {}
                    outcome => return outcome,
                }
            }
            attempt().await
        })
        .await
    }
}

/// Whether connections that come back to the pool are to be replaced.
#[derive(Debug, Default)]
pub(super) struct Distrust {
    until: Mutex<Option<Instant>>,
}

impl Distrust {
    fn begin(&self) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + DISTRUST);
    }

    pub(super) fn holds(&self) -> bool {
        self.until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }
}
