//! The place of the tables of one installation: a prefix of their names, and on PostgreSQL a schema.

use sea_orm_migration::sea_orm::sea_query::{IntoTableRef as _, TableRef};

use crate::MigrateError;

/// Default prefix of the table names in a new database.
pub const DEFAULT_PREFIX: &str = "auth_";

/// Maximum length of a prefix. PostgreSQL cuts names after 63 bytes; the longest name without a prefix, that of an index, has 36.
pub const MAX_PREFIX_LENGTH: usize = 24;

/// Maximum length of the name of a schema. PostgreSQL cuts names after 63 bytes.
pub const MAX_SCHEMA_LENGTH: usize = 63;

/// Table of applied migrations of tables without a prefix: the bare name `migrations` may well be another application's.
const UNPREFIXED_HISTORY: &str = "auth_migrations";

/// Prefix and schema of the tables of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    pub(crate) prefix: String,
    pub(crate) schema: Option<String>,
}

impl Layout {
    /// Text before the name of every table, such as `auth_`; empty for tables that an earlier revision made.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Schema of the tables on PostgreSQL, where every statement names it, so that no `search_path` matters; `None` elsewhere.
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// Name of a table in this database, without its schema.
    #[must_use]
    pub fn table(&self, table: &str) -> String {
        format!("{}{table}", self.prefix)
    }

    /// Name of the table of applied migrations.
    #[must_use]
    pub fn history(&self) -> String {
        history_of(&self.prefix)
    }

    /// Name of an index or constraint. PostgreSQL has one name space for all tables of a schema, SQLite one for all of a file.
    pub(crate) fn index(&self, index: &str) -> String {
        self.table(index)
    }

    pub(crate) fn table_ref(&self, table: &str) -> TableRef {
        self.qualified(self.table(table))
    }

    pub(crate) fn history_ref(&self) -> TableRef {
        self.qualified(self.history())
    }

    pub(crate) fn qualified(&self, name: String) -> TableRef {
        match &self.schema {
            Some(schema) => (schema.clone(), name).into_table_ref(),
            None => name.into_table_ref(),
        }
    }
}

pub(crate) fn history_of(prefix: &str) -> String {
    if prefix.is_empty() { UNPREFIXED_HISTORY.to_owned() } else { format!("{prefix}migrations") }
}

/// Prefix of table names: at most [`MAX_PREFIX_LENGTH`] lower-case ASCII letters, digits and `_`, not a digit first. May be empty.
/// Upper case is excluded because not all databases distinguish it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(pub(crate) String);

impl Prefix {
    /// Parses a prefix.
    ///
    /// # Errors
    ///
    /// [`MigrateError::InvalidPrefix`] for other text, and for prefixes of the engines' own tables.
    pub fn parse(text: &str) -> Result<Self, MigrateError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let reserved = ["sqlite_", "pg_"].iter().any(|reserved| text.starts_with(reserved));
        let good = text.len() <= MAX_PREFIX_LENGTH
            && text.bytes().all(allowed)
            && !text.starts_with(|first: char| first.is_ascii_digit())
            && !reserved;
        if good { Ok(Self(text.to_owned())) } else { Err(MigrateError::InvalidPrefix) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Name of a schema of PostgreSQL: 1 to [`MAX_SCHEMA_LENGTH`] ASCII letters, digits, `_` and `-`, not a digit first. It is quoted
/// in every statement, so upper and lower case differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema(pub(crate) String);

impl Schema {
    /// Parses the name of a schema.
    ///
    /// # Errors
    ///
    /// [`MigrateError::InvalidSchema`] for other text, and for PostgreSQL's own schemas.
    pub fn parse(text: &str) -> Result<Self, MigrateError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let good = (1..=MAX_SCHEMA_LENGTH).contains(&text.len())
            && text.bytes().all(allowed)
            && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && !text.starts_with("pg_")
            && text != "information_schema";
        if good { Ok(Self(text.to_owned())) } else { Err(MigrateError::InvalidSchema) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_short_lower_case_identifier() {
        for good in ["", "auth_", "a1", "_x", "abcdefghijklmnopqrstuvwx"] {
            Prefix::parse(good).unwrap();
        }
        for bad in ["Auth_", "1a", "a-b", "a.b", "a\"b", "ä", "a b", "pg_", "sqlite_x", "abcdefghijklmnopqrstuvwxy"] {
            Prefix::parse(bad).unwrap_err();
        }
    }

    #[test]
    fn a_schema_is_an_identifier_that_is_not_reserved() {
        for good in ["auth", "Auth", "my-app", "_x"] {
            Schema::parse(good).unwrap();
        }
        for bad in ["", "1a", "a.b", "a\"b", "pg_temp", "information_schema", "a b", &"x".repeat(64)] {
            Schema::parse(bad).unwrap_err();
        }
    }

    #[test]
    fn errors_name_the_longest_lengths() {
        let says = |error: MigrateError, length: usize| error.to_string().contains(&length.to_string());
        assert!(
            says(MigrateError::InvalidPrefix, MAX_PREFIX_LENGTH)
                && says(MigrateError::InvalidSchema, MAX_SCHEMA_LENGTH)
        );
    }

    #[test]
    fn the_longest_name_fits_every_engine() {
        let layout = Layout { prefix: "x".repeat(MAX_PREFIX_LENGTH), schema: None };
        assert!(layout.index("blacklist_expires_at_token_id_unique").len() <= 63);
    }
}
