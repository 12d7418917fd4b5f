//! The column of personal tokens with the names of their roles.

use sea_orm_migration::prelude::*;

use crate::layout::Layout;
use crate::tables::{PERSONAL_TOKEN_ROLES_SINCE, PERSONAL_TOKENS};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration {
    pub(crate) layout: Layout,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // A token of before has no role: which of its names were meant as roles is not known any more. The same holds for one that a
        // server of an earlier revision inserts meanwhile.
        PERSONAL_TOKENS.add_columns(manager, &self.layout, PERSONAL_TOKEN_ROLES_SINCE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        PERSONAL_TOKENS.drop_columns(manager, &self.layout, PERSONAL_TOKEN_ROLES_SINCE).await
    }
}
