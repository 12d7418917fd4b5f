//! The connections of one server: a limit on their number, and which one is closed to make room for a new one.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{AcquireError, Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::connection::Connection;
use super::io_timeout::{Traffic, micros_since};
use crate::telemetry::LineLimit;

/// How long a client may take to make its first request before its connection is the first to be closed for a new one.
const FIRST_REQUEST: Duration = Duration::from_secs(2);

/// How often to look for an idle connection while there is none.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The connections of one server.
///
/// Idle ones are found through a queue that is ordered by their last activity. A request does not touch the queue: it changes
/// the time in its [`Connection`], and an entry whose time has changed is moved when it comes to the front. So making
/// room costs `O(log n)`, and each entry is moved once for each time that its connection was used.
pub(crate) struct Connections {
    limit: usize,
    permits: Arc<Semaphore>,
    epoch: Instant,
    without_request: Arc<AtomicUsize>,
    queue: Mutex<Queue>,
    /// A connection that was told to close had become busy meanwhile.
    refused: Notify,
    closed_for_room: AtomicU64,
    accept_failures: AtomicU64,
    full: LineLimit,
    all_busy: LineLimit,
}

impl Connections {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            permits: Arc::new(Semaphore::new(limit)),
            epoch: Instant::now(),
            without_request: Arc::default(),
            queue: Mutex::default(),
            refused: Notify::new(),
            closed_for_room: AtomicU64::new(0),
            accept_failures: AtomicU64::new(0),
            full: LineLimit::default(),
            all_busy: LineLimit::default(),
        }
    }

    /// How many may be open.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        self.limit.saturating_sub(self.permits.available_permits())
    }

    /// How many were closed to make room for others.
    pub(crate) fn closed_for_room(&self) -> u64 {
        self.closed_for_room.load(Ordering::Relaxed)
    }

    /// How often the operating system refused to accept one.
    pub(crate) fn accept_failures(&self) -> u64 {
        self.accept_failures.load(Ordering::Relaxed)
    }

    pub(super) fn accept_failed(&self) {
        self.accept_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until there is room for one connection more, and closes idle ones for that, the oldest first.
    ///
    /// # Errors
    ///
    /// Never: the semaphore is not closed.
    pub(super) async fn room(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        loop {
            if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
                return Ok(permit);
            }
            let closes_one = self.close_oldest_idle();
            self.log_lack_of_room(closes_one);
            tokio::select! {
                permit = Arc::clone(&self.permits).acquire_owned() => return permit,
                () = self.refused.notified() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// Tells the oldest idle connection to close. Returns whether there is one.
    pub(super) fn close_oldest_idle(&self) -> bool {
        let mut queue = self.lock();
        let now = micros_since(self.epoch);
        // New connections stay open for a while even if clients that ask for nothing open them in a loop.
        let many_without_request = self.without_request.load(Ordering::Acquire) > self.limit / 4;
        let oldest = queue.take_oldest_idle(now, many_without_request);
        drop(queue);
        oldest.inspect(|connection| connection.tell_to_close()).is_some()
    }

    /// Makes a connection one of these.
    pub(super) fn enter(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Place {
        let mut queue = self.lock();
        queue.last_id += 1;
        let traffic = Traffic::new(self.epoch);
        let connection = Arc::new(Connection::new(queue.last_id, traffic, Arc::clone(&self.without_request)));
        queue.insert(Key::of(&connection), Arc::clone(&connection));
        drop(queue);
        Place { connections: Arc::clone(self), connection, _permit: permit }
    }

    fn log_lack_of_room(&self, closes_one: bool) {
        let limit = self.limit;
        if closes_one {
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

/// The place of one connection among the others. It is free again when this is dropped.
pub(super) struct Place {
    connections: Arc<Connections>,
    connection: Arc<Connection>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Returns once the connection is to be closed for another one. Only the task that answers on the connection may
    /// wait for this, and after it has answered what it can: then no request and no answer is lost.
    pub(super) async fn is_wanted(&self) {
        loop {
            self.connection.told_to_close().await;
            if self.connection.is_idle() {
                self.connections.closed_for_room.fetch_add(1, Ordering::Relaxed);
                return;
            }
            self.connections.lock().insert(Key::of(&self.connection), Arc::clone(&self.connection));
            self.connections.refused.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().remove(self.connection.id());
    }
}

/// Where a connection stands in the queue: those without a request before the others, each kind by its last activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    has_asked: bool,
    since: u64,
    id: u64,
}

impl Key {
    fn of(connection: &Connection) -> Self {
        Self { has_asked: connection.has_asked(), since: connection.traffic().last_activity(), id: connection.id() }
    }

    fn first(has_asked: bool) -> Self {
        Self { has_asked, since: 0, id: 0 }
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

    /// Takes the idle connection that is to be closed first out of the queue. Entries that are not where they belong by now are
    /// moved; a busy one moves behind `now` and is not looked at again.
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

    /// The entry that would be closed first, of those from `now` or before.
    fn front(&self, now: u64, many_without_request: bool) -> Option<Key> {
        let oldest = |has_asked| {
            let key = self.entries.range(Key::first(has_asked)..).next().map(|(key, _)| *key);
            key.filter(|key| key.has_asked == has_asked && key.since <= now)
        };
        let patience = u64::try_from(FIRST_REQUEST.as_micros()).unwrap_or(u64::MAX);
        match (oldest(false), oldest(true)) {
            (Some(silent), Some(_)) if many_without_request || now - silent.since >= patience => Some(silent),
            (Some(silent), Some(other)) => Some(if silent.since <= other.since { silent } else { other }),
            (silent, other) => silent.or(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::UnderWay;
    use super::*;

    const LIMIT: usize = 16;

    /// Opens a connection a millisecond after the last event.
    async fn open(connections: &Arc<Connections>) -> Place {
        tokio::time::advance(Duration::from_millis(1)).await;
        connections.enter(connections.room().await.unwrap())
    }

    /// Makes a request, which is answered a millisecond later.
    async fn ask(place: &Place) {
        let under_way = UnderWay::begin(place.connection());
        tokio::time::advance(Duration::from_millis(1)).await;
        drop(under_way);
    }

    /// The connections that would be closed one after the other, by their number in `places`.
    fn order(connections: &Connections, places: &[&Place]) -> Vec<usize> {
        let number = |id| places.iter().position(|place| place.connection().id() == id).unwrap();
        let now = micros_since(connections.epoch);
        let mut queue = connections.lock();
        std::iter::from_fn(|| queue.take_oldest_idle(now, false)).map(|taken| number(taken.id())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_that_was_not_used_for_longest_goes_first_whenever_it_was_opened() {
        let connections = Arc::new(Connections::new(LIMIT));
        let (a, b, c) = (open(&connections).await, open(&connections).await, open(&connections).await);
        for place in [&b, &c, &a, &b] {
            ask(place).await;
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
        assert!(!connections.lock().keys.contains_key(&silent[0].connection().id()), "the oldest silent one was told");
        assert!(connections.lock().keys.contains_key(&asked.connection().id()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_with_a_request_under_way_is_not_taken_and_one_that_ends_is_forgotten() {
        let connections = Arc::new(Connections::new(LIMIT));
        let (busy, gone) = (open(&connections).await, open(&connections).await);
        let under_way = UnderWay::begin(busy.connection());
        drop(gone);
        assert!(!connections.close_oldest_idle());
        assert_eq!((connections.open(), connections.lock().entries.len()), (1, 1));
        tokio::time::advance(Duration::from_millis(1)).await;
        drop(under_way);
        assert!(connections.close_oldest_idle());
        drop(busy);
        assert_eq!((connections.open(), connections.without_request.load(Ordering::Acquire)), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_becomes_busy_after_it_was_told_stays_and_another_is_told() {
        let connections = Arc::new(Connections::new(2));
        let (busy, idle) = (open(&connections).await, open(&connections).await);
        assert!(connections.close_oldest_idle(), "it is told");
        let under_way = UnderWay::begin(busy.connection());
        let waits = tokio::time::timeout(Duration::from_millis(1), busy.is_wanted()).await;
        assert!(waits.is_err(), "it stays");
        let newcomer = async { connections.room().await.map(drop) };
        let gives_way = async {
            idle.is_wanted().await;
            drop(idle);
        };
        let (room, ()) = tokio::join!(newcomer, gives_way);
        room.unwrap();
        drop(under_way);
        assert_eq!(connections.closed_for_room(), 1);
    }
}
