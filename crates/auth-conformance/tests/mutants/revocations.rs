//! The log of revocations of one node, right and wrong.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::blacklist::{LogPage, Position, RevocationTarget};
use auth_core::session::SessionEnd;
use auth_core::{
    Claims, PersonalTokenId, Revocation, RevocationLog, RevocationSource, StoreError, TokenKind, UserStore as _,
};
use time::OffsetDateTime;

use crate::Fault;
use crate::store::Store;

#[async_trait]
impl RevocationSource for Store {
    async fn read_after(&self, after: Position, limit: u32) -> Result<LogPage, StoreError> {
        self.database.up()?;
        let damaged = self.database.damaged.lock().unwrap().clone();
        self.database.log.page(self.identity, after, limit, &damaged)
    }

    async fn covers(&self, claims: &Claims) -> Result<bool, StoreError> {
        if let Err(error) = self.database.up() {
            return if self.has(Fault::OutageIsGood) { Ok(false) } else { Err(error) };
        }
        if self.has(Fault::CoversItsOwnOnly) {
            return Ok(self.appended.lock().unwrap().iter().any(|entry| entry.covers(claims)));
        }
        let raised = match self.database.users.find_by_id(claims.user_id).await? {
            Some(user) if !self.has(Fault::CoversWhatIsThere) => claims.generation < user.generation,
            _ => false,
        };
        let is_behind = self.database.disturbed.is_behind(self.database.fault);
        let personal = claims.session_id.filter(|_| match self.database.fault {
            Fault::CoversByEntriesAlone => false,
            Fault::TakesEveryTokenForPersonal => true,
            _ => claims.kind() == TokenKind::Personal,
        });
        let tokens = &self.database.personal_tokens;
        let is_missing = |session| !tokens.lock().unwrap().contains_key(&PersonalTokenId::from(session));
        Ok(!is_behind && (raised || personal.is_some_and(is_missing) || self.database.log.covers(claims)))
    }
}

#[async_trait]
impl RevocationLog for Store {
    async fn append(&self, batch: &[Revocation]) -> Result<u64, StoreError> {
        self.database.write()?;
        self.entries_are_taken()?;
        if self.has(Fault::WritesAfterTheEnd) && self.ended.load(Ordering::SeqCst) {
            return Ok(batch.len() as u64);
        }
        self.appended.lock().unwrap().extend(batch);
        if !self.has(Fault::AppendsWithoutTheGeneration) {
            self.database.users.append(batch).await?;
        }
        if !self.has(Fault::AppendsWithoutTheClient) {
            for revocation in batch {
                if let RevocationTarget::User { id, below } = revocation.target {
                    crate::clients::raise(&self.database.clients, id, below);
                }
            }
        }
        if !self.has(Fault::AppendsWithoutTheEnd) {
            let mut sessions = self.database.sessions.lock().unwrap();
            for revocation in batch {
                if let RevocationTarget::Session(id) = revocation.target
                    && let Some(stored) = sessions.get_mut(&id)
                {
                    let end = SessionEnd { at: revocation.revoked_at, reason: revocation.reason };
                    stored.session.ended.get_or_insert(end);
                }
            }
        }
        if !self.has(Fault::AppendsWithoutTheDeletion) {
            let mut tokens = self.database.personal_tokens.lock().unwrap();
            for revocation in batch {
                if let RevocationTarget::Session(id) = revocation.target {
                    tokens.remove(&PersonalTokenId::from(id));
                }
            }
        }
        Ok(self.database.log.append(batch).await)
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.database.up()?;
        Ok(self.database.log.purge(before, limit))
    }

    async fn mark_loss(&self, at: Option<OffsetDateTime>) -> Result<(), StoreError> {
        self.database.up()?;
        self.database.log.mark_loss(at);
        Ok(())
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        self.database.up()?;
        let ahead = Duration::from_secs(3600) * u32::try_from(self.number).unwrap();
        Ok(self.has(Fault::ClockOfTheNode).then(|| OffsetDateTime::UNIX_EPOCH + ahead))
    }
}
