//! The memory stores keep the contract that every store must keep, under both blacklists of this crate.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::conformance::{Backend, Check, Stores, attempts, block_on};
use auth_core::memory::MemoryStore;
use auth_core::throttle::MemoryAttempts;
use auth_core::{Blacklist, Clock};

/// The store is the database: opening it again is looking at it again.
struct InMemory {
    store: Arc<MemoryStore>,
    synced: bool,
}

#[async_trait]
impl Backend for InMemory {
    async fn open(&self) -> Stores {
        Stores::new(self.store.clone(), self.store.clone())
    }

    async fn blacklist(&self, stores: &Stores, clock: Arc<dyn Clock>) -> Arc<dyn Blacklist> {
        if !self.synced {
            return Arc::new(auth_core::blacklist::UnsyncedBlacklist::new(stores.log.clone()));
        }
        let blacklist = SyncedBlacklist::new(stores.log.clone(), clock, SyncOptions::default());
        while !blacklist.sync_step().await.unwrap().complete {}
        Arc::new(blacklist)
    }
}

fn run(check: Check, synced: bool) {
    let store = Arc::new(MemoryStore::new().unwrap());
    block_on(check.assert(&InMemory { store, synced }));
}

mod unsynced {
    auth_core::conformance_tests!(|check| super::run(check, false));
}

mod synced {
    auth_core::conformance_tests!(|check| super::run(check, true));
}

#[tokio::test]
async fn the_attempts_in_memory_keep_theirs() {
    attempts::run(async || MemoryAttempts::default()).await;
}
