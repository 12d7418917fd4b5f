//! The blacklist: which tokens are refused although they have not expired.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::StoreError;
use crate::ids::{Generation, TokenId, UserId};
use crate::random::{NoRandomness, random_bytes};
use crate::token::Claims;

mod unsynced;

pub use unsynced::UnsyncedBlacklist;

/// Target of a revocation: the tokens that it ends.
///
/// The enum is exhaustive, because a blacklist that ignores a kind of target would accept revoked tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RevocationTarget {
    /// One token, by its `jti`, which expires at the [`expires_at`](Revocation::expires_at) of the entry.
    Token(TokenId),
    /// Every token of a user whose generation is lower than `below`.
    User {
        /// The user.
        id: UserId,
        /// The user's new generation.
        below: Generation,
    },
}

/// Why something was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RevocationReason {
    /// The holder logged out.
    Logout,
    /// The holder, or an operator, logged out everywhere.
    LogoutEverywhere,
    /// The password was changed.
    PasswordChange,
    /// The account was disabled.
    Disabled,
    /// The user is no admin any more.
    Demoted,
}

impl RevocationReason {
    /// All reasons.
    pub const ALL: [Self; 5] =
        [Self::Logout, Self::LogoutEverywhere, Self::PasswordChange, Self::Disabled, Self::Demoted];

    /// The reason as a stable word, for storage and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::LogoutEverywhere => "logout_everywhere",
            Self::PasswordChange => "password_change",
            Self::Disabled => "disabled",
            Self::Demoted => "demoted",
        }
    }

    /// The reason that [`as_str`](Self::as_str) spells so.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// One entry of the blacklist. It holds no token nor a hash of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// What is revoked.
    pub target: RevocationTarget,
    /// Of one token: its expiry as its claims have it. Memory and the log find a token by expiry and id together, so an
    /// entry with another expiry revokes nothing. Of a user: no token that this covers expires later, whichever node's
    /// clock gave it its expiry. The entry is needed until [`LEEWAY`](crate::LEEWAY) after it.
    pub expires_at: OffsetDateTime,
    /// When it was revoked.
    pub revoked_at: OffsetDateTime,
    /// Why.
    pub reason: RevocationReason,
}

impl Revocation {
    /// Whether the token with these claims is covered.
    #[must_use]
    pub fn covers(&self, claims: &Claims) -> bool {
        match self.target {
            RevocationTarget::Token(id) => claims.token_id == id,
            RevocationTarget::User { id, below } => claims.user_id == id && claims.generation < below,
        }
    }
}

/// What memory alone can say about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is revoked. This never changes back.
    Revoked,
    /// It is not revoked, as of a moment that is recent enough.
    Good,
    /// Memory cannot tell; [`Blacklist::look_up`] must be asked.
    AskTheLog,
}

/// Answers whether a token was revoked, and takes revocations.
///
/// # Contract
///
/// - Monotonic: once a token is reported as revoked it is reported so until it has expired.
/// - From the moment [`revoke`](Blacklist::revoke) has returned, this instance reports the token as revoked.
/// - Revoking twice is revoking once.
/// - However much is revoked, nothing is forgotten before its token has expired, leeway included.
#[async_trait]
pub trait Blacklist: fmt::Debug + Send + Sync {
    /// What memory alone can say. No I/O, no waiting.
    fn peek(&self, claims: &Claims) -> Standing;

    /// Asks the log whether the token was revoked.
    ///
    /// # Errors
    ///
    /// When the log cannot be asked. Then nothing is known, and the token must not be accepted.
    async fn look_up(&self, claims: &Claims) -> Result<bool, StoreError>;

    /// Writes a revocation durably and refuses from now on what it covers. A revocation that has expired, leeway
    /// included, is accepted and need not be stored.
    ///
    /// # Errors
    ///
    /// When it could not be written. It may then have been written all the same; repeating is harmless.
    async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError>;

