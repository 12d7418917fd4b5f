//! The sessions of a store in memory.

use std::cmp::Reverse;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::MemoryStore;
use crate::blacklist::Revocation;
use crate::error::StoreError;
use crate::ids::{Generation, SessionId, UserId};
use crate::session::{Predecessor, Rotation, Session, SessionEnd, SessionStore, StoredSession};

#[async_trait]
impl SessionStore for MemoryStore {
    async fn insert(&self, new: StoredSession) -> Result<(), StoreError> {
        self.lock().sessions.insert(new.session.id, new);
        Ok(())
    }

    async fn find(&self, id: SessionId) -> Result<Option<StoredSession>, StoreError> {
        Ok(self.lock().sessions.get(&id).cloned())
    }

    async fn rotate(&self, id: SessionId, rotation: Rotation) -> Result<bool, StoreError> {
        let mut tables = self.lock();
        let Some(stored) = tables.sessions.get_mut(&id) else { return Ok(false) };
        let Some(refresh) = stored.refresh.as_mut().filter(|refresh| refresh.current == rotation.used) else {
            return Ok(false);
        };
        if stored.session.ended.is_some() {
            return Ok(false);
        }
        refresh.current = rotation.successor;
        refresh.predecessor = Some(Predecessor { own: rotation.used, salt: rotation.salt, used_at: rotation.at });
        stored.session.last_used_at = rotation.last_used_at;
        stored.session.idle_until = rotation.idle_until;
        stored.access_expires_at = stored.access_expires_at.max(rotation.access_expires_at);
        Ok(true)
    }

    async fn end(&self, id: SessionId, end: SessionEnd) -> Result<Option<Revocation>, StoreError> {
        let mut tables = self.lock();
        let Some(stored) = tables.sessions.get_mut(&id) else { return Ok(None) };
        if let Some(first) = stored.session.ended {
            return Ok(Some(stored.revocation(first)));
        }
        stored.session.ended = Some(end);
        let revocation = stored.revocation(end);
        tables.append(revocation);
        Ok(Some(revocation))
    }

    async fn list(
        &self,
        user_id: UserId,
        generation: Generation,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<Session>, StoreError> {
        let tables = self.lock();
        let sessions = tables.sessions.values().map(|stored| &stored.session);
        let live = sessions.filter(|session| session.user_id == user_id && session.is_live(now, generation));
        let mut live: Vec<_> = live.cloned().collect();
        live.sort_by_key(|session| (Reverse(session.last_used_at), session.id));
        live.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(live)
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        let mut tables = self.lock();
        let unneeded = tables.sessions.values().filter(|stored| stored.needed_until() < before);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let unneeded: Vec<_> = unneeded.map(|stored| stored.session.id).take(limit).collect();
        for id in &unneeded {
            tables.sessions.remove(id);
        }
        Ok(unneeded.len() as u64)
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(None)
    }
}
