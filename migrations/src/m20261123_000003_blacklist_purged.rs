//! How far the log was purged, kept in its head.

use sea_orm_migration::prelude::*;

use crate::layout::Layout;
use crate::tables::{BLACKLIST_HEAD, PURGED_SINCE};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration {
    pub(crate) layout: Layout,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Zero is 1970: nothing was purged that a token could need, because the margin saw to it until now.
        BLACKLIST_HEAD.add_columns(manager, &self.layout, PURGED_SINCE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        BLACKLIST_HEAD.drop_columns(manager, &self.layout, PURGED_SINCE).await
    }
}