    /// Takes note of a revocation that is durable already (see [`UserStore::change_and_revoke`](crate::UserStore)), so
    /// that this instance refuses at once what it covers.
    fn note(&self, revocation: &Revocation);
}

/// A position in the log: the number of entries ever appended up to and including one. The first entry has position 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// Which log this is. A log that was re-created has another identity, and positions of the old one mean nothing in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogIdentity(pub Uuid);

/// A random number that an entry gets from the transaction that appends it.
///
/// After a failover that lost commits, a position can be given a second time, even to the same revocation. Two entries with
/// one position and one mark were appended by the same transaction, so everything before them is the same as well.
/// Entries of one transaction may share a mark. A log that cannot lose commits may give the same mark to all entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Mark(pub u64);

impl Mark {
    /// A fresh mark.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        random_bytes().map(|bytes| Self(u64::from_ne_bytes(bytes)))
    }
}

/// An entry of the log, where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogEntry {
    /// Its position.
    pub position: Position,
    /// What tells it from an entry of another history at the same position.
    pub mark: Mark,
    /// What was revoked.
    pub revocation: Revocation,
}

/// A part of the log, read in one consistent step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// Which log was read.
    pub identity: LogIdentity,
    /// The position of the last entry that was committed when the page was read.
    pub head: Position,
    /// What may have been purged from it.
    pub purged: Purged,
    /// When the log was last found to have lost entries; `None` when it never was, or an operator acknowledged it. See
    /// [`RevocationLog::mark_loss`].
    pub lost: Option<OffsetDateTime>,
    /// Entries after the asked position, in order of position, without gaps other than purged entries.
    pub entries: Vec<LogEntry>,
}

/// How far a log may have been purged: the latest expiry of an entry that was ever removed. It is kept in the log itself,
/// so that a purge by a node whose clock is wrong brings no token back anywhere: who does not find an entry and knows
/// that it may have been purged does not take the token for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// Of entries for one token. A token that expires then or before may have been revoked, and is refused.
    pub tokens: OffsetDateTime,
    /// Of entries for all tokens of a user. Whether a token that expires then or before is covered only the store can
    /// tell, which knows the generation of every user.
    pub users: OffsetDateTime,
}

impl Default for Purged {
    /// Nothing was ever purged.
    fn default() -> Self {
        Self { tokens: OffsetDateTime::UNIX_EPOCH, users: OffsetDateTime::UNIX_EPOCH }
    }
}

impl Purged {
    /// Takes note that `revocation` is removed.
    pub fn note(&mut self, revocation: &Revocation) {
        let latest = match revocation.target {
            RevocationTarget::Token(_) => &mut self.tokens,
            RevocationTarget::User { .. } => &mut self.users,
        };
        *latest = revocation.expires_at.max(*latest);
    }

    /// Whether `revocation`, which is not in the log any more, may have been purged.
    #[must_use]
    pub fn may_hold(&self, revocation: &Revocation) -> bool {
        let latest = match revocation.target {
            RevocationTarget::Token(_) => self.tokens,
            RevocationTarget::User { .. } => self.users,
        };
        revocation.expires_at <= latest
    }
}

