//! Passing on what was read from the log.

use std::sync::Arc;
use std::time::Duration;

use auth_core::blacklist::{LogEntry, LogIdentity, LogObserver, LogPage, LogProgress};

use super::reader::Reader;

/// The observer of a blacklist, if it has one.
#[derive(Debug, Default)]
pub(super) struct Observer(pub(super) Option<Arc<dyn LogObserver>>);

impl Observer {
    pub(super) fn reset(&self, identity: LogIdentity) {
        if let Some(observer) = &self.0 {
            observer.reset(identity);
        }
    }

    /// Reports a page that `reader` has taken.
    pub(super) fn read(&self, reader: &Reader, page: &LogPage, entries: &[LogEntry]) {
        if let Some(observer) = &self.0 {
            observer.read(&LogProgress { entries, position: reader.position, purged: page.purged });
        }
    }

    pub(super) fn complete(&self, as_of: Duration) {
        if let Some(observer) = &self.0 {
            observer.complete(as_of);
        }
    }
}
