//! The trait of a store of personal tokens.

use std::fmt;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{PersonalToken, PersonalTokenDigest};
use crate::blacklist::Revocation;
use crate::error::StoreError;
use crate::ids::{Generation, PersonalTokenId, UserId};

/// A personal token with the digest of its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPersonalToken {
    /// The token.
    pub token: PersonalToken,
    /// Digest of its secret.
    pub digest: PersonalTokenDigest,
}

/// Store of personal tokens, in the database of the log of revocations.
///
/// # Contract
///
/// - Of many insertions at once no more succeed than the limit allows.
/// - A token is not inserted once the log has an entry that ends the tokens of its user and its generation. So none is left of a user
///   who is deleted meanwhile.
/// - The deletion of a token and its entry in the log of revocations are one transaction.
/// - An entry that is [appended](crate::RevocationLog::append) to the log for the [session](PersonalTokenId::session) of a token
///   deletes the token, in the same transaction. So a deletion that a failover lost is made again with its entry.
/// - [`covers`](crate::RevocationSource::covers) says that virtual claims are covered when there is no such token.
/// - The [deletion](crate::UserStore::delete) of a user deletes the tokens of the user.
/// - Every later read, on any connection and any node, sees what a call wrote. It survives a restart.
/// - A future that is dropped half-way leaves the whole change or nothing.
/// - Instants are kept to the microsecond.
/// - A store that cannot be reached is [`Unavailable`](crate::StoreErrorKind::Unavailable), never "no token".
/// - A row that cannot become a [`PersonalToken`] is [`Corrupt`](crate::StoreErrorKind::Corrupt).
///
/// The crate `auth-conformance` has a test of each rule.
#[async_trait]
pub trait PersonalTokenStore: fmt::Debug + Send + Sync {
    /// Inserts a token, unless its user has `limit` tokens that are [live](PersonalToken::is_live) at its `created_at` and in its
    /// generation, or the log of revocations has an entry that ends all tokens of this user and generation. Returns whether it did. It
    /// removes the tokens of the user that have expired by then or have a lower generation, because nothing can use them any more.
    ///
    /// # Errors
    ///
    /// When the store failed. The token may have been written all the same.
    async fn insert(&self, new: StoredPersonalToken, limit: u32) -> Result<bool, StoreError>;

    /// Returns the token with this digest, also one that has expired.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn find(&self, digest: PersonalTokenDigest) -> Result<Option<PersonalToken>, StoreError>;

    /// Moves the time of the last use forward to `at`. A token that does not exist is ignored.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn record_use(&self, id: PersonalTokenId, at: OffsetDateTime) -> Result<(), StoreError>;

    /// Deletes a token of a user and appends its [end](PersonalToken::end) at `at` to the log of revocations, in one transaction.
    /// Returns that entry, or `None` if the user has no token with this id. Nothing is written then.
    ///
    /// # Errors
    ///
    /// When the store failed. The token may have been deleted all the same.
    async fn delete(
        &self,
        user_id: UserId,
        id: PersonalTokenId,
        at: OffsetDateTime,
    ) -> Result<Option<Revocation>, StoreError>;

    /// Returns at most `limit` tokens of a user that are [live](PersonalToken::is_live) at `now` and in this generation. The one
    /// that was made last comes first.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn list(
        &self,
        user_id: UserId,
        generation: Generation,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<PersonalToken>, StoreError>;

    /// Removes at most `limit` tokens that expired before `before`. Returns the number of tokens that were removed.
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
