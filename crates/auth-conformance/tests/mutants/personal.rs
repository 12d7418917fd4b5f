//! A store of personal tokens in memory, right and wrong.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth_conformance::{Row, pass};
use auth_core::personal::{PersonalTokenDigest, StoredPersonalToken};
use auth_core::{
    Generation, PersonalToken, PersonalTokenId, PersonalTokenStore, Revocation, Roles, StoreError, UserId,
};
use time::OffsetDateTime;

use crate::Fault;
use crate::database::Database;

/// The table of personal tokens.
pub(crate) type Table = Mutex<HashMap<PersonalTokenId, StoredPersonalToken>>;

/// One node's store of personal tokens.
#[derive(Debug)]
pub(crate) struct PersonalTokens {
    database: Arc<Database>,
    /// What this node remembers, where it should not.
    remembered: Mutex<HashMap<PersonalTokenDigest, PersonalToken>>,
}

impl PersonalTokens {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database, remembered: Mutex::default() }
    }

    fn has(&self, fault: Fault) -> bool {
        self.database.fault == fault
    }

    fn is_damaged(&self, id: PersonalTokenId) -> bool {
        self.database.damaged.lock().unwrap().contains(&Row::PersonalToken(id))
    }

    /// Returns whether there is room for one more token of the user.
    fn has_room(&self, new: &PersonalToken, limit: u32) -> bool {
        let table = self.database.personal_tokens.lock().unwrap();
        let of_user = table.values().filter(|stored| stored.token.user_id == new.user_id);
        let live = of_user.filter(|stored| {
            stored.token.is_live(new.created_at, new.generation) || self.has(Fault::CountsDeadPersonalTokens)
        });
        live.count() < limit as usize
    }
}

#[async_trait]
impl PersonalTokenStore for PersonalTokens {
    async fn insert(&self, mut new: StoredPersonalToken, limit: u32) -> Result<bool, StoreError> {
        self.database.up()?;
        if self.has(Fault::CutsThePersonalToken) {
            new.token.created_at = new.token.created_at.replace_nanosecond(0).unwrap();
        }
        if self.has(Fault::TakesRolesForScopes) {
            let names = [new.token.scopes.to_string(), new.token.roles.to_string()].join(" ");
            (new.token.scopes, new.token.roles) = (names.parse().unwrap(), Roles::default());
        }
        let PersonalToken { user_id, generation, .. } = new.token;
        if self.database.log.ends_user(user_id, generation) && !self.has(Fault::InsertsForEndedUsers) {
            return Ok(false);
        }
        if !self.has_room(&new.token, limit) {
            return Ok(false);
        }
        if self.has(Fault::CountsThenInserts) {
            pass(1).await;
        }
        let mut table = self.database.personal_tokens.lock().unwrap();
        if !self.has(Fault::KeepsDeadPersonalTokens) {
            let PersonalToken { user_id, created_at, generation, .. } = new.token;
            table.retain(|_, stored| {
                let is_dead = stored.token.expires_at <= created_at || stored.token.generation < generation;
                stored.token.user_id != user_id || !is_dead
            });
        }
        table.insert(new.token.id, new);
        Ok(true)
    }

    async fn find(&self, digest: PersonalTokenDigest) -> Result<Option<PersonalToken>, StoreError> {
        if self.has(Fault::OutageIsNoPersonalToken) && self.database.up().is_err() {
            return Ok(None);
        }
        self.database.up()?;
        let table = self.database.personal_tokens.lock().unwrap();
        let found = table.values().find(|stored| stored.digest == digest).map(|stored| stored.token.clone());
        if found.as_ref().is_some_and(|token| self.is_damaged(token.id)) {
            return if self.has(Fault::SkipsDamagedPersonalTokens) {
                Ok(None)
            } else {
                Err(StoreError::corrupt("no digest"))
            };
        }
        if self.has(Fault::RemembersPersonalTokens) {
            let mut remembered = self.remembered.lock().unwrap();
            if let Some(found) = found {
                remembered.entry(digest).or_insert(found);
            }
            return Ok(remembered.get(&digest).cloned());
        }
        Ok(found)
    }

    async fn record_use(&self, id: PersonalTokenId, at: OffsetDateTime) -> Result<(), StoreError> {
        self.database.up()?;
        if let Some(stored) = self.database.personal_tokens.lock().unwrap().get_mut(&id) {
            let last = stored.token.last_used_at.filter(|_| !self.has(Fault::MovesTheLastUseBack));
            stored.token.last_used_at = last.max(Some(at));
        }
        Ok(())
    }

    async fn delete(
        &self,
        user_id: UserId,
        id: PersonalTokenId,
        at: OffsetDateTime,
    ) -> Result<Option<Revocation>, StoreError> {
        self.database.up()?;
        {
            let mut table = self.database.personal_tokens.lock().unwrap();
            let is_own = |stored: &StoredPersonalToken| {
                stored.token.user_id == user_id || self.has(Fault::DeletesThoseOfAnybody)
            };
            if !table.get(&id).is_some_and(is_own) {
                return Ok(None);
            }
            table.remove(&id);
        }
        if self.has(Fault::DeletesTheTokenThenAppends) {
            pass(1).await;
        }
        let end = PersonalToken::end(id, at);
        if !self.has(Fault::DeletesTheTokenWithoutEntry) {
            self.database.log.append_now(end);
        }
        Ok(Some(end))
    }

    async fn list(
        &self,
        user_id: UserId,
        generation: Generation,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<PersonalToken>, StoreError> {
        self.database.up()?;
        let table = self.database.personal_tokens.lock().unwrap();
        let tokens = table.values().map(|stored| &stored.token).filter(|token| token.user_id == user_id);
        let live = tokens.filter(|token| token.is_live(now, generation) || self.has(Fault::ListsDeadPersonalTokens));
        let mut found: Vec<_> = live.cloned().collect();
        if found.iter().any(|token| self.is_damaged(token.id)) && !self.has(Fault::SkipsDamagedPersonalTokens) {
            return Err(StoreError::corrupt("no digest"));
        }
        found.sort_by_key(|token| Reverse(token.created_at));
        if self.has(Fault::ListsOldPersonalTokensFirst) {
            found.reverse();
        }
        found.truncate(limit as usize);
        Ok(found)
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.database.up()?;
        let mut table = self.database.personal_tokens.lock().unwrap();
        let is_expired = |token: &PersonalToken| {
            token.expires_at < before || (self.has(Fault::PurgesPersonalTokensAtTheBound) && token.expires_at == before)
        };
        let expired: Vec<_> =
            table.values().filter(|stored| is_expired(&stored.token)).map(|stored| stored.token.id).collect();
        let expired = &expired[..expired.len().min(limit as usize)];
        for id in expired {
            table.remove(id);
        }
        Ok(expired.len() as u64)
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(None)
    }
}
