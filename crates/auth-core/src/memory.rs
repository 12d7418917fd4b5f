//! Stores in memory, for examples and tests. Nothing survives the process.

mod sessions;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::blacklist::{
    LogEntry, LogIdentity, LogPage, Mark, Position, Purged, Revocation, RevocationLog, RevocationSource,
    RevocationTarget,
};
use crate::email::Email;
use crate::error::{StoreError, StoreErrorKind};
use crate::ids::{Generation, SessionId, UserId};
use crate::password::PasswordHash;
use crate::random::{NoRandomness, random_bytes};
use crate::session::{SessionEnd, StoredSession};
use crate::token::Claims;
use crate::user::{InsertUserError, NewUser, StoredCredentials, User, UserChange, UserRevocation, UserStore};

/// Store of users and log of revocations, in memory.
///
/// One value is both, because a change that ends a user's tokens writes to both in one step.
pub struct MemoryStore {
    identity: LogIdentity,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    users: BTreeMap<UserId, StoredCredentials>,
    by_email: HashMap<String, UserId>,
    by_username: HashMap<String, UserId>,
    log: BTreeMap<Position, Revocation>,
    targets: HashMap<RevocationTarget, Position>,
    head: Position,
    purged: Purged,
    lost: Option<OffsetDateTime>,
    sessions: HashMap<SessionId, StoredSession>,
}

impl MemoryStore {
    /// Returns an empty store.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give for the identity of the log.
    pub fn new() -> Result<Self, NoRandomness> {
        let identity = LogIdentity(uuid::Builder::from_random_bytes(random_bytes()?).into_uuid());
        Ok(Self { identity, tables: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, id: UserId, change: impl FnOnce(&mut User)) -> Option<User> {
        let mut tables = self.lock();
        let stored = tables.users.get_mut(&id)?;
        change(&mut stored.user);
        Some(stored.user.clone())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = self.lock();
        f.debug_struct("MemoryStore").field("users", &tables.users.len()).field("log", &tables.log.len()).finish()
    }
}

impl Tables {
    fn append(&mut self, revocation: Revocation) -> bool {
        if self.targets.contains_key(&revocation.target) {
            return false;
        }
        self.head.0 += 1;
        self.log.insert(self.head, revocation);
        self.targets.insert(revocation.target, self.head);
        true
    }
}

#[async_trait]
impl UserStore for MemoryStore {
    async fn insert(&self, new: NewUser) -> Result<User, InsertUserError> {
        let mut tables = self.lock();
        if tables.by_email.contains_key(new.email.key()) {
            return Err(InsertUserError::EmailTaken);
        }
        if tables.by_username.contains_key(new.username.key()) {
            return Err(InsertUserError::UsernameTaken);
        }
        if tables.users.contains_key(&new.id) {
            return Err(StoreError::new(StoreErrorKind::Internal, "the user id is taken").into());
        }
        let user = User {
            id: new.id,
            email: new.email,
            username: new.username,
            admin: new.admin,
            generation: Generation::default(),
            disabled_at: None,
            registered_on: new.registered_on,
        };
        tables.by_email.insert(user.email.key().to_owned(), user.id);
        tables.by_username.insert(user.username.key().to_owned(), user.id);
        let stored = StoredCredentials { user: user.clone(), password_hash: new.password_hash };
        tables.users.insert(user.id, stored);
        Ok(user)
    }

    async fn find_by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.lock().users.get(&id).map(|stored| stored.user.clone()))
    }

    async fn find_credentials(&self, email: &Email) -> Result<Option<StoredCredentials>, StoreError> {
        let tables = self.lock();
        Ok(tables.by_email.get(email.key()).and_then(|id| tables.users.get(id)).cloned())
    }

    async fn list(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        let first = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let tables = self.lock();
        let page = tables.users.range((first, std::ops::Bound::Unbounded)).take(limit);
        Ok(page.map(|(_, stored)| stored.user.clone()).collect())
    }

