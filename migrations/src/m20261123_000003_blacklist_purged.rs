//! How far the log was purged, kept in its head.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One statement each: SQLite adds one column at a time, and MySQL commits every one by itself.
        for column in COLUMNS {
            if !manager.has_column("blacklist_head", column).await? {
                // Zero is 1970: nothing was purged that a token could need, because the margin saw to it until now.
                let mut column = ColumnDef::new(column);
                column.big_integer().not_null().default(0);
                manager.alter_table(head().add_column(column).take()).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in COLUMNS {
            if manager.has_column("blacklist_head", column).await? {
                manager.alter_table(head().drop_column(column).take()).await?;
            }
        }
        Ok(())
    }
}

const COLUMNS: [&str; 2] = ["purged_tokens", "purged_users"];

fn head() -> TableAlterStatement {
    Table::alter().table("blacklist_head").take()
}
