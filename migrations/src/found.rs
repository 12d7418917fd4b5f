//! What is in the database: tables, their columns and their indexes, read from the catalogues of each engine.

use std::collections::HashMap;

use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value};

/// A table or view as the database describes it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) is_table: bool,
    pub(crate) columns: Vec<FoundColumn>,
    pub(crate) indexes: Vec<FoundIndex>,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each one is a fact of its own that the catalogue states")]
pub(crate) struct FoundColumn {
    pub(crate) name: String,
    /// The name of its type in this engine.
    pub(crate) kind: String,
    /// The type is a declaration that the engine does not enforce.
    pub(crate) declared_only: bool,
    /// Most characters or bytes, where the type has a bound.
    pub(crate) length: Option<i64>,
    pub(crate) nullable: bool,
    /// A row may be inserted without a value for it.
    pub(crate) has_default: bool,
    /// Two values are equal only when their bytes are.
    pub(crate) compares_bytes: bool,
}

#[derive(Debug)]
pub(crate) struct FoundIndex {
    pub(crate) name: String,
    pub(crate) primary: bool,
    /// Enforced for all rows at once, over whole columns.
    pub(crate) unique: bool,
    pub(crate) columns: Vec<String>,
}

impl Found {
    pub(crate) fn primary(&self) -> Option<&[String]> {
        self.indexes.iter().find(|index| index.primary).map(|index| &index.columns[..])
    }

    /// The columns of each unique key besides the primary one.
    pub(crate) fn unique_keys(&self) -> impl Iterator<Item = &[String]> {
        self.indexes.iter().filter(|index| index.unique && !index.primary).map(|index| &index.columns[..])
    }

    pub(crate) fn has_index(&self, name: &str) -> bool {
        self.indexes.iter().any(|index| index.name == name)
    }
}

/// Describes the tables and views of these names in `schema`. On PostgreSQL a schema is needed; elsewhere there is only the one of
/// the connection. Names that nothing has are absent.
pub(crate) async fn describe(
    db: &impl ConnectionTrait,
    schema: Option<&str>,
    names: &[String],
) -> Result<HashMap<String, Found>, DbErr> {
    let backend = db.get_database_backend();
    let mut all: HashMap<String, Found> = HashMap::new();
    for row in db.query_all_raw(statement(backend, columns_query(backend), schema, names)).await? {
        // SQLite ignores case, so what is found may be spelled otherwise than what was asked for.
        let name = asked_for(backend, names, text(&row, "table_name")?);
        let found = all.entry(name).or_default();
        found.is_table = flag(&row, "is_table")?;
        found.columns.push(FoundColumn {
            name: text(&row, "column_name")?,
            kind: text(&row, "type_name")?,
            declared_only: backend == DbBackend::Sqlite,
            length: row.try_get("", "length")?,
            nullable: flag(&row, "nullable")?,
            has_default: flag(&row, "has_default")?,
            compares_bytes: flag(&row, "compares_bytes")?,
        });
        // A key over the row id of SQLite has no index.
        if backend == DbBackend::Sqlite && row.try_get::<i64>("", "key_part")? > 0 {
            let column = text(&row, "column_name")?;
            match found.indexes.iter_mut().find(|index| index.primary) {
                Some(primary) => primary.columns.push(column),
                None => found.indexes.push(FoundIndex {
                    name: String::new(),
                    primary: true,
                    unique: true,
                    columns: vec![column],
                }),
            }
        }
    }
    if backend == DbBackend::MySql {
        for row in db.query_all_raw(statement(backend, MYSQL_TABLES, schema, names)).await? {
            if let Some(found) = all.get_mut(&asked_for(backend, names, text(&row, "table_name")?)) {
                found.is_table = true;
            }
        }
    }
    for row in db.query_all_raw(statement(backend, indexes_query(backend), schema, names)).await? {
        let table = asked_for(backend, names, text(&row, "table_name")?);
        let (name, primary) = (text(&row, "index_name")?, flag(&row, "is_primary")?);
        let column: Option<String> = row.try_get("", "column_name")?;
        let unique = flag(&row, "is_unique")? && column.is_some();
        let Some(found) = all.get_mut(&table) else { continue };
        match found.indexes.iter_mut().find(|index| index.name == name) {
            Some(index) => {
                index.unique &= unique;
                index.columns.extend(column);
            }
            None => found.indexes.push(FoundIndex { name, primary, unique, columns: column.into_iter().collect() }),
        }
    }
    Ok(all)
}

