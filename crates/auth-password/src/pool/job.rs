//! Jobs of the pool: a password to hash or to compare, with the channel for the result.

use std::time::Duration;

use futures_channel::oneshot;

use auth_core::HashingError;
use auth_core::{Batch, BatchKey, BatchResults, HashError, Password, PasswordHash, PasswordHasher, Pause, Verdict};

/// Operation that a job asks for. A registration hashes, a login compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobKind {
    Hash,
    Verify,
}

impl JobKind {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Hash => Self::Verify,
            Self::Verify => Self::Hash,
        }
    }
}

pub(super) type Reply<T> = oneshot::Sender<Result<T, HashingError>>;

pub(super) enum JobRequest {
    Hash(Password, Reply<PasswordHash>),
    Verify(Password, PasswordHash, Reply<Verdict>),
}

pub(super) struct Job {
    /// Time at which the job was enqueued, by the pool's clock.
    pub(super) enqueued: Duration,
    /// Key of the jobs that can be computed together with this one.
    pub(super) key: Option<BatchKey>,
    pub(super) request: JobRequest,
}

impl Job {
    pub(super) fn kind(&self) -> JobKind {
        match self.request {
            JobRequest::Hash(..) => JobKind::Hash,
            JobRequest::Verify(..) => JobKind::Verify,
        }
    }

    /// Returns whether the caller has stopped waiting for the result.
    pub(super) fn is_abandoned(&self) -> bool {
        match &self.request {
            JobRequest::Hash(_, reply) => reply.is_canceled(),
            JobRequest::Verify(_, _, reply) => reply.is_canceled(),
        }
    }

    pub(super) fn refuse(self, error: HashingError) {
        match self.request {
            JobRequest::Hash(_, reply) => give(reply, Err(error)),
            JobRequest::Verify(_, _, reply) => give(reply, Err(error)),
        }
    }

    /// Computes all jobs. Several jobs must have the same key.
    pub(super) fn run(jobs: &[Self], hasher: &dyn PasswordHasher, pause: Pause<'_>) -> BatchResults {
        let (mut hash, mut verify) = (Vec::new(), Vec::new());
        for job in jobs {
            match &job.request {
                JobRequest::Hash(password, _) => hash.push(password),
                JobRequest::Verify(password, stored, _) => verify.push((password, stored)),
            }
        }
        hasher.run_batch(Batch { hash: &hash, verify: &verify, pause })
    }

    /// Sends the results to the callers. A job to which a faulty hasher gave no result is dropped, and its caller gets
    /// [`HashingError::Lost`].
    pub(super) fn answer(jobs: Vec<Self>, results: BatchResults) {
        let (mut hashes, mut verdicts) = (results.hashes.into_iter(), results.verdicts.into_iter());
        for job in jobs {
            match job.request {
                JobRequest::Hash(_, reply) => give_next(reply, &mut hashes),
                JobRequest::Verify(_, _, reply) => give_next(reply, &mut verdicts),
            }
        }
    }
}

fn give_next<T>(reply: Reply<T>, results: &mut impl Iterator<Item = Result<T, HashError>>) {
    if let Some(result) = results.next() {
        give(reply, result.map_err(HashingError::from));
    }
}

/// Sends a result. The error is ignored: the caller went away during the computation.
fn give<T>(reply: Reply<T>, result: Result<T, HashingError>) {
    drop(reply.send(result));
}
