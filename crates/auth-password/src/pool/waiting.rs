//! Jobs that wait for a thread: one queue for each kind, served in turn.

use std::collections::VecDeque;
use std::time::Duration;

use auth_core::BatchKey;

use super::job::{Job, JobKind};

/// Queues of the jobs that wait.
///
/// Each kind of job has a queue of its own, so that a flood of one kind takes no room from the other. When both kinds
/// wait, they are taken alternately.
pub(super) struct Waiting {
    hashes: VecDeque<Job>,
    verifies: VecDeque<Job>,
    /// Kind of the next job.
    next_kind: JobKind,
}

/// Jobs that were removed from the heads of the queues because they must not be computed any more.
#[derive(Default)]
pub(super) struct Expired {
    /// Jobs that waited too long.
    pub(super) late: Vec<Job>,
    /// Number of jobs that were skipped because their callers had gone.
    pub(super) abandoned: u64,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { hashes: VecDeque::new(), verifies: VecDeque::new(), next_kind: JobKind::Verify }
    }
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.hashes.len() + self.verifies.len()
    }

    pub(super) fn queue(&self, kind: JobKind) -> &VecDeque<Job> {
        match kind {
            JobKind::Hash => &self.hashes,
            JobKind::Verify => &self.verifies,
        }
    }

    fn queue_mut(&mut self, kind: JobKind) -> &mut VecDeque<Job> {
        match kind {
            JobKind::Hash => &mut self.hashes,
            JobKind::Verify => &mut self.verifies,
        }
    }

    pub(super) fn push(&mut self, job: Job) {
        self.queue_mut(job.kind()).push_back(job);
    }

    /// Drops the jobs of one kind whose callers have gone, and returns their number.
    pub(super) fn drop_abandoned(&mut self, kind: JobKind) -> u64 {
        let queue = self.queue_mut(kind);
        let before = queue.len();
        queue.retain(|job| !job.is_abandoned());
        (before - queue.len()) as u64
    }

    /// Removes jobs from the heads of both queues that were enqueued before `deadline` or whose callers have gone.
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

    /// Takes the next job and up to `limit - 1` that can be computed with it, alternating between the kinds.
    pub(super) fn take(&mut self, limit: usize) -> Vec<Job> {
        let mut taken = Vec::new();
        let first =
            [self.next_kind, self.next_kind.other()].into_iter().find_map(|kind| self.queue_mut(kind).pop_front());
        let mut next = first;
        while let Some(job) = next {
            self.next_kind = job.kind().other();
            let key = job.key;
            taken.push(job);
            next = key.filter(|_| taken.len() < limit).and_then(|key| self.companion(key));
        }
        taken
    }

    fn companion(&mut self, key: BatchKey) -> Option<Job> {
        [self.next_kind, self.next_kind.other()].into_iter().find_map(|kind| {
            let queue = self.queue_mut(kind);
            let at = queue.iter().position(|job| job.key == Some(key) && !job.is_abandoned())?;
            queue.remove(at)
        })
    }

    /// Returns the number of batches of at most `width` jobs that go before a new job of this kind. The kinds
    /// alternate, so at most one more job of the other kind than of its own goes before it.
    pub(super) fn batches_before(&self, kind: JobKind, width: usize) -> usize {
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