    async fn promote(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.change(id, |user| user.admin = true))
    }

    async fn enable(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.change(id, |user| user.disabled_at = None))
    }

    async fn change_and_revoke(
        &self,
        id: UserId,
        change: UserChange,
        revocation: UserRevocation,
    ) -> Result<Option<(User, Revocation)>, StoreError> {
        let mut tables = self.lock();
        let Some(stored) = tables.users.get_mut(&id) else { return Ok(None) };
        if matches!(&change, UserChange::PasswordFrom { current, .. } if *current != stored.password_hash) {
            return Ok(None);
        }
        let generation = stored.user.generation.next();
        if generation == stored.user.generation {
            return Err(StoreError::new(StoreErrorKind::Internal, "the generation cannot be raised any further"));
        }
        stored.user.generation = generation;
        match change {
            UserChange::LogoutEverywhere => {}
            UserChange::Demote => stored.user.admin = false,
            UserChange::Disable(at) => stored.user.disabled_at = Some(stored.user.disabled_at.unwrap_or(at)),
            UserChange::Password(new) | UserChange::PasswordFrom { new, .. } => stored.password_hash = new,
        }
        let user = stored.user.clone();
        let revocation = revocation.entry(id, generation);
        tables.append(revocation);
        Ok(Some((user, revocation)))
    }

    async fn replace_hash(
        &self,
        id: UserId,
        current: &PasswordHash,
        replacement: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let mut tables = self.lock();
        let Some(stored) = tables.users.get_mut(&id) else { return Ok(false) };
        let unchanged = stored.password_hash == *current;
        if unchanged {
            stored.password_hash = replacement.clone();
        }
        Ok(unchanged)
    }
}

#[async_trait]
impl RevocationSource for MemoryStore {
    async fn read_after(&self, after: Position, limit: u32) -> Result<LogPage, StoreError> {
        let tables = self.lock();
        let rest = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        // Memory loses everything or nothing, so all entries may have the same mark.
        let entry = |(position, revocation): (&Position, &Revocation)| LogEntry {
            position: *position,
            mark: Mark::default(),
            revocation: *revocation,
        };
        let entries = tables.log.range(rest).take(limit).map(entry).collect();
        let Tables { head, purged, lost, .. } = *tables;
        Ok(LogPage { identity: self.identity, head, purged, lost, entries })
    }

    async fn covers(&self, claims: &Claims) -> Result<bool, StoreError> {
        let tables = self.lock();
        let target = match claims.renewable_session() {
            Some(session) => RevocationTarget::Session(session),
            None => RevocationTarget::Token(claims.token_id),
        };
        let of_token = tables.targets.contains_key(&target);
        let user = tables.users.get(&claims.user_id);
        Ok(of_token
            || claims.expires_at <= tables.purged.tokens
            || user.is_some_and(|stored| claims.generation < stored.user.generation)
            || tables.log.values().any(|entry| entry.covers(claims)))
    }
}

#[async_trait]
impl RevocationLog for MemoryStore {
    async fn append(&self, batch: &[Revocation]) -> Result<u64, StoreError> {
        let mut tables = self.lock();
        for revocation in batch {
            if let RevocationTarget::User { id, below } = revocation.target
                && let Some(stored) = tables.users.get_mut(&id)
            {
                stored.user.generation = stored.user.generation.max(below);
            }
            if let RevocationTarget::Session(id) = revocation.target
                && let Some(stored) = tables.sessions.get_mut(&id)
            {
                stored.session.ended.get_or_insert(SessionEnd { at: revocation.revoked_at, reason: revocation.reason });
            }
        }
        Ok(batch.iter().map(|revocation| u64::from(tables.append(*revocation))).sum())
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        let mut tables = self.lock();
        let expired = tables.log.iter().filter(|(_, entry)| entry.expires_at < before);
        let mut expired: Vec<_> = expired.map(|(position, entry)| (*position, *entry)).collect();
        expired.sort_by_key(|(_, entry)| entry.expires_at);
        expired.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        for (position, entry) in &expired {
            tables.purged.note(entry);
            tables.log.remove(position);
            tables.targets.remove(&entry.target);
        }
        Ok(expired.len() as u64)
    }

    async fn mark_loss(&self, at: Option<OffsetDateTime>) -> Result<(), StoreError> {
        let mut tables = self.lock();
        let later = tables.lost.map(|lost| lost + Duration::from_micros(1));
        tables.lost = at.map(|at| later.map_or(at, |later| later.max(at)));
        Ok(())
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_counts_only() {
        let store = MemoryStore::new().unwrap();
        assert_eq!(format!("{store:?}"), "MemoryStore { users: 0, log: 0 }");
        assert_ne!(store.identity.0, uuid::Uuid::nil());
    }
}
