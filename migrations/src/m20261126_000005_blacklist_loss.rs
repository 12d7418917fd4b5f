//! What tells a log from one that lost entries: a mark on every entry, and in the head when a loss was found.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One statement each: MySQL commits every one by itself.
        for (table, column) in COLUMNS {
            if !manager.has_column(table, column).await? {
                // A server of an earlier revision that is still running goes on to append rows without a mark.
                let mut column = ColumnDef::new(column);
                column.big_integer().not_null().default(0);
                manager.alter_table(Table::alter().table(table).add_column(column).take()).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in COLUMNS {
            if manager.has_column(table, column).await? {
                manager.alter_table(Table::alter().table(table).drop_column(column).take()).await?;
            }
        }
        Ok(())
    }
}

const COLUMNS: [(&str, &str); 2] = [("blacklist", "mark"), ("blacklist_head", "lost_at")];
