//! Outcomes of hashing and comparing.

use crate::error::BoxError;

/// Result of comparing a password with a stored hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The password is right.
    Match,
    /// The password is right, and the hash should be replaced: its scheme or cost is not the configured one.
    MatchRehash,
    /// The password is wrong.
    Mismatch,
}

/// Reason that a hash could not be computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// The stored hash has an unknown scheme, is malformed, or asks for more work than is allowed.
    #[error("the stored password hash cannot be used: {0}")]
    UnusableHash(&'static str),
    /// The hash function failed.
    #[error("the password hash function failed")]
    Failed(#[source] BoxError),
}
