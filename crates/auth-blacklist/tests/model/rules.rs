//! The rules that the promise needs.

/// Rule that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Without {
    Nothing,
    /// Positions are given without a lock, as auto-increment ids are.
    CommitOrder,
    /// Freshness counts from the arrival of an answer, not from before the read was sent.
    SentInstant,
    /// Memory answers past the bound.
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
    /// An entry is removed first, and the purge bound is raised second.
    PurgedFirst,
    /// A check that finds no entry ignores the purge bound.
    PurgedIsRefused,
    /// The head of the log is the last entry that is left, so that a position is given again after a purge.
    HeadStays,
}
