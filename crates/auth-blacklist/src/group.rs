//! Group commit: revocations that come while one is being written share the next transaction.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_lock::Mutex as AsyncMutex;
use futures_channel::oneshot;
use futures_util::future::{Either, select};

use auth_core::StoreError;
use auth_core::{Revocation, RevocationLog};

/// How many revocations one transaction takes at the most.
const MAX_BATCH: usize = 500;

/// Appends to a log in groups. A lone revocation is written at once; those that arrive while a transaction is under way
/// wait for it and are then written together by whoever of them comes first.
#[derive(Debug)]
pub(super) struct GroupCommit {
    log: Arc<dyn RevocationLog>,
    waiting: Mutex<Vec<Waiter>>,
    /// Held while a transaction is under way.
    turn: AsyncMutex<()>,
}

#[derive(Debug)]
struct Waiter {
    revocation: Revocation,
    answer: oneshot::Sender<Result<(), Shared>>,
}

/// One failure, told to everybody who was in the batch.
#[derive(Debug, Clone)]
struct Shared(Arc<StoreError>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl From<Shared> for StoreError {
    fn from(shared: Shared) -> Self {
        Self::new(shared.0.kind(), shared)
    }
}

impl GroupCommit {
    pub(super) fn new(log: Arc<dyn RevocationLog>) -> Self {
        Self { log, waiting: Mutex::default(), turn: AsyncMutex::new(()) }
    }

    /// Returns once the revocation is durable.
    ///
    /// Dropping the future may leave the revocation written or not, as any lost connection does; nobody else's is
    /// affected: if the one who writes goes away, the others of its batch notice and write theirs again, which is
    /// harmless because appending is idempotent.
    pub(super) async fn append(&self, revocation: Revocation) -> Result<(), StoreError> {
        loop {
            let (answer, mut result) = oneshot::channel();
            self.lock().push(Waiter { revocation, answer });
            let turn = match select(&mut result, std::pin::pin!(self.turn.lock())).await {
                Either::Left((Ok(outcome), _)) => return outcome.map_err(StoreError::from),
                Either::Left((Err(oneshot::Canceled), _)) => continue,
                Either::Right((turn, _)) => turn,
            };
            // It is our turn. We may have been answered just before, or our writer may have gone.
            loop {
                match result.try_recv() {
                    Ok(Some(outcome)) => return outcome.map_err(StoreError::from),
                    Ok(None) => self.write_batch().await,
                    Err(oneshot::Canceled) => break,
                }
            }
            drop(turn);
        }
    }

    /// Writes what waits, at most [`MAX_BATCH`], oldest first.
    async fn write_batch(&self) {
        let batch: Vec<Waiter> = {
            let mut waiting = self.lock();
            waiting.retain(|waiter| !waiter.answer.is_canceled());
            let size = waiting.len().min(MAX_BATCH);
            waiting.drain(..size).collect()
        };
        let revocations: Vec<_> = batch.iter().map(|waiter| waiter.revocation).collect();
        let outcome = self.log.append(&revocations).await.map(drop).map_err(|error| Shared(Arc::new(error)));
        for waiter in batch {
            // Who has gone meanwhile does not need the answer.
            let _ = waiter.answer.send(outcome.clone());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiter>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
