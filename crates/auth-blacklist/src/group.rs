//! Group commit: revocations that arrive while one is being written share the next transaction.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_lock::Mutex as AsyncMutex;
use futures_channel::oneshot;
use futures_util::future::{Either, select};

use auth_core::StoreError;
use auth_core::{Revocation, RevocationLog};

/// Maximum number of revocations in one transaction.
const MAX_BATCH: usize = 500;

/// Group commit to a log.
///
/// A single revocation is written at once. Revocations that arrive while a transaction is under way wait for it. Then
/// the first of their callers writes all of them together.
#[derive(Debug)]
pub(super) struct GroupCommit {
    log: Arc<dyn RevocationLog>,
    waiting: Mutex<Vec<Waiter>>,
    /// Held while a transaction is under way.
    writing: AsyncMutex<()>,
}

#[derive(Debug)]
struct Waiter {
    revocation: Revocation,
    answer: oneshot::Sender<Result<(), SharedError>>,
}

/// Failure of a batch, which every caller in the batch gets.
#[derive(Debug, Clone)]
struct SharedError(Arc<StoreError>);

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SharedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl From<SharedError> for StoreError {
    fn from(shared: SharedError) -> Self {
        Self::new(shared.0.kind(), shared)
    }
}

impl GroupCommit {
    pub(super) fn new(log: Arc<dyn RevocationLog>) -> Self {
        Self { log, waiting: Mutex::default(), writing: AsyncMutex::new(()) }
    }

    /// Returns once the revocation is durable.
    ///
    /// When the future is dropped, the revocation may or may not be written, as with a lost connection. No other
    /// revocation is affected. If the caller that writes goes away, the other callers of its batch notice and write
    /// theirs again. Appending is idempotent, so this is harmless.
    pub(super) async fn append(&self, revocation: Revocation) -> Result<(), StoreError> {
        loop {
            let (answer, mut result) = oneshot::channel();
            self.lock().push(Waiter { revocation, answer });
            let guard = match select(&mut result, std::pin::pin!(self.writing.lock())).await {
                Either::Left((Ok(outcome), _)) => return outcome.map_err(StoreError::from),
                Either::Left((Err(oneshot::Canceled), _)) => continue,
                Either::Right((guard, _)) => guard,
            };
            // This caller writes now, unless it was answered just before or its writer has gone.
            loop {
                match result.try_recv() {
                    Ok(Some(outcome)) => return outcome.map_err(StoreError::from),
                    Ok(None) => self.write_batch().await,
                    Err(oneshot::Canceled) => break,
                }
            }
            drop(guard);
        }
    }

    /// Writes the waiting revocations, at most [`MAX_BATCH`], oldest first.
    async fn write_batch(&self) {
        let batch: Vec<Waiter> = {
            let mut waiting = self.lock();
            waiting.retain(|waiter| !waiter.answer.is_canceled());
            let size = waiting.len().min(MAX_BATCH);
            waiting.drain(..size).collect()
        };
        let revocations: Vec<_> = batch.iter().map(|waiter| waiter.revocation).collect();
        let outcome = self.log.append(&revocations).await.map(drop).map_err(|error| SharedError(Arc::new(error)));
        for waiter in batch {
            // A caller that has gone does not need the answer.
            let _ = waiter.answer.send(outcome.clone());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiter>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
