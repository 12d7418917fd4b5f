//! The keys that sign tokens, and the version of their set.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::layout::Layout;
use crate::tables::{SIGNING_KEYS, SIGNING_KEYS_HEAD};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration {
    pub(crate) layout: Layout,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.keys(manager).await?;
        self.head(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        SIGNING_KEYS_HEAD.drop_if_ours(manager, &self.layout).await?;
        SIGNING_KEYS.drop_if_ours(manager, &self.layout).await
    }
}

impl Migration {
    async fn keys(&self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        if SIGNING_KEYS.is_there(manager, &self.layout).await? {
            return Ok(());
        }
        let mut table = Table::create();
        table
            .table(self.layout.table_ref(SIGNING_KEYS.name))
            .col(ColumnDef::new(Keys::Kid).string_len(64).not_null().primary_key())
            .col(ColumnDef::new(Keys::Algorithm).string_len(16).not_null())
            // The private key, encrypted, in base64.
            .col(ColumnDef::new(Keys::Sealed).text().not_null())
            .col(ColumnDef::new(Keys::PublicJwk).text().not_null())
            .col(ColumnDef::new(Keys::PublishedAt).big_integer().not_null())
            .col(ColumnDef::new(Keys::SignsFrom).big_integer().not_null())
            .col(ColumnDef::new(Keys::SignsUntil).big_integer().null())
            .col(ColumnDef::new(Keys::VerifiesUntil).big_integer().null())
            .col(ColumnDef::new(Keys::RevokedAt).big_integer().null());
        create(manager, table).await
    }

    async fn head(&self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        let table_ref = || self.layout.table_ref(SIGNING_KEYS_HEAD.name);
        if !SIGNING_KEYS_HEAD.is_there(manager, &self.layout).await? {
            let mut table = Table::create();
            table
                .table(table_ref())
                .col(ColumnDef::new(Head::Id).small_integer().not_null().primary_key())
                .col(ColumnDef::new(Head::Version).big_integer().not_null())
                .check(Expr::col(Head::Id).eq(1));
            create(manager, table).await?;
        }
        let head = Query::select().column(Head::Id).from(table_ref()).take();
        if manager.get_connection().query_one(&head).await?.is_some() {
            return Ok(());
        }
        let first = Query::insert()
            .into_table(table_ref())
            .columns([Head::Id, Head::Version])
            .values_panic([1.into(), 0.into()])
            .take();
        manager.execute(first).await
    }
}

async fn create(manager: &SchemaManager<'_>, mut table: TableCreateStatement) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::MySql {
        table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
    }
    manager.create_table(table).await
}

#[derive(DeriveIden)]
enum Keys {
    Kid,
    Algorithm,
    Sealed,
    PublicJwk,
    PublishedAt,
    SignsFrom,
    SignsUntil,
    VerifiesUntil,
    RevokedAt,
}

#[derive(DeriveIden)]
enum Head {
    Id,
    Version,
}
