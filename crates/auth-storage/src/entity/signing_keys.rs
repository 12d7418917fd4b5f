//! A row of `signing_keys`.

use std::fmt;

use auth_core::keys::ManagedKey;
use auth_core::{StoreError, StoreErrorKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

use crate::instant;

/// Maximum length of a `kid`, in characters: the length of its column.
const MAX_KID_CHARS: usize = 64;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_keys")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) kid: String,
    pub(crate) algorithm: String,
    pub(crate) sealed: String,
    pub(crate) public_jwk: String,
    pub(crate) published_at: i64,
    pub(crate) signs_from: i64,
    pub(crate) signs_until: Option<i64>,
    pub(crate) verifies_until: Option<i64>,
    pub(crate) revoked_at: Option<i64>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("signing_keys::Model").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Returns the row of a key.
pub(crate) fn row_of(key: &ManagedKey) -> Result<ActiveModel, StoreError> {
    if key.kid.len() > MAX_KID_CHARS {
        return Err(StoreError::new(StoreErrorKind::Internal, "the kid has more than 64 characters"));
    }
    let optional = |at: Option<OffsetDateTime>| at.map(instant::to_micros).transpose();
    Ok(ActiveModel {
        kid: Set(key.kid.clone()),
        algorithm: Set(key.algorithm.as_str().to_owned()),
        sealed: Set(STANDARD.encode(&key.sealed)),
        public_jwk: Set(key.public_jwk.clone()),
        published_at: Set(instant::to_micros(key.published_at)?),
        signs_from: Set(instant::to_micros(key.signs_from)?),
        signs_until: Set(optional(key.signs_until)?),
        verifies_until: Set(optional(key.verifies_until)?),
        revoked_at: Set(optional(key.revoked_at)?),
    })
}

impl Model {
    pub(crate) fn into_key(self) -> Result<ManagedKey, StoreError> {
        let corrupt = |what| StoreError::corrupt(CorruptKey { kid: self.kid.clone(), what });
        let instant = |micros, what| instant::from_micros(micros).ok_or_else(|| corrupt(what));
        let optional = |micros: Option<i64>, what| micros.map(|micros| instant(micros, what)).transpose();
        Ok(ManagedKey {
            algorithm: self.algorithm.parse().map_err(|_| corrupt("algorithm"))?,
            sealed: STANDARD.decode(&self.sealed).map_err(|_| corrupt("sealed"))?,
            published_at: instant(self.published_at, "published_at")?,
            signs_from: instant(self.signs_from, "signs_from")?,
            signs_until: optional(self.signs_until, "signs_until")?,
            verifies_until: optional(self.verifies_until, "verifies_until")?,
            revoked_at: optional(self.revoked_at, "revoked_at")?,
            kid: self.kid,
            public_jwk: self.public_jwk,
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the column {what} of the key {kid} holds no valid value")]
struct CorruptKey {
    kid: String,
    what: &'static str,
}
