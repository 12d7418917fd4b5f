//! Look-ups of one digest that come at the same time and share one read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::PersonalTokenDigest;

/// Look-ups that are under way. Callers with the same digest share one, and all get its outcome.
///
/// The first caller runs it. If that caller goes away, the next one runs it anew.
#[derive(Debug)]
pub(super) struct Flights<T> {
    under_way: Mutex<HashMap<PersonalTokenDigest, Arc<Flight<T>>>>,
}

/// The outcome of one look-up, once there is one. Who runs it holds the lock.
type Flight<T> = async_lock::Mutex<Option<T>>;

impl<T: Clone> Flights<T> {
    pub(super) fn new() -> Self {
        Self { under_way: Mutex::default() }
    }

    /// Returns the outcome of `look_up`, or of the look-up of this digest that is under way.
    pub(super) async fn share(&self, digest: PersonalTokenDigest, look_up: impl Future<Output = T>) -> T {
        let seat = self.board(digest);
        let mut outcome = seat.flight.lock().await;
        if let Some(outcome) = &*outcome {
            return outcome.clone();
        }
        let found = look_up.await;
        // Whoever comes from now on begins a new look-up, because the outcome is of the past.
        seat.close();
        *outcome = Some(found.clone());
        found
    }

    /// Returns the number of digests whose look-up is under way.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn board(&self, digest: PersonalTokenDigest) -> Seat<'_, T> {
        let flight = Arc::clone(self.lock().entry(digest).or_default());
        Seat { flights: self, digest, flight }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PersonalTokenDigest, Arc<Flight<T>>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of one caller in a look-up. The last one who leaves removes it.
struct Seat<'f, T: Clone> {
    flights: &'f Flights<T>,
    digest: PersonalTokenDigest,
    flight: Arc<Flight<T>>,
}

impl<T: Clone> Seat<'_, T> {
    fn close(&self) {
        let mut under_way = self.flights.lock();
        if under_way.get(&self.digest).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            under_way.remove(&self.digest);
        }
    }
}

impl<T: Clone> Drop for Seat<'_, T> {
    fn drop(&mut self) {
        let mut under_way = self.flights.lock();
        // Others board under the same lock. The two are the map and this seat.
        let is_last = Arc::strong_count(&self.flight) <= 2;
        if is_last && under_way.get(&self.digest).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            under_way.remove(&self.digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt as _;

    use super::*;

    const DIGEST: PersonalTokenDigest = PersonalTokenDigest([7; 32]);

    #[test]
    fn two_callers_share_one_look_up_and_the_next_one_looks_again() {
        let flights = Flights::new();
        let (answer, waits) = tokio::sync::oneshot::channel();
        let mut first = Box::pin(flights.share(DIGEST, async { waits.await.unwrap() }));
        assert_eq!(first.as_mut().now_or_never(), None);
        let mut second = Box::pin(flights.share(DIGEST, ready(2)));
        assert_eq!(second.as_mut().now_or_never(), None);
        answer.send(1).unwrap();
        assert_eq!(first.now_or_never(), Some(1));
        assert_eq!(flights.share(DIGEST, ready(3)).now_or_never(), Some(3));
        assert_eq!(second.now_or_never(), Some(1));
        assert_eq!(flights.len(), 0);
    }

    #[test]
    fn the_next_caller_takes_over_and_nothing_is_left_behind() {
        let flights = Flights::new();
        let mut first = Box::pin(flights.share(DIGEST, pending::<u8>()));
        assert_eq!(first.as_mut().now_or_never(), None);
        let mut second = Box::pin(flights.share(DIGEST, ready(2)));
        assert_eq!(second.as_mut().now_or_never(), None);
        drop(first);
        assert_eq!(second.now_or_never(), Some(2));
        let mut alone = Box::pin(flights.share(DIGEST, pending::<u8>()));
        assert_eq!(alone.as_mut().now_or_never(), None);
        drop(alone);
        assert_eq!(flights.len(), 0);
    }
}
