//! The personal access tokens.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::layout::Layout;
use crate::tables::PERSONAL_TOKENS;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration {
    pub(crate) layout: Layout,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let layout = &self.layout;
        let found = PERSONAL_TOKENS.find(manager, layout).await?;
        if found.is_none() {
            let mut table = Table::create();
            table
                .table(layout.table_ref(PERSONAL_TOKENS.name))
                .col(ColumnDef::new(Tokens::Id).uuid().not_null().primary_key())
                // The digest of a secret as 64 hexadecimal digits: no token can be made from it.
                .col(ColumnDef::new(Tokens::Digest).string_len(64).not_null())
                // No foreign key: the users may be in another table.
                .col(ColumnDef::new(Tokens::UserId).uuid().not_null())
                .col(ColumnDef::new(Tokens::Name).string_len(64).not_null())
                // Up to 32 names of 64 characters with blanks between them.
                .col(ColumnDef::new(Tokens::Scopes).string_len(2100).not_null())
                .col(ColumnDef::new(Tokens::Generation).big_integer().not_null())
                .col(ColumnDef::new(Tokens::CreatedAt).big_integer().not_null())
                .col(ColumnDef::new(Tokens::ExpiresAt).big_integer().not_null())
                .col(ColumnDef::new(Tokens::LastUsedAt).big_integer().null())
                .index(
                    Index::create().unique().name(layout.index("personal_tokens_digest_unique")).col(Tokens::Digest),
                );
            if manager.get_database_backend() == DbBackend::MySql {
                table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
            }
            manager.create_table(table).await?;
        }
        for (name, columns) in [
            ("personal_tokens_user_id", &[Tokens::UserId, Tokens::CreatedAt][..]),
            ("personal_tokens_expires_at", &[Tokens::ExpiresAt][..]),
        ] {
            let name = layout.index(name);
            if found.as_ref().is_none_or(|found| !found.has_index(&name)) {
                let mut index = Index::create();
                index.name(name).table(layout.table_ref(PERSONAL_TOKENS.name));
                for column in columns {
                    index.col(*column);
                }
                manager.create_index(index).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        PERSONAL_TOKENS.drop_if_ours(manager, &self.layout).await
    }
}

#[derive(DeriveIden, Clone, Copy)]
enum Tokens {
    Id,
    Digest,
    UserId,
    Name,
    Scopes,
    Generation,
    CreatedAt,
    ExpiresAt,
    LastUsedAt,
}
