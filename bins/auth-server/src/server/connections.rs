//! The connections of one server: the limit on their number, and the choice of the one that is closed for a new one.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{AcquireError, Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::connection::Connection;
use super::io_timeout::{Traffic, micros_since};
use crate::telemetry::LogRateLimit;

/// Time after which a connection without a request is closed before those that have made one.
const FIRST_REQUEST: Duration = Duration::from_secs(2);

/// Time between two searches for an idle connection while there is none.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The connections of one server.
///
/// Idle connections are found in a queue that is ordered by last activity. A request does not change the queue: it changes the time in
/// its [`Connection`], and an entry whose time has changed is moved when it reaches the front. So eviction costs `O(log n)`, and an
/// entry is moved at most once for each use of its connection.
pub(crate) struct Connections {
    limit: usize,
    permits: Arc<Semaphore>,
    epoch: Instant,
    without_request: Arc<AtomicUsize>,
    queue: Mutex<Queue>,
    /// Notified when a connection that was asked to close had become busy.
    stayed_open: Notify,
    evictions: AtomicU64,
    accept_failures: AtomicU64,
    full: LogRateLimit,
    all_busy: LogRateLimit,
}

impl Connections {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            permits: Arc::new(Semaphore::new(limit)),
            epoch: Instant::now(),
            without_request: Arc::default(),
            queue: Mutex::default(),
            stayed_open: Notify::new(),
            evictions: AtomicU64::new(0),
            accept_failures: AtomicU64::new(0),
            full: LogRateLimit::default(),
            all_busy: LogRateLimit::default(),
        }
    }

    /// Returns the largest number of open connections.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the number of open connections.
    pub(crate) fn open(&self) -> usize {
        self.limit.saturating_sub(self.permits.available_permits())
    }

    /// Returns the number of connections that were closed for new ones.
    pub(crate) fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    /// Returns how many times the operating system failed to accept a connection.
    pub(crate) fn accept_failures(&self) -> u64 {
        self.accept_failures.load(Ordering::Relaxed)
    }

    pub(super) fn note_accept_failure(&self) {
        self.accept_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until one more connection may be open, and closes idle ones for that, the oldest first.
    ///
    /// # Errors
    ///
    /// None, because the semaphore is never closed.
    pub(super) async fn acquire(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        loop {
            if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
                return Ok(permit);
            }
            let evicts_one = self.close_oldest_idle();
            self.log_limit_reached(evicts_one);
            tokio::select! {
                permit = Arc::clone(&self.permits).acquire_owned() => return permit,
                () = self.stayed_open.notified() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// Asks the oldest idle connection to close. Returns whether there is one.
    pub(super) fn close_oldest_idle(&self) -> bool {
        let mut queue = self.lock();
        let now = micros_since(self.epoch);
        // If clients open connections in a loop without a request, connections that make requests are spared.
        let many_without_request = self.without_request.load(Ordering::Acquire) > self.limit / 4;
        let oldest = queue.take_oldest_idle(now, many_without_request);
        drop(queue);
        oldest.inspect(|connection| connection.request_close()).is_some()
    }

    /// Adds a connection.
    pub(super) fn add(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Slot {
        let mut queue = self.lock();
        queue.last_id += 1;
        let traffic = Traffic::new(self.epoch);
        let connection = Arc::new(Connection::new(queue.last_id, traffic, Arc::clone(&self.without_request)));
        queue.insert(Key::of(&connection), Arc::clone(&connection));
        drop(queue);
        Slot { connections: Arc::clone(self), connection, _permit: permit }
    }

    fn log_limit_reached(&self, evicts_one: bool) {
        let limit = self.limit;
        if evicts_one {
            if let Some(held_back) = self.full.admit() {
                let message = "the limit of connections is reached; for each new one the oldest idle one is closed";
                tracing::warn!(limit, held_back, "{message}");
            }
        } else if let Some(held_back) = self.all_busy.admit() {
            tracing::warn!(limit, held_back, "the limit of connections is reached and none is idle; new ones wait");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the connections. Dropping it removes the connection.
pub(super) struct Slot {
    connections: Arc<Connections>,
    connection: Arc<Connection>,
    _permit: OwnedSemaphorePermit,
}

impl Slot {
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Waits until the connection is to be closed for another one. Only the task that answers on the connection may wait for this, and
    /// only while it has nothing to answer; then no request and no response is lost.
    pub(super) async fn evicted(&self) {
        loop {
            self.connection.close_requested().await;
            if self.connection.is_idle() {
                self.connections.evictions.fetch_add(1, Ordering::Relaxed);
                return;
            }
            self.connections.lock().insert(Key::of(&self.connection), Arc::clone(&self.connection));
            self.connections.stayed_open.notify_one();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.lock().remove(self.connection.id());
    }
}

/// Position of a connection in the queue: those without a request before the others, and both by last activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    has_made_request: bool,
    since: u64,
    id: u64,
}

impl Key {
    fn of(connection: &Connection) -> Self {
        Self {
            has_made_request: connection.has_made_request(),
            since: connection.traffic().last_activity(),
            id: connection.id(),
        }
    }

    fn first(has_made_request: bool) -> Self {
        Self { has_made_request, since: 0, id: 0 }
    }
}

#[derive(Default)]
struct Queue {
    last_id: u64,
    entries: BTreeMap<Key, Arc<Connection>>,
    keys: HashMap<u64, Key>,
}

impl Queue {
    fn insert(&mut self, key: Key, connection: Arc<Connection>) {
        self.keys.insert(key.id, key);
        self.entries.insert(key, connection);
    }

    fn remove(&mut self, id: u64) -> Option<Arc<Connection>> {
        self.entries.remove(&self.keys.remove(&id)?)
    }

    /// Removes the idle connection that is to be closed first from the queue. Entries whose position has changed are moved; a busy one
    /// is moved behind `now`, so that this call does not meet it again.
    fn take_oldest_idle(&mut self, now: u64, many_without_request: bool) -> Option<Arc<Connection>> {
        loop {
            let key = self.front(now, many_without_request)?;
            let connection = self.remove(key.id)?;
            let mut current = Key::of(&connection);
            current.since = if connection.is_idle() { current.since.min(now) } else { now + 1 };
            if current == key {
                return Some(connection);
            }
            self.insert(current, connection);
        }
    }

    /// Returns the entry that would be closed first, among those with an activity at `now` or before.
    fn front(&self, now: u64, many_without_request: bool) -> Option<Key> {
        let oldest = |has_made_request| {
            let key = self.entries.range(Key::first(has_made_request)..).next().map(|(key, _)| *key);
            key.filter(|key| key.has_made_request == has_made_request && key.since <= now)
        };
        let timeout = u64::try_from(FIRST_REQUEST.as_micros()).unwrap_or(u64::MAX);
        match (oldest(false), oldest(true)) {
            (Some(silent), Some(_)) if many_without_request || now - silent.since >= timeout => Some(silent),
            (Some(silent), Some(other)) => Some(if silent.since <= other.since { silent } else { other }),
            (silent, other) => silent.or(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::ActiveRequest;
    use super::*;

    const LIMIT: usize = 16;

    /// Opens a connection a millisecond after the last event.
    async fn open(connections: &Arc<Connections>) -> Slot {
        tokio::time::advance(Duration::from_millis(1)).await;
        connections.add(connections.acquire().await.unwrap())
    }

    /// Makes a request, which is answered a millisecond later.
    async fn ask(slot: &Slot) {
        let request = ActiveRequest::begin(slot.connection());
        tokio::time::advance(Duration::from_millis(1)).await;
        drop(request);
    }

    /// The connections that would be closed one after the other, by their number in `slots`.
    fn order(connections: &Connections, slots: &[&Slot]) -> Vec<usize> {
        let number = |id| slots.iter().position(|slot| slot.connection().id() == id).unwrap();
        let now = micros_since(connections.epoch);
        let mut queue = connections.lock();
        std::iter::from_fn(|| queue.take_oldest_idle(now, false)).map(|taken| number(taken.id())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_that_was_not_used_for_longest_goes_first_whenever_it_was_opened() {
        let connections = Arc::new(Connections::new(LIMIT));
        let (a, b, c) = (open(&connections).await, open(&connections).await, open(&connections).await);
        for slot in [&b, &c, &a, &b] {
            ask(slot).await;
        }
        assert_eq!(order(&connections, &[&a, &b, &c]), [2, 0, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_without_a_request_goes_by_its_age_and_after_two_seconds_before_all_others() {
        let connections = Arc::new(Connections::new(LIMIT));
        let (old, silent, young) = (open(&connections).await, open(&connections).await, open(&connections).await);
        ask(&young).await;
        ask(&old).await;
        let at_once = order(&connections, &[&old, &silent, &young]);
        assert_eq!(at_once, [1, 2, 0], "by age");
        let connections = Arc::new(Connections::new(LIMIT));
        let old = open(&connections).await;
        ask(&old).await;
        let silent = open(&connections).await;
        tokio::time::advance(FIRST_REQUEST).await;
        assert_eq!(order(&connections, &[&old, &silent]), [1, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn many_without_a_request_go_before_one_that_asked() {
        let connections = Arc::new(Connections::new(LIMIT));
        let asked = open(&connections).await;
        ask(&asked).await;
        let mut silent = Vec::new();
        for _ in 1..LIMIT {
            silent.push(open(&connections).await);
        }
        assert!(connections.close_oldest_idle());
        assert!(
            !connections.lock().keys.contains_key(&silent[0].connection().id()),
            "the oldest silent one was asked to close"
        );
        assert!(connections.lock().keys.contains_key(&asked.connection().id()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_with_an_active_request_is_not_closed_and_one_that_ends_is_forgotten() {
        let connections = Arc::new(Connections::new(LIMIT));
        let (busy, gone) = (open(&connections).await, open(&connections).await);
        let request = ActiveRequest::begin(busy.connection());
        drop(gone);
        assert!(!connections.close_oldest_idle());
        assert_eq!((connections.open(), connections.lock().entries.len()), (1, 1));
        tokio::time::advance(Duration::from_millis(1)).await;
        drop(request);
        assert!(connections.close_oldest_idle());
        drop(busy);
        assert_eq!((connections.open(), connections.without_request.load(Ordering::Acquire)), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_becomes_busy_after_it_was_asked_to_close_stays_and_another_is_asked() {
        let connections = Arc::new(Connections::new(2));
        let (busy, idle) = (open(&connections).await, open(&connections).await);
        assert!(connections.close_oldest_idle(), "it is asked to close");
        let request = ActiveRequest::begin(busy.connection());
        let waits = tokio::time::timeout(Duration::from_millis(1), busy.evicted()).await;
        assert!(waits.is_err(), "it stays");
        let newcomer = async { connections.acquire().await.map(drop) };
        let gives_way = async {
            idle.evicted().await;
            drop(idle);
        };
        let (room, ()) = tokio::join!(newcomer, gives_way);
        room.unwrap();
        drop(request);
        assert_eq!(connections.evictions(), 1);
    }
}
