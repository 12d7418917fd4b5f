//! What waits for a thread: a queue for each kind of job, served in turn.

use std::collections::VecDeque;
use std::time::Duration;

use auth_core::BatchKey;

use super::job::{Job, Kind};

/// The jobs that wait. Each kind has a queue of its own, so that a flood of one takes no room from the other, and a job of
/// the other goes next whenever both wait.
pub(super) struct Waiting {
    hashes: VecDeque<Job>,
    verifies: VecDeque<Job>,
    /// Whose turn it is.
    turn: Kind,
}

/// What had to leave the heads of the queues before anything could be taken.
#[derive(Default)]
pub(super) struct Expired {
    /// Jobs that waited too long.
    pub(super) late: Vec<Job>,
    /// How many were skipped because nobody waited for them.
    pub(super) abandoned: u64,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { hashes: VecDeque::new(), verifies: VecDeque::new(), turn: Kind::Verify }
    }
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.hashes.len() + self.verifies.len()
    }

    pub(super) fn queue(&self, kind: Kind) -> &VecDeque<Job> {
        match kind {
            Kind::Hash => &self.hashes,
            Kind::Verify => &self.verifies,
        }
    }

    fn queue_mut(&mut self, kind: Kind) -> &mut VecDeque<Job> {
        match kind {
            Kind::Hash => &mut self.hashes,
            Kind::Verify => &mut self.verifies,
        }
    }

    pub(super) fn push(&mut self, job: Job) {
        self.queue_mut(job.kind()).push_back(job);
    }

    /// Makes room among the jobs of one kind by dropping those that nobody waits for; how many these were.
    pub(super) fn drop_abandoned(&mut self, kind: Kind) -> u64 {
        let queue = self.queue_mut(kind);
        let before = queue.len();
        queue.retain(|job| !job.is_abandoned());
        (before - queue.len()) as u64
    }

    /// Takes from the heads of both queues what is not to be computed any more: enqueued before `deadline`, or without
    /// a caller.
    pub(super) fn expire(&mut self, deadline: Option<Duration>) -> Expired {
        let mut expired = Expired::default();
        for queue in [&mut self.hashes, &mut self.verifies] {
            while let Some(job) =
                queue.pop_front_if(|job| job.is_abandoned() || deadline.is_some_and(|deadline| job.enqueued < deadline))
            {
                if job.is_abandoned() { expired.abandoned += 1 } else { expired.late.push(job) }
            }
        }
        expired
    }

    /// Takes the next job and up to `limit - 1` that can be computed with it, one kind and the other in turn.
    pub(super) fn take(&mut self, limit: usize) -> Vec<Job> {
        let mut taken = Vec::new();
        let first = [self.turn, self.turn.other()].into_iter().find_map(|kind| self.queue_mut(kind).pop_front());
        let mut next = first;
        while let Some(job) = next {
            self.turn = job.kind().other();
            let key = job.key;
            taken.push(job);
            next = key.filter(|_| taken.len() < limit).and_then(|key| self.companion(key));
        }
        taken
    }

    fn companion(&mut self, key: BatchKey) -> Option<Job> {
        [self.turn, self.turn.other()].into_iter().find_map(|kind| {
            let queue = self.queue_mut(kind);
            let at = queue.iter().position(|job| job.key == Some(key) && !job.is_abandoned())?;
            queue.remove(at)
        })
    }

    /// In how many batches of at most `width` the jobs are done that go before a new one of this kind. As the kinds are
    /// served in turn, these are at most one more of the other than of its own.
    pub(super) fn batches_before(&self, kind: Kind, width: usize) -> usize {
        let own = self.queue(kind);
        let others = self.queue(kind.other()).iter().take(own.len() + 1);
        let mut alone = 0;
        let mut together: Vec<(BatchKey, usize)> = Vec::new();
        for key in own.iter().chain(others).map(|job| job.key) {
            let Some(key) = key else {
                alone += 1;
                continue;
            };
            match together.iter_mut().find(|(known, _)| *known == key) {
                Some((_, jobs)) => *jobs += 1,
                None => together.push((key, 1)),
            }
        }
        alone + together.into_iter().map(|(_, jobs)| jobs.div_ceil(width)).sum::<usize>()
    }
}
