//! Connections that finished reads pass on to the reads that wait.
//!
//! The pool checks every connection that comes back to it: whether it is in a transaction, whether its server is still the
//! primary, whether its next answer belongs to the next question. Those checks cost as much as a read by primary key. A single
//! `SELECT` that was executed to its end leaves nothing to check, so its connection goes to the next such read, and to the pool
//! only after [`HELD_FOR`], or when nobody has read for [`PARKED_FOR`]. After an error, or when the read was dropped half-way, the
//! connection goes to the pool at once.

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

use super::call::Distrust;

/// How long reads keep a connection, from one check by the pool to the next.
pub(super) const HELD_FOR: Duration = Duration::from_millis(50);

/// How long a connection that no read uses is kept from the pool. Other users of the pool may wait that long for it.
const PARKED_FOR: Duration = Duration::from_millis(10);

/// The connections of one pool that reads pass on.
pub(super) struct Relay<DB: sqlx::Database> {
    pool: Pool<DB>,
    distrust: Arc<Distrust>,
    state: Mutex<RelayState<DB>>,
}

struct RelayState<DB: sqlx::Database> {
    /// Reads that found every connection in use, the first to come first.
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
    pub(super) fn new(pool: Pool<DB>, distrust: Arc<Distrust>) -> Self {
        let state = RelayState { waiting: VecDeque::new(), parked: Vec::new(), returning: None };
        Self { pool, distrust, state: Mutex::new(state) }
    }

    /// The number of connections that are open and that nobody uses, although the pool counts them as used.
    pub(super) fn parked(&self) -> usize {
        self.state().parked.len()
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
        // Whoever opens a connection is not interrupted: it would be thrown away, and the pool would not grow.
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
        if lent.is_due() || self.distrust.holds() || self.pool.is_closed() {
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
        // One is left to the other users of the pool.
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
