//! The log of revocations and its head.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;
use uuid::Uuid;

use crate::layout::Layout;
use crate::tables;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration {
    pub(crate) layout: Layout,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_log(manager, &self.layout).await?;
        create_head(manager, &self.layout).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        tables::BLACKLIST_HEAD.drop_if_ours(manager, &self.layout).await?;
        tables::BLACKLIST.drop_if_ours(manager, &self.layout).await
    }
}

async fn create_log(manager: &SchemaManager<'_>, layout: &Layout) -> Result<(), DbErr> {
    if tables::BLACKLIST.is_there(manager, layout).await? {
        return Ok(());
    }
    let of_a_token = Expr::col(Blacklist::TokenId).is_not_null().and(Expr::col(Blacklist::UserId).is_null());
    let of_a_user = Expr::col(Blacklist::TokenId).is_null().and(Expr::col(Blacklist::UserId).is_not_null());
    let mut table = Table::create();
    table
        .table(layout.table_ref(tables::BLACKLIST.name))
        // Given by us from the head, under its lock: an auto-increment would be given before the commit.
        .col(ColumnDef::new(Blacklist::Position).big_integer().not_null().primary_key())
        .col(ColumnDef::new(Blacklist::TokenId).uuid().null())
        .col(ColumnDef::new(Blacklist::UserId).uuid().null())
        .col(ColumnDef::new(Blacklist::Generation).big_integer().null())
        .col(ColumnDef::new(Blacklist::ExpiresAt).big_integer().not_null())
        .col(ColumnDef::new(Blacklist::RevokedAt).big_integer().not_null())
        .col(ColumnDef::new(Blacklist::Reason).string_len(32).not_null())
        // One index tells a token apart and finds what has expired. By random ids alone, every row of a purge would lie
        // on a page of its own; in this order they lie side by side, however many others are alive.
        .index(
            Index::create()
                .unique()
                .name(layout.index("blacklist_expires_at_token_id_unique"))
                .col(Blacklist::ExpiresAt)
                .col(Blacklist::TokenId),
        )
        .index(
            Index::create()
                .unique()
                .name(layout.index("blacklist_user_id_generation_unique"))
                .col(Blacklist::UserId)
                .col(Blacklist::Generation),
        )
        .check(of_a_token.or(of_a_user));
    manager.create_table(for_backend(manager, table)).await
}

async fn create_head(manager: &SchemaManager<'_>, layout: &Layout) -> Result<(), DbErr> {
    let name = tables::BLACKLIST_HEAD.name;
    if !tables::BLACKLIST_HEAD.is_there(manager, layout).await? {
        let mut table = Table::create();
        table
            .table(layout.table_ref(name))
            .col(ColumnDef::new(BlacklistHead::Id).small_integer().not_null().primary_key())
            .col(ColumnDef::new(BlacklistHead::LogId).uuid().not_null())
            .col(ColumnDef::new(BlacklistHead::Position).big_integer().not_null())
            .check(Expr::col(BlacklistHead::Id).eq(1));
        manager.create_table(for_backend(manager, table)).await?;
    }

    let head = Query::select().column(BlacklistHead::Id).from(layout.table_ref(name)).take();
    if manager.get_connection().query_one(&head).await?.is_some() {
        return Ok(());
    }
    let first = Query::insert()
        .into_table(layout.table_ref(name))
        .columns([BlacklistHead::Id, BlacklistHead::LogId, BlacklistHead::Position])
        .values_panic([1.into(), new_log_identity().into(), 0.into()])
        .take();
    manager.execute(first).await
}

fn for_backend(manager: &SchemaManager<'_>, mut table: TableCreateStatement) -> TableCreateStatement {
    if manager.get_database_backend() == DbBackend::MySql {
        table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
    }
    table
}

/// Tells this log from one that was here before or that a backup brings back.
#[expect(
    clippy::disallowed_methods,
    reason = "a migration has no caller who could bring randomness, and this is no secret"
)]
fn new_log_identity() -> Uuid {
    Uuid::new_v4()
}

#[derive(DeriveIden)]
enum Blacklist {
    Position,
    TokenId,
    UserId,
    Generation,
    ExpiresAt,
    RevokedAt,
    Reason,
}

#[derive(DeriveIden)]
enum BlacklistHead {
    Id,
    LogId,
    Position,
}
