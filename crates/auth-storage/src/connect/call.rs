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
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::Database;
use super::retry::{Earlier, Retries};
use super::standing::NotPrimary;
use crate::error::{Again, CallTimedOut, Interrupted, Trouble};

/// How many times its limit a call that nobody waits for any more may take, before it is dropped.
const PATIENCE: u32 = 3;

/// How long connections are replaced after one was dropped in the middle of a call.
const DISTRUST: Duration = Duration::from_secs(60);

impl Database {
    /// Runs work on [`connection`](Self::connection) as our own calls run: in a task of its own, which is finished also when the
    /// caller is gone, and bounded by [`ConnectOptions::call_timeout`](crate::ConnectOptions::call_timeout).
    ///
    /// A driver whose future is dropped in the middle of a statement may leave its connection unusable, so work with a deadline
    /// belongs in here.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](auth_core::StoreErrorKind::Unavailable), when the work did not end in time or the file of a SQLite database
    /// is not in its place. An error of the work itself is in its output.
    pub fn run<T, F>(&self, work: F) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        // On the heap from the start: what a caller awaits stays small.
        let (database, work) = (self.clone(), Box::pin(work));
        async move { database.read(async move { Ok(work.await) }).await }
    }

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
            Ok(Ok(outcome)) => outcome.map_err(|trouble| self.distrust.explain(trouble)),
            Ok(Err(ended)) => match ended.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => Err(StoreError::unavailable(Interrupted)),
            },
            Err(_) => Err(StoreError::unavailable(CallTimedOut)),
        }
    }

    /// Runs a call that writes, and repeats it while the database gives its transaction up. `attempt` begins and commits.
    /// It must be idempotent: it is told when an earlier attempt may have been committed.
    pub(crate) async fn write<T, A, F>(&self, attempt: A) -> Result<T, StoreError>
    where
        T: Send + 'static,
        A: Fn(Earlier) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        self.attempt(attempt, |again| again).await
    }

    /// Like [`write`](Self::write), for an attempt that must not be committed twice: it is repeated only when the
    /// database says that it was rolled back.
    pub(crate) async fn write_at_most_once<T, A, F>(&self, attempt: A) -> Result<T, StoreError>
    where
        T: Send + 'static,
        A: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        let only_if_rolled_back = |again| if again == Again::RolledBack { again } else { Again::Never };
        self.attempt(move |_| attempt(), only_if_rolled_back).await
    }

    async fn attempt<T, A, F>(&self, attempt: A, permitted: fn(Again) -> Again) -> Result<T, StoreError>
    where
        T: Send + 'static,
        A: Fn(Earlier) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        let write_turn = self.write_turn.clone();
        let mut retries = Retries::until(Instant::now() + self.call_timeout);
        let outcome = self
            .read(async move {
                let _turn = match &write_turn {
                    Some(turn) => Some(turn.lock().await),
                    None => None,
                };
                loop {
                    let trouble = match attempt(retries.earlier()).await {
                        Err(trouble) => trouble,
                        done => return done,
                    };
                    match retries.next_pause(permitted(trouble.again())) {
                        Some(pause) => sleep(pause).await,
                        None => return Err(trouble),
                    }
                }
            })
            .await;
        if outcome.is_err() {
            self.writability().write_failed();
        }
        outcome
    }
}

/// Whether connections that come back to the pool are to be replaced, and why a server was refused.
#[derive(Debug, Default)]
pub(super) struct Distrust {
    until: Mutex<Option<Instant>>,
    refusal: Mutex<Option<NotPrimary>>,
    trouble: Notify,
}

impl Distrust {
    fn begin(&self) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + DISTRUST);
    }

    pub(super) fn holds(&self) -> bool {
        self.until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    /// Remembers why the last attempt to connect was refused; `None` when it was not.
    pub(super) fn note_refusal(&self, reason: Option<NotPrimary>) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// Wakes whoever waits for [`trouble`](Self::trouble).
    pub(super) fn note_trouble(&self) {
        self.trouble.notify_one();
    }

    /// Waits until somebody got no connection.
    pub(super) async fn trouble(&self) {
        self.trouble.notified().await;
    }

    /// Why the last attempt to connect was refused.
    pub(super) fn refusal(&self) -> Option<NotPrimary> {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The error of a call. Where there was no connection to be had, the reason is that every server was refused.
    fn explain(&self, trouble: Trouble) -> StoreError {
        if trouble.is_no_connection() {
            self.note_trouble();
        }
        match self.refusal() {
            Some(reason) if trouble.is_no_connection() => reason.into(),
            _ => trouble.into(),
        }
    }
}
