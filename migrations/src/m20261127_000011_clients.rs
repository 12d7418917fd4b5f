//! The clients: machines with a secret of their own.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::layout::Layout;
use crate::tables::CLIENTS;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration {
    pub(crate) layout: Layout,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if CLIENTS.find(manager, &self.layout).await?.is_some() {
            return Ok(());
        }
        let mut table = Table::create();
        table
            .table(self.layout.table_ref(CLIENTS.name))
            .col(ColumnDef::new(Clients::Id).uuid().not_null().primary_key())
            .col(ColumnDef::new(Clients::Name).string_len(64).not_null())
            // Up to 32 names of 64 characters with blanks between them.
            .col(ColumnDef::new(Clients::Scopes).string_len(2100).not_null())
            .col(ColumnDef::new(Clients::Generation).big_integer().not_null())
            .col(ColumnDef::new(Clients::CreatedAt).big_integer().not_null())
            .col(ColumnDef::new(Clients::ExpiresAt).big_integer().null())
            .col(ColumnDef::new(Clients::DisabledAt).big_integer().null())
            .col(ColumnDef::new(Clients::LastUsedAt).big_integer().null())
            // The digests of secrets as 64 hexadecimal digits: no secret can be made from them.
            .col(ColumnDef::new(Clients::Secret).string_len(64).not_null())
            .col(ColumnDef::new(Clients::PreviousSecret).string_len(64).null())
            .col(ColumnDef::new(Clients::PreviousUntil).big_integer().null());
        if manager.get_database_backend() == DbBackend::MySql {
            table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
        }
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        CLIENTS.drop_if_ours(manager, &self.layout).await
    }
}

#[derive(DeriveIden)]
enum Clients {
    Id,
    Name,
    Scopes,
    Generation,
    CreatedAt,
    ExpiresAt,
    DisabledAt,
    LastUsedAt,
    Secret,
    PreviousSecret,
    PreviousUntil,
}
