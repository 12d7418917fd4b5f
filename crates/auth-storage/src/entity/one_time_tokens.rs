//! A row of `one_time_tokens`.

use std::fmt;

use auth_core::recovery::{OneTimeTokenDigest, OneTimeTokenId, OneTimeTokenPurpose, StoredOneTimeToken};
use auth_core::{Email, PasswordHash, StoreError, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

use crate::hex::{from_hex, to_hex};
use crate::instant;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "one_time_tokens")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) digest: String,
    pub(crate) code_hash: Option<String>,
    pub(crate) purpose: String,
    pub(crate) user_id: Uuid,
    pub(crate) sent_to: Option<String>,
    pub(crate) sent_to_key: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
    /// Time of its use or its end.
    pub(crate) used_at: Option<i64>,
    /// Number of its use, of which nothing is known when it was ended.
    pub(crate) nonce: Option<Uuid>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("one_time_tokens::Model").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Returns a digest as the table has it.
pub(crate) fn hex(digest: OneTimeTokenDigest) -> String {
    to_hex(digest.0)
}

/// Returns the row of a token that is open.
pub(crate) fn row_of(token: &StoredOneTimeToken) -> Result<ActiveModel, StoreError> {
    let sent_to = token.sent_to.as_ref();
    Ok(ActiveModel {
        id: Set(token.id.as_uuid()),
        digest: Set(hex(token.digest)),
        code_hash: Set(token.code_hash.as_ref().map(|hash| hash.expose_hash().to_owned())),
        purpose: Set(token.purpose.as_str().to_owned()),
        user_id: Set(token.user_id.as_uuid()),
        sent_to: Set(sent_to.map(|email| email.as_str().to_owned())),
        sent_to_key: Set(sent_to.map(|email| email.key().to_owned())),
        created_at: Set(instant::to_micros(token.created_at)?),
        expires_at: Set(instant::to_micros(token.expires_at)?),
        used_at: Set(None),
        nonce: Set(None),
    })
}

impl Model {
    /// Returns whether the token can be used at this microsecond.
    pub(crate) fn is_open(&self, at: i64) -> bool {
        self.used_at.is_none() && at < self.expires_at
    }

    pub(crate) fn into_stored(self) -> Result<StoredOneTimeToken, StoreError> {
        let id = self.id;
        let corrupt = |what: &'static str| StoreError::corrupt(CorruptOneTimeToken { id, what });
        let instant = |micros: i64, what| -> Result<OffsetDateTime, StoreError> {
            instant::from_micros(micros).ok_or_else(|| corrupt(what))
        };
        Ok(StoredOneTimeToken {
            id: OneTimeTokenId::from(self.id),
            digest: from_hex(&self.digest).map(OneTimeTokenDigest).ok_or_else(|| corrupt("digest"))?,
            code_hash: self.code_hash.map(PasswordHash::new),
            purpose: OneTimeTokenPurpose::from_word(&self.purpose).ok_or_else(|| corrupt("purpose"))?,
            user_id: UserId::from(self.user_id),
            sent_to: self.sent_to.map(|text| Email::parse(&text).map_err(|_| corrupt("sent_to"))).transpose()?,
            created_at: instant(self.created_at, "created_at")?,
            expires_at: instant(self.expires_at, "expires_at")?,
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the column {what} of one-time token {id} holds no valid value")]
struct CorruptOneTimeToken {
    id: Uuid,
    what: &'static str,
}
