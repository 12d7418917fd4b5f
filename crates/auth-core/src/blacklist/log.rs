//! The durable log of revocations that all nodes share.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use time::OffsetDateTime;
use uuid::Uuid;

use super::revocation::{Revocation, RevocationTarget};
use crate::error::StoreError;
use crate::random::{NoRandomness, random_bytes};
use crate::token::Claims;

/// Position in the log: the number of entries ever appended, up to and including this one. The first entry has position 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// Identity of a log. A log that was created again has another identity, and positions of the old one mean nothing in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogIdentity(pub Uuid);

/// Random number that an entry gets from the transaction that appends it.
///
/// A failover that loses commits lets a position be given a second time, possibly to the same revocation. Two entries with one
/// position and one mark were appended by the same transaction, so all entries before them are the same too. Entries of one
/// transaction may share a mark. A log that cannot lose commits may give all entries the same mark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Mark(pub u64);

impl Mark {
    /// Returns a new random mark.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        random_bytes().map(|bytes| Self(u64::from_ne_bytes(bytes)))
    }
}

/// An entry of the log with its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogEntry {
    /// Position of the entry.
    pub position: Position,
    /// Mark that tells the entry from one of another history at the same position.
    pub mark: Mark,
    /// The revocation.
    pub revocation: Revocation,
}

/// A part of the log, read in one consistent step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// Identity of the log that was read.
    pub identity: LogIdentity,
    /// Position of the last entry that was committed when the page was read.
    pub head: Position,
    /// Bounds of the entries that may have been purged.
    pub purged: Purged,
    /// Time at which the log was last found to have lost entries. `None` when that never happened, or an operator has
    /// acknowledged it. See [`RevocationLog::mark_loss`].
    pub lost: Option<OffsetDateTime>,
    /// Age of the page when it was answered: zero from the log itself, and from a copy of the log the time since the copy was
    /// last known to be complete.
    pub age: Duration,
    /// Entries after the requested position, in order of position. Only purged entries are missing between them.
    pub entries: Vec<LogEntry>,
}

/// Latest expiry of the entries that were ever purged from a log, for each kind of target.
///
/// The log itself keeps it, so that a purge by a node whose clock is wrong revives no token anywhere: an entry that is not
/// found and may have been purged does not make its token good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// Latest expiry of purged entries for one token, one session or one key. A token that expires at this instant or earlier is refused, because it
    /// may have been revoked.
    pub tokens: OffsetDateTime,
    /// Latest expiry of purged entries for all tokens of a user. The store decides about a token that expires at this instant
    /// or earlier, because it knows the generation of every user.
    pub users: OffsetDateTime,
}

impl Default for Purged {
    /// The bounds of a log from which nothing was purged.
    fn default() -> Self {
        Self { tokens: OffsetDateTime::UNIX_EPOCH, users: OffsetDateTime::UNIX_EPOCH }
    }
}

impl Purged {
    /// Records that `revocation` is purged.
    pub fn note(&mut self, revocation: &Revocation) {
        let latest = match revocation.target {
            RevocationTarget::Token(_) | RevocationTarget::Session(_) | RevocationTarget::Key(_) => &mut self.tokens,
            RevocationTarget::User { .. } => &mut self.users,
        };
        *latest = revocation.expires_at.max(*latest);
    }

    /// Returns true if `revocation`, which is not in the log any more, may have been purged.
    #[must_use]
    pub fn may_hold(&self, revocation: &Revocation) -> bool {
        let latest = match revocation.target {
            RevocationTarget::Token(_) | RevocationTarget::Session(_) | RevocationTarget::Key(_) => self.tokens,
            RevocationTarget::User { .. } => self.users,
        };
        revocation.expires_at <= latest
    }
}

/// Reading side of the log of revocations.
///
/// # Contract
///
/// - **Gapless in commit order**: once an entry at position *p* is visible, no entry at a position below *p* becomes
///   visible later. A reader that remembers the last position that it saw misses nothing.
/// - **Read-your-writes**: an entry that was acknowledged to any node is visible to every later read.
/// - A source that cannot be reached is [`Unavailable`](crate::StoreErrorKind::Unavailable), never "not revoked".
/// - No reader sees that an entry is gone before it sees [`Purged`] cover the entry.
#[async_trait]
pub trait RevocationSource: fmt::Debug + Send + Sync {
    /// Returns at most `limit` entries after `after`, with the identity and the head of the log.
    ///
    /// # Errors
    ///
    /// When the store failed, or an entry cannot be read ([`Corrupt`](crate::StoreErrorKind::Corrupt)). No entry is skipped
    /// silently.
    async fn read_after(&self, after: Position, limit: u32) -> Result<LogPage, StoreError>;

    /// Returns whether the token with these claims must be refused, because an entry covers it or may have covered it
    /// and was purged.
    ///
    /// A token that expires no later than [`Purged::tokens`] is refused. So is a token whose generation is below that
    /// of its user, even if the entry that says so was purged, and one of a [personal token](crate::PersonalTokenStore) that is not
    /// in the store.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn covers(&self, claims: &Claims) -> Result<bool, StoreError>;
}

/// The durable log of revocations, shared by all nodes.
///
/// # Contract
///
/// - **Idempotent**: a target that is in the log already is not appended again. For one target there is one entry. A token
///   with another expiry is another target.
/// - **Durable**: an entry that [`append`](RevocationLog::append) acknowledged survives a crash, and every node reads it at
///   once. A database that breaks this rule, as a failover to a replica that lags does, is noticed by `SyncedBlacklist` of
///   `auth-blacklist`, which appends again what it remembers and reports the loss with
///   [`mark_loss`](RevocationLog::mark_loss).
/// - **Atomic**: a batch of any size is written as a whole or not at all, also when the future is dropped half-way.
/// - Purging removes only entries whose `expires_at` is before the given moment, and never moves the head back. Afterwards
///   [`covers`](RevocationSource::covers) still refuses the tokens that a removed entry covered.
#[async_trait]
pub trait RevocationLog: RevocationSource {
    /// Appends a batch in one transaction. Returns the number of entries that were new.
    ///
    /// An entry for a user raises the generation of that user to [`below`](RevocationTarget::User) in the same transaction,
    /// if the store has that user with a lower one. Without this, a user whose "log out everywhere" was lost and appended again
    /// could not log in: new tokens would carry the old generation.
    ///
    /// An entry for a session ends that session in the same transaction, if the store has it and it has not ended. It deletes the
    /// [personal token](crate::PersonalTokenStore) whose session it is, if the store has that.
    ///
    /// # Errors
    ///
    /// When the store failed. The batch may or may not have been written. Repeating is harmless.
    async fn append(&self, batch: &[Revocation]) -> Result<u64, StoreError>;

    /// Removes at most `limit` entries with `expires_at < before`, in order of expiry, and raises [`Purged`] no later than
    /// they are gone. Returns the number of entries that were removed.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError>;

    /// Records durably that the log lost acknowledged entries, which was noticed at `at`, or with `None` that an operator has
    /// acknowledged every loss so far.
    ///
    /// Each record is later than the one before it, whatever `at` says. So every node notices it in [`LogPage::lost`] and
    /// appends again what it remembers.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn mark_loss(&self, at: Option<OffsetDateTime>) -> Result<(), StoreError>;

    /// Returns the time by the clock of the store, which all nodes share, or `None` when the store has only the clock of this
    /// machine.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError>;
}
