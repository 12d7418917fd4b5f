//! What runs in the background, and its end.

use std::sync::Arc;
use std::time::Duration;

use auth_core::memory::MemoryStore;
use auth_core::throttle::MemoryAttempts;
use revocable_auth::{AuthenticateError, RevocableAuth, RevocableAuthBuilder};
use tokio::runtime::Handle;

use crate::{SECRET, login, register};

/// Over stores in memory, so that every task there is belongs to the instance.
fn in_memory(store: &Arc<MemoryStore>) -> RevocableAuthBuilder {
    let builder = RevocableAuth::builder().secret(SECRET).bcrypt_cost(4);
    builder.users(store.clone()).revocations(store.clone()).attempts(Arc::new(MemoryAttempts::default()))
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn no_task_is_left_after_the_stop() {
    let before = tasks();
    let auth = in_memory(&Arc::new(MemoryStore::new().unwrap())).start().await.unwrap();
    assert_eq!(tasks(), before + 2, "one follows the log, one purges");
    auth.stop().await.unwrap();
    assert_eq!(tasks(), before);
}

#[tokio::test]
async fn dropping_ends_the_tasks_and_a_service_that_is_left_still_refuses() {
    let before = tasks();
    let auth = in_memory(&Arc::new(MemoryStore::new().unwrap())).start().await.unwrap();
    let service = auth.service().clone();
    let token = register(&service).await;
    drop(auth);
    let ended = async {
        while tasks() > before {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap();

    service.logout(&service.authenticate(token.expose_token()).await.unwrap()).await.unwrap();
    let refused = service.authenticate(token.expose_token()).await;
    assert!(matches!(refused, Err(AuthenticateError::Revoked)));
}

#[tokio::test]
async fn a_hash_of_another_cost_is_replaced_before_the_stop_returns() {
    let store = Arc::new(MemoryStore::new().unwrap());
    let old = in_memory(&store).bcrypt_cost(5).start().await.unwrap();
    register(old.service()).await;
    old.stop().await.unwrap();

    let auth = in_memory(&store).start().await.unwrap();
    let service = auth.service().clone();
    login(&service).await;
    auth.stop().await.unwrap();
    assert_eq!(service.upgrade_stats().upgraded, 1);
}
