//! The latest revocations that a node knows, in full.
//!
//! The index stores a number for each token. That is enough to refuse the token and too little to write its revocation
//! again. When a log loses acknowledged entries, the nodes append again the revocations that they have here.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use auth_core::Revocation;
use auth_core::blacklist::{Purged, RevocationTarget};

/// Maximum number of revocations that a node remembers in full: about a mebibyte. A failover loses seconds of them, a
/// restored backup hours.
const KEPT: usize = 16_384;

/// Number of a round of reads of the log. Later rounds have larger numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Round(u64);

/// The latest revocations, and those of them that have not been read from the log yet.
#[derive(Debug, Default)]
pub(super) struct Tail {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    round: Round,
    recent: VecDeque<Revocation>,
    /// Revocations that this node has acknowledged and not read from the log yet, with the latest round that had begun
    /// by then. There are at most [`KEPT`], because the log may not be read at all.
    unread: HashMap<RevocationTarget, (Revocation, Round)>,
}

impl Tail {
    /// Begins a round. Call it before the first read of the round is sent.
    pub(super) fn begin_round(&self) -> Round {
        let mut state = self.lock();
        state.round.0 += 1;
        state.round
    }

    /// Adds a durable revocation. Every round that begins from now on has to read it, unless `is_known` returns true:
    /// then it was read already, or no token needs it any more.
    ///
    /// A reader of the log adds an entry to the index first and calls [`read`](Self::read) second.
    pub(super) fn acknowledged(&self, revocation: &Revocation, is_known: impl FnOnce() -> bool) {
        let mut state = self.lock();
        if is_known() || state.unread.len() == KEPT {
            return;
        }
        let round = state.round;
        if state.unread.insert(revocation.target, (*revocation, round)).is_none() {
            state.remember(*revocation);
        }
    }

    /// Adds a revocation that was read from the log. `was_known` says whether the index held it before.
    pub(super) fn read(&self, revocation: &Revocation, was_known: bool) {
        let mut state = self.lock();
        if state.unread.remove(&revocation.target).is_none() && !was_known {
            state.remember(*revocation);
        }
    }

    /// Returns the revocations that were acknowledged before `round` began and not read in it, although they were not
    /// purged.
    pub(super) fn missing_from(&self, round: Round, purged: Purged) -> Vec<Revocation> {
        let mut state = self.lock();
        state.unread.retain(|_, (revocation, _)| !purged.may_hold(revocation));
        let missing = state.unread.values().filter(|(_, acknowledged)| *acknowledged < round);
        missing.map(|(revocation, _)| *revocation).collect()
    }

    /// Returns all remembered revocations, oldest first.
    pub(super) fn recent(&self) -> Vec<Revocation> {
        self.lock().recent.iter().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remember(&mut self, revocation: Revocation) {
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(revocation);
    }
}
