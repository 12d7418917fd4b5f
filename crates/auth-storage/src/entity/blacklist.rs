//! A row of `blacklist`: one entry of the log.

use auth_core::blacklist::{Mark, RevocationReason, RevocationTarget};
use auth_core::{Generation, KeyId, Revocation, SessionId, StoreError, TokenId, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use crate::instant;

/// Generation that tells the entry of a session from that of a token. Both are in `token_id`, so that one index finds them. A
/// server of a revision that knows no sessions takes such a row for damaged, and then accepts no token from memory.
const SESSION: i64 = 0;

/// Generation that tells the entry of a key from that of a user. Both are in `user_id`, so that one index finds them. A server of a
/// revision that knows no such entries takes the row for damaged.
pub(crate) const KEY: i64 = -1;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "blacklist")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) position: i64,
    pub(crate) token_id: Option<Uuid>,
    pub(crate) user_id: Option<Uuid>,
    pub(crate) generation: Option<i64>,
    pub(crate) expires_at: i64,
    pub(crate) revoked_at: i64,
    pub(crate) reason: String,
    /// The bits of the entry's [`Mark`]. Zero in rows that earlier revisions wrote.
    pub(crate) mark: i64,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The row of a revocation at `position`.
    pub(crate) fn of_revocation(position: i64, mark: Mark, revocation: &Revocation) -> Result<Self, StoreError> {
        let (token_id, user_id, generation) = match revocation.target {
            RevocationTarget::Token(id) => (Some(id.as_uuid()), None, None),
            RevocationTarget::Session(id) => (Some(id.as_uuid()), None, Some(SESSION)),
            RevocationTarget::User { id, below } => (None, Some(id.as_uuid()), Some(below.number().into())),
            RevocationTarget::Key(id) => (None, Some(id.as_uuid()), Some(KEY)),
        };
        Ok(Self {
            position,
            token_id,
            user_id,
            generation,
            expires_at: instant::to_micros_rounded_up(revocation.expires_at)?,
            revoked_at: instant::to_micros(revocation.revoked_at)?,
            reason: revocation.reason.as_str().to_owned(),
            mark: mark.0.cast_signed(),
        })
    }

    pub(crate) fn into_active(self) -> ActiveModel {
        ActiveModel {
            position: Set(self.position),
            token_id: Set(self.token_id),
            user_id: Set(self.user_id),
            generation: Set(self.generation),
            expires_at: Set(self.expires_at),
            revoked_at: Set(self.revoked_at),
            reason: Set(self.reason),
            mark: Set(self.mark),
        }
    }

    pub(crate) fn into_revocation(self) -> Result<Revocation, StoreError> {
        let position = self.position;
        let corrupt = |what: &'static str| StoreError::corrupt(CorruptEntry { position, what });
        let target = match (self.token_id, self.user_id, self.generation) {
            (Some(id), None, None) => RevocationTarget::Token(TokenId::from(id)),
            (Some(id), None, Some(SESSION)) => RevocationTarget::Session(SessionId::from(id)),
            (None, Some(id), Some(KEY)) => RevocationTarget::Key(KeyId::from(id)),
            (None, Some(id), Some(below)) => RevocationTarget::User {
                id: UserId::from(id),
                below: u32::try_from(below).map(Generation::new).map_err(|_| corrupt("generation"))?,
            },
            _ => return Err(corrupt("token_id or user_id")),
        };
        Ok(Revocation {
            target,
            expires_at: instant::from_micros(self.expires_at).ok_or_else(|| corrupt("expires_at"))?,
            revoked_at: instant::from_micros(self.revoked_at).ok_or_else(|| corrupt("revoked_at"))?,
            reason: RevocationReason::from_word(&self.reason).ok_or_else(|| corrupt("reason"))?,
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the column {what} of the blacklist entry at position {position} holds no valid value")]
struct CorruptEntry {
    position: i64,
    what: &'static str,
}
