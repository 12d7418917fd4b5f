//! Following the store: one read after the other, for as long as a node runs.

use std::sync::atomic::Ordering;
use std::time::Duration;

use auth_core::keys::KeyState;
use time::OffsetDateTime;

use super::error::ManagedKeysError;
use super::{ManagedKeys, in_states};

/// Wait after a read that failed, unless the interval of the schedule is longer.
const WAIT_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Something that changed in the keys of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyChange {
    /// This node made a key.
    Published {
        /// The key.
        kid: String,
        /// When it signs.
        signs_from: OffsetDateTime,
    },
    /// This node signs with another key from now on.
    Signing {
        /// The key.
        kid: String,
    },
    /// This node encrypted so many keys with the present master key.
    Resealed(usize),
}

/// Something that happened while [`ManagedKeys`] followed their store. Meant for log lines.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyEvent {
    /// The keys changed.
    Changed(KeyChange),
    /// Reading failed. Reported for the first of several failures in a row; [`KeyStats::failures`] counts all of them.
    Failing(ManagedKeysError),
    /// Reading works again after [`Failing`](Self::Failing).
    Recovered,
}

/// State and counts of [`ManagedKeys`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyStats {
    /// Number of keys in each state, as of the last read.
    pub states: [(KeyState, usize); KeyState::ALL.len()],
    /// Time for which the present key has signed. `None` if no key signs.
    pub signing_for: Option<Duration>,
    /// Time until another key signs, or until the successor is published if there is none yet. Zero if that is overdue.
    pub next_change: Option<Duration>,
    /// Reads of the store.
    pub reads: u64,
    /// Reads that failed, or after which a key could not be used.
    pub failures: u64,
}

impl ManagedKeys {
    /// Calls [`sync`](Self::sync) at the interval of the schedule for as long as the future is polled; it never ends by itself.
    /// Spawn it as a task and abort or drop the task to stop.
    pub async fn follow(&self, mut observe: impl FnMut(KeyEvent)) {
        let poll = self.options.schedule.poll;
        let mut failing = false;
        loop {
            (self.sleep)(if failing { poll.max(WAIT_AFTER_FAILURE) } else { poll }).await;
            match self.sync().await {
                Ok(changes) => {
                    if std::mem::take(&mut failing) {
                        observe(KeyEvent::Recovered);
                    }
                    for change in changes {
                        observe(KeyEvent::Changed(change));
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        observe(KeyEvent::Failing(error));
                    }
                }
            }
        }
    }

    /// Returns the state and the counts.
    #[must_use]
    pub fn stats(&self) -> KeyStats {
        let (set, now) = (self.set.load(), self.clock.now());
        let signing = set.signing(now);
        let until = |at: OffsetDateTime| Duration::try_from(at - now).unwrap_or_default();
        let published = set.keys.iter().filter(|key| key.state(now) == KeyState::Published);
        let published = published.map(|key| key.signs_from).min();
        let due = signing.map(|key| published.unwrap_or(key.signs_from + self.options.schedule.rotation));
        KeyStats {
            states: in_states(&set, now),
            signing_for: signing.map(|key| Duration::try_from(now - key.signs_from).unwrap_or_default()),
            next_change: due.map(until),
            reads: self.reads.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }
}
