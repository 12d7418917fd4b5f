//! The stores in memory keep the contract that every store must keep, under both blacklists of this crate.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;

use async_trait::async_trait;
use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_conformance::{Backend, ContractCheck, StoresUnderTest, block_on};
use auth_core::AttemptStore;
use auth_core::clients::ClientStore;
use auth_core::memory::MemoryStore;
use auth_core::throttle::MemoryAttempts;
use auth_core::{Blacklist, Clock, KeyStore, OneTimeTokenStore, Outbox, PersonalTokenStore, SessionStore};

/// The store is the database: opening it again is looking at it again.
struct InMemory {
    store: Arc<MemoryStore>,
    attempts: Arc<MemoryAttempts>,
    synced: bool,
}

#[async_trait]
impl Backend for InMemory {
    async fn open(&self) -> StoresUnderTest {
        StoresUnderTest::new(self.store.clone(), self.store.clone())
    }

    async fn blacklist(&self, stores: &StoresUnderTest, clock: Arc<dyn Clock>) -> Arc<dyn Blacklist> {
        if !self.synced {
            return Arc::new(auth_core::blacklist::UnsyncedBlacklist::new(stores.log.clone()));
        }
        let blacklist = SyncedBlacklist::new(stores.log.clone(), clock, SyncOptions::default());
        while !blacklist.sync_step().await.unwrap().complete {}
        Arc::new(blacklist)
    }

    async fn sessions(&self) -> Option<Arc<dyn SessionStore>> {
        Some(self.store.clone())
    }

    async fn personal_tokens(&self) -> Option<Arc<dyn PersonalTokenStore>> {
        Some(self.store.clone())
    }

    async fn keys(&self) -> Option<Arc<dyn KeyStore>> {
        Some(self.store.clone())
    }

    async fn clients(&self) -> Option<Arc<dyn ClientStore>> {
        Some(self.store.clone())
    }

    async fn one_time_tokens(&self) -> Option<Arc<dyn OneTimeTokenStore>> {
        Some(self.store.clone())
    }

    async fn outbox(&self) -> Option<Arc<dyn Outbox>> {
        Some(self.store.clone())
    }

    async fn attempts(&self) -> Option<Arc<dyn AttemptStore>> {
        Some(self.attempts.clone())
    }
}

fn run(check: ContractCheck, synced: bool) {
    let (store, attempts) = (Arc::new(MemoryStore::new().unwrap()), Arc::default());
    block_on(check.assert(&InMemory { store, attempts, synced }));
}

mod unsynced {
    auth_conformance::conformance_tests!(|check| super::run(check, false));
}

mod synced {
    auth_conformance::conformance_tests!(|check| super::run(check, true));
}