/// The schema in which PostgreSQL finds a table of this name along its `search_path`.
pub(crate) async fn visible_in(db: &impl ConnectionTrait, name: &str) -> Result<Option<String>, DbErr> {
    let sql = "SELECT n.nspname::text AS name FROM pg_catalog.pg_class c \
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE c.relname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_catalog.pg_table_is_visible(c.oid)";
    let query = Statement::from_sql_and_values(DbBackend::Postgres, sql, [name.into()]);
    db.query_one_raw(query).await?.map(|row| row.try_get("", "name")).transpose()
}

/// The schema in which PostgreSQL makes tables for this session.
pub(crate) async fn current_schema(db: &impl ConnectionTrait) -> Result<Option<String>, DbErr> {
    let sql = "SELECT pg_catalog.current_schema()::text AS name";
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql.to_owned())).await?;
    row.map_or(Ok(None), |row| row.try_get("", "name"))
}

pub(crate) async fn has_schema(db: &impl ConnectionTrait, schema: &str) -> Result<bool, DbErr> {
    let sql = "SELECT 1 AS one FROM pg_catalog.pg_namespace WHERE nspname = $1";
    let query = Statement::from_sql_and_values(DbBackend::Postgres, sql, [schema.into()]);
    Ok(db.query_one_raw(query).await?.is_some())
}

fn statement(backend: DbBackend, sql: &str, schema: Option<&str>, names: &[String]) -> Statement {
    let mut values: Vec<Value> = Vec::with_capacity(names.len() + 1);
    if backend == DbBackend::Postgres {
        values.push(schema.unwrap_or_default().into());
    }
    let marks = names.iter().map(|name| {
        values.push(name.as_str().into());
        if backend == DbBackend::Postgres { format!("${}", values.len()) } else { "?".to_owned() }
    });
    let marks = marks.collect::<Vec<_>>().join(", ");
    Statement::from_sql_and_values(backend, sql.replace("{names}", &marks), values)
}

fn asked_for(backend: DbBackend, names: &[String], found: String) -> String {
    match backend {
        DbBackend::Postgres => found,
        _ => names.iter().find(|name| name.eq_ignore_ascii_case(&found)).cloned().unwrap_or(found),
    }
}

fn text(row: &QueryResult, column: &str) -> Result<String, DbErr> {
    row.try_get("", column)
}

fn flag(row: &QueryResult, column: &str) -> Result<bool, DbErr> {
    Ok(row.try_get::<i64>("", column)? != 0)
}

/// One row a table that is no view. A query of its own: MySQL joins its catalogue at the cost of a temporary table a row.
const MYSQL_TABLES: &str = "SELECT CAST(table_name AS CHAR) AS table_name FROM information_schema.tables \
     WHERE table_schema = DATABASE() AND table_name IN ({names}) AND table_type = 'BASE TABLE'";

