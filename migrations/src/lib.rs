#![doc = include_str!("../README.md")]

#[cfg(not(any(feature = "sqlite", feature = "postgres", feature = "mysql")))]
compile_error!("auth-migrations needs a driver: enable one of its features `sqlite`, `postgres` and `mysql`");

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::prelude::{Asterisk, Expr, Func, Query, SchemaManager};
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr};

mod error;
mod found;
mod history;
mod layout;
mod lock;
mod m20261123_000001_users;
mod m20261123_000002_blacklist;
mod m20261123_000003_blacklist_purged;
mod m20261123_000004_attempts;
mod m20261126_000005_blacklist_loss;
mod m20261126_000006_sessions;
mod m20261127_000007_accounts;
mod m20261127_000008_letters;
mod m20261127_000009_roles;
mod m20261127_000010_keys;
mod m20261127_000011_clients;
mod m20261127_000012_personal_tokens;
mod m20261127_000013_personal_token_roles;
mod removal;
mod shape;
mod tables;

use history::History;
use lock::Locked;
use tables::TABLES;

pub use error::MigrateError;
pub use layout::{DEFAULT_PREFIX, Layout, MAX_PREFIX_LENGTH, MAX_SCHEMA_LENGTH, Prefix, Schema};
pub use removal::{Removal, Removed};

/// A part of the schema that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The table of users. The store of users also needs [`Blacklist`](Self::Blacklist) and [`Letters`](Self::Letters).
    Users,
    /// The log of revocations, its head, and the sessions, clients and personal tokens, which end by entries of the log.
    Blacklist,
    /// The counters of attempts.
    Attempts,
    /// The one-time tokens, and the letters that carry them.
    Letters,
    /// The keys that sign tokens. Their store also needs [`Blacklist`](Self::Blacklist).
    Keys,
}

impl Part {
    const ALL: [Self; 5] = [Self::Users, Self::Blacklist, Self::Attempts, Self::Letters, Self::Keys];
}

/// The migrations of one installation: which tables, with which names.
///
/// ```
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let db = sea_orm_migration::sea_orm::Database::connect("sqlite::memory:").await?;
/// use auth_migrations::{Migrations, Part, Prefix};
///
/// let layout = Migrations::new().prefix(Prefix::parse("login_")?).only(&[Part::Blacklist]).up(&db).await?;
/// assert_eq!(layout.table("blacklist"), "login_blacklist");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Migrations {
    prefix: Option<Prefix>,
    schema: Option<Schema>,
    parts: Vec<Part>,
}

impl Default for Migrations {
    fn default() -> Self {
        Self { prefix: None, schema: None, parts: Part::ALL.to_vec() }
    }
}

impl From<Layout> for Migrations {
    /// The migrations of the installation that was found.
    fn from(layout: Layout) -> Self {
        Self { prefix: Some(Prefix(layout.prefix)), schema: layout.schema.map(Schema), ..Self::default() }
    }
}

impl Migrations {
    /// All tables. They are looked for as the history in the database says; in a database that has none of them yet they get the
    /// prefix [`DEFAULT_PREFIX`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tables whose names begin with `prefix`.
    #[must_use]
    pub fn prefix(self, prefix: Prefix) -> Self {
        Self { prefix: Some(prefix), ..self }
    }

    /// Tables in this schema of PostgreSQL, which [`up`](Self::up) makes if it is absent. New tables in it have no prefix unless one
    /// is given. Every call fails with [`MigrateError::SchemaUnsupported`] on another database.
    #[must_use]
    pub fn schema(self, schema: Schema) -> Self {
        Self { schema: Some(schema), ..self }
    }

    /// Only the tables of these parts, for those who keep their users, say, in a table of their own.
    #[must_use]
    pub fn only(self, parts: &[Part]) -> Self {
        Self { parts: parts.to_vec(), ..self }
    }

    /// Where the tables are, or would be made. Writes nothing.
    ///
    /// # Errors
    ///
    /// When the database fails, or what was asked for cannot be there.
    pub async fn layout(&self, db: &impl ConnectionTrait) -> Result<Layout, MigrateError> {
        Ok(self.history(db).await?.layout)
    }

    /// Applies every migration that is not applied yet and returns where the tables are. Repeating it changes nothing.
    ///
    /// # Errors
    ///
    /// [`MigrateError::NotOurs`] before anything is changed, when a table of another application has one of our names. Otherwise
    /// when the database fails or holds a migration that this program does not know, or another process migrates it for
    /// too long.
    pub async fn up(&self, db: &DatabaseConnection) -> Result<Layout, MigrateError> {
        let locked = Locked::acquire(db).await?;
        let outcome = self.up_on(locked.connection()).await;
        locked.release(outcome).await
    }

