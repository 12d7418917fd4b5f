//! The sessions.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::layout::Layout;
use crate::tables::SESSIONS;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration {
    pub(crate) layout: Layout,
}

/// The index that lists the sessions of a user.
const USER_INDEX: &str = "sessions_user_id_last_used_at";

/// The index that finds the sessions that can be purged.
const NEEDED_INDEX: &str = "sessions_needed_until";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let layout = &self.layout;
        let found = SESSIONS.find(manager, layout).await?;
        if found.is_none() {
            let mut table = Table::create();
            table
                .table(layout.table_ref(SESSIONS.name))
                .col(ColumnDef::new(Sessions::Id).uuid().not_null().primary_key())
                .col(ColumnDef::new(Sessions::UserId).uuid().not_null())
                .col(ColumnDef::new(Sessions::Generation).big_integer().not_null())
                .col(ColumnDef::new(Sessions::CreatedAt).big_integer().not_null())
                .col(ColumnDef::new(Sessions::LastUsedAt).big_integer().not_null())
                .col(ColumnDef::new(Sessions::IdleUntil).big_integer().not_null())
                .col(ColumnDef::new(Sessions::EndsAt).big_integer().not_null())
                .col(ColumnDef::new(Sessions::AccessExpiresAt).big_integer().not_null())
                .col(ColumnDef::new(Sessions::NeededUntil).big_integer().not_null())
                .col(ColumnDef::new(Sessions::UserAgent).string_len(256).null())
                .col(ColumnDef::new(Sessions::Network).string_len(64).null())
                // Digests of secrets as 64 hexadecimal digits: no token can be made from them.
                .col(ColumnDef::new(Sessions::Family).string_len(64).null())
                .col(ColumnDef::new(Sessions::Current).string_len(64).null())
                .col(ColumnDef::new(Sessions::Previous).string_len(64).null())
                .col(ColumnDef::new(Sessions::PreviousSalt).uuid().null())
                .col(ColumnDef::new(Sessions::PreviousUsedAt).big_integer().null())
                .col(ColumnDef::new(Sessions::EndedAt).big_integer().null())
                .col(ColumnDef::new(Sessions::EndReason).string_len(32).null());
            if manager.get_database_backend() == DbBackend::MySql {
                table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
            }
            manager.create_table(table).await?;
        }
        for (name, columns) in
            [(USER_INDEX, &[Sessions::UserId, Sessions::LastUsedAt][..]), (NEEDED_INDEX, &[Sessions::NeededUntil][..])]
        {
            let name = layout.index(name);
            // MySQL knows no `CREATE INDEX IF NOT EXISTS`.
            if found.as_ref().is_some_and(|found| found.has_index(&name)) {
                continue;
            }
            let mut index = Index::create();
            index.name(name).table(layout.table_ref(SESSIONS.name));
            for column in columns {
                index.col(*column);
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        SESSIONS.drop_if_ours(manager, &self.layout).await
    }
}

#[derive(Clone, Copy, DeriveIden)]
enum Sessions {
    Id,
    UserId,
    Generation,
    CreatedAt,
    LastUsedAt,
    IdleUntil,
    EndsAt,
    AccessExpiresAt,
    NeededUntil,
    UserAgent,
    Network,
    Family,
    Current,
    Previous,
    PreviousSalt,
    PreviousUsedAt,
    EndedAt,
    EndReason,
}
