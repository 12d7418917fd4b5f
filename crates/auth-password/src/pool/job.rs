//! One password to hash or to compare, and who waits for the result.

use std::time::Duration;

use futures_channel::oneshot;

use auth_core::HashingError;
use auth_core::{Batch, BatchKey, BatchResults, HashError, Password, PasswordHash, PasswordHasher, Pause, Verdict};

/// What is asked: a registration hashes, a login compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Hash,
    Verify,
}

impl Kind {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Hash => Self::Verify,
            Self::Verify => Self::Hash,
        }
    }
}

pub(super) type Reply<T> = oneshot::Sender<Result<T, HashingError>>;

pub(super) enum Work {
    Hash(Password, Reply<PasswordHash>),
    Verify(Password, PasswordHash, Reply<Verdict>),
}

pub(super) struct Job {
    /// When it was put in, by the pool's clock.
    pub(super) enqueued: Duration,
    /// With what it can be computed.
    pub(super) key: Option<BatchKey>,
    pub(super) work: Work,
}

impl Job {
    pub(super) fn kind(&self) -> Kind {
        match self.work {
            Work::Hash(..) => Kind::Hash,
            Work::Verify(..) => Kind::Verify,
        }
    }

    /// Whether nobody waits for the result any more.
    pub(super) fn is_abandoned(&self) -> bool {
        match &self.work {
            Work::Hash(_, reply) => reply.is_canceled(),
            Work::Verify(_, _, reply) => reply.is_canceled(),
        }
    }

    pub(super) fn refuse(self, error: HashingError) {
        match self.work {
            Work::Hash(_, reply) => give(reply, Err(error)),
            Work::Verify(_, _, reply) => give(reply, Err(error)),
        }
    }

    /// Computes all of them; they have one key if they are several.
    pub(super) fn run(jobs: &[Self], hasher: &dyn PasswordHasher, pause: Pause<'_>) -> BatchResults {
        let (mut hash, mut verify) = (Vec::new(), Vec::new());
        for job in jobs {
            match &job.work {
                Work::Hash(password, _) => hash.push(password),
                Work::Verify(password, stored, _) => verify.push((password, stored)),
            }
        }
        hasher.run_batch(Batch { hash: &hash, verify: &verify, pause })
    }

    /// Hands the results out. A job that a faulty hasher gave none is dropped, which its caller sees as
    /// [`HashingError::Lost`].
    pub(super) fn answer(jobs: Vec<Self>, results: BatchResults) {
        let (mut hashes, mut verdicts) = (results.hashes.into_iter(), results.verdicts.into_iter());
        for job in jobs {
            match job.work {
                Work::Hash(_, reply) => give_next(reply, &mut hashes),
                Work::Verify(_, _, reply) => give_next(reply, &mut verdicts),
            }
        }
    }
}

fn give_next<T>(reply: Reply<T>, results: &mut impl Iterator<Item = Result<T, HashError>>) {
    if let Some(result) = results.next() {
        give(reply, result.map_err(HashingError::from));
    }
}

/// A result that nobody waits for any more is dropped: the caller hung up while it was computed.
fn give<T>(reply: Reply<T>, result: Result<T, HashingError>) {
    drop(reply.send(result));
}
