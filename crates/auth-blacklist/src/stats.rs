//! What a step has read, and the state and counts of a blacklist.

use std::time::Duration;

use auth_core::blacklist::Position;
use time::OffsetDateTime;

use super::index::IndexStats;
#[cfg(doc)]
use auth_core::RevocationLog;

/// Result of reading one page of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncStep {
    /// Whether memory now holds all entries that were committed when this round of reads began.
    pub complete: bool,
    /// Number of entries that this step read.
    pub read: usize,
    /// Position up to which the log has been read.
    pub position: Position,
    /// Head of the log.
    pub head: Position,
    /// Whether the log is another one than before, or went backwards (a failover that lost commits, a restored backup,
    /// a re-created database). It is then read from its beginning again, and until that is done every check asks the
    /// log.
    pub reloading: bool,
    /// Whether this step found that the log lost entries: it is [`reloading`](Self::reloading), or the log does not
    /// have the entries that this node appended. [`SyncStats::lost`] reports it until it is acknowledged.
    pub lost: bool,
    /// Number of lost entries that this step appended again.
    pub restored: u64,
}

/// State and counts of a [`SyncedBlacklist`](crate::SyncedBlacklist).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncStats {
    /// Contents of memory.
    pub index: IndexStats,
    /// Position up to which the log has been read.
    pub position: Position,
    /// Head of the log at the last read.
    pub head: Position,
    /// Age of memory: the time since the first read of the last complete round was sent, and the age that its answer said.
    /// `None` before the first load is complete.
    pub age: Option<Duration>,
    /// Whether memory answers alone at this moment.
    pub fresh: bool,
    /// Number of reads of the log so far.
    pub polls: u64,
    /// Number of failed reads of the log so far.
    pub failures: u64,
    /// Number of times that the log had to be read from its beginning again.
    pub reloads: u64,
    /// Time at which some node last found that the log lost entries, so that acknowledged revocations may be gone.
    /// `None` when that never happened, or an operator has acknowledged it ([`RevocationLog::mark_loss`]).
    pub lost: Option<OffsetDateTime>,
    /// Number of times that this node found that the log lost entries.
    pub losses: u64,
    /// Number of lost entries that this node appended again.
    pub restored: u64,
    /// Number of checks that asked the log because memory had no answer.
    pub fallbacks: u64,
}
