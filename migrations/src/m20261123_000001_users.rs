//! The table of users.

use sea_orm_migration::prelude::*;

use crate::layout::Layout;
use crate::tables;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration {
    pub(crate) layout: Layout,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let layout = &self.layout;
        if tables::USERS.is_there(manager, layout).await? {
            return Ok(());
        }
        let mut table = Table::create();
        table
            .table(layout.table_ref(tables::USERS.name))
            .col(ColumnDef::new(Users::Id).uuid().not_null().primary_key())
            .col(ColumnDef::new(Users::Email).string_len(254).not_null())
            .col(ColumnDef::new(Users::EmailKey).string_len(254).not_null())
            .col(ColumnDef::new(Users::Username).string_len(200).not_null())
            .col(ColumnDef::new(Users::UsernameKey).string_len(200).not_null())
            .col(ColumnDef::new(Users::PasswordHash).string_len(255).not_null())
            .col(ColumnDef::new(Users::Admin).boolean().not_null())
            // A `u32`, for which not every database has an unsigned type.
            .col(ColumnDef::new(Users::TokenGeneration).big_integer().not_null())
            .col(ColumnDef::new(Users::DisabledAt).big_integer().null())
            .col(ColumnDef::new(Users::RegisteredOn).big_integer().not_null())
            // The storage crate knows by these names which key of a new user is taken.
            .index(Index::create().unique().name(layout.index("users_email_key_unique")).col(Users::EmailKey))
            .index(Index::create().unique().name(layout.index("users_username_key_unique")).col(Users::UsernameKey))
            .check(Expr::col(Users::TokenGeneration).between(0, u32::MAX));
        if manager.get_database_backend() == sea_orm::DbBackend::MySql {
            // Keys are normalised before they get here, so two of them are equal when their bytes are.
            table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
        }
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        tables::USERS.drop_if_ours(manager, &self.layout).await
    }
}

#[derive(DeriveIden)]
enum Users {
    Id,
    Email,
    EmailKey,
    Username,
    UsernameKey,
    PasswordHash,
    Admin,
    TokenGeneration,
    DisabledAt,
    RegisteredOn,
}
