//! What each table of ours looks like, and how a table that is there differs from it.

use sea_orm_migration::prelude::{ColumnDef, SchemaManager, sea_query};
use sea_orm_migration::sea_orm::DbErr;

use crate::Part;
use crate::found::{Found, FoundColumn, describe};
use crate::layout::Layout;

/// A table: its columns and its keys.
pub(crate) struct Table {
    /// The name without the prefix.
    pub(crate) name: &'static str,
    pub(crate) part: Part,
    /// The migration that makes the table.
    pub(crate) since: &'static str,
    pub(crate) columns: &'static [Column],
    pub(crate) primary: &'static str,
    pub(crate) unique: &'static [UniqueKey],
}

pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: ColumnKind,
    pub(crate) nullable: bool,
    /// The migration that adds the column.
    pub(crate) since: &'static str,
}

/// A unique key that the stores rely on, and one that an earlier revision made in its place.
pub(crate) struct UniqueKey {
    pub(crate) columns: &'static [&'static str],
    pub(crate) or: Option<&'static [&'static str]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    /// An id of 16 bytes.
    Uuid,
    /// Text of at least so many characters.
    Text(i64),
    Bool,
    /// 64 bits.
    Big,
    /// 16 bits.
    Small,
}

impl Table {
    /// What keeps the stores from working with a table that we made once: each item is a phrase for an error. `applied`
    /// says which migrations the history holds. Columns and keys that somebody added are none of our business as long as
    /// our rows can be written.
    pub(crate) fn shortcomings(&self, found: &Found, applied: impl Fn(&str) -> bool) -> Vec<String> {
        let mut differences = Vec::new();
        if !found.is_table {
            return vec!["it is a view and not a table".to_owned()];
        }
        let (there, missing): (Vec<_>, Vec<_>) =
            self.columns.iter().filter(|column| applied(column.since)).partition(|column| column.find(found).is_some());
        match &missing[..] {
            [] => {}
            [one] => differences.push(format!("there is no column `{}`", one.name)),
            many => {
                let names: Vec<_> = many.iter().map(|column| format!("`{}`", column.name)).collect();
                differences.push(format!("there are no columns {}", names.join(", ")));
            }
        }
        differences.extend(there.into_iter().filter_map(|column| self.difference(column, found)));
        for column in found.columns.iter().filter(|column| self.column(&column.name).is_none()) {
            if !column.nullable && !column.has_default {
                differences.push(format!("the column `{}` must be set and is unknown", column.name));
            }
        }
        if found.primary() != Some(&[self.primary.to_owned()][..]) {
            differences.push(format!("`{}` is not the primary key", self.primary));
        }
        for key in self.unique.iter().filter(|key| !key.is_in(found)) {
            differences.push(format!("there is no unique key on ({})", key.columns.join(", ")));
        }
        differences
    }

