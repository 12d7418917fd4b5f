//! Reasons why a migration fails.

use sea_orm_migration::sea_orm::DbErr;

/// The reason why a migration failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// The driver for this kind of database was not compiled in.
    #[error("this program was compiled without {0}: enable the feature `{0}` of auth-migrations")]
    DriverMissing(&'static str),
    /// Another process did not release the lock in time: 60 s on PostgreSQL and MySQL, the busy timeout of the connection on
    /// SQLite. Nothing was changed.
    #[error("another process is migrating this database and did not finish in time")]
    Locked,
    /// The database refused a statement or could not be reached. On SQLite and PostgreSQL nothing was changed. On MySQL some changes
    /// may have been made, and a repetition continues from there.
    #[error("the database could not be migrated")]
    Database(#[from] DbErr),
    /// A table with one of the names exists and was not made by these migrations, or was altered so that the stores cannot work with
    /// it. Nothing was changed.
    #[error(
        "the table `{table}` is not the one that these migrations make: {}; give our tables another prefix or another \
         schema, or rename that table",
        .differences.join(", ")
    )]
    NotOurs {
        /// The name of the table.
        table: String,
        /// How it differs, a phrase each.
        differences: Vec<String>,
    },
    /// A table that the history says was made is gone.
    #[error("the table `{0}` was made by these migrations and is gone; restore it from a backup")]
    Missing(String),
    /// The history holds migrations that this program does not know: a newer one migrated the database. Nothing was changed.
    #[error("the database was migrated by a newer program: {}", .0.join(", "))]
    NewerProgram(Vec<String>),
    /// There are two installations, with these prefixes, and no prefix was chosen.
    #[error("the database has our tables twice, with the prefixes `{0}` and `{1}`; say which by setting the prefix")]
    Ambiguous(String, String),
    /// The text is not a valid prefix.
    #[error(
        "the prefix of the tables must have at most 24 characters, all of them lower-case letters, digits \
         or `_`, no digit first, and begin neither with `pg_` nor with `sqlite_`"
    )]
    InvalidPrefix,
    /// The text is not a valid name of a schema.
    #[error(
        "the schema must have 1 to 63 characters, all of them letters, digits, `_` or `-`, no digit first, \
         and be none of PostgreSQL's own"
    )]
    InvalidSchema,
    /// A schema was chosen and the database is not PostgreSQL.
    #[error("only PostgreSQL has schemas; elsewhere choose a prefix, or a database of its own")]
    SchemaUnsupported,
    /// The `search_path` names no existing schema, and no schema was chosen.
    #[error("the search_path of this PostgreSQL user names no schema that exists; set one")]
    NoSchema,
}
