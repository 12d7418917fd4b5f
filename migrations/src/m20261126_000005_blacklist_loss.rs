//! What tells a log from one that lost entries: a mark on every entry, and in the head when a loss was found.

use sea_orm_migration::prelude::*;

use crate::layout::Layout;
use crate::tables::{BLACKLIST, BLACKLIST_HEAD, LOSS_SINCE};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration {
    pub(crate) layout: Layout,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // A server of an earlier revision that is still running goes on to append rows without a mark.
        BLACKLIST.add_columns(manager, &self.layout, LOSS_SINCE).await?;
        BLACKLIST_HEAD.add_columns(manager, &self.layout, LOSS_SINCE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        BLACKLIST.drop_columns(manager, &self.layout, LOSS_SINCE).await?;
        BLACKLIST_HEAD.drop_columns(manager, &self.layout, LOSS_SINCE).await
    }
}
