//! The counters of attempts.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::layout::Layout;
use crate::tables::ATTEMPTS;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration {
    pub(crate) layout: Layout,
}

const EXPIRY_INDEX: &str = "attempts_expires_at";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let layout = &self.layout;
        let found = ATTEMPTS.find(manager, layout).await?;
        if found.is_none() {
            let mut table = Table::create();
            table
                .table(layout.table_ref(ATTEMPTS.name))
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
        }

        let name = layout.index(EXPIRY_INDEX);
        // MySQL knows no `CREATE INDEX IF NOT EXISTS`.
        if found.is_some_and(|found| found.has_index(&name)) {
            return Ok(());
        }
        let mut index = Index::create();
        index.name(name).table(layout.table_ref(ATTEMPTS.name)).col(Attempts::ExpiresAt);
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ATTEMPTS.drop_if_ours(manager, &self.layout).await
    }
}

#[derive(DeriveIden)]
enum Attempts {
    Id,
    Failures,
    NotBefore,
    SpentUntil,
    KnownUntil,
    ExpiresAt,
}
