//! What is written when entries of the log were lost.

use auth_core::blacklist::RevocationTarget;
use auth_core::{Revocation, StoreError};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query, UpdateStatement};
use sea_orm::{ColumnTrait as _, QueryFilter as _, UpdateMany};
use time::OffsetDateTime;

use crate::entity::blacklist_head;
use crate::instant;
use crate::tables::Tables;
use crate::user_table::UserTable;

/// Raises the generations of users and clients to those of the entries for them, where they are lower.
pub(super) fn raising_generations(batch: &[Revocation], owners: &[&UserTable]) -> Vec<UpdateStatement> {
    let raise = |revocation: &Revocation, table: &UserTable| {
        let RevocationTarget::User { id, below } = revocation.target else { return None };
        let below = i64::from(below.number());
        let mut raise = Query::update();
        raise
            .table(table.table.clone())
            .value(table.generation.clone(), below)
            .and_where(Expr::col(table.id.clone()).eq(id.as_uuid()))
            .and_where(Expr::col(table.generation.clone()).lt(below));
        Some(raise)
    };
    owners.iter().flat_map(|table| batch.iter().filter_map(move |revocation| raise(revocation, table))).collect()
}

/// Records a loss at `at`, or later than the one that is recorded; or that all are acknowledged.
pub(super) fn marking_loss(tables: &Tables, at: Option<i64>) -> UpdateMany<blacklist_head::Entity> {
    use blacklist_head::Column;
    let later = at.map(|at| {
        let follows = Expr::col(Column::LostAt).gte(at);
        Expr::case(follows, Expr::col(Column::LostAt).add(1)).finally(at).into()
    });
    tables
        .update_many::<blacklist_head::Entity>()
        .col_expr(Column::LostAt, later.unwrap_or_else(|| Expr::value(0)))
        .filter(Column::Id.eq(blacklist_head::ID))
}

/// When the log lost entries, as the head has it.
pub(super) fn lost(stored: i64) -> Result<Option<OffsetDateTime>, StoreError> {
    match stored {
        0 => Ok(None),
        at => instant::from_micros(at)
            .map(Some)
            .ok_or_else(|| StoreError::corrupt("when the log lost entries is no instant")),
    }
}
