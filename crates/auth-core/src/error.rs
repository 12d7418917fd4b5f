//! [`StoreError`]: the error of everything behind a store.

use std::error::Error as StdError;
use std::fmt;

/// A boxed cause, kept for the log and never shown to a client.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What kind of trouble a store had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store could not be reached or did not answer in time; the same call may succeed later.
    Unavailable,
    /// A stored row cannot become a domain value. A human has to look at it.
    Corrupt,
    /// Anything else: a bug, a missing table, a refused statement.
    Internal,
}

/// An error of a store, with its cause.
///
/// `Display` says only what kind of trouble it was; the cause is in [`source`](StdError::source) and belongs into a log.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: BoxError,
}

impl StoreError {
    /// An error of `kind` with its cause.
    pub fn new(kind: StoreErrorKind, source: impl Into<BoxError>) -> Self {
        Self { kind, source: source.into() }
    }

    /// The store could not be reached.
    pub fn unavailable(source: impl Into<BoxError>) -> Self {
        Self::new(StoreErrorKind::Unavailable, source)
    }

    /// A stored row cannot become a domain value.
    pub fn corrupt(source: impl Into<BoxError>) -> Self {
        Self::new(StoreErrorKind::Corrupt, source)
    }

    /// What kind of trouble it was.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Unavailable => "the store is unavailable",
            StoreErrorKind::Corrupt => "the store holds a corrupt row",
            StoreErrorKind::Internal => "the store failed",
        })
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.source.as_ref())
    }
}