/// The durable log of revocations, shared by all nodes.
///
/// # Contract
///
/// - **Gapless in commit order**: once an entry at position *p* is visible, no entry at a position below *p* becomes
///   visible later. A reader that remembers the last position it saw misses nothing.
/// - **Idempotent**: a target that is in the log already is not appended again. For one target there is one entry (a token
///   with another expiry would be another target).
/// - **Durable**: what [`append`](RevocationLog::append) acknowledged survives a crash, and every node reads it at once. A
///   database that breaks this, as a failover to a replica that lags does, is noticed by `SyncedBlacklist` of `auth-blacklist`, which
///   appends again what it remembers and reports the loss with [`mark_loss`](RevocationLog::mark_loss).
/// - **Whole**: a batch of any size is written as a whole or not at all, also when the future is dropped half-way.
/// - A database that cannot be reached is [`Unavailable`](crate::StoreErrorKind::Unavailable), never "not revoked".
/// - Purging removes only entries whose `expires_at` is before the given moment, and never moves the head back. What it
///   removed is not forgotten altogether: no reader sees an entry gone before it sees [`Purged`] say so, and
///   [`covers`](RevocationLog::covers) goes on to refuse what a removed entry covered.
#[async_trait]
pub trait RevocationLog: fmt::Debug + Send + Sync {
    /// Appends a batch in one transaction: all or nothing. Returns how many entries were new.
    ///
    /// An entry for a user raises the generation of that user to [`below`](RevocationTarget::User) in the same transaction, if
    /// the store has that user with a lower one. Otherwise a user whose "log out everywhere" was lost and appended again could
    /// not log in: new tokens would carry the old generation.
    ///
    /// # Errors
    ///
    /// When the store failed. The batch may or may not have been written; repeating is harmless.
    async fn append(&self, batch: &[Revocation]) -> Result<u64, StoreError>;

    /// At most `limit` entries after `after`, with the identity and the head of the log.
    ///
    /// # Errors
    ///
    /// When the store failed, or an entry cannot be understood ([`Corrupt`](crate::StoreErrorKind::Corrupt)); entries
    /// are never skipped silently.
    async fn read_after(&self, after: Position, limit: u32) -> Result<LogPage, StoreError>;

    /// Whether the token with these claims must be refused: an entry covers it, or may have covered it and was purged.
    /// A token that expires no later than [`Purged::tokens`] is refused; so is one whose generation is below that of
    /// its user, although the entry that says so was purged.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn covers(&self, claims: &Claims) -> Result<bool, StoreError>;

    /// Removes at most `limit` entries with `expires_at < before`, those that expired first first, and raises [`Purged`]
    /// no later than they are gone. Returns how many were removed.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError>;

    /// Records durably that the log lost entries it had acknowledged, found at `at`, or with `None` that an operator has
    /// acknowledged every loss up to now. Each record is later than the one before it, whatever `at` says, so that every
    /// node notices it in [`LogPage::lost`] and appends again what it remembers.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn mark_loss(&self, at: Option<OffsetDateTime>) -> Result<(), StoreError>;

    /// The time by the clock of the store, which all nodes share. `None` when the store has no clock other than that of this
    /// machine.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError>;
}

/// Removes expired entries from `log` in batches of `batch` until none is left, and calls `pause` between two batches.
/// Only entries that no token within [`LEEWAY`](crate::LEEWAY) could still need are removed. Returns how many.
///
/// `now` is the time by the clock of this node. The clock of the store counts as well, and the earlier of the two decides: a
/// single clock that is ahead removes nothing too early.
///
/// # Errors
///
/// When the log failed; what was removed until then stays removed.
pub async fn purge_expired(
    log: &dyn RevocationLog,
    now: OffsetDateTime,
    batch: u32,
    mut pause: impl AsyncFnMut(u64),
) -> Result<u64, StoreError> {
    let now = log.now().await?.map_or(now, |of_store| of_store.min(now));
    let before = now - crate::LEEWAY - PURGE_MARGIN;
    let mut removed = 0;
    loop {
        let batch_removed = log.purge(before, batch.max(1)).await?;
        removed += batch_removed;
        if batch_removed < u64::from(batch.max(1)) {
            return Ok(removed);
        }
        pause(removed).await;
    }
}

/// Extra time that an entry stays in the log after its token has expired. A purge needs two clocks to agree, see
/// [`purge_expired`]. While not both of them are ahead by more than this, [`Purged`] stays below the expiry of every token that
/// is still good. If both are, tokens are refused that nobody revoked, and never the other way round.
pub const PURGE_MARGIN: Duration = crate::MAX_CLOCK_SKEW;
