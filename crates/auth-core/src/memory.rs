//! Stores in memory, for examples and tests. Nothing survives the process.

mod clients;
mod keys;
mod outbox;
mod personal;
mod recovery;
mod sessions;
mod users;

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
use crate::clients::Client;
use crate::error::StoreError;
use crate::grants::TokenKind;
use crate::ids::{ClientId, PersonalTokenId, SessionId, UserId};
use crate::keys::KeySet;
use crate::letters::LetterId;
use crate::personal::StoredPersonalToken;
use crate::random::{NoRandomness, random_bytes};
use crate::session::{SessionEnd, StoredSession};
use crate::token::Claims;
use crate::user::StoredCredentials;
use outbox::LetterRow;
use recovery::TokenRow;

/// Store of users, sessions, personal access tokens, clients, one-time tokens, letters and keys, and log of revocations, in memory.
///
/// One value is all of them, because a change of a user writes to several in one step.
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
    personal_tokens: HashMap<PersonalTokenId, StoredPersonalToken>,
    clients: BTreeMap<ClientId, Client>,
    tokens: Vec<TokenRow>,
    letters: BTreeMap<LetterId, LetterRow>,
    keys: KeySet,
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
        Ok(LogPage { identity: self.identity, head, purged, lost, age: Duration::ZERO, entries })
    }

    async fn covers(&self, claims: &Claims) -> Result<bool, StoreError> {
        let tables = self.lock();
        let target = match claims.renewable_session() {
            Some(session) => RevocationTarget::Session(session),
            None => RevocationTarget::Token(claims.token_id),
        };
        let of_token = tables.targets.contains_key(&target);
        let user = tables.users.get(&claims.user_id);
        let personal = claims.session_id.filter(|_| claims.kind() == TokenKind::Personal).map(PersonalTokenId::from);
        let client = claims.client_id().and_then(|id| tables.clients.get(&id));
        Ok(of_token
            || personal.is_some_and(|id| !tables.personal_tokens.contains_key(&id))
            || claims.expires_at <= tables.purged.tokens
            || user.is_some_and(|stored| claims.generation < stored.user.generation)
            || client.is_some_and(|client| claims.generation < client.generation)
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
            if let RevocationTarget::User { id, below } = revocation.target
                && let Some(client) = tables.clients.get_mut(&ClientId::from(id.as_uuid()))
            {
                client.generation = client.generation.max(below);
            }
            if let RevocationTarget::Session(id) = revocation.target {
                if let Some(stored) = tables.sessions.get_mut(&id) {
                    let end = SessionEnd { at: revocation.revoked_at, reason: revocation.reason };
                    stored.session.ended.get_or_insert(end);
                }
                tables.personal_tokens.remove(&PersonalTokenId::from(id));
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
