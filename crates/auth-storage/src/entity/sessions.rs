//! A row of `sessions`.

use auth_core::blacklist::RevocationReason;
use auth_core::session::{Predecessor, RefreshState, RotationSalt, SecretDigest, Session, SessionEnd, StoredSession};
use auth_core::{Generation, SessionId, StoreError, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

use crate::hex::{from_hex, to_hex};
use crate::instant;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) generation: i64,
    pub(crate) created_at: i64,
    pub(crate) last_used_at: i64,
    pub(crate) idle_until: i64,
    pub(crate) ends_at: i64,
    pub(crate) access_expires_at: i64,
    pub(crate) needed_until: i64,
    pub(crate) user_agent: Option<String>,
    pub(crate) network: Option<String>,
    pub(crate) family: Option<String>,
    pub(crate) current: Option<String>,
    pub(crate) previous: Option<String>,
    pub(crate) previous_salt: Option<Uuid>,
    pub(crate) previous_used_at: Option<i64>,
    pub(crate) ended_at: Option<i64>,
    pub(crate) end_reason: Option<String>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Returns the row of a session.
pub(crate) fn row_of(stored: &StoredSession) -> Result<ActiveModel, StoreError> {
    let StoredSession { session, access_expires_at, refresh } = stored;
    let predecessor = refresh.and_then(|refresh| refresh.predecessor);
    Ok(ActiveModel {
        id: Set(session.id.as_uuid()),
        user_id: Set(session.user_id.as_uuid()),
        generation: Set(session.generation.number().into()),
        created_at: Set(instant::to_micros(session.created_at)?),
        last_used_at: Set(instant::to_micros(session.last_used_at)?),
        idle_until: Set(instant::to_micros(session.idle_until)?),
        ends_at: Set(instant::to_micros(session.ends_at)?),
        access_expires_at: Set(instant::to_micros_rounded_up(*access_expires_at)?),
        needed_until: Set(instant::to_micros_rounded_up(stored.needed_until())?),
        user_agent: Set(session.user_agent.clone()),
        network: Set(session.network.clone()),
        family: Set(refresh.map(|refresh| hex(refresh.family))),
        current: Set(refresh.map(|refresh| hex(refresh.current))),
        previous: Set(predecessor.map(|predecessor| hex(predecessor.own))),
        previous_salt: Set(predecessor.map(|predecessor| Uuid::from_bytes(predecessor.salt.0))),
        previous_used_at: Set(predecessor.map(|predecessor| instant::to_micros(predecessor.used_at)).transpose()?),
        ended_at: Set(session.ended.map(|end| instant::to_micros(end.at)).transpose()?),
        end_reason: Set(session.ended.map(|end| end.reason.as_str().to_owned())),
    })
}

/// Returns a digest as the table has it.
pub(crate) fn hex(digest: SecretDigest) -> String {
    to_hex(digest.0)
}

impl Model {
    pub(crate) fn into_stored(self) -> Result<StoredSession, StoreError> {
        let id = self.id;
        let corrupt = |what: &'static str| StoreError::corrupt(CorruptSession { id, what });
        let instant = |micros: i64, what| -> Result<OffsetDateTime, StoreError> {
            instant::from_micros(micros).ok_or_else(|| corrupt(what))
        };
        let digest = |text: &str, what| from_hex(text).map(SecretDigest).ok_or_else(|| corrupt(what));
        let predecessor = match (&self.previous, self.previous_salt, self.previous_used_at) {
            (None, None, None) => None,
            (Some(own), Some(salt), Some(used_at)) => Some(Predecessor {
                own: digest(own, "previous")?,
                salt: RotationSalt(salt.into_bytes()),
                used_at: instant(used_at, "previous_used_at")?,
            }),
            _ => return Err(corrupt("previous")),
        };
        let refresh = match (&self.family, &self.current) {
            (None, None) if predecessor.is_none() => None,
            (Some(family), Some(current)) => Some(RefreshState {
                family: digest(family, "family")?,
                current: digest(current, "current")?,
                predecessor,
            }),
            _ => return Err(corrupt("family or current")),
        };
        let ended = match (self.ended_at, &self.end_reason) {
            (None, None) => None,
            (Some(at), Some(word)) => Some(SessionEnd {
                at: instant(at, "ended_at")?,
                reason: RevocationReason::from_word(word).ok_or_else(|| corrupt("end_reason"))?,
            }),
            _ => return Err(corrupt("ended_at or end_reason")),
        };
        let session = Session {
            id: SessionId::from(self.id),
            user_id: UserId::from(self.user_id),
            generation: u32::try_from(self.generation).map(Generation::new).map_err(|_| corrupt("generation"))?,
            created_at: instant(self.created_at, "created_at")?,
            last_used_at: instant(self.last_used_at, "last_used_at")?,
            idle_until: instant(self.idle_until, "idle_until")?,
            ends_at: instant(self.ends_at, "ends_at")?,
            user_agent: self.user_agent,
            network: self.network,
            ended,
        };
        let access_expires_at = instant(self.access_expires_at, "access_expires_at")?;
        Ok(StoredSession { session, access_expires_at, refresh })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the column {what} of session {id} holds no valid value")]
struct CorruptSession {
    id: Uuid,
    what: &'static str,
}
