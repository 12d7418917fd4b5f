//! What taking migrations back deletes.

/// Something that taking a migration back deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The name of the migration.
    pub migration: String,
    /// The name of the table.
    pub table: String,
    /// What of the table is deleted.
    pub what: Removed,
}

/// What of a table is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Removed {
    /// The table.
    Table {
        /// How many rows it has.
        rows: u64,
    },
    /// These columns.
    Columns(Vec<String>),
    /// Nothing: the table is not ours, for these reasons, and is left alone.
    NotOurs(Vec<String>),
}
