//! The memory stores keep the contract that every store must keep.

use std::sync::Arc;

use auth_core::conformance::{self, Stores};
use auth_core::memory::MemoryStore;

#[tokio::test]
async fn the_memory_stores_keep_the_contract() {
    conformance::run(async || {
        let store = Arc::new(MemoryStore::new().unwrap());
        Stores { users: store.clone(), log: store }
    })
    .await;
}
