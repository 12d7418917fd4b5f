//! Bounds of the look-ups that run and wait.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_lock::{Semaphore, SemaphoreGuard};

use crate::error::StoreError;

/// Number of look-ups that may wait in one lane.
const WAITING: usize = 1_024;

/// Lane of look-ups, with a bound for those that run and one for those that wait.
#[derive(Debug)]
pub(super) struct Lane {
    permits: Semaphore,
    waiting: AtomicUsize,
    /// Number of look-ups that found the store unavailable.
    outages: AtomicUsize,
}

/// Error of a look-up that may not even wait.
#[derive(Debug, thiserror::Error)]
#[error("too many look-ups of personal tokens are waiting")]
struct TooManyLookUps;

/// Error of a look-up that waited for one that failed.
#[derive(Debug, thiserror::Error)]
#[error("the store of personal tokens was unavailable to a look-up before this one")]
struct EarlierOutage;

impl Lane {
    /// Returns a lane in which this number of look-ups run at once.
    pub(super) fn new(running: usize) -> Self {
        Self { permits: Semaphore::new(running), waiting: AtomicUsize::new(0), outages: AtomicUsize::new(0) }
    }

    /// Waits until one more look-up may run. It runs until the guard is dropped.
    ///
    /// A look-up that waits while another one finds the store unavailable is not run. So nobody waits longer than one call of the
    /// store may take.
    pub(super) async fn enter(&self) -> Result<SemaphoreGuard<'_>, StoreError> {
        if let Some(permit) = self.permits.try_acquire() {
            return Ok(permit);
        }
        let outages = self.outages.load(Ordering::Relaxed);
        let Some(_waiting) = Waiting::begin(&self.waiting) else {
            return Err(StoreError::unavailable(TooManyLookUps));
        };
        let permit = self.permits.acquire().await;
        if self.outages.load(Ordering::Relaxed) != outages {
            return Err(StoreError::unavailable(EarlierOutage));
        }
        Ok(permit)
    }

    /// Notes that a look-up found the store unavailable.
    pub(super) fn note_outage(&self) {
        self.outages.fetch_add(1, Ordering::Relaxed);
    }
}

/// A look-up that waits, until it is dropped.
struct Waiting<'l>(&'l AtomicUsize);

impl<'l> Waiting<'l> {
    fn begin(waiting: &'l AtomicUsize) -> Option<Self> {
        let one_more = |number| (number < WAITING).then_some(number + 1);
        waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Self(waiting))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::error::StoreErrorKind;

    #[test]
    fn a_full_lane_refuses_and_is_free_again_afterwards() {
        let lane = Lane::new(3);
        let running: Vec<_> = (0..3).map(|_| lane.enter().now_or_never().unwrap().unwrap()).collect();
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(lane.enter())).collect();
        assert!(waiting.iter_mut().all(|entry| entry.now_or_never().is_none()));
        let refused = lane.enter().now_or_never().unwrap().err().unwrap();
        assert_eq!(refused.kind(), StoreErrorKind::Unavailable);
        drop((running, waiting));
        assert!(lane.enter().now_or_never().unwrap().is_ok());
        assert_eq!(lane.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn whoever_waits_while_the_store_is_unavailable_is_not_run() {
        let lane = Lane::new(1);
        let running = lane.enter().now_or_never().unwrap().unwrap();
        let mut waiting = Box::pin(lane.enter());
        assert!(waiting.as_mut().now_or_never().is_none());
        lane.note_outage();
        let mut late = Box::pin(lane.enter());
        assert!(late.as_mut().now_or_never().is_none());
        drop(running);
        let refused = waiting.now_or_never().unwrap().err().unwrap();
        assert_eq!(refused.kind(), StoreErrorKind::Unavailable);
        assert!(late.now_or_never().unwrap().is_ok(), "it came after the outage");
    }
}
