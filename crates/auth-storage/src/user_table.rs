//! The table that says which tokens of a user are too old.

use std::borrow::Cow;

use sea_orm::IdenStatic as _;
use sea_orm::sea_query::{DynIden, IntoTableRef as _, TableRef};

use crate::entity::clients;
use crate::entity::users::{Column, Entity};
use crate::tables::Tables;

/// Where the generations of users are, in the database of the log. Unless a log is given another one it reads the table that
/// `auth-migrations` made and [`SeaUserStore`](crate::SeaUserStore) keeps.
///
/// A log has to know them: a token whose generation is below that of its user was revoked, also when the entry that said so
/// has been purged. Who changes a user raises the generation in the transaction that appends
/// ([`append_within`](crate::SeaRevocationLog::append_within)), so that the two cannot differ.
#[derive(Debug, Clone)]
pub struct UserTable {
    pub(crate) table: TableRef,
    pub(crate) id: DynIden,
    pub(crate) generation: DynIden,
}

impl UserTable {
    /// A table and two of its columns.
    ///
    /// - `table`: its name, in the schema that the connection uses.
    /// - `id`: the column of the [`UserId`](auth_core::UserId), with a unique index: every look-up of a token goes through it. A
    ///   `uuid` on PostgreSQL, 16 bytes elsewhere, as SeaORM stores a `Uuid`.
    /// - `generation`: the column of the [`Generation`](auth_core::Generation): an integer.
    #[must_use]
    pub fn new(
        table: impl Into<Cow<'static, str>>,
        id: impl Into<Cow<'static, str>>,
        generation: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { table: iden(table).into_table_ref(), id: iden(id), generation: iden(generation) }
    }

    /// A table in a schema of PostgreSQL, whatever the `search_path` of the connection is.
    #[must_use]
    pub fn in_schema(
        schema: impl Into<Cow<'static, str>>,
        table: impl Into<Cow<'static, str>>,
        id: impl Into<Cow<'static, str>>,
        generation: impl Into<Cow<'static, str>>,
    ) -> Self {
        let table = (iden(schema), iden(table)).into_table_ref();
        Self { table, id: iden(id), generation: iden(generation) }
    }

    /// The table that [`SeaUserStore`](crate::SeaUserStore) keeps.
    pub(crate) fn ours(tables: &Tables) -> Self {
        let (id, generation) = (Column::Id.as_str(), Column::TokenGeneration.as_str());
        Self { table: tables.of::<Entity>(), id: id.into(), generation: generation.into() }
    }

    /// The table of clients, whose generations count as those of users do.
    pub(crate) fn of_clients(tables: &Tables) -> Self {
        let (id, generation) = (clients::Column::Id.as_str(), clients::Column::Generation.as_str());
        Self { table: tables.of::<clients::Entity>(), id: id.into(), generation: generation.into() }
    }
}

fn iden(name: impl Into<Cow<'static, str>>) -> DynIden {
    name.into().into_owned().into()
}
