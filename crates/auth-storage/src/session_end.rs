//! The end of a session, which is written with its entry in the log.

use auth_core::blacklist::RevocationTarget;
use auth_core::session::SessionEnd;
use auth_core::{Revocation, SessionId, StoreError};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, QueryFilter as _, UpdateMany};

use crate::entity::sessions::{self, Column};
use crate::instant;
use crate::tables::Tables;

/// Returns the update that ends a session, unless it has ended. The row is needed until its last access
/// token has expired.
pub(crate) fn ending(
    tables: &Tables,
    id: SessionId,
    end: SessionEnd,
) -> Result<UpdateMany<sessions::Entity>, StoreError> {
    Ok(tables
        .update_many::<sessions::Entity>()
        .col_expr(Column::EndedAt, Expr::value(instant::to_micros(end.at)?))
        .col_expr(Column::EndReason, Expr::value(end.reason.as_str()))
        .col_expr(Column::NeededUntil, Expr::col(Column::AccessExpiresAt))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::EndedAt.is_null()))
}

/// Returns the updates that end the sessions in a batch of revocations.
pub(crate) fn endings(tables: &Tables, batch: &[Revocation]) -> Result<Vec<UpdateMany<sessions::Entity>>, StoreError> {
    let sessions = batch.iter().filter_map(|revocation| match revocation.target {
        RevocationTarget::Session(id) => {
            Some((id, SessionEnd { at: revocation.revoked_at, reason: revocation.reason }))
        }
        RevocationTarget::Token(_) | RevocationTarget::User { .. } | RevocationTarget::Key(_) => None,
    });
    sessions.map(|(id, end)| ending(tables, id, end)).collect()
}
