//! A row of `attempts`: one counter.

use auth_core::throttle::{AttemptKey, Counter};
use auth_core::{StoreError, StoreErrorKind};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use crate::instant;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempts")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) failures: i64,
    pub(crate) not_before: i64,
    pub(crate) spent_until: i64,
    pub(crate) known_until: i64,
    pub(crate) expires_at: i64,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub(crate) fn id_of(key: AttemptKey) -> Uuid {
    Uuid::from_bytes(key.as_bytes())
}

/// The row of a counter.
pub(crate) fn row_of(key: AttemptKey, counter: &Counter) -> Result<ActiveModel, StoreError> {
    Ok(ActiveModel {
        id: Set(id_of(key)),
        failures: Set(counter.failures.into()),
        not_before: Set(instant::to_micros(counter.not_before)?),
        spent_until: Set(instant::to_micros(counter.spent_until)?),
        known_until: Set(instant::to_micros(counter.known_until)?),
        expires_at: Set(instant::to_micros_rounded_up(counter.expires_at())?),
    })
}

impl Model {
    pub(crate) fn into_counter(self) -> Result<Counter, StoreError> {
        let corrupt = |what: &'static str| StoreError::new(StoreErrorKind::Corrupt, CorruptCounter { what });
        let instant = |micros, what| instant::from_micros(micros).ok_or_else(|| corrupt(what));
        Ok(Counter {
            failures: u32::try_from(self.failures).map_err(|_| corrupt("failures"))?,
            not_before: instant(self.not_before, "not_before")?,
            spent_until: instant(self.spent_until, "spent_until")?,
            known_until: instant(self.known_until, "known_until")?,
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the column {what} of a counter of attempts holds no valid value")]
struct CorruptCounter {
    what: &'static str,
}
