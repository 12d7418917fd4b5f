//! A store of clients in memory that can be broken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth_conformance::{Row, pass};
use auth_core::clients::{Client, ClientStore, PreviousSecret, SecretRotation};
use auth_core::{ClientId, Generation, Revocation, StoreError, UserId, UserRevocation};
use time::OffsetDateTime;

use crate::Fault;
use crate::database::Database;

/// The table of clients.
pub(crate) type Table = Mutex<BTreeMap<ClientId, Client>>;

/// One node's store of clients.
#[derive(Debug)]
pub(crate) struct Clients {
    database: Arc<Database>,
    /// What this node remembers, where it should not.
    remembered: Table,
}

/// Raises the generation of the client with this id, if there is one with a lower generation.
pub(crate) fn raise(table: &Table, id: UserId, below: Generation) {
    if let Some(client) = table.lock().unwrap().get_mut(&ClientId::from(id.as_uuid())) {
        client.generation = client.generation.max(below);
    }
}

impl Clients {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database, remembered: Mutex::default() }
    }

    fn has(&self, fault: Fault) -> bool {
        self.database.fault == fault
    }

    /// Changes a client and returns it as it is then.
    fn change(&self, id: ClientId, change: impl FnOnce(&mut Client)) -> Option<Client> {
        let mut table = self.database.clients.lock().unwrap();
        let client = table.get_mut(&id)?;
        change(client);
        Some(client.clone())
    }

    fn is_damaged(&self, id: ClientId) -> bool {
        self.database.damaged.lock().unwrap().contains(&Row::Client(id))
    }
}

#[async_trait]
impl ClientStore for Clients {
    async fn insert(&self, mut new: Client) -> Result<(), StoreError> {
        self.database.up()?;
        if self.has(Fault::CutsTheCreation) {
            new.created_at = new.created_at.replace_nanosecond(0).unwrap();
        }
        self.database.clients.lock().unwrap().insert(new.id, new);
        Ok(())
    }

    async fn find(&self, id: ClientId) -> Result<Option<Client>, StoreError> {
        if self.has(Fault::OutageIsNoClient) && self.database.up().is_err() {
            return Ok(None);
        }
        self.database.up()?;
        if self.is_damaged(id) {
            return if self.has(Fault::SkipsDamagedClients) { Ok(None) } else { Err(StoreError::corrupt("no scopes")) };
        }
        let read = self.database.clients.lock().unwrap().get(&id).cloned();
        if self.has(Fault::RemembersClients) {
            let mut remembered = self.remembered.lock().unwrap();
            return Ok(read.map(|client| remembered.entry(id).or_insert(client).clone()));
        }
        Ok(read)
    }

    async fn list(&self, after: Option<ClientId>, limit: u32) -> Result<Vec<Client>, StoreError> {
        self.database.up()?;
        let mut all: Vec<_> = self.database.clients.lock().unwrap().values().cloned().collect();
        if all.iter().any(|client| self.is_damaged(client.id)) {
            return Err(StoreError::corrupt("no scopes"));
        }
        all.retain(|client| after.is_none_or(|after| client.id > after));
        if self.has(Fault::ListsUsableClients) {
            all.retain(|client| client.disabled_at.is_none());
        }
        all.truncate(limit as usize);
        Ok(all)
    }

    async fn rotate_secret(&self, id: ClientId, rotation: SecretRotation) -> Result<bool, StoreError> {
        self.database.up()?;
        let current = self.database.clients.lock().unwrap().get(&id).map(|client| client.secret);
        if current.is_none() || (current != Some(rotation.replaced) && !self.has(Fault::RotatesAnySecret)) {
            return Ok(false);
        }
        if self.has(Fault::ReadsThenRotatesSecrets) {
            pass(1).await;
        }
        self.change(id, |client| {
            client.secret = rotation.replacement;
            client.previous = rotation.replaced_until.map(|until| PreviousSecret { digest: rotation.replaced, until });
        });
        Ok(true)
    }

    async fn disable(
        &self,
        id: ClientId,
        at: OffsetDateTime,
        revocation: UserRevocation,
    ) -> Result<Option<(Client, Revocation)>, StoreError> {
        self.database.up()?;
        let read = self.database.clients.lock().unwrap().get(&id).map(|client| client.generation.next());
        if self.has(Fault::LosesClientGenerations) {
            pass(1).await;
        }
        let disabled = self.change(id, |client| {
            let next = client.generation.next();
            client.generation = read.filter(|_| self.has(Fault::LosesClientGenerations)).unwrap_or(next);
            client.disabled_at.get_or_insert(at);
        });
        let Some(client) = disabled else { return Ok(None) };
        let entry = revocation.entry(UserId::from(id.as_uuid()), client.generation);
        if self.has(Fault::DisablesThenAppends) {
            pass(1).await;
        }
        if !self.has(Fault::DisablesWithoutEntry) {
            self.database.log.append_now(entry);
        }
        Ok(Some((client, entry)))
    }

    async fn enable(&self, id: ClientId) -> Result<Option<Client>, StoreError> {
        self.database.up()?;
        Ok(self.change(id, |client| {
            client.disabled_at = None;
            if self.has(Fault::EnablesFromTheStart) {
                client.generation = Generation::default();
            }
        }))
    }

    async fn record_use(&self, id: ClientId, at: OffsetDateTime) -> Result<(), StoreError> {
        self.database.up()?;
        self.change(id, |client| {
            let earlier = client.last_used_at.filter(|_| !self.has(Fault::TurnsTheLastUseBack));
            client.last_used_at = earlier.max(Some(at));
        });
        Ok(())
    }
}
