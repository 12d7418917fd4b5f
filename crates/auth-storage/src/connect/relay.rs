//! Connections that finished reads pass on to waiting reads.
//!
//! The pool checks every connection that returns to it: that it is in no transaction, that its server is still the primary, that
//! its next answer belongs to the next statement. Those checks cost more than a read by primary key. A single `SELECT` that was
//! executed to its end changes none of these, so its connection goes to the next such read. It returns to the pool after
//! [`HELD_FOR`], and when no read has used it for [`PARKED_FOR`]. After an error, or when a read was dropped half-way, it returns to
//! the pool at once.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, Pool};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use super::pool_health::PoolHealth;
use super::pool_stats::PoolStats;

/// Maximum time for which reads keep a connection, from one check by the pool to the next.
pub(super) const HELD_FOR: Duration = Duration::from_millis(50);

/// Time after which an unused connection returns to the pool. Other users of the pool may wait that long for it.
const PARKED_FOR: Duration = Duration::from_millis(10);

/// The connections of one pool that reads pass on.
pub(super) struct Relay<DB: sqlx::Database> {
    pool: Pool<DB>,
    health: Arc<PoolHealth>,
    state: Mutex<RelayState<DB>>,
}

struct RelayState<DB: sqlx::Database> {
    /// Reads that found every connection in use, in the order of their arrival.
    waiting: VecDeque<oneshot::Sender<Lent<DB>>>,
    /// Connections that no read uses at the moment.
    parked: Vec<Lent<DB>>,
    /// The task that gives parked connections back to the pool.
    returning: Option<AbortHandle>,
}

/// A connection on loan from the pool.
pub(super) struct Lent<DB: sqlx::Database> {
    connection: PoolConnection<DB>,
    /// When the pool lent it.
    since: Instant,
    /// When a read last finished on it.
    used: Instant,
}

impl<DB: sqlx::Database> Lent<DB> {
    fn new(connection: PoolConnection<DB>) -> Self {
        let since = Instant::now();
        Self { connection, since, used: since }
    }

    pub(super) fn connection(&mut self) -> &mut DB::Connection {
        &mut self.connection
    }

    fn is_due(&self) -> bool {
        self.since.elapsed() >= HELD_FOR
    }
}

impl<DB: sqlx::Database> Relay<DB> {
    pub(super) fn new(pool: Pool<DB>, health: Arc<PoolHealth>) -> Self {
        let state = RelayState { waiting: VecDeque::new(), parked: Vec::new(), returning: None };
        Self { pool, health, state: Mutex::new(state) }
    }

    /// The numbers of connections in the pool. It counts parked ones as used; they are idle.
    pub(super) fn stats(&self) -> PoolStats {
        PoolStats::of(&self.pool, self.state().parked.len())
    }

    /// Returns a parked connection, one from the pool, or one that another read has finished with, whichever comes first.
    pub(super) async fn acquire(&self) -> Result<Lent<DB>, sqlx::Error> {
        if self.pool.is_closed() {
            return self.pool.acquire().await.map(Lent::new);
        }
        let parked = self.state().parked.pop();
        if let Some(lent) = parked.filter(|lent| !lent.is_due()) {
            return Ok(lent);
        }
        // A read that opens a connection does not wait for another one: the new one would be thrown away, and the pool not grow.
        if self.pool.num_idle() > 0 || self.pool.size() < self.pool.options().get_max_connections() {
            return self.pool.acquire().await.map(Lent::new);
        }
        let mut passed_on = self.wait();
        let mut acquired = pin!(self.pool.acquire());
        poll_fn(|context| {
            if let Poll::Ready(Ok(lent)) = Pin::new(&mut passed_on).poll(context) {
                return Poll::Ready(Ok(lent));
            }
            acquired.as_mut().poll(context).map_ok(Lent::new)
        })
        .await
    }

    fn wait(&self) -> oneshot::Receiver<Lent<DB>> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        while state.waiting.front().is_some_and(oneshot::Sender::is_closed) {
            state.waiting.pop_front();
        }
        state.waiting.push_back(sender);
        receiver
    }

    /// Passes a connection on after a `SELECT` that was executed to its end.
    pub(super) fn pass_on(self: &Arc<Self>, mut lent: Lent<DB>) {
        if lent.is_due() || self.health.is_suspect() || self.pool.is_closed() {
            return;
        }
        lent.used = Instant::now();
        let mut state = self.state();
        while let Some(waiting) = state.waiting.pop_front() {
            match waiting.send(lent) {
                Ok(()) => return,
                Err(unwanted) => lent = unwanted,
            }
        }
        // One connection stays available to the other users of the pool.
        if state.parked.len() + 1 < self.pool.options().get_max_connections() as usize {
            state.parked.push(lent);
            if state.returning.as_ref().is_none_or(AbortHandle::is_finished) {
                state.returning = Some(tokio::spawn(return_parked(Arc::downgrade(self))).abort_handle());
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, RelayState<DB>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives parked connections back to the pool, until there are none.
async fn return_parked<DB: sqlx::Database>(relay: Weak<Relay<DB>>) {
    loop {
        sleep(PARKED_FOR).await;
        let Some(relay) = relay.upgrade() else { return };
        let (due, is_done): (Vec<_>, _) = {
            let mut state = relay.state();
            let parked = mem::take(&mut state.parked);
            let (due, kept) = parked.into_iter().partition(|lent| lent.is_due() || lent.used.elapsed() >= PARKED_FOR);
            state.parked = kept;
            let is_done = state.parked.is_empty();
            if is_done {
                state.returning = None;
            }
            (due, is_done)
        };
        drop(due);
        if is_done {
            return;
        }
    }
}

/// A connection that goes back to the pool needs a runtime, and the last handle of a database may be dropped outside of one.
impl<DB: sqlx::Database> Drop for RelayState<DB> {
    fn drop(&mut self) {
        for lent in mem::take(&mut self.parked) {
            drop(lent.connection.detach());
        }
    }
}
