//! Which migrations are applied: a table of our own, and the shared one in which earlier revisions kept them.

use std::collections::BTreeMap;

use sea_orm_migration::prelude::{Asterisk, ColumnDef, Expr, ExprTrait as _, Func, Index, Query, SimpleExpr, Table};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr};

use crate::found::{Found, current_schema, describe, has_schema, visible_in};
use crate::layout::{DEFAULT_PREFIX, Layout, history_of};
use crate::{MigrateError, is_known};

/// The table that every application with SeaORM's migrator uses unless it says otherwise. Rows of other applications are there too.
const SHARED: &str = "seaql_migrations";

const VERSION: &str = "version";
const APPLIED_AT: &str = "applied_at";
const TABLE_PREFIX: &str = "table_prefix";

/// Longest name of a migration.
const MAX_VERSION: u32 = 255;

/// The applied migrations of one installation, and where its tables are.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) layout: Layout,
    /// Names, and when each was applied in seconds since 1970.
    applied: BTreeMap<String, i64>,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Own,
    /// Only in the shared table: an earlier revision migrated this database and we have not yet.
    Shared,
    Nowhere,
}

impl History {
    /// Looks for the installation with this prefix and schema, or for the only one there is where they are not given. Writes
    /// nothing.
    pub(crate) async fn find(
        db: &impl ConnectionTrait,
        prefix: Option<&str>,
        schema: Option<&str>,
    ) -> Result<Self, MigrateError> {
        let postgres = db.get_database_backend() == DbBackend::Postgres;
        if schema.is_some() && !postgres {
            return Err(MigrateError::SchemaUnsupported);
        }
        if let Some(own) = Self::find_own(db, prefix, schema).await? {
            return Ok(own);
        }
        if prefix.is_none_or(str::is_empty)
            && let Some(shared) = Self::find_shared(db, schema).await?
        {
            return Ok(shared);
        }
        // In a schema of its own a table needs no prefix.
        let default = if schema.is_some() { "" } else { DEFAULT_PREFIX };
        let schema = match schema {
            Some(schema) => Some(schema.to_owned()),
            None if postgres => Some(current_schema(db).await?.ok_or(MigrateError::NoSchema)?),
            None => None,
        };
        let layout = Layout { prefix: prefix.unwrap_or(default).to_owned(), schema };
        Ok(Self { layout, applied: BTreeMap::new(), place: Place::Nowhere })
    }

    async fn find_own(
        db: &impl ConnectionTrait,
        prefix: Option<&str>,
        schema: Option<&str>,
    ) -> Result<Option<Self>, MigrateError> {
        let name = history_of(prefix.unwrap_or(DEFAULT_PREFIX));
        let Some((schema, found)) = locate(db, schema, &name).await? else { return Ok(None) };
        let differences = differences(&found);
        if !differences.is_empty() {
            return Err(MigrateError::NotOurs { table: name, differences });
        }
        let mut layout = Layout { prefix: prefix.unwrap_or(DEFAULT_PREFIX).to_owned(), schema };
        let query = Query::select().columns([TABLE_PREFIX, VERSION, APPLIED_AT]).from(layout.history_ref()).take();
        let mut all = BTreeMap::<String, BTreeMap<String, i64>>::new();
        for row in db.query_all(&query).await? {
            let of_prefix = all.entry(row.try_get("", TABLE_PREFIX)?).or_default();
            of_prefix.insert(row.try_get("", VERSION)?, row.try_get("", APPLIED_AT)?);
        }
        if let Some(prefix) = prefix {
            all.retain(|of, _| of == prefix);
        }
        let mut installations = all.into_iter();
        match (installations.next(), installations.next()) {
            (None, _) => Ok(None),
            (Some((prefix, applied)), None) => {
                layout.prefix = prefix;
                Ok(Some(Self { layout, applied, place: Place::Own }))
            }
            (Some((one, _)), Some((other, _))) => Err(MigrateError::Ambiguous(one, other)),
        }
    }

    async fn find_shared(db: &impl ConnectionTrait, schema: Option<&str>) -> Result<Option<Self>, MigrateError> {
        let Some((schema, found)) = locate(db, schema, SHARED).await? else { return Ok(None) };
        if ![VERSION, APPLIED_AT].iter().all(|name| found.columns.iter().any(|column| column.name == *name)) {
            return Ok(None);
        }
        let layout = Layout { prefix: String::new(), schema };
        let query = Query::select().columns([VERSION, APPLIED_AT]).from(layout.qualified(SHARED.to_owned())).take();
        let mut applied = BTreeMap::new();
        for row in db.query_all(&query).await? {
            let version: String = row.try_get("", VERSION)?;
            if is_known(&version) {
                applied.insert(version, row.try_get("", APPLIED_AT)?);
            }
        }
        let found = !applied.is_empty();
        Ok(found.then_some(Self { layout, applied, place: Place::Shared }))
    }

    pub(crate) fn is_applied(&self, version: &str) -> bool {
        self.applied.contains_key(version)
    }

    /// An error, if the history holds a migration that this program does not know.
    pub(crate) fn refuse_unknown(&self) -> Result<(), MigrateError> {
        let unknown: Vec<_> = self.applied.keys().filter(|version| !is_known(version)).cloned().collect();
        if unknown.is_empty() { Ok(()) } else { Err(MigrateError::NewerProgram(unknown)) }
    }

