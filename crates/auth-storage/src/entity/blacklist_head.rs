//! The one row of `blacklist_head`.

use sea_orm::entity::prelude::*;

/// The id of the one row.
pub(crate) const ID: i16 = 1;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "blacklist_head")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: i16,
    pub(crate) log_id: Uuid,
    pub(crate) position: i64,
    /// The latest expiry of an entry for one token that was ever purged.
    pub(crate) purged_tokens: i64,
    /// The latest expiry of an entry for all tokens of a user that was ever purged.
    pub(crate) purged_users: i64,
    /// When the log was last found to have lost entries. Zero: never, or acknowledged.
    pub(crate) lost_at: i64,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
