//! The column of users with the names of their roles.

use sea_orm_migration::prelude::*;

use crate::layout::Layout;
use crate::tables::{ROLES_SINCE, USERS};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration {
    pub(crate) layout: Layout,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // A server of an earlier revision that is still running goes on to insert rows without this column.
        USERS.add_columns(manager, &self.layout, ROLES_SINCE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        USERS.drop_columns(manager, &self.layout, ROLES_SINCE).await
    }
}
