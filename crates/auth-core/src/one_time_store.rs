//! The trait of a store of one-time tokens.

use std::fmt;

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::batches::remove_in_batches;
use crate::effects::SideEffects;
use crate::email::Email;
use crate::error::StoreError;
use crate::ids::UserId;
use crate::one_time::{OneTimeTokenDigest, OneTimeTokenPurpose, StoredOneTimeToken};

/// Maximum number of tokens that [`OneTimeTokenStore::open_tokens`] returns.
pub const MAX_OPEN_TOKENS: u32 = 100;

/// Store of one-time tokens, and of the letters that carry them.
///
/// A token is *open* until it is used, ended, or has expired. It is used as a [side effect](SideEffects::redeem) of the change
/// that it permits, in the methods of [`UserStore`](crate::UserStore), so this store and that of the users share a database.
///
/// # Contract
///
/// - A token is used at most once: of many uses at once exactly one succeeds. One conditional update decides.
/// - The use of a token ends all other open tokens of its user with the same purpose. For
///   [`UndoEmailChange`](OneTimeTokenPurpose::UndoEmailChange) it ends only those that were made later, so that a thief who
///   changes the address twice cannot end the token of the owner.
/// - Used, ended and expired tokens are never returned.
/// - An address is found by its [key](Email::key).
/// - The tokens and letters of one call are written in one transaction.
/// - Every later read, on any connection and any node, sees what a call wrote. It survives a restart.
/// - A future that is dropped half-way leaves the whole change or nothing.
/// - Instants are kept to the microsecond.
/// - A store that cannot be reached is [`Unavailable`](crate::StoreErrorKind::Unavailable), never "no token".
/// - A row that cannot become a [`StoredOneTimeToken`] is [`Corrupt`](crate::StoreErrorKind::Corrupt).
///
/// The crate `auth-conformance` has a test of each rule.
#[async_trait]
pub trait OneTimeTokenStore: fmt::Debug + Send + Sync {
    /// Makes these writes without a change of a user. Returns false, and has written nothing, when the token of
    /// [`SideEffects::redeem`] cannot be used.
    ///
    /// # Errors
    ///
    /// When the store failed. Then either everything was written or nothing.
    async fn write(&self, effects: SideEffects) -> Result<bool, StoreError>;

    /// Returns the token with this digest if it is open at `at`.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn find(
        &self,
        digest: OneTimeTokenDigest,
        at: OffsetDateTime,
    ) -> Result<Option<StoredOneTimeToken>, StoreError>;

    /// Returns the token that was made last, of those with this purpose that were sent to this address, have a code and are open
    /// at `at`.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn find_latest(
        &self,
        sent_to: &Email,
        purpose: OneTimeTokenPurpose,
        at: OffsetDateTime,
    ) -> Result<Option<StoredOneTimeToken>, StoreError>;

    /// Returns the tokens of a user that are open at `at`, at most [`MAX_OPEN_TOKENS`]. The one that was made last comes first.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn open_tokens(&self, user_id: UserId, at: OffsetDateTime) -> Result<Vec<StoredOneTimeToken>, StoreError>;

    /// Removes at most `limit` tokens that expired before `before`, used and ended ones too. Returns the number of tokens that
    /// were removed.
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

/// Removes expired tokens from `store` in batches of `batch` until none is left, and calls `pause` between two batches. Returns
/// the number of removed tokens.
///
/// `now` is the time by the clock of this node. The earlier one of it and the clock of the store decides.
///
/// # Errors
///
/// When the store failed. Tokens that were removed before stay removed.
pub async fn purge_one_time_tokens(
    store: &dyn OneTimeTokenStore,
    now: OffsetDateTime,
    batch: u32,
    pause: impl AsyncFnMut(u64),
) -> Result<u64, StoreError> {
    let before = store.now().await?.map_or(now, |of_store| of_store.min(now));
    remove_in_batches(batch, |limit| store.purge(before, limit), pause).await
}
