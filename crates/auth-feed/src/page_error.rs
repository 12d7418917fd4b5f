//! Errors of pages and snapshots.

use auth_core::BoxError;

/// Error of a page that must be discarded as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// The page is not JSON of the right form.
    #[error("the page cannot be read")]
    Form(#[source] BoxError),
    /// An entry breaks a rule.
    #[error("the entry at position {position} is broken: {rule}")]
    Entry {
        /// Position of the entry.
        position: u64,
        /// The rule.
        rule: &'static str,
    },
    /// A field of the page breaks a rule.
    #[error("`{field}` of the page is broken: {rule}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// The rule.
        rule: &'static str,
    },
}