    async fn up_on(&self, db: &DatabaseTransaction) -> Result<Layout, MigrateError> {
        let mut history = self.history(db).await?;
        history.refuse_unknown()?;
        self.check_tables(db, &history).await?;
        history.settle(db).await?;
        let manager = SchemaManager::new(db);
        for migration in self.migrations(&history.layout) {
            if !history.is_applied(migration.name()) {
                migration.up(&manager).await?;
                history.record(db, migration.name()).await?;
            }
        }
        Ok(history.layout)
    }

    /// What [`down`](Self::down) with as many `steps` would delete, in its order. Writes nothing.
    ///
    /// # Errors
    ///
    /// When the database fails or holds a migration that this program does not know.
    pub async fn removals(&self, db: &impl ConnectionTrait, steps: u32) -> Result<Vec<Removal>, MigrateError> {
        let history = self.history(db).await?;
        history.refuse_unknown()?;
        let layout = &history.layout;
        let found = found::describe(db, layout.schema(), &names(layout)).await?;
        let mut removals = Vec::new();
        for migration in self.last(&history, steps) {
            let migration = migration.name().to_owned();
            for table in TABLES {
                let columns: Vec<_> =
                    table.columns.iter().filter(|column| column.since == migration).map(|column| column.name).collect();
                let name = table.name_in(layout);
                let Some(found) = found.get(&name).filter(|_| !columns.is_empty()) else { continue };
                let differences = table.shortcomings(found, |since| history.is_applied(since));
                let what = if !differences.is_empty() {
                    Removed::NotOurs(differences)
                } else if table.since == migration {
                    Removed::Table { rows: count(db, layout, table.name).await? }
                } else {
                    Removed::Columns(columns.into_iter().map(str::to_owned).collect())
                };
                removals.push(Removal { migration: migration.clone(), table: name, what });
            }
        }
        Ok(removals)
    }

    /// Takes back the last `steps` migrations that were applied, or all of them when there are fewer, with all data in what they
    /// made. A table that is not ours is left alone, whatever the history says.
    ///
    /// # Errors
    ///
    /// When the database fails or holds a migration that this program does not know, or another process migrates it for too
    /// long.
    pub async fn down(&self, db: &DatabaseConnection, steps: u32) -> Result<(), MigrateError> {
        let locked = Locked::acquire(db).await?;
        let outcome = self.down_on(locked.connection(), steps).await;
        locked.release(outcome).await
    }

    async fn down_on(&self, db: &DatabaseTransaction, steps: u32) -> Result<(), MigrateError> {
        let mut history = self.history(db).await?;
        history.refuse_unknown()?;
        let last = self.last(&history, steps);
        if last.is_empty() {
            return Ok(());
        }
        history.settle(db).await?;
        let manager = SchemaManager::new(db);
        for migration in last {
            migration.down(&manager).await?;
            history.forget(db, migration.name()).await?;
        }
        Ok(history.drop_if_empty(db).await?)
    }

    /// All migrations of these tables, in their order. Writes nothing and waits for no lock.
    ///
    /// # Errors
    ///
    /// When the database fails, or holds a migration that this program does not know.
    pub async fn status(&self, db: &impl ConnectionTrait) -> Result<Vec<Status>, MigrateError> {
        let history = self.history(db).await?;
        history.refuse_unknown()?;
        Ok(self.statuses(&history))
    }

    /// Whether every migration is applied and the tables are such that the stores can work with them: their columns, the types
    /// of these and the unique keys. Writes nothing.
    ///
    /// # Errors
    ///
    /// [`MigrateError::NotOurs`] or [`MigrateError::Missing`], which say what is wrong with a table. Otherwise when the database
    /// fails, or holds a migration that this program does not know.
    pub async fn is_current(&self, db: &impl ConnectionTrait) -> Result<bool, MigrateError> {
        let history = self.history(db).await?;
        history.refuse_unknown()?;
        if self.statuses(&history).iter().any(|migration| !migration.applied) {
            return Ok(false);
        }
        self.check_tables(db, &history).await?;
        Ok(true)
    }

    async fn history(&self, db: &impl ConnectionTrait) -> Result<History, MigrateError> {
        History::find(db, self.prefix.as_ref().map(Prefix::as_str), self.schema.as_ref().map(Schema::as_str)).await
    }

    fn statuses(&self, history: &History) -> Vec<Status> {
        let migrations = self.migrations(&history.layout).into_iter();
        let status = |name: &str| Status { name: name.to_owned(), applied: history.is_applied(name) };
        migrations.map(|migration| status(migration.name())).collect()
    }

    fn migrations(&self, layout: &Layout) -> Vec<Box<dyn MigrationTrait>> {
        let mut migrations = all(layout);
        migrations.retain(|(part, _)| self.parts.contains(part));
        migrations.into_iter().map(|(_, migration)| migration).collect()
    }

    /// The last `steps` applied migrations, the last one first.
    fn last(&self, history: &History, steps: u32) -> Vec<Box<dyn MigrationTrait>> {
        let mut applied = self.migrations(&history.layout);
        applied.retain(|migration| history.is_applied(migration.name()));
        applied.into_iter().rev().take(usize::try_from(steps).unwrap_or(usize::MAX)).collect()
    }

