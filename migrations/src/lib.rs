#![doc = include_str!("../README.md")]

use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
use sea_orm_migration::{MigrationTrait, MigratorTrait};

mod cluster_lock;
mod lock;
mod m20261123_000001_users;
mod m20261123_000002_blacklist;
mod m20261123_000003_blacklist_purged;
mod m20261123_000004_attempts;
mod m20261126_000005_blacklist_loss;
mod session;

use lock::Locked;

/// Why a migration failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// Another process holds the lock and did not let go of it in time: 60 s on PostgreSQL and MySQL, the busy timeout of the
    /// connection on SQLite. Nothing was changed.
    #[error("another process is migrating this database and did not finish in time")]
    Locked,
    /// The database refused something, could not be reached, or holds a migration that this program does not know. On SQLite and
    /// PostgreSQL nothing was changed; on MySQL some of it may have been, and repeating goes on from there.
    #[error("the database could not be migrated")]
    Database(#[from] DbErr),
}

/// Applies every migration that is not applied yet. Repeating it changes nothing.
///
/// # Errors
///
/// When the database fails or holds a migration that this program does not know, or another process migrates it for too
/// long.
pub async fn up(db: &DatabaseConnection) -> Result<(), MigrateError> {
    let locked = Locked::acquire(db).await?;
    let outcome = Migrator::up(locked.connection(), None).await;
    locked.release(outcome).await
}

/// Takes back the last `steps` migrations that were applied, or all of them when there are fewer, with all data in what they
/// made.
///
/// # Errors
///
/// When the database fails or holds a migration that this program does not know, or another process migrates it for too
/// long.
pub async fn down(db: &DatabaseConnection, steps: u32) -> Result<(), MigrateError> {
    let locked = Locked::acquire(db).await?;
    let outcome = Migrator::down(locked.connection(), Some(steps)).await;
    locked.release(outcome).await
}

/// A migration and whether it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The name of the migration, which begins with the day it was written and a number: they sort in their order.
    pub name: String,
    /// Whether it is applied.
    pub applied: bool,
}

/// All migrations that this program knows, in their order. Writes nothing and waits for no lock.
///
/// # Errors
///
/// When the database fails, or holds a migration that this program does not know.
pub async fn status(db: &impl ConnectionTrait) -> Result<Vec<Status>, MigrateError> {
    let migrations = Migrator::get_migration_with_status_read_only(db).await?;
    Ok(migrations
        .into_iter()
        .map(|migration| Status {
            name: migration.name().to_owned(),
            applied: migration.status() == sea_orm_migration::MigrationStatus::Applied,
        })
        .collect())
}

/// Whether every migration is applied. Writes nothing.
///
/// # Errors
///
/// When the database fails, or holds a migration that this program does not know.
pub async fn is_current(db: &impl ConnectionTrait) -> Result<bool, MigrateError> {
    Ok(status(db).await?.iter().all(|migration| migration.applied))
}

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_users::Migration),
            Box::new(m20261123_000002_blacklist::Migration),
            Box::new(m20261123_000003_blacklist_purged::Migration),
            Box::new(m20261123_000004_attempts::Migration),
            Box::new(m20261126_000005_blacklist_loss::Migration),
        ]
    }
}
