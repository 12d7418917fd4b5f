//! What a pool is doing and has done.

use std::time::Duration;

use super::MAX_WIDTH;

/// What a pool is doing and has done. The counts go up from the start of the pool.
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
    /// Jobs computed.
    pub completed: u64,
    /// Jobs refused because too many waited or they waited too long.
    pub shed: u64,
    /// Jobs skipped because nobody waited for them any more.
    pub abandoned: u64,
    /// Jobs without an answer because the hasher panicked.
    pub lost: u64,
    /// Batches started, by the number of their jobs: a lone job first.
    pub batches: [u64; MAX_WIDTH],
    /// How long the jobs waited that were started.
    pub waits: WaitStats,
}

impl PoolStats {
    /// Jobs that wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.hashes_queued + self.verifies_queued
    }
}

/// A histogram of waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitStats {
    /// How many waited longer than the bound before and at most this one; the last had none above it.
    pub counts: [u64; WaitStats::BOUNDS.len() + 1],
    /// All waits together.
    pub sum: Duration,
}

impl WaitStats {
    /// The upper bounds of all counts but the last.
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
