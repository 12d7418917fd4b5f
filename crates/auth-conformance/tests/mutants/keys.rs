//! A store of keys in memory that can be broken.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth_conformance::{Row, pass};
use auth_core::keys::{KeySet, KeyStore, ManagedKey};
use auth_core::{Revocation, StoreError};
use time::OffsetDateTime;

use crate::Fault;
use crate::database::Database;

/// The table of keys.
pub(crate) type Table = Mutex<KeySet>;

/// One node's store of keys.
#[derive(Debug)]
pub(crate) struct Keys {
    database: Arc<Database>,
    /// What this node remembers, where it should not.
    remembered: Mutex<Option<KeySet>>,
}

impl Keys {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database, remembered: Mutex::default() }
    }

    fn has(&self, fault: Fault) -> bool {
        self.database.fault == fault
    }
}

fn sort(keys: &mut [ManagedKey]) {
    keys.sort_by(|one, other| (one.signs_from, &one.kid).cmp(&(other.signs_from, &other.kid)));
}

#[async_trait]
impl KeyStore for Keys {
    async fn load(&self) -> Result<KeySet, StoreError> {
        if self.has(Fault::OutageIsNoKey) && self.database.up().is_err() {
            return Ok(KeySet::default());
        }
        self.database.up()?;
        let mut read = self.database.keys.lock().unwrap().clone();
        if self.database.damaged.lock().unwrap().contains(&Row::Keys) {
            if !self.has(Fault::SkipsDamagedKeys) {
                return Err(StoreError::corrupt("no algorithm"));
            }
            read.keys.clear();
        }
        if self.has(Fault::RemembersKeys) {
            return Ok(self.remembered.lock().unwrap().get_or_insert(read).clone());
        }
        Ok(read)
    }

    async fn replace(&self, set: &KeySet) -> Result<bool, StoreError> {
        self.database.up()?;
        let found = self.database.keys.lock().unwrap().version;
        if found != set.version && !self.has(Fault::ReplacesAnyVersion) {
            return Ok(false);
        }
        if self.has(Fault::ReadsThenReplaces) {
            pass(1).await;
        }
        let mut new = KeySet { version: found + 1, keys: set.keys.clone() };
        if self.has(Fault::CutsTheKey) {
            for key in &mut new.keys {
                key.signs_from = key.signs_from.replace_nanosecond(0).unwrap();
            }
        }
        sort(&mut new.keys);
        *self.database.keys.lock().unwrap() = new;
        Ok(true)
    }

    async fn revoke(
        &self,
        kid: &str,
        at: OffsetDateTime,
        replacement: Option<ManagedKey>,
    ) -> Result<Option<Revocation>, StoreError> {
        self.database.up()?;
        let entry = {
            let mut set = self.database.keys.lock().unwrap();
            let found = set.keys.iter().position(|key| key.kid == kid);
            let first = found.and_then(|index| set.keys[index].revoked_at);
            if (found.is_some() && first.is_none()) || self.has(Fault::AlwaysAddsTheReplacement) {
                set.keys.extend(replacement);
                sort(&mut set.keys);
                set.version += 1;
            }
            let Some(key) = set.keys.iter_mut().find(|key| key.kid == kid) else { return Ok(None) };
            let first = first.filter(|_| !self.has(Fault::RevokesAgain)).unwrap_or(at);
            key.revoked_at = Some(first);
            Revocation::of_key(kid, first)
        };
        if self.has(Fault::RevokesThenAppends) {
            pass(1).await;
        }
        if !self.has(Fault::RevokesWithoutEntry) {
            self.database.log.append_now(entry);
        }
        Ok(Some(entry))
    }
}
