//! The sessions of an account.

use super::error::AccountError;
use crate::blacklist::RevocationReason;
use crate::error::StoreError;
use crate::events;
use crate::ids::{SessionId, UserId};
use crate::principal::Principal;
use crate::service::AuthService;
use crate::session::{Session, SessionEnd};

/// Number of sessions that are ended between two reads of the list.
const END_BATCH: u32 = 100;

impl AuthService {
    /// Returns at most `limit` sessions of a user that can be used, the one that was used last first. None, where no sessions
    /// are kept.
    ///
    /// # Errors
    ///
    /// When there is no such user or a store failed.
    pub async fn list_sessions(&self, user_id: UserId, limit: u32) -> Result<Vec<Session>, AccountError> {
        let user = self.find_user(user_id).await?;
        let Some(sessions) = &self.parts.sessions else { return Ok(Vec::new()) };
        Ok(sessions.store.list(user.id, user.generation, self.now(), limit).await?)
    }

    /// Ends a session of a user durably. This node refuses its access tokens when this has returned. Returns whether the user has
    /// a session with this id.
    ///
    /// # Errors
    ///
    /// When the store failed.
    pub async fn end_session_of(&self, user_id: UserId, id: SessionId) -> Result<bool, StoreError> {
        let Some(sessions) = &self.parts.sessions else { return Ok(false) };
        let of_user = sessions.store.find(id).await?.is_some_and(|stored| stored.session.user_id == user_id);
        Ok(of_user && self.end_from_elsewhere(user_id, id).await?)
    }

    /// Ends every session of the principal's user but that of the principal. Returns the number of sessions that were ended.
    ///
    /// # Errors
    ///
    /// When the user does not exist any more or a store failed. Some sessions may have been ended.
    pub async fn end_other_sessions(&self, principal: &Principal) -> Result<u64, AccountError> {
        let mut ended = 0;
        loop {
            let live = self.list_sessions(principal.user_id(), END_BATCH).await?;
            let others: Vec<_> =
                live.iter().map(|session| session.id).filter(|id| Some(*id) != principal.session_id()).collect();
            if others.is_empty() {
                return Ok(ended);
            }
            for id in others {
                self.end_from_elsewhere(principal.user_id(), id).await?;
                ended += 1;
            }
        }
    }

    async fn end_from_elsewhere(&self, user_id: UserId, id: SessionId) -> Result<bool, StoreError> {
        let reason = RevocationReason::SessionEnded;
        let ended = self.end_session(id, SessionEnd { at: self.now(), reason }).await?;
        if ended {
            events::revoked(user_id, reason.as_str());
        }
        Ok(ended)
    }
}
