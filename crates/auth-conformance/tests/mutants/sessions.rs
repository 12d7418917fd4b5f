//! A session store in memory, right and wrong.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth_conformance::{Row, pass};
use auth_core::session::{Predecessor, Rotation, Session, SessionEnd, StoredSession};
use auth_core::{Generation, Revocation, SessionId, SessionStore, StoreError, UserId};
use time::OffsetDateTime;

use crate::Fault;
use crate::database::Database;

/// The table of sessions.
pub(crate) type Table = Mutex<HashMap<SessionId, StoredSession>>;

/// One node's session store.
#[derive(Debug)]
pub(crate) struct Sessions {
    database: Arc<Database>,
    /// What this node remembers, where it should not.
    remembered: Mutex<HashMap<SessionId, StoredSession>>,
}

impl Sessions {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database, remembered: Mutex::default() }
    }

    fn has(&self, fault: Fault) -> bool {
        self.database.fault == fault
    }

    fn is_damaged(&self, id: SessionId) -> bool {
        self.database.damaged.lock().unwrap().contains(&Row::Session(id))
    }
}

/// Changes a session as a rotation does, if its current token is the one that is used.
fn rotate(stored: &mut StoredSession, rotation: Rotation, fault: Fault) -> bool {
    let Some(refresh) = &mut stored.refresh else { return false };
    if (refresh.current != rotation.used && fault != Fault::RotatesFromAnyToken)
        || (stored.session.ended.is_some() && fault != Fault::RotatesTheEnded)
    {
        return false;
    }
    refresh.predecessor = Some(Predecessor { own: rotation.used, salt: rotation.salt, used_at: rotation.at });
    refresh.current = rotation.successor;
    stored.session.last_used_at = rotation.last_used_at;
    stored.session.idle_until = rotation.idle_until;
    let latest = if fault == Fault::LowersTheExpiry { rotation.access_expires_at } else { stored.access_expires_at };
    stored.access_expires_at = rotation.access_expires_at.max(latest);
    true
}

#[async_trait]
impl SessionStore for Sessions {
    async fn insert(&self, mut new: StoredSession) -> Result<(), StoreError> {
        self.database.up()?;
        if self.has(Fault::CutsTheSession) {
            new.session.created_at = new.session.created_at.replace_nanosecond(0).unwrap();
        }
        self.database.sessions.lock().unwrap().insert(new.session.id, new);
        Ok(())
    }

    async fn find(&self, id: SessionId) -> Result<Option<StoredSession>, StoreError> {
        if self.has(Fault::OutageIsNoSession) && self.database.up().is_err() {
            return Ok(None);
        }
        self.database.up()?;
        if self.is_damaged(id) {
            return if self.has(Fault::SkipsDamagedSessions) {
                Ok(None)
            } else {
                Err(StoreError::corrupt("no digest"))
            };
        }
        let found = self.database.sessions.lock().unwrap().get(&id).cloned();
        if self.has(Fault::RemembersSessions)
            && let Some(found) = found
        {
            return Ok(Some(self.remembered.lock().unwrap().entry(id).or_insert(found).clone()));
        }
        Ok(found)
    }

    async fn rotate(&self, id: SessionId, rotation: Rotation) -> Result<bool, StoreError> {
        self.database.up()?;
        let fault = self.database.fault;
        if fault == Fault::ReadsThenRotates {
            let found = self.database.sessions.lock().unwrap().get(&id).cloned();
            let Some(mut found) = found else { return Ok(false) };
            let rotated = rotate(&mut found, rotation, fault);
            pass(1).await;
            if rotated {
                self.database.sessions.lock().unwrap().insert(id, found);
            }
            return Ok(rotated);
        }
        let mut table = self.database.sessions.lock().unwrap();
        Ok(table.get_mut(&id).is_some_and(|stored| rotate(stored, rotation, fault)))
    }

    async fn end(&self, id: SessionId, end: SessionEnd) -> Result<Option<Revocation>, StoreError> {
        self.database.up()?;
        let revocation = {
            let mut table = self.database.sessions.lock().unwrap();
            let Some(stored) = table.get_mut(&id) else { return Ok(None) };
            if let Some(first) = stored.session.ended
                && !self.has(Fault::OverwritesTheEnd)
            {
                return Ok(Some(stored.revocation(first)));
            }
            stored.session.ended = Some(end);
            stored.revocation(end)
        };
        if self.has(Fault::EndsThenAppends) {
            pass(1).await;
        }
        if !self.has(Fault::EndsWithoutEntry) {
            self.database.log.append_now(revocation);
        }
        Ok(Some(revocation))
    }

    async fn list(
        &self,
        user_id: UserId,
        generation: Generation,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<Session>, StoreError> {
        self.database.up()?;
        let table = self.database.sessions.lock().unwrap();
        let sessions = table.values().map(|stored| &stored.session).filter(|session| session.user_id == user_id);
        let mut found: Vec<_> = sessions
            .filter(|session| session.is_live(now, generation) || self.has(Fault::ListsTheUnusable))
            .cloned()
            .collect();
        if found.iter().any(|session| self.is_damaged(session.id)) && !self.has(Fault::SkipsDamagedSessions) {
            return Err(StoreError::corrupt("no digest"));
        }
        found.sort_by_key(|session| Reverse(session.last_used_at));
        if self.has(Fault::ListsTheOldestFirst) {
            found.reverse();
        }
        found.truncate(limit as usize);
        Ok(found)
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.database.up()?;
        let mut table = self.database.sessions.lock().unwrap();
        let unneeded = table.values().filter(|stored| {
            let ended = self.has(Fault::PurgesTheEndedAtOnce) && stored.session.ended.is_some();
            ended || stored.needed_until() < before
        });
        let unneeded: Vec<_> = unneeded.map(|stored| stored.session.id).take(limit as usize).collect();
        for id in &unneeded {
            table.remove(id);
        }
        Ok(unneeded.len() as u64)
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(None)
    }
}
