//! Where counters are kept.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::counter::Counter;
use crate::batches::remove_in_batches;
use crate::error::StoreError;

/// The key of a counter: 128 bits of a SHA-256 over what is counted.
///
/// A table of counters is therefore no list of the e-mail addresses that strangers typed. It is no secret either: who can
/// read it can find out whether an address that they know already failed to log in lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptKey([u8; 16]);

impl AttemptKey {
    /// The key of what these parts say together. The first one names the kind, so that no two kinds share a counter.
    pub(super) fn new(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // With its length in front, or "a" + "bc" would be "ab" + "c".
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        Self(key)
    }

    /// The key as bytes.
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

/// What an update does to the counters it is given, in the order of the keys. It may be called more than once.
pub type Change = Arc<dyn Fn(&mut [Counter]) + Send + Sync>;

/// Keeps counters of attempts.
///
/// # Contract
///
/// - A key that was never written has [`Counter::default`].
/// - No update is lost: of many that overlap each sees what the ones before it wrote, in every counter it names.
/// - What an update wrote is seen by every later call, on any connection and any node.
/// - Keys of one call are different from one another; their order means nothing.
/// - A store that has no room left may forget counters, those first that hold nobody back.
/// - Updates that name some of the same keys, in whatever order, all succeed.
/// - A future that is dropped half-way leaves the whole update or nothing.
/// - A database that cannot be reached is [`StoreErrorKind::Unavailable`](crate::StoreErrorKind::Unavailable), never a counter that
///   says nothing.
/// - A row that cannot become a [`Counter`] is [`StoreErrorKind::Corrupt`](crate::StoreErrorKind::Corrupt).
///
/// The crate `auth-conformance` has a test of each rule.
#[async_trait]
pub trait AttemptStore: fmt::Debug + Send + Sync {
    /// The counters of `keys`, in their order. It waits for no update and may miss those that are under way.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn read(&self, keys: &[AttemptKey]) -> Result<Vec<Counter>, StoreError>;

    /// Applies `change` to the counters of `keys` in one atomic step and returns them as they were *before*. What
    /// `change` leaves as it was is not written.
    ///
    /// # Errors
    ///
    /// When the store failed. Then either all of it was written or nothing.
    async fn update(&self, keys: &[AttemptKey], change: Change) -> Result<Vec<Counter>, StoreError>;

    /// Removes at most `limit` counters that [expired](Counter::expires_at) before `before`; returns how many. It never
    /// removes what an update has renewed meanwhile.
    ///
    /// # Errors
    ///
    /// When the store failed. Some may have been removed.
    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError>;

    /// The time by the clock of the store, which all nodes share. `None` when the store has no clock other than that of this
    /// machine.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError>;
}

/// Removes expired counters from `store` in batches of `batch` until none is left, and calls `pause` between two batches.
/// Returns how many.
///
/// `now` is the time by the clock of this node. The clock of the store counts as well, and the earlier of the two decides: a
/// node whose clock is ahead removes no counter that still holds somebody back.
///
/// # Errors
///
/// When the store failed; what was removed until then stays removed.
pub async fn purge_counters(
    store: &dyn AttemptStore,
    now: OffsetDateTime,
    batch: u32,
    pause: impl AsyncFnMut(u64),
) -> Result<u64, StoreError> {
    let before = store.now().await?.map_or(now, |of_store| of_store.min(now));
    remove_in_batches(batch, |limit| store.purge(before, limit), pause).await
}
