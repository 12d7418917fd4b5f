//! Events for `tracing`, where the feature of that name is on. Without it every function here does nothing.
#![cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "without the feature nothing is reported"))]

use auth_core::StoreError;

/// Reports a read of the log that failed.
pub(crate) fn poll_failed(error: &StoreError) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "auth_blacklist", %error, cause = std::error::Error::source(error), "the log could not be read");
}

/// Reports that the log is read from its beginning again.
pub(crate) fn reloading() {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "auth_blacklist", "the log went backwards; it is read from its beginning");
}

/// Reports that the log lost entries that it had acknowledged.
pub(crate) fn entries_lost() {
    #[cfg(feature = "tracing")]
    tracing::error!(target: "auth_blacklist", "the log lost acknowledged revocations");
}

/// Reports a check that asked the log because memory was too old.
pub(crate) fn fallback() {
    #[cfg(feature = "tracing")]
    tracing::debug!(target: "auth_blacklist", "a check asked the log");
}

/// Reports that a follower takes a snapshot of the whole set again.
pub(crate) fn snapshot_taken(entries: u64) {
    #[cfg(feature = "tracing")]
    tracing::info!(target: "auth_blacklist", entries, "a snapshot of the revocations was loaded");
}
