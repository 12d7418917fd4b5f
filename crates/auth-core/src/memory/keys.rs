//! The keys of a store in memory.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::MemoryStore;
use crate::blacklist::Revocation;
use crate::error::StoreError;
use crate::keys::{KeySet, KeyStore, ManagedKey};

#[async_trait]
impl KeyStore for MemoryStore {
    async fn load(&self) -> Result<KeySet, StoreError> {
        Ok(self.lock().keys.clone())
    }

    async fn replace(&self, set: &KeySet) -> Result<bool, StoreError> {
        let keys = &mut self.lock().keys;
        if keys.version != set.version {
            return Ok(false);
        }
        *keys = KeySet { version: set.version + 1, keys: set.keys.clone() };
        keys.sort();
        Ok(true)
    }

    async fn revoke(
        &self,
        kid: &str,
        at: OffsetDateTime,
        replacement: Option<ManagedKey>,
    ) -> Result<Option<Revocation>, StoreError> {
        let mut tables = self.lock();
        let Some(key) = tables.keys.keys.iter_mut().find(|key| key.kid == kid) else { return Ok(None) };
        if let Some(first) = key.revoked_at {
            return Ok(Some(Revocation::of_key(kid, first)));
        }
        key.revoked_at = Some(at);
        tables.keys.keys.extend(replacement);
        tables.keys.sort();
        tables.keys.version += 1;
        let revocation = Revocation::of_key(kid, at);
        tables.append(revocation);
        Ok(Some(revocation))
    }
}