    /// An error, unless every table that is there is ours, and every one is there that was made.
    async fn check_tables(&self, db: &impl ConnectionTrait, history: &History) -> Result<(), MigrateError> {
        let layout = &history.layout;
        let found = found::describe(db, layout.schema(), &names(layout)).await?;
        for table in TABLES.into_iter().filter(|table| self.parts.contains(&table.part)) {
            let name = table.name_in(layout);
            let made = history.is_applied(table.since);
            let differences = match found.get(&name) {
                None if made => return Err(MigrateError::Missing(name)),
                None => continue,
                Some(found) if made => table.shortcomings(found, |since| history.is_applied(since)),
                Some(found) => table.differences(found),
            };
            if !differences.is_empty() {
                return Err(MigrateError::NotOurs { table: name, differences });
            }
        }
        Ok(())
    }
}

/// A migration and whether it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The name of the migration, which begins with the day it was written and a number: they sort in their order.
    pub name: String,
    /// Whether it is applied.
    pub applied: bool,
}

/// [`Migrations::up`] for all tables.
///
/// # Errors
///
/// As there.
pub async fn up(db: &DatabaseConnection) -> Result<Layout, MigrateError> {
    Migrations::new().up(db).await
}

/// [`Migrations::down`] for all tables.
///
/// # Errors
///
/// As there.
pub async fn down(db: &DatabaseConnection, steps: u32) -> Result<(), MigrateError> {
    Migrations::new().down(db, steps).await
}

/// [`Migrations::status`] for all tables.
///
/// # Errors
///
/// As there.
pub async fn status(db: &impl ConnectionTrait) -> Result<Vec<Status>, MigrateError> {
    Migrations::new().status(db).await
}

/// [`Migrations::is_current`] for all tables.
///
/// # Errors
///
/// As there.
pub async fn is_current(db: &impl ConnectionTrait) -> Result<bool, MigrateError> {
    Migrations::new().is_current(db).await
}

/// Every migration in its order, and the part of the schema that it belongs to.
fn all(layout: &Layout) -> Vec<(Part, Box<dyn MigrationTrait>)> {
    vec![
        (Part::Users, Box::new(m20261123_000001_users::Migration { layout: layout.clone() })),
        (Part::Blacklist, Box::new(m20261123_000002_blacklist::Migration { layout: layout.clone() })),
        (Part::Blacklist, Box::new(m20261123_000003_blacklist_purged::Migration { layout: layout.clone() })),
        (Part::Attempts, Box::new(m20261123_000004_attempts::Migration { layout: layout.clone() })),
        (Part::Blacklist, Box::new(m20261126_000005_blacklist_loss::Migration { layout: layout.clone() })),
        (Part::Blacklist, Box::new(m20261126_000006_sessions::Migration { layout: layout.clone() })),
        (Part::Users, Box::new(m20261127_000007_accounts::Migration { layout: layout.clone() })),
        (Part::Letters, Box::new(m20261127_000008_letters::Migration { layout: layout.clone() })),
        (Part::Users, Box::new(m20261127_000009_roles::Migration { layout: layout.clone() })),
        (Part::Keys, Box::new(m20261127_000010_keys::Migration { layout: layout.clone() })),
        (Part::Blacklist, Box::new(m20261127_000011_clients::Migration { layout: layout.clone() })),
        (Part::Blacklist, Box::new(m20261127_000012_personal_tokens::Migration { layout: layout.clone() })),
        (Part::Blacklist, Box::new(m20261127_000013_personal_token_roles::Migration { layout: layout.clone() })),
    ]
}

/// Whether a migration of this name is one of ours.
fn is_known(version: &str) -> bool {
    [
        tables::USERS_SINCE,
        tables::BLACKLIST_SINCE,
        tables::PURGED_SINCE,
        tables::ATTEMPTS_SINCE,
        tables::LOSS_SINCE,
        tables::SESSIONS_SINCE,
        tables::ACCOUNTS_SINCE,
        tables::LETTERS_SINCE,
        tables::ROLES_SINCE,
        tables::KEYS_SINCE,
        tables::CLIENTS_SINCE,
        tables::PERSONAL_TOKENS_SINCE,
        tables::PERSONAL_TOKEN_ROLES_SINCE,
    ]
    .contains(&version)
}

fn names(layout: &Layout) -> Vec<String> {
    TABLES.iter().map(|table| table.name_in(layout)).collect()
}

async fn count(db: &impl ConnectionTrait, layout: &Layout, table: &str) -> Result<u64, DbErr> {
    let count = Query::select().expr(Func::count(Expr::col(Asterisk))).from(layout.table_ref(table)).take();
    let rows: i64 = db.query_one(&count).await?.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    Ok(u64::try_from(rows).unwrap_or(0))
}
