//! A blacklist without memory: every check asks the log, as the seed's did.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Blacklist, Revocation, RevocationLog, Standing};
use crate::error::StoreError;
use crate::token::Claims;

/// Asks the log at every check. What another node revoked is refused from the next check on; the price is one read of
/// the database per check.
#[derive(Debug, Clone)]
pub struct UnsyncedBlacklist {
    log: Arc<dyn RevocationLog>,
}

impl UnsyncedBlacklist {
    /// A blacklist over `log`.
    #[must_use]
    pub fn new(log: Arc<dyn RevocationLog>) -> Self {
        Self { log }
    }
}

#[async_trait]
impl Blacklist for UnsyncedBlacklist {
    fn peek(&self, _claims: &Claims) -> Standing {
        Standing::AskTheLog
    }

    async fn look_up(&self, claims: &Claims) -> Result<bool, StoreError> {
        self.log.covers(claims).await
    }

    async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        self.log.append(&[revocation]).await.map(drop)
    }

    fn note(&self, _revocation: &Revocation) {}
}
