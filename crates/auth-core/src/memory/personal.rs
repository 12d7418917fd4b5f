//! The personal tokens of a store in memory.

use std::cmp::Reverse;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::MemoryStore;
use crate::blacklist::Revocation;
use crate::error::StoreError;
use crate::ids::{Generation, PersonalTokenId, UserId};
use crate::personal::{PersonalToken, PersonalTokenDigest, PersonalTokenStore, StoredPersonalToken};

#[async_trait]
impl PersonalTokenStore for MemoryStore {
    async fn insert(&self, new: StoredPersonalToken, limit: u32) -> Result<bool, StoreError> {
        let mut tables = self.lock();
        let PersonalToken { user_id, created_at, generation, .. } = new.token;
        if tables.log.values().any(|entry| entry.ends_user(user_id, generation)) {
            return Ok(false);
        }
        let of_user = tables.personal_tokens.values().filter(|stored| stored.token.user_id == user_id);
        let live = of_user.filter(|stored| stored.token.is_live(created_at, generation)).count();
        if live >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return Ok(false);
        }
        tables.personal_tokens.retain(|_, stored| {
            let PersonalToken { generation: of_token, expires_at, .. } = stored.token;
            stored.token.user_id != user_id || (created_at < expires_at && of_token >= generation)
        });
        tables.personal_tokens.insert(new.token.id, new);
        Ok(true)
    }

    async fn find(&self, digest: PersonalTokenDigest) -> Result<Option<PersonalToken>, StoreError> {
        let tables = self.lock();
        let found = tables.personal_tokens.values().find(|stored| stored.digest == digest);
        Ok(found.map(|stored| stored.token.clone()))
    }

    async fn record_use(&self, id: PersonalTokenId, at: OffsetDateTime) -> Result<(), StoreError> {
        if let Some(stored) = self.lock().personal_tokens.get_mut(&id) {
            stored.token.last_used_at = stored.token.last_used_at.max(Some(at));
        }
        Ok(())
    }

    async fn delete(
        &self,
        user_id: UserId,
        id: PersonalTokenId,
        at: OffsetDateTime,
    ) -> Result<Option<Revocation>, StoreError> {
        let mut tables = self.lock();
        if tables.personal_tokens.get(&id).is_none_or(|stored| stored.token.user_id != user_id) {
            return Ok(None);
        }
        tables.personal_tokens.remove(&id);
        let end = PersonalToken::end(id, at);
        tables.append(end);
        Ok(Some(end))
    }

    async fn list(
        &self,
        user_id: UserId,
        generation: Generation,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<PersonalToken>, StoreError> {
        let tables = self.lock();
        let tokens = tables.personal_tokens.values().map(|stored| &stored.token);
        let live = tokens.filter(|token| token.user_id == user_id && token.is_live(now, generation));
        let mut live: Vec<_> = live.cloned().collect();
        live.sort_by_key(|token| (Reverse(token.created_at), token.id));
        live.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(live)
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        let mut tables = self.lock();
        let expired = tables.personal_tokens.values().filter(|stored| stored.token.expires_at < before);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let expired: Vec<_> = expired.map(|stored| stored.token.id).take(limit).collect();
        for id in &expired {
            tables.personal_tokens.remove(id);
        }
        Ok(expired.len() as u64)
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(None)
    }
}
