//! Calls of the stores. A call is bounded in time, and finished even when its caller is dropped.
//!
//! A driver that is dropped in the middle of a statement leaves its connection in the middle of an answer, or in a transaction that
//! it does not count, and the pool would lend that connection to the next caller. So a call is a task of its own. When the caller
//! is dropped, or its time is up, the task goes on and ends by itself, because servers bound their statements too. Only when the
//! server is silent for much longer is the task dropped. Then every connection that returns to the pool within a minute is replaced.

use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;

use auth_core::StoreError;
use tokio::time::{Instant, sleep, timeout};

use super::database::Database;
use super::retry::{EarlierAttempts, Retries};
use crate::error::{AttemptError, CallTimedOut, Interrupted, Repeatable};

/// Number of call timeouts after which a call is dropped.
const ABANDON_AFTER: u32 = 3;

impl Database {
    /// Runs work on [`connection`](Self::connection) as the calls of the stores run: in a task of its own, which is finished even when
    /// the caller is dropped, and bounded by [`ConnectOptions::call_timeout`](crate::ConnectOptions::call_timeout).
    ///
    /// A driver whose future is dropped in the middle of a statement may leave its connection unusable, so use this for work with a
    /// deadline.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](auth_core::StoreErrorKind::Unavailable), when the work did not end in time, or the file of a SQLite database
    /// was moved, removed or replaced. An error of the work itself is in its output.
    pub fn run<T, F>(&self, work: F) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        // On the heap, so that the future of the caller stays small.
        let (database, work) = (self.clone(), Box::pin(work));
        async move { database.read(async move { Ok(work.await) }).await }
    }

    /// Runs a call that only reads, or writes in one statement.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, AttemptError>> + Send + 'static,
    {
        self.check_file()?;
        self.call(work).await
    }

    /// Runs a call, also after the file of a SQLite database was moved, removed or replaced.
    pub(super) async fn call<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, AttemptError>> + Send + 'static,
    {
        let health = Arc::clone(&self.pool_health);
        let limit = self.call_timeout * ABANDON_AFTER;
        let call = tokio::spawn(async move {
            let work = async {
                let _turn = health.turn().await?;
                work.await
            };
            let mut work = pin!(timeout(limit, work));
            // `work` is dropped after this, and its connection is then given back.
            work.as_mut().await.unwrap_or_else(|_| {
                health.note_interruption();
                Err(StoreError::unavailable(CallTimedOut).into())
            })
        });
        match timeout(self.call_timeout, call).await {
            Ok(Ok(outcome)) => outcome.map_err(|error| self.pool_health.explain(error)),
            Ok(Err(ended)) => match ended.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => Err(StoreError::unavailable(Interrupted)),
            },
            Err(_) => Err(StoreError::unavailable(CallTimedOut)),
        }
    }

    /// Runs a call that writes, and repeats it while the database rolls its transaction back in favour of another one. `attempt`
    /// begins and commits. It must be idempotent: its argument says whether an earlier attempt may have been committed.
    pub(crate) async fn write<T, A, F>(&self, attempt: A) -> Result<T, StoreError>
    where
        T: Send + 'static,
        A: Fn(EarlierAttempts) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, AttemptError>> + Send + 'static,
    {
        self.attempt(attempt, |repeatable| repeatable).await
    }

    /// Like [`write`](Self::write), for an attempt that must not be committed twice: it is repeated only when the database reports
    /// that it was rolled back.
    pub(crate) async fn write_at_most_once<T, A, F>(&self, attempt: A) -> Result<T, StoreError>
    where
        T: Send + 'static,
        A: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, AttemptError>> + Send + 'static,
    {
        let only_if_rolled_back = |repeatable| {
            if repeatable == Repeatable::RolledBack { repeatable } else { Repeatable::Never }
        };
        self.attempt(move |_| attempt(), only_if_rolled_back).await
    }

    async fn attempt<T, A, F>(&self, attempt: A, permitted: fn(Repeatable) -> Repeatable) -> Result<T, StoreError>
    where
        T: Send + 'static,
        A: Fn(EarlierAttempts) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, AttemptError>> + Send + 'static,
    {
        let write_queue = self.write_queue.clone();
        let mut retries = Retries::until(Instant::now() + self.call_timeout);
        let outcome = self
            .read(async move {
                let _turn = match &write_queue {
                    Some(queue) => Some(queue.lock().await),
                    None => None,
                };
                loop {
                    let error = match attempt(retries.earlier()).await {
                        Err(error) => error,
                        done => return done,
                    };
                    match retries.next_pause(permitted(error.repeatable())) {
                        Some(pause) => sleep(pause).await,
                        None => return Err(error),
                    }
                }
            })
            .await;
        if outcome.is_err() {
            self.write_health().write_failed();
        }
        outcome
    }
}
