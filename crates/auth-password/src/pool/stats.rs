//! State and counts of a pool.

use std::time::Duration;

use super::MAX_WIDTH;

/// State and counts of a pool. The counts begin at the start of the pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Passwords that wait to be hashed.
    pub hashes_queued: usize,
    /// Passwords that wait to be compared.
    pub verifies_queued: usize,
    /// Threads that have nothing to do.
    pub idle: usize,
    /// Jobs that are being computed.
    pub running: usize,
    /// Jobs that were computed.
    pub completed: u64,
    /// Jobs that were refused because too many waited or they waited too long.
    pub shed: u64,
    /// Jobs that were skipped because their callers had gone.
    pub abandoned: u64,
    /// Jobs without an answer because the hasher panicked.
    pub lost: u64,
    /// Batches that were started, by the number of their jobs. The first count is of single jobs.
    pub batches: [u64; MAX_WIDTH],
    /// Waits of the jobs that were started.
    pub waits: WaitStats,
}

impl PoolStats {
    /// Returns the number of jobs that wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.hashes_queued + self.verifies_queued
    }
}

/// Histogram of waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitStats {
    /// Number of waits in each bucket: longer than the bound before and at most this one. The last bucket has no upper
    /// bound.
    pub counts: [u64; WaitStats::BOUNDS.len() + 1],
    /// Sum of all waits.
    pub sum: Duration,
}

impl WaitStats {
    /// Upper bounds of all buckets but the last.
    pub const BOUNDS: [Duration; 8] = [
        Duration::from_millis(1),
        Duration::from_millis(10),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_millis(2_500),
        Duration::from_secs(5),
    ];

    pub(super) fn add(&mut self, wait: Duration) {
        let at = Self::BOUNDS.iter().position(|bound| wait <= *bound).unwrap_or(Self::BOUNDS.len());
        self.counts[at] += 1;
        self.sum += wait;
    }
}
