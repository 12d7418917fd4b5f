//! [`StoreError`], the error of every store.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// Boxed cause of an error. It is for the log and is never shown to a client.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Kind of failure of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store could not be reached or did not answer in time. The same call may succeed later.
    Unavailable,
    /// A stored row cannot be converted to a domain value. An operator has to repair it.
    Corrupt,
    /// Anything else: a bug, a missing table, a refused statement.
    Internal,
}

/// Error of a store, with its cause.
///
/// `Display` says only the kind. The cause is in [`source`](StdError::source) and belongs in a log. Clones share the cause.
#[derive(Debug, Clone)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Arc<dyn StdError + Send + Sync>,
}

impl StoreError {
    /// Returns an error of this kind with its cause.
    pub fn new(kind: StoreErrorKind, source: impl Into<BoxError>) -> Self {
        Self { kind, source: source.into().into() }
    }

    /// Returns an [`Unavailable`](StoreErrorKind::Unavailable) error: the store could not be reached.
    pub fn unavailable(source: impl Into<BoxError>) -> Self {
        Self::new(StoreErrorKind::Unavailable, source)
    }

    /// Returns a [`Corrupt`](StoreErrorKind::Corrupt) error: a stored row cannot be converted to a domain value.
    pub fn corrupt(source: impl Into<BoxError>) -> Self {
        Self::new(StoreErrorKind::Corrupt, source)
    }

    /// Returns the kind of the failure.
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
