//! Deleting a user.

use auth_core::blacklist::Mark;
use auth_core::{Generation, Revocation, StoreError, UserId, UserRevocation};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, ConnectionTrait, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::{SeaUserStore, row_of};
use crate::connect::{EarlierAttempts, WriteTransaction};
use crate::entity::blacklist;
use crate::entity::users::{self, Column};
use crate::error::AttemptError;
use crate::revocation_log::LogWriter;
use crate::tables::Tables;
use crate::{personal_token_store, session_store, side_effects};

impl SeaUserStore {
    /// Deletes a user and all that belongs to them, and appends the revocation.
    pub(super) async fn delete_once(
        &self,
        id: UserId,
        revocation: UserRevocation,
        earlier: EarlierAttempts,
    ) -> Result<Option<Revocation>, AttemptError> {
        let tables = self.database.tables();
        let transaction = self.database.begin().await?;
        match delete_within(&transaction, tables, id, revocation).await {
            Ok(None) => {
                transaction.rollback().await?;
                if earlier == EarlierAttempts::RolledBack {
                    return Ok(None);
                }
                appended(id, revocation, tables, &self.database.statements()).await
            }
            outcome => self.database.end(transaction, outcome).await,
        }
    }
}

/// Returns the revocation, or `None` if there is no such user and nothing is to be committed.
async fn delete_within(
    transaction: &WriteTransaction,
    tables: &Tables,
    id: UserId,
    revocation: UserRevocation,
) -> Result<Option<Revocation>, AttemptError> {
    // Every change of a generation holds this lock, so the one that is read next is that of the row which is deleted.
    let log = LogWriter::lock(transaction, tables, 1).await?;
    let Some(row) = row_of(id, tables, transaction).await? else { return Ok(None) };
    let generation = u32::try_from(row.token_generation).map(Generation::new).map_err(StoreError::corrupt)?;
    let by_id = Expr::col(Column::Id).eq(id.as_uuid());
    tables.delete_many::<users::Entity>().filter(by_id).exec(transaction).await?;
    session_store::delete_of_user(transaction, tables, id).await?;
    personal_token_store::delete_of_user(transaction, tables, id).await?;
    side_effects::delete_of_user(transaction, tables, id).await?;
    let revocation = revocation.entry(id, generation.next());
    log.append(&[revocation]).await?;
    Ok(Some(revocation))
}

/// Returns the entry of the log with which an earlier attempt deleted the user, if there is one.
async fn appended(
    id: UserId,
    revocation: UserRevocation,
    tables: &Tables,
    connection: &impl ConnectionTrait,
) -> Result<Option<Revocation>, AttemptError> {
    let entries = tables
        .find::<blacklist::Entity>()
        .filter(blacklist::Column::UserId.eq(id.as_uuid()))
        .order_by_desc(blacklist::Column::Generation)
        .limit(1);
    let Some(last) = entries.one(connection).await? else { return Ok(None) };
    let generation = last.generation.unwrap_or_default();
    let below = u32::try_from(generation).map(Generation::new).map_err(StoreError::corrupt)?;
    let of_this = revocation.entry(id, below);
    let mark = Mark(last.mark.cast_unsigned());
    Ok((blacklist::Model::of_revocation(last.position, mark, &of_this)? == last).then_some(of_this))
}
