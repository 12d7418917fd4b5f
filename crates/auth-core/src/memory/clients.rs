//! The clients of a store in memory.

use std::ops::Bound;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::MemoryStore;
use crate::blacklist::Revocation;
use crate::clients::{Client, ClientStore, PreviousSecret, SecretRotation};
use crate::error::{StoreError, StoreErrorKind};
use crate::ids::{ClientId, UserId};
use crate::user::UserRevocation;

#[async_trait]
impl ClientStore for MemoryStore {
    async fn insert(&self, new: Client) -> Result<(), StoreError> {
        self.lock().clients.insert(new.id, new);
        Ok(())
    }

    async fn find(&self, id: ClientId) -> Result<Option<Client>, StoreError> {
        Ok(self.lock().clients.get(&id).cloned())
    }

    async fn list(&self, after: Option<ClientId>, limit: u32) -> Result<Vec<Client>, StoreError> {
        let first = after.map_or(Bound::Unbounded, Bound::Excluded);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.lock().clients.range((first, Bound::Unbounded)).take(limit).map(|(_, client)| client.clone()).collect())
    }

    async fn rotate_secret(&self, id: ClientId, rotation: SecretRotation) -> Result<bool, StoreError> {
        let mut tables = self.lock();
        let Some(client) = tables.clients.get_mut(&id) else { return Ok(false) };
        if client.secret != rotation.replaced {
            return Ok(false);
        }
        client.secret = rotation.replacement;
        client.previous = rotation.replaced_until.map(|until| PreviousSecret { digest: rotation.replaced, until });
        Ok(true)
    }

    async fn disable(
        &self,
        id: ClientId,
        at: OffsetDateTime,
        revocation: UserRevocation,
    ) -> Result<Option<(Client, Revocation)>, StoreError> {
        let mut tables = self.lock();
        let Some(client) = tables.clients.get_mut(&id) else { return Ok(None) };
        let generation = client.generation.next();
        if generation == client.generation {
            return Err(StoreError::new(StoreErrorKind::Internal, "the generation cannot be raised any further"));
        }
        client.generation = generation;
        client.disabled_at.get_or_insert(at);
        let client = client.clone();
        let entry = revocation.entry(UserId::from(id.as_uuid()), generation);
        tables.append(entry);
        Ok(Some((client, entry)))
    }

    async fn enable(&self, id: ClientId) -> Result<Option<Client>, StoreError> {
        let mut tables = self.lock();
        let Some(client) = tables.clients.get_mut(&id) else { return Ok(None) };
        client.disabled_at = None;
        Ok(Some(client.clone()))
    }

    async fn record_use(&self, id: ClientId, at: OffsetDateTime) -> Result<(), StoreError> {
        if let Some(client) = self.lock().clients.get_mut(&id) {
            client.last_used_at = client.last_used_at.max(Some(at));
        }
        Ok(())
    }
}
