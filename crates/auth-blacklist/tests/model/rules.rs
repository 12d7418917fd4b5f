//! The rules that the promise rests on.

/// A rule that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Without {
    Nothing,
    /// Positions are given without a lock, as auto-increment ids are.
    CommitOrder,
    /// Freshness counts from the arrival of an answer, not from before the question.
    SentInstant,
    /// Past the bound memory answers on.
    Bound,
    /// When the log cannot be asked either, the token is accepted.
    FailClosed,
    /// A check reads the index first and the freshness second.
    FreshnessFirst,
    /// A logout is acknowledged before it is committed.
    DurableAck,
    /// A poll that failed counts as one that read nothing.
    OnlySuccess,
    /// An entry is removed as soon as its token has expired.
    Leeway,
    /// An entry is removed first, and that it may be gone is said second.
    PurgedFirst,
    /// Who does not find an entry takes no note of what may have been purged.
    PurgedIsRefused,
    /// The head of the log is the last entry that is left, so that a position is given again after a purge.
    HeadStays,
}
