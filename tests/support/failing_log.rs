//! A log of revocations that fails.

use async_trait::async_trait;
use auth_core::blacklist::{LogPage, Position};
use auth_core::{Claims, Revocation, RevocationLog, RevocationSource, StoreError};
use time::OffsetDateTime;

/// A log whose calls all fail with what this function returns, or panic with it.
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
