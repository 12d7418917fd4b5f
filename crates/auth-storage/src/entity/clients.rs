//! A row of `clients`.

use auth_core::clients::{Client, ClientSecretDigest, PreviousSecret};
use auth_core::{ClientId, Generation, StoreError};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

use crate::hex::{from_hex, to_hex};
use crate::instant;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "clients")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) scopes: String,
    pub(crate) generation: i64,
    pub(crate) created_at: i64,
    pub(crate) expires_at: Option<i64>,
    pub(crate) disabled_at: Option<i64>,
    pub(crate) last_used_at: Option<i64>,
    pub(crate) secret: String,
    pub(crate) previous_secret: Option<String>,
    pub(crate) previous_until: Option<i64>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Returns the row of a client.
pub(crate) fn row_of(client: &Client) -> Result<ActiveModel, StoreError> {
    let micros = |at: Option<OffsetDateTime>| at.map(instant::to_micros).transpose();
    Ok(ActiveModel {
        id: Set(client.id.as_uuid()),
        name: Set(client.name.to_string()),
        scopes: Set(client.scopes.to_string()),
        generation: Set(client.generation.number().into()),
        created_at: Set(instant::to_micros(client.created_at)?),
        expires_at: Set(micros(client.expires_at)?),
        disabled_at: Set(micros(client.disabled_at)?),
        last_used_at: Set(micros(client.last_used_at)?),
        secret: Set(hex(client.secret)),
        previous_secret: Set(client.previous.map(|previous| hex(previous.digest))),
        previous_until: Set(micros(client.previous.map(|previous| previous.until))?),
    })
}

/// Returns a digest as the table has it.
pub(crate) fn hex(digest: ClientSecretDigest) -> String {
    to_hex(digest.0)
}

impl Model {
    pub(crate) fn into_client(self) -> Result<Client, StoreError> {
        let id = self.id;
        let corrupt = |what: &'static str| StoreError::corrupt(CorruptClient { id, what });
        let instant = |micros: i64, what| instant::from_micros(micros).ok_or_else(|| corrupt(what));
        let perhaps = |micros: Option<i64>, what| micros.map(|micros| instant(micros, what)).transpose();
        let digest = |text: &str, what| from_hex(text).map(ClientSecretDigest).ok_or_else(|| corrupt(what));
        let previous = match (&self.previous_secret, self.previous_until) {
            (None, None) => None,
            (Some(text), Some(until)) => Some(PreviousSecret {
                digest: digest(text, "previous_secret")?,
                until: instant(until, "previous_until")?,
            }),
            _ => return Err(corrupt("previous_secret or previous_until")),
        };
        Ok(Client {
            id: ClientId::from(id),
            name: self.name.parse().map_err(|_| corrupt("name"))?,
            scopes: self.scopes.parse().map_err(|_| corrupt("scopes"))?,
            generation: u32::try_from(self.generation).map(Generation::new).map_err(|_| corrupt("generation"))?,
            created_at: instant(self.created_at, "created_at")?,
            expires_at: perhaps(self.expires_at, "expires_at")?,
            disabled_at: perhaps(self.disabled_at, "disabled_at")?,
            last_used_at: perhaps(self.last_used_at, "last_used_at")?,
            secret: digest(&self.secret, "secret")?,
            previous,
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the column {what} of client {id} holds no valid value")]
struct CorruptClient {
    id: Uuid,
    what: &'static str,
}
