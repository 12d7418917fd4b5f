//! A blacklist without memory.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Blacklist, Revocation, RevocationLog, Standing};
use crate::error::StoreError;
use crate::token::Claims;

/// Blacklist that reads the log at every check. A revocation by another node is effective at the next check. Each check costs one
/// read of the database.
#[derive(Debug, Clone)]
pub struct UnsyncedBlacklist {
    log: Arc<dyn RevocationLog>,
}

impl UnsyncedBlacklist {
    /// Returns a blacklist over `log`.
    #[must_use]
    pub fn new(log: Arc<dyn RevocationLog>) -> Self {
        Self { log }
    }
}

#[async_trait]
impl Blacklist for UnsyncedBlacklist {
    fn peek(&self, _claims: &Claims) -> Standing {
        Standing::Unknown
    }

    async fn look_up(&self, claims: &Claims) -> Result<bool, StoreError> {
        self.log.covers(claims).await
    }

    async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        self.log.append(&[revocation]).await.map(drop)
    }

    fn note(&self, _revocation: &Revocation) {}
}
