//! A log of revocations that fails, and the sessions whose ends it is to keep.

use async_trait::async_trait;
use auth_core::blacklist::{LogPage, Position};
use auth_core::session::{Rotation, SessionEnd, StoredSession};
use auth_core::{
    Claims, Generation, Revocation, RevocationLog, RevocationSource, Session, SessionId, SessionStore, StoreError,
    UserId,
};
use time::OffsetDateTime;

/// A log whose calls all fail with what this function returns, or panic with it. As a store of sessions it takes new ones, and fails
/// in every other call.
#[derive(Debug)]
pub struct FailingLog(pub fn() -> StoreError);

#[async_trait]
impl RevocationSource for FailingLog {
    async fn read_after(&self, _: Position, _: u32) -> Result<LogPage, StoreError> {
        Err(self.0())
    }
    async fn covers(&self, _: &Claims) -> Result<bool, StoreError> {
        Err(self.0())
    }
}

#[async_trait]
impl RevocationLog for FailingLog {
    async fn append(&self, _: &[Revocation]) -> Result<u64, StoreError> {
        Err(self.0())
    }
    async fn purge(&self, _: OffsetDateTime, _: u32) -> Result<u64, StoreError> {
        Err(self.0())
    }
    async fn mark_loss(&self, _: Option<OffsetDateTime>) -> Result<(), StoreError> {
        Err(self.0())
    }
    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Err(self.0())
    }
}

#[async_trait]
impl SessionStore for FailingLog {
    async fn insert(&self, _: StoredSession) -> Result<(), StoreError> {
        Ok(())
    }
    async fn find(&self, _: SessionId) -> Result<Option<StoredSession>, StoreError> {
        Err(self.0())
    }
    async fn rotate(&self, _: SessionId, _: Rotation) -> Result<bool, StoreError> {
        Err(self.0())
    }
    async fn end(&self, _: SessionId, _: SessionEnd) -> Result<Option<Revocation>, StoreError> {
        Err(self.0())
    }
    async fn list(&self, _: UserId, _: Generation, _: OffsetDateTime, _: u32) -> Result<Vec<Session>, StoreError> {
        Err(self.0())
    }
    async fn purge(&self, _: OffsetDateTime, _: u32) -> Result<u64, StoreError> {
        Err(self.0())
    }
    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Err(self.0())
    }
}
