//! The one-time tokens, and the letters that wait to be sent.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::found::Found;
use crate::layout::Layout;
use crate::tables::{LETTERS, ONE_TIME_TOKENS};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration {
    pub(crate) layout: Layout,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.one_time_tokens(manager).await?;
        self.letters(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        LETTERS.drop_if_ours(manager, &self.layout).await?;
        ONE_TIME_TOKENS.drop_if_ours(manager, &self.layout).await
    }
}

impl Migration {
    async fn one_time_tokens(&self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        let layout = &self.layout;
        let found = ONE_TIME_TOKENS.find(manager, layout).await?;
        if found.is_none() {
            let mut table = Table::create();
            table
                .table(layout.table_ref(ONE_TIME_TOKENS.name))
                .col(ColumnDef::new(Tokens::Id).uuid().not_null().primary_key())
                // The digest of a secret as 64 hexadecimal digits: no token can be made from it.
                .col(ColumnDef::new(Tokens::Digest).string_len(64).not_null())
                .col(ColumnDef::new(Tokens::CodeHash).string_len(255).null())
                .col(ColumnDef::new(Tokens::Purpose).string_len(32).not_null())
                // No foreign key: a decoy has the id of nobody, and the users may be in another table.
                .col(ColumnDef::new(Tokens::UserId).uuid().not_null())
                .col(ColumnDef::new(Tokens::SentTo).string_len(254).null())
                .col(ColumnDef::new(Tokens::SentToKey).string_len(254).null())
                .col(ColumnDef::new(Tokens::CreatedAt).big_integer().not_null())
                .col(ColumnDef::new(Tokens::ExpiresAt).big_integer().not_null())
                .col(ColumnDef::new(Tokens::UsedAt).big_integer().null())
                .col(ColumnDef::new(Tokens::Nonce).uuid().null())
                .index(Index::create().unique().name(layout.index("one_time_tokens_digest_unique")).col(Tokens::Digest));
            create(manager, table).await?;
        }
        for (name, columns) in [
            ("one_time_tokens_user_id", &[Tokens::UserId, Tokens::CreatedAt][..]),
            ("one_time_tokens_sent_to_key", &[Tokens::SentToKey, Tokens::CreatedAt][..]),
            ("one_time_tokens_expires_at", &[Tokens::ExpiresAt][..]),
        ] {
            self.index(manager, ONE_TIME_TOKENS.name, found.as_ref(), name, columns).await?;
        }
        Ok(())
    }

    async fn letters(&self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        let layout = &self.layout;
        let found = LETTERS.find(manager, layout).await?;
        if found.is_none() {
            let mut table = Table::create();
            table
                .table(layout.table_ref(LETTERS.name))
                .col(ColumnDef::new(Letters::Id).uuid().not_null().primary_key())
                .col(ColumnDef::new(Letters::UserId).uuid().not_null())
                .col(ColumnDef::new(Letters::Kind).string_len(32).not_null())
                .col(ColumnDef::new(Letters::Recipient).string_len(254).null())
                .col(ColumnDef::new(Letters::Username).string_len(200).not_null())
                .col(ColumnDef::new(Letters::Token).string_len(64).null())
                .col(ColumnDef::new(Letters::Code).string_len(16).null())
                .col(ColumnDef::new(Letters::ExpiresAt).big_integer().null())
                .col(ColumnDef::new(Letters::Language).string_len(35).not_null())
                .col(ColumnDef::new(Letters::CreatedAt).big_integer().not_null())
                .col(ColumnDef::new(Letters::DueAt).big_integer().not_null())
                .col(ColumnDef::new(Letters::Lease).uuid().null())
                .col(ColumnDef::new(Letters::Attempts).big_integer().not_null());
            create(manager, table).await?;
        }
        for (name, columns) in
            [("letters_due_at", &[Letters::DueAt][..]), ("letters_user_id", &[Letters::UserId, Letters::CreatedAt][..])]
        {
            self.index(manager, LETTERS.name, found.as_ref(), name, columns).await?;
        }
        Ok(())
    }

    /// Creates an index, unless a run that was cut short has created it: MySQL knows no `CREATE INDEX IF NOT EXISTS`.
    async fn index(
        &self,
        manager: &SchemaManager<'_>,
        table: &str,
        found: Option<&Found>,
        name: &str,
        columns: &[impl IntoIndexColumn + Copy],
    ) -> Result<(), DbErr> {
        let name = self.layout.index(name);
        if found.is_some_and(|found| found.has_index(&name)) {
            return Ok(());
        }
        let mut index = Index::create();
        index.name(name).table(self.layout.table_ref(table));
        for column in columns {
            index.col(*column);
        }
        manager.create_index(index).await
    }
}

async fn create(manager: &SchemaManager<'_>, mut table: TableCreateStatement) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::MySql {
        table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
    }
    manager.create_table(table).await
}

#[derive(Clone, Copy, DeriveIden)]
enum Tokens {
    Id,
    Digest,
    CodeHash,
    Purpose,
    UserId,
    SentTo,
    SentToKey,
    CreatedAt,
    ExpiresAt,
    UsedAt,
    Nonce,
}

#[derive(Clone, Copy, DeriveIden)]
enum Letters {
    Id,
    UserId,
    Kind,
    Recipient,
    Username,
    Token,
    Code,
    ExpiresAt,
    Language,
    CreatedAt,
    DueAt,
    Lease,
    Attempts,
}