    /// How a table of this name differs from what our migrations make, for a table of which the history says nothing: it is
    /// ours, of a run that was cut short, only when it has nothing but our columns and keys.
    pub(crate) fn differences(&self, found: &Found) -> Vec<String> {
        let mut differences = self.shortcomings(found, |since| since == self.since);
        if !found.is_table {
            return differences;
        }
        for column in &found.columns {
            match self.column(&column.name) {
                None => differences.push(format!("the column `{}` is unknown", column.name)),
                // A later migration may have been cut short as well.
                Some(ours) if ours.since != self.since => differences.extend(self.difference(ours, found)),
                Some(_) => {}
            }
        }
        for key in found.unique_keys() {
            let ours = self.unique.iter().any(|known| known.columns == key || known.or.is_some_and(|or| or == key));
            if !ours {
                differences.push(format!("the unique key on ({}) is unknown", key.join(", ")));
            }
        }
        differences
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// What is wrong with a column that is there.
    fn difference(&self, column: &Column, found: &Found) -> Option<String> {
        let Column { name, kind, nullable, .. } = column;
        let column = column.find(found)?;
        if !kind.holds(column) {
            return Some(format!("the column `{name}` has the type `{}`", column.kind));
        }
        if column.nullable != *nullable {
            let can = if column.nullable { "can" } else { "cannot" };
            return Some(format!("the column `{name}` {can} be null"));
        }
        let keyed = self.unique.iter().any(|key| key.columns.contains(name));
        if keyed && matches!(kind, ColumnKind::Text(_)) && !column.compares_bytes {
            return Some(format!("the column `{name}` has a collation for which different keys are equal"));
        }
        None
    }

    pub(crate) fn name_in(&self, layout: &Layout) -> String {
        layout.table(self.name)
    }

    /// The table of this name, whoever made it.
    pub(crate) async fn find(&self, manager: &SchemaManager<'_>, layout: &Layout) -> Result<Option<Found>, DbErr> {
        let name = self.name_in(layout);
        Ok(describe(manager.get_connection(), layout.schema(), std::slice::from_ref(&name)).await?.remove(&name))
    }

    pub(crate) async fn is_there(&self, manager: &SchemaManager<'_>, layout: &Layout) -> Result<bool, DbErr> {
        Ok(self.find(manager, layout).await?.is_some())
    }

    /// Adds the columns that the migration `since` brings and that are not there yet. In rows of before a number is zero, a flag
    /// is false, a text is empty, and a column that can be null is null. One statement each: SQLite adds one column at a time, and MySQL commits
    /// every one by itself.
    pub(crate) async fn add_columns(
        &self,
        manager: &SchemaManager<'_>,
        layout: &Layout,
        since: &str,
    ) -> Result<(), DbErr> {
        let Some(found) = self.find(manager, layout).await? else { return Ok(()) };
        for added in self.columns.iter().filter(|column| column.since == since && column.find(&found).is_none()) {
            let mut column = ColumnDef::new(added.name);
            match (added.kind, added.nullable) {
                (ColumnKind::Bool, _) => column.boolean().not_null().default(false),
                (ColumnKind::Text(length), _) => {
                    column.string_len(u32::try_from(length).unwrap_or(u32::MAX)).not_null().default("")
                }
                (_, true) => column.big_integer().null(),
                (_, false) => column.big_integer().not_null().default(0),
            };
            let mut alteration = sea_query::Table::alter();
            alteration.table(layout.table_ref(self.name)).add_column(column);
            manager.alter_table(alteration).await?;
        }
        Ok(())
    }

    /// Drops the columns that the migration `since` brought, if the table is ours.
    pub(crate) async fn drop_columns(
        &self,
        manager: &SchemaManager<'_>,
        layout: &Layout,
        since: &str,
    ) -> Result<(), DbErr> {
        let Some(found) = self.find_ours(manager, layout).await? else { return Ok(()) };
        for dropped in self.columns.iter().filter(|column| column.since == since && column.find(&found).is_some()) {
            let mut alteration = sea_query::Table::alter();
            alteration.table(layout.table_ref(self.name)).drop_column(dropped.name);
            manager.alter_table(alteration).await?;
        }
        Ok(())
    }

    /// The table of this name, if it has at least the columns and keys with which it was made.
    pub(crate) async fn find_ours(&self, manager: &SchemaManager<'_>, layout: &Layout) -> Result<Option<Found>, DbErr> {
        let found = self.find(manager, layout).await?;
        Ok(found.filter(|found| self.shortcomings(found, |since| since == self.since).is_empty()))
    }

    pub(crate) async fn drop_if_ours(&self, manager: &SchemaManager<'_>, layout: &Layout) -> Result<(), DbErr> {
        if self.find_ours(manager, layout).await?.is_none() {
            return Ok(());
        }
        manager.drop_table(sea_query::Table::drop().table(layout.table_ref(self.name)).take()).await
    }
}

impl Column {
    fn find<'f>(&self, found: &'f Found) -> Option<&'f FoundColumn> {
        found.columns.iter().find(|column| column.name == self.name)
    }
}

impl ColumnKind {
    /// Whether values of this kind can be kept in the column. SQLite keeps any value in any column and knows the types only as
    /// declared.
    fn holds(self, column: &FoundColumn) -> bool {
        let declared = column.kind.to_lowercase();
        let one_of = |names: &[&str]| names.contains(&declared.as_str());
        let includes = |words: &[&str]| words.iter().any(|word| declared.contains(word));
        if column.declared_only {
            return match self {
                Self::Uuid => includes(&["uuid", "blob"]),
                Self::Text(_) => includes(&["char", "text", "clob"]) && !includes(&["uuid"]),
                Self::Bool => includes(&["bool", "int"]),
                Self::Big | Self::Small => includes(&["int"]),
            };
        }
        match self {
            Self::Uuid => declared == "uuid" || (declared == "binary" && column.length == Some(16)),
            Self::Text(least) => {
                one_of(&["varchar", "text", "mediumtext", "longtext"])
                    && column.length.is_none_or(|length| length >= least)
            }
            Self::Bool => one_of(&["bool", "tinyint"]),
            Self::Big => one_of(&["int8", "bigint"]),
            Self::Small => one_of(&["int2", "smallint"]),
        }
    }
}

impl UniqueKey {
    fn is_in(&self, found: &Found) -> bool {
        found.unique_keys().any(|key| self.columns == key || self.or.is_some_and(|or| or == key))
    }
}
