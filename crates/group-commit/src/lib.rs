#![doc = include_str!("../README.md")]

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_lock::Mutex as AsyncMutex;
use futures_channel::oneshot;
use futures_util::future::{Either, select};

/// Group commit of items of type `I`, each of which gets a result of type `O`, or an error of type `E` that the whole
/// batch shares.
pub struct GroupCommit<I, O, E> {
    waiting: Mutex<Vec<Waiter<I, O, E>>>,
    /// Held while a batch is being written.
    writing: AsyncMutex<()>,
    max_batch: usize,
}

struct Waiter<I, O, E> {
    item: I,
    answer: oneshot::Sender<Result<O, E>>,
}

impl<I: Clone, O, E: Clone> GroupCommit<I, O, E> {
    /// Returns a group whose batches have at most `max_batch` items, and at least one.
    #[must_use]
    pub fn new(max_batch: usize) -> Self {
        Self { waiting: Mutex::default(), writing: AsyncMutex::new(()), max_batch: max_batch.max(1) }
    }

    /// Writes an item, alone or with others, and returns its result.
    ///
    /// `write` is called with a batch, oldest item first, and returns one result for each item in the same order. It may not be
    /// called at all, because another caller writes the item. All callers of a group must pass the same `write`.
    ///
    /// When the future is dropped, the item may or may not be written, as with a lost connection. No other item is affected: if
    /// the caller that writes goes away, the other callers of its batch write their items again. So a write must be
    /// idempotent.
    ///
    /// # Errors
    ///
    /// The error of the batch that the item was in.
    ///
    /// # Panics
    ///
    /// When `write` returns fewer results than it was given items.
    pub async fn write<F>(&self, item: I, write: impl Fn(Vec<I>) -> F) -> Result<O, E>
    where
        F: Future<Output = Result<Vec<O>, E>>,
    {
        loop {
            let (answer, mut result) = oneshot::channel();
            self.lock().push(Waiter { item: item.clone(), answer });
            let guard = match select(&mut result, std::pin::pin!(self.writing.lock())).await {
                Either::Left((Ok(outcome), _)) => return outcome,
                Either::Left((Err(oneshot::Canceled), _)) => continue,
                Either::Right((guard, _)) => guard,
            };
            // This caller writes now, unless it was answered just before or its writer has gone.
            loop {
                match result.try_recv() {
                    Ok(Some(outcome)) => return outcome,
                    Ok(None) => self.write_batch(&write).await,
                    Err(oneshot::Canceled) => break,
                }
            }
            drop(guard);
        }
    }

    /// Writes the waiting items, at most [`max_batch`](Self::max_batch), oldest first.
    async fn write_batch<F>(&self, write: impl Fn(Vec<I>) -> F)
    where
        F: Future<Output = Result<Vec<O>, E>>,
    {
        let (items, answers): (Vec<_>, Vec<_>) = {
            let mut waiting = self.lock();
            waiting.retain(|waiter| !waiter.answer.is_canceled());
            let size = waiting.len().min(self.max_batch);
            waiting.drain(..size).map(|Waiter { item, answer }| (item, answer)).unzip()
        };
        // A caller that has gone does not need its answer.
        match write(items).await {
            Ok(results) => {
                assert!(results.len() >= answers.len(), "a batch of {} got {} results", answers.len(), results.len());
                for (answer, result) in answers.into_iter().zip(results) {
                    let _ = answer.send(Ok(result));
                }
            }
            Err(error) => {
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiter<I, O, E>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I, O, E> fmt::Debug for GroupCommit<I, O, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupCommit").field("max_batch", &self.max_batch).finish_non_exhaustive()
    }
}
