//! A row of `personal_tokens`.

use auth_core::personal::{PersonalToken, PersonalTokenDigest, StoredPersonalToken};
use auth_core::{Generation, PersonalTokenId, StoreError, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use crate::hex::to_hex;
use crate::instant;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "personal_tokens")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) digest: String,
    pub(crate) user_id: Uuid,
    pub(crate) name: String,
    pub(crate) scopes: String,
    pub(crate) generation: i64,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) last_used_at: Option<i64>,
    /// Empty in the rows of before the column.
    pub(crate) roles: String,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Returns a digest as the table has it.
pub(crate) fn hex(digest: PersonalTokenDigest) -> String {
    to_hex(digest.0)
}

/// Returns the row of a token.
pub(crate) fn row_of(stored: &StoredPersonalToken) -> Result<ActiveModel, StoreError> {
    let token = &stored.token;
    Ok(ActiveModel {
        id: Set(token.id.as_uuid()),
        digest: Set(hex(stored.digest)),
        user_id: Set(token.user_id.as_uuid()),
        name: Set(token.name.to_string()),
        scopes: Set(token.scopes.to_string()),
        generation: Set(token.generation.number().into()),
        created_at: Set(instant::to_micros(token.created_at)?),
        expires_at: Set(instant::to_micros(token.expires_at)?),
        last_used_at: Set(token.last_used_at.map(instant::to_micros).transpose()?),
        roles: Set(token.roles.to_string()),
    })
}

impl Model {
    pub(crate) fn into_token(self) -> Result<PersonalToken, StoreError> {
        let id = self.id;
        let corrupt = |what: &'static str| StoreError::corrupt(CorruptPersonalToken { id, what });
        let instant = |micros: i64, what| instant::from_micros(micros).ok_or_else(|| corrupt(what));
        Ok(PersonalToken {
            id: PersonalTokenId::from(id),
            user_id: UserId::from(self.user_id),
            name: self.name.parse().map_err(|_| corrupt("name"))?,
            scopes: self.scopes.parse().map_err(|_| corrupt("scopes"))?,
            roles: self.roles.parse().map_err(|_| corrupt("roles"))?,
            generation: u32::try_from(self.generation).map(Generation::new).map_err(|_| corrupt("generation"))?,
            created_at: instant(self.created_at, "created_at")?,
            expires_at: instant(self.expires_at, "expires_at")?,
            last_used_at: self.last_used_at.map(|micros| instant(micros, "last_used_at")).transpose()?,
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the column {what} of personal token {id} holds no valid value")]
struct CorruptPersonalToken {
    id: Uuid,
    what: &'static str,
}