/// One row a column, in their order.
fn columns_query(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => {
            "SELECT c.relname::text AS table_name, (c.relkind IN ('r', 'p'))::int::int8 AS is_table, \
             a.attname::text AS column_name, t.typname::text AS type_name, \
             CASE WHEN t.typname = 'varchar' AND a.atttypmod > 0 THEN (a.atttypmod - 4)::int8 END AS length, \
             (NOT a.attnotnull)::int::int8 AS nullable, \
             (a.atthasdef OR a.attidentity <> '')::int::int8 AS has_default, \
             (coll.oid IS NULL OR coll.collisdeterministic)::int::int8 AS compares_bytes \
             FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
             JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
             LEFT JOIN pg_catalog.pg_collation coll ON coll.oid = a.attcollation \
             WHERE n.nspname = $1 AND c.relname IN ({names}) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
             AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum"
        }
        // Whether the case of a table's name matters is a setting of the server.
        DbBackend::MySql => {
            "SELECT CAST(c.table_name AS CHAR) AS table_name, CAST(0 AS SIGNED) AS is_table, \
             CAST(c.column_name AS CHAR) AS column_name, CAST(c.data_type AS CHAR) AS type_name, \
             CAST(c.character_maximum_length AS SIGNED) AS length, \
             CAST(c.is_nullable = 'YES' AS SIGNED) AS nullable, \
             CAST(c.column_default IS NOT NULL OR c.extra <> '' AS SIGNED) AS has_default, \
             CAST(c.collation_name IS NULL OR c.collation_name LIKE '%_bin' OR c.collation_name = 'binary' AS SIGNED) \
             AS compares_bytes \
             FROM information_schema.columns c WHERE c.table_schema = DATABASE() AND c.table_name IN ({names}) \
             AND (@@lower_case_table_names <> 0 OR CAST(c.table_name AS BINARY) = CAST(LOWER(c.table_name) AS BINARY)) \
             ORDER BY c.table_name, c.ordinal_position"
        }
        _ => {
            "SELECT m.name AS table_name, m.type = 'table' AS is_table, c.name AS column_name, c.type AS type_name, \
             NULL AS length, c.\"notnull\" = 0 AS nullable, c.dflt_value IS NOT NULL OR c.hidden <> 0 AS has_default, \
             1 AS compares_bytes, c.pk AS key_part \
             FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c \
             WHERE m.type IN ('table', 'view') AND m.name COLLATE NOCASE IN ({names}) ORDER BY m.name, c.pk, c.cid"
        }
    }
}

/// One row a column of an index, in their order.
fn indexes_query(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => {
            "SELECT c.relname::text AS table_name, x.relname::text AS index_name, \
             i.indisprimary::int::int8 AS is_primary, \
             (i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL)::int::int8 AS is_unique, \
             a.attname::text AS column_name \
             FROM pg_catalog.pg_index i \
             JOIN pg_catalog.pg_class c ON c.oid = i.indrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
             CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place) \
             LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum \
             WHERE n.nspname = $1 AND c.relname IN ({names}) AND k.place <= i.indnkeyatts \
             ORDER BY c.relname, x.relname, k.place"
        }
        DbBackend::MySql => {
            "SELECT CAST(s.table_name AS CHAR) AS table_name, CAST(s.index_name AS CHAR) AS index_name, \
             CAST(s.index_name = 'PRIMARY' AS SIGNED) AS is_primary, \
             CAST(s.non_unique = 0 AND s.sub_part IS NULL AS SIGNED) AS is_unique, \
             CAST(s.column_name AS CHAR) AS column_name \
             FROM information_schema.statistics s \
             WHERE s.table_schema = DATABASE() AND s.table_name IN ({names}) \
             AND (@@lower_case_table_names <> 0 OR CAST(s.table_name AS BINARY) = CAST(LOWER(s.table_name) AS BINARY)) \
             ORDER BY s.table_name, s.index_name, s.seq_in_index"
        }
        // The primary key is known from its columns.
        _ => {
            "SELECT m.name AS table_name, l.name AS index_name, 0 AS is_primary, \
             l.\"unique\" <> 0 AND l.partial = 0 AS is_unique, i.name AS column_name \
             FROM sqlite_master m JOIN pragma_index_list(m.name) l JOIN pragma_index_info(l.name) i \
             WHERE m.type = 'table' AND m.name COLLATE NOCASE IN ({names}) AND l.origin <> 'pk' \
             ORDER BY m.name, l.name, i.seqno"
        }
    }
}
