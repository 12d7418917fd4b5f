//! The store of sessions.

use std::fmt;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::refresh_token::{RotationSalt, SecretDigest};
use super::{Session, SessionEnd};
use crate::blacklist::{Revocation, RevocationTarget};
use crate::error::StoreError;
use crate::ids::{Generation, SessionId, TokenId, UserId};

/// Data of the refresh tokens of a session, as a store keeps it. A reader of it cannot compute a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshState {
    /// Digest of the family secret, which all tokens of the session share.
    pub family: SecretDigest,
    /// Digest of the own secret of the token that has not been used yet.
    pub current: SecretDigest,
    /// The token that was used last, if one was used.
    pub predecessor: Option<Predecessor>,
}

/// The refresh token that the current one was derived from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Predecessor {
    /// Digest of its own secret.
    pub own: SecretDigest,
    /// Salt from which its successor was derived.
    pub salt: RotationSalt,
    /// Time of its first use.
    pub used_at: OffsetDateTime,
}

/// A session with the data that only the service needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// The session.
    pub session: Session,
    /// Latest expiry of the access tokens that the session has issued.
    pub access_expires_at: OffsetDateTime,
    /// Data of its refresh tokens. `None` if the session has one access token and no other.
    pub refresh: Option<RefreshState>,
}

impl StoredSession {
    /// Returns the entry of the log that the end of this session appends.
    #[must_use]
    pub fn revocation(&self, end: SessionEnd) -> Revocation {
        let id = self.session.id;
        let target = match self.refresh {
            Some(_) => RevocationTarget::Session(id),
            None => RevocationTarget::Token(TokenId::from(id.as_uuid())),
        };
        Revocation { target, expires_at: self.access_expires_at, revoked_at: end.at, reason: end.reason }
    }

    /// Returns the instant from which on no part of the system needs the session.
    #[must_use]
    pub fn needed_until(&self) -> OffsetDateTime {
        let Session { idle_until, ends_at, ended, .. } = &self.session;
        let end = ended.map_or(ends_at.min(idle_until), |_| &self.access_expires_at);
        self.access_expires_at.max(*end)
    }
}

/// Replacement of the current refresh token of a session by its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// Digest of the own secret of the token that is used. It must be the current one.
    pub used: SecretDigest,
    /// Digest of the own secret of its successor.
    pub successor: SecretDigest,
    /// Salt from which the successor is derived.
    pub salt: RotationSalt,
    /// Time of the use.
    pub at: OffsetDateTime,
    /// New value of [`Session::last_used_at`].
    pub last_used_at: OffsetDateTime,
    /// New end of the session if it is not used again.
    pub idle_until: OffsetDateTime,
    /// Expiry of the access token that is issued with the successor.
    pub access_expires_at: OffsetDateTime,
}

/// Keeps sessions.
///
/// # Contract
///
/// - A row that a call wrote is seen by every later read, on any connection and any node, and survives a restart.
/// - Of many rotations that use one token at once, exactly one succeeds.
/// - A session that has ended is not rotated any more, and its end never changes.
/// - The end of a session and its entry in the log of revocations are one transaction. The entry expires no sooner than any
///   access token that a rotation was told of.
/// - A future that is dropped half-way leaves the whole change or nothing.
/// - Instants are kept to the microsecond.
/// - A store that cannot be reached is [`Unavailable`](crate::StoreErrorKind::Unavailable), never "no session".
/// - A row that cannot become a [`StoredSession`] is [`Corrupt`](crate::StoreErrorKind::Corrupt).
///
/// The crate `auth-conformance` has a test of each rule.
#[async_trait]
pub trait SessionStore: fmt::Debug + Send + Sync {
    /// Inserts a session. Its id is random, so no other session has it.
    ///
    /// # Errors
    ///
    /// When the store failed. The session may have been written all the same.
    async fn insert(&self, new: StoredSession) -> Result<(), StoreError>;

    /// Returns the session with this id.
    ///
    /// # Errors
    ///
    /// When the store failed.
    async fn find(&self, id: SessionId) -> Result<Option<StoredSession>, StoreError>;

    /// Replaces the current refresh token by its successor, in one conditional update: only if the session has not ended and
    /// `rotation.used` is the current token. Returns whether it did.
    ///
    /// `access_expires_at` is never lowered.
    ///
    /// # Errors
    ///
    /// When the store failed. The rotation may have been made all the same: [`find`](Self::find) shows whether it was.
    async fn rotate(&self, id: SessionId, rotation: Rotation) -> Result<bool, StoreError>;

    /// Ends a session and appends [`StoredSession::revocation`] to the log of revocations, in one transaction. A session that
    /// has ended before keeps its first end, and nothing is appended.
    ///
    /// Returns the entry of the first end, whoever made it, or `None` if there is no such session.
    ///
    /// # Errors
    ///
    /// When the store failed. Repeating is harmless.
    async fn end(&self, id: SessionId, end: SessionEnd) -> Result<Option<Revocation>, StoreError>;

    /// Returns at most `limit` sessions of a user that can be used at `now`: they have not ended, neither their idle nor their
    /// absolute end has passed, and they have the user's `generation`. The one that was used last comes first.
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
    ) -> Result<Vec<Session>, StoreError>;

    /// Removes at most `limit` sessions that were [needed](StoredSession::needed_until) until before `before`. Returns the
    /// number of sessions that were removed.
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
