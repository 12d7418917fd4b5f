//! A store that can wait before a rotation.

use std::sync::Mutex;

use async_trait::async_trait;
use auth_core::session::{Rotation, SessionEnd, SessionStore, StoredSession};
use auth_core::{Generation, Revocation, Session, SessionId, StoreError, UserId};
use auth_storage::SeaSessionStore;
use time::OffsetDateTime;
use tokio::sync::oneshot;

/// A store that can wait before a rotation.
#[derive(Debug)]
pub(crate) struct PausingStore {
    store: SeaSessionStore,
    pause: Mutex<Option<oneshot::Sender<oneshot::Sender<()>>>>,
}

impl PausingStore {
    pub(crate) fn new(store: SeaSessionStore) -> Self {
        Self { store, pause: Mutex::new(None) }
    }

    /// Lets the next rotation wait. The result is the way to resume it, once it waits.
    pub(crate) fn pause(&self) -> oneshot::Receiver<oneshot::Sender<()>> {
        let (sender, receiver) = oneshot::channel();
        *self.pause.lock().unwrap() = Some(sender);
        receiver
    }

    /// Lets no rotation wait any more.
    pub(crate) fn release(&self) {
        self.pause.lock().unwrap().take();
    }
}

#[async_trait]
impl SessionStore for PausingStore {
    async fn insert(&self, new: StoredSession) -> Result<(), StoreError> {
        self.store.insert(new).await
    }

    async fn find(&self, id: SessionId) -> Result<Option<StoredSession>, StoreError> {
        self.store.find(id).await
    }

    async fn rotate(&self, id: SessionId, rotation: Rotation) -> Result<bool, StoreError> {
        let paused = self.pause.lock().unwrap().take();
        if let Some(paused) = paused {
            let (resume, resumed) = oneshot::channel();
            paused.send(resume).unwrap();
            resumed.await.unwrap();
        }
        self.store.rotate(id, rotation).await
    }

    async fn end(&self, id: SessionId, end: SessionEnd) -> Result<Option<Revocation>, StoreError> {
        self.store.end(id, end).await
    }

    async fn list(
        &self,
        user_id: UserId,
        generation: Generation,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<Session>, StoreError> {
        self.store.list(user_id, generation, now, limit).await
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.store.purge(before, limit).await
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        self.store.now().await
    }
}
