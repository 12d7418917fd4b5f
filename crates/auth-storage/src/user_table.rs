//! The table that says which tokens of a user are too old.

use sea_orm::{EntityName as _, IdenStatic as _};

use crate::entity::users::{Column, Entity};

/// Where the generations of users are, in the database of the log. The default is the table that `auth-migrations` made and
/// [`SeaUserStore`](crate::SeaUserStore) keeps.
///
/// A log has to know them: a token whose generation is below that of its user was revoked, also when the entry that said so
/// has been purged. Who changes a user raises the generation in the transaction that appends
/// ([`append_within`](crate::SeaRevocationLog::append_within)), so that the two cannot differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserTable {
    /// The name of the table, in the schema that the connection uses.
    pub name: &'static str,
    /// The column of the [`UserId`](auth_core::UserId), with a unique index: every look-up of a token goes through it. A `uuid` on
    /// PostgreSQL, 16 bytes elsewhere, as SeaORM stores a `Uuid`.
    pub id: &'static str,
    /// The column of the [`Generation`](auth_core::Generation): an integer.
    pub generation: &'static str,
}

impl Default for UserTable {
    fn default() -> Self {
        Self { name: Entity.table_name(), id: Column::Id.as_str(), generation: Column::TokenGeneration.as_str() }
    }
}
