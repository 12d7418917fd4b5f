//! The contract of every store.

use std::sync::Arc;

use auth_core::conformance::{self, Stores};
use auth_test_db::{TestDatabase, on_every_database};

use crate::support::open;

on_every_database!(the_contract_holds);

async fn the_contract_holds(database: TestDatabase) {
    conformance::run(async || {
        let (opened, users, log) = open(&database).await;
        auth_migrations::down(opened.connection(), u32::MAX).await.unwrap();
        auth_migrations::up(opened.connection()).await.unwrap();
        Stores { users: Arc::new(users), log: Arc::new(log) }
    })
    .await;
}