    /// Makes our own table, and copies into it what an earlier revision wrote into the shared one. Those rows stay: a node of an
    /// earlier revision that is still running looks for them.
    pub(crate) async fn settle(&mut self, db: &impl ConnectionTrait) -> Result<(), MigrateError> {
        let backend = db.get_database_backend();
        if let Some(schema) = &self.layout.schema
            && !has_schema(db, schema).await?
        {
            // Only letters, digits, `_` and `-` are in it.
            db.execute_unprepared(&format!("CREATE SCHEMA \"{schema}\"")).await?;
        }
        if self.place == Place::Own {
            return Ok(());
        }
        if locate(db, self.layout.schema.as_deref(), &self.layout.history()).await?.is_none() {
            let mut table = Table::create();
            table
                .table(self.layout.history_ref())
                .col(ColumnDef::new(TABLE_PREFIX).string_len(32).not_null())
                .col(ColumnDef::new(VERSION).string_len(MAX_VERSION).not_null())
                .col(ColumnDef::new(APPLIED_AT).big_integer().not_null())
                .primary_key(Index::create().col(TABLE_PREFIX).col(VERSION));
            if backend == DbBackend::MySql {
                table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
            }
            db.execute(&table).await?;
        }
        if !self.applied.is_empty() {
            // One statement: on MySQL half of the rows would be committed when it is cut short.
            let rows = self.applied.iter().map(|(version, at)| (version.as_str(), Expr::value(*at)));
            self.insert(db, rows).await?;
        }
        self.place = Place::Own;
        Ok(())
    }

    pub(crate) async fn record(&mut self, db: &impl ConnectionTrait, version: &str) -> Result<(), DbErr> {
        let now = match db.get_database_backend() {
            DbBackend::Postgres => "CAST(EXTRACT(EPOCH FROM now()) AS BIGINT)",
            DbBackend::MySql => "UNIX_TIMESTAMP()",
            _ => "CAST(strftime('%s', 'now') AS INTEGER)",
        };
        self.insert(db, [(version, Expr::cust(now))]).await?;
        self.applied.insert(version.to_owned(), 0);
        Ok(())
    }

    async fn insert<'v>(
        &self,
        db: &impl ConnectionTrait,
        rows: impl IntoIterator<Item = (&'v str, SimpleExpr)>,
    ) -> Result<(), DbErr> {
        let mut insertion = Query::insert();
        insertion.into_table(self.layout.history_ref()).columns([TABLE_PREFIX, VERSION, APPLIED_AT]);
        for (version, applied_at) in rows {
            insertion.values_panic([self.layout.prefix.as_str().into(), version.into(), applied_at]);
        }
        db.execute(&insertion).await.map(drop)
    }

    /// Forgets a migration that was taken back; in the shared table too, or it would seem applied to whoever looks there.
    pub(crate) async fn forget(&mut self, db: &impl ConnectionTrait, version: &str) -> Result<(), DbErr> {
        let row = Query::delete()
            .from_table(self.layout.history_ref())
            .and_where(Expr::col(TABLE_PREFIX).eq(self.layout.prefix.as_str()))
            .and_where(Expr::col(VERSION).eq(version))
            .take();
        db.execute(&row).await?;
        if self.layout.prefix.is_empty() && locate(db, self.layout.schema.as_deref(), SHARED).await?.is_some() {
            let row = Query::delete()
                .from_table(self.layout.qualified(SHARED.to_owned()))
                .and_where(Expr::col(VERSION).eq(version))
                .take();
            db.execute(&row).await?;
        }
        self.applied.remove(version);
        Ok(())
    }

    /// Drops our own table when nothing is recorded in it any more.
    pub(crate) async fn drop_if_empty(&self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        let count = Query::select().expr(Func::count(Expr::col(Asterisk))).from(self.layout.history_ref()).take();
        let rows: i64 = db.query_one(&count).await?.map_or(Ok(0), |row| row.try_get_by_index(0))?;
        if rows == 0 {
            db.execute(&Table::drop().table(self.layout.history_ref()).take()).await?;
        }
        Ok(())
    }
}

/// Finds a table by its name: in `schema`, or along the `search_path` of PostgreSQL.
async fn locate(
    db: &impl ConnectionTrait,
    schema: Option<&str>,
    name: &str,
) -> Result<Option<(Option<String>, Found)>, DbErr> {
    let schema = match (db.get_database_backend(), schema) {
        (DbBackend::Postgres, None) => match visible_in(db, name).await? {
            Some(schema) => Some(schema),
            None => return Ok(None),
        },
        (_, schema) => schema.map(str::to_owned),
    };
    let found = describe(db, schema.as_deref(), &[name.to_owned()]).await?.remove(name);
    Ok(found.map(|found| (schema, found)))
}

/// How a table with the name of our history differs from it.
fn differences(found: &Found) -> Vec<String> {
    let mut differences = Vec::new();
    if !found.is_table {
        differences.push("it is a view and not a table".to_owned());
    }
    for name in [TABLE_PREFIX, VERSION, APPLIED_AT] {
        if !found.columns.iter().any(|column| column.name == name) {
            differences.push(format!("there is no column `{name}`"));
        }
    }
    differences
}
