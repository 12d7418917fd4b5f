//! The trait of a store of counters.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::counter::Counter;
use crate::batches::remove_in_batches;
use crate::error::StoreError;

/// Key of a counter: the first 128 bits of a SHA-256 hash over the subject that is counted.
///
/// A table of counters is therefore no list of the e-mail addresses that strangers typed. The key is no secret, though:
/// a reader of the table can find out whether an address that they know already failed to log in lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptKey([u8; 16]);

impl AttemptKey {
    /// Returns the key of these parts together. The first part names the kind of counter, so that no two kinds share
    /// one.
    pub(super) fn new(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // The length in front keeps "a" + "bc" apart from "ab" + "c".
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        Self(key)
    }

    /// Returns the key as bytes.
    #[must_use]
    pub fn as_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl From<[u8; 16]> for AttemptKey {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// Function that an update applies to the counters, which are in the order of the keys. It may be called more than
/// once.
pub type Change = Arc<dyn Fn(&mut [Counter]) + Send + Sync>;

/// Store of attempt counters for rate limiting.
///
/// # Contract
///
/// - A key that was never written has [`Counter::default`].
/// - No update is lost: of many that overlap, each sees in all its counters the values that earlier ones wrote.
/// - Every later call, on any connection and any node, sees the values that an update wrote.
/// - The keys of one call differ from one another. Their order has no meaning.
/// - A store that is full may forget counters, first those that impose no wait.
/// - Updates that share some keys, in any order, all succeed.
/// - A future that is dropped half-way leaves the whole update or nothing.
/// - A database that cannot be reached is [`StoreErrorKind::Unavailable`](crate::StoreErrorKind::Unavailable), never a
///   default counter.
/// - A row that cannot be converted to a [`Counter`] is [`StoreErrorKind::Corrupt`](crate::StoreErrorKind::Corrupt).
///
/// The crate `auth-conformance` has a test of each rule.
#[async_trait]
pub trait AttemptStore: fmt::Debug + Send + Sync {
    /// Returns the counters of `keys`, in their order. It does not wait for updates under way and may miss them.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn read(&self, keys: &[AttemptKey]) -> Result<Vec<Counter>, StoreError>;

    /// Applies `change` to the counters of `keys` in one atomic step and returns the counters as they were *before*.
    /// Counters that `change` does not alter are not written.
    ///
    /// # Errors
    ///
    /// When the store failed. Then either the whole update was written or nothing.
    async fn update(&self, keys: &[AttemptKey], change: Change) -> Result<Vec<Counter>, StoreError>;

    /// Removes at most `limit` counters that [expired](Counter::expires_at) before `before`, and returns the number of
    /// removed ones. It never removes a counter that an update has renewed meanwhile.
    ///
    /// # Errors
    ///
    /// When the store failed. Some may have been removed.
    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError>;

    /// Returns the time by the clock of the store, which all nodes share, or `None` if the store has only the clock of
    /// this machine.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError>;
}

/// Removes expired counters from `store` in batches of `batch` until none is left, and calls `pause` between two
/// batches. Returns the number of removed counters.
///
/// `now` is the time by the clock of this node. The earlier one of it and the clock of the store decides, so a node
/// whose clock is ahead removes no counter that still imposes a wait.
///
/// # Errors
///
/// When the store failed. Counters that were removed before stay removed.
pub async fn purge_counters(
    store: &dyn AttemptStore,
    now: OffsetDateTime,
    batch: u32,
    pause: impl AsyncFnMut(u64),
) -> Result<u64, StoreError> {
    let before = store.now().await?.map_or(now, |of_store| of_store.min(now));
    remove_in_batches(batch, |limit| store.purge(before, limit), pause).await
}
