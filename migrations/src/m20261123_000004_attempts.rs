//! The counters of attempts.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const EXPIRY_INDEX: &str = "attempts_expires_at";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table
            .table(Attempts::Table)
            .if_not_exists()
            // A hash of what is counted: no address of anybody is in this table.
            .col(ColumnDef::new(Attempts::Id).uuid().not_null().primary_key())
            .col(ColumnDef::new(Attempts::Failures).big_integer().not_null())
            .col(ColumnDef::new(Attempts::NotBefore).big_integer().not_null())
            .col(ColumnDef::new(Attempts::SpentUntil).big_integer().not_null())
            .col(ColumnDef::new(Attempts::KnownUntil).big_integer().not_null())
            .col(ColumnDef::new(Attempts::ExpiresAt).big_integer().not_null())
            .check(Expr::col(Attempts::Failures).between(0, u32::MAX));
        if manager.get_database_backend() == DbBackend::MySql {
            table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
        }
        manager.create_table(table).await?;

        // MySQL knows no `CREATE INDEX IF NOT EXISTS`.
        if manager.has_index("attempts", EXPIRY_INDEX).await? {
            return Ok(());
        }
        let mut index = Index::create();
        index.name(EXPIRY_INDEX).table(Attempts::Table).col(Attempts::ExpiresAt);
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Attempts::Table).if_exists().take()).await
    }
}

#[derive(DeriveIden)]
enum Attempts {
    Table,
    Id,
    Failures,
    NotBefore,
    SpentUntil,
    KnownUntil,
    ExpiresAt,
}
