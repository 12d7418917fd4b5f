//! The latest revocations that a node knows, in full.
//!
//! The index keeps a number of each token, which is enough to refuse it and too little to write it down again. When a log
//! loses what it acknowledged, the nodes append again what they have here.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use auth_core::Revocation;
use auth_core::blacklist::{Purged, RevocationTarget};

/// How many revocations a node remembers in full: about a mebibyte. A failover loses seconds, a restored backup hours.
const KEPT: usize = 16_384;

/// A round of reads of the log; later rounds have larger numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Round(u64);

/// The latest revocations, and those of them that the log has yet to show.
#[derive(Debug, Default)]
pub(super) struct Tail {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    round: Round,
    recent: VecDeque<Revocation>,
    /// Acknowledged by this node and not read from the log yet, with the latest round that had begun by then. At most
    /// [`KEPT`]: there may be nobody who reads.
    unread: HashMap<RevocationTarget, (Revocation, Round)>,
}

impl Tail {
    /// Call before the first read of a round is sent.
    pub(super) fn begin_round(&self) -> Round {
        let mut state = self.lock();
        state.round.0 += 1;
        state.round
    }

    /// A revocation is durable. Every round that begins from now on has to read it, unless `is_known`: then it was read
    /// already. A reader of the log makes it known first and calls [`read`](Self::read) second.
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

    /// A revocation was read from the log, and was known before or not.
    pub(super) fn read(&self, revocation: &Revocation, was_known: bool) {
        let mut state = self.lock();
        if state.unread.remove(&revocation.target).is_none() && !was_known {
            state.remember(*revocation);
        }
    }

    /// What was acknowledged before `round` began and not read in it, although it was not purged.
    pub(super) fn missing_from(&self, round: Round, purged: Purged) -> Vec<Revocation> {
        let mut state = self.lock();
        state.unread.retain(|_, (revocation, _)| !purged.may_hold(revocation));
        let missing = state.unread.values().filter(|(_, acknowledged)| *acknowledged < round);
        missing.map(|(revocation, _)| *revocation).collect()
    }

    /// All that is remembered, oldest first.
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
