//! The trait of an outbox.

use std::fmt;

use async_trait::async_trait;
use time::OffsetDateTime;
use uuid::Uuid;

use super::letter::{Letter, LetterKind};
use crate::email::Email;
use crate::error::StoreError;
use crate::ids::{LetterId, UserId};
use crate::random::{NoRandomness, random_bytes};

/// Random number of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseId(Uuid);

impl LeaseId {
    /// Returns a new random number.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self(uuid::Builder::from_random_bytes(random_bytes()?).into_uuid()))
    }

    /// Returns the number as a UUID.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

/// A letter that one worker holds for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedLetter {
    /// The letter.
    pub letter: Letter,
    /// Number of leases of the letter, this one included.
    pub attempts: u32,
}

/// Result of a lease.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leased {
    /// The letters.
    pub letters: Vec<LeasedLetter>,
    /// Rows that were leased and cannot become a letter.
    pub unreadable: Vec<LetterId>,
}

/// What an operator may see of a waiting letter. It has no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedLetter {
    /// The id.
    pub id: LetterId,
    /// What the letter is about.
    pub kind: LetterKind,
    /// The user whose account it is about.
    pub user_id: UserId,
    /// The address.
    pub to: Option<Email>,
    /// Time at which the letter was written.
    pub created_at: OffsetDateTime,
    /// Time from which on a worker may take the letter: that of its next attempt, or the end of the present lease.
    pub due_at: OffsetDateTime,
    /// Number of leases so far.
    pub attempts: u32,
}

/// Contents of an outbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxStats {
    /// Number of waiting letters, decoys included.
    pub waiting: u64,
    /// Time at which the oldest of them was written.
    pub oldest: Option<OffsetDateTime>,
}

/// Letters that wait to be sent.
///
/// A letter comes in as a [side effect](crate::recovery::SideEffects::letters) of a change, in its transaction. It goes out by
/// [`remove`](Self::remove). A letter that is gone leaves nothing behind: no address, no secret.
///
/// # Contract
///
/// - A letter that was written is leased sooner or later, until it is removed or its user is deleted. It survives a restart.
/// - No two leases of a letter overlap: of many workers that lease at once each letter goes to one, and to no other before that
///   lease has ended.
/// - Only the holder of the present lease removes or delays a letter.
/// - Letters are leased in the order in which they became due.
/// - A store that cannot be reached is [`Unavailable`](crate::StoreErrorKind::Unavailable), never "no letter".
/// - A row that cannot become a [`Letter`] is leased like any other and reported as [`unreadable`](Leased::unreadable), so that it
///   keeps no letter from being sent.
/// - Instants are kept to the microsecond.
///
/// The crate `auth-conformance` has a test of each rule.
#[async_trait]
pub trait Outbox: fmt::Debug + Send + Sync {
    /// Leases at most `limit` letters that are due at `now`, until `until`.
    ///
    /// # Errors
    ///
    /// When the store failed. Some letters may have been leased; they are due again at `until`.
    async fn lease(
        &self,
        lease: LeaseId,
        now: OffsetDateTime,
        until: OffsetDateTime,
        limit: u32,
    ) -> Result<Leased, StoreError>;

    /// Removes a letter that was sent or is given up. Returns false when the lease is not the present one.
    ///
    /// # Errors
    ///
    /// When the store failed. The letter may have been removed all the same.
    async fn remove(&self, id: LetterId, lease: LeaseId) -> Result<bool, StoreError>;

    /// Ends the lease of a letter and makes it due at `due_at`. Returns false when the lease is not the present one.
    ///
    /// # Errors
    ///
    /// When the store failed. The letter may be due at `due_at` all the same.
    async fn delay(&self, id: LetterId, lease: LeaseId, due_at: OffsetDateTime) -> Result<bool, StoreError>;

    /// Returns at most `limit` waiting letters that are no decoys, those that are due first at the front.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn queue(&self, limit: u32) -> Result<Vec<QueuedLetter>, StoreError>;

    /// Returns the waiting letters about a user, oldest first.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn of_user(&self, user_id: UserId) -> Result<Vec<QueuedLetter>, StoreError>;

    /// Returns the contents.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn stats(&self) -> Result<OutboxStats, StoreError>;

    /// Returns the time by the clock of the store, which all nodes share, or `None` if the store has only the clock of
    /// this machine.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError>;
}
