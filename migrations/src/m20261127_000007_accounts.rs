//! Columns of users: whether the address is verified, and the last login.

use sea_orm_migration::prelude::*;

use crate::layout::Layout;
use crate::tables::{ACCOUNTS_SINCE, USERS};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration {
    pub(crate) layout: Layout,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // A server of an earlier revision that is still running goes on to insert rows without these columns.
        USERS.add_columns(manager, &self.layout, ACCOUNTS_SINCE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        USERS.drop_columns(manager, &self.layout, ACCOUNTS_SINCE).await
    }
}
