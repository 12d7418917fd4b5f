//! The store of keys.

use std::fmt;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::managed_key::{KeySet, ManagedKey};
use crate::blacklist::Revocation;
use crate::error::StoreError;

/// Keeps the keys that sign tokens, for all nodes. Private keys are encrypted before a store sees them.
///
/// # Contract
///
/// - A change that was acknowledged is seen by every later [`load`](KeyStore::load), on any connection and any node, and
///   survives a restart.
/// - Of many calls of [`replace`](KeyStore::replace) with one version, at most one succeeds.
/// - Every change raises the version, and no version is ever given to two sets.
/// - The revocation of a key and its entry in the log of revocations are one transaction. The first revocation counts.
/// - A future that is dropped half-way leaves the whole change or nothing.
/// - Instants are kept to the microsecond.
/// - A store that cannot be reached is [`Unavailable`](crate::StoreErrorKind::Unavailable), never an empty set.
/// - A row that cannot become a [`ManagedKey`] is [`Corrupt`](crate::StoreErrorKind::Corrupt).
///
/// The crate `auth-conformance` has a test of each rule.
#[async_trait]
pub trait KeyStore: fmt::Debug + Send + Sync {
    /// Returns all keys with the version of their set, read in one consistent step. A store without keys has the version zero
    /// until its first change.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn load(&self) -> Result<KeySet, StoreError>;

    /// Replaces all keys by those of `set` in one transaction, if the version in the store is that of `set`. Returns whether it
    /// did. The new version is one more.
    ///
    /// # Errors
    ///
    /// When the store failed. The keys may have been replaced all the same: [`load`](Self::load) shows it. Repeating is
    /// harmless.
    async fn replace(&self, set: &KeySet) -> Result<bool, StoreError>;

    /// Revokes a key, appends [`Revocation::of_key`] to the log of revocations and adds `replacement`, in one transaction. A
    /// key that was revoked before keeps its first time, and nothing is added.
    ///
    /// Returns the entry of the first revocation, whoever made it, or `None` if there is no such key. Then nothing is written.
    ///
    /// # Errors
    ///
    /// When the store failed. Repeating is harmless.
    async fn revoke(
        &self,
        kid: &str,
        at: OffsetDateTime,
        replacement: Option<ManagedKey>,
    ) -> Result<Option<Revocation>, StoreError>;
}
