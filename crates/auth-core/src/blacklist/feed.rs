//! Copies of the log for those who only check: how they are read, and how the copy is fed.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::log::{LogEntry, LogIdentity, Position, Purged};
use super::revocation::Revocation;
use crate::error::StoreError;

/// Observer of a node that reads the log. It is told everything that the node reads, in order, so that it can pass the log on
/// without a read of its own.
///
/// The methods are called by the task that reads the log. They must not block.
pub trait LogObserver: fmt::Debug + Send + Sync {
    /// The node forgets its position and reads the log from its beginning: it is another log, or nobody knows whether it is.
    /// Everything that was read before has to be forgotten too. Also called before the first read.
    fn reset(&self, identity: LogIdentity);

    /// A page was read.
    fn read(&self, progress: &LogProgress<'_>);

    /// The node has now read everything that was committed at `as_of`, a monotonic time of its [`Clock`](crate::Clock).
    fn complete(&self, as_of: Duration);
}

/// What a page of the log has brought.
#[derive(Debug, Clone, Copy)]
pub struct LogProgress<'p> {
    /// Entries that are new since the last page or [`reset`](LogObserver::reset), in order of position.
    pub entries: &'p [LogEntry],
    /// Position up to which the log has been read. All positions before it whose entries were not among the `entries` of this
    /// page or an earlier one are purged.
    pub position: Position,
    /// Bounds of the entries that may have been purged.
    pub purged: Purged,
}

/// Set of revocations that is filled from a [`RevocationFeed`].
pub trait RevocationSink: Send + Sync {
    /// Adds revocations. Repeating one changes nothing. Many at once are faster than one after the other, above all if those with
    /// the same hour of expiry follow each other.
    fn insert_all(&self, revocations: &[Revocation]);
}

/// Copy of the log that somebody else keeps, for a node that only checks.
///
/// It is no [`RevocationSource`](super::RevocationSource): a follower that is far behind gets the *set* of what is revoked, without
/// positions, and it can ask about no single token.
///
/// # Contract
///
/// - What an answer adds is in the sink before the call returns, and before the feed remembers that it was read. A call whose
///   future is dropped half-way loses nothing.
/// - A feed that cannot be read is [`Unavailable`](crate::StoreErrorKind::Unavailable).
#[async_trait]
pub trait RevocationFeed: fmt::Debug + Send + Sync {
    /// Reads one answer and adds its revocations to `sink`. It may wait for news for a while.
    ///
    /// # Errors
    ///
    /// When the feed could not be read, or the answer was not whole.
    async fn advance(&self, sink: &dyn RevocationSink) -> Result<FeedStep, StoreError>;
}

/// Result of reading one answer of a [`RevocationFeed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedStep {
    /// Number of revocations in the answer.
    pub read: u64,
    /// Position up to which the log has been read.
    pub position: Position,
    /// Position up to which the keeper of the copy has read the log.
    pub head: Position,
    /// Bounds of the entries that may have been purged.
    pub purged: Purged,
    /// Monotonic time, by the clock of this node, as of which the sink holds everything that was committed. `None` after an
    /// answer that shows no such time: more follows, or it was a snapshot.
    pub complete_as_of: Option<Duration>,
    /// Whether the answer was a snapshot of the whole set.
    pub snapshot: bool,
}
