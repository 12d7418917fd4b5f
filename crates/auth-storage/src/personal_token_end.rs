//! The deletion of personal access tokens, which is written with their entries in the log.

use auth_core::Revocation;
use auth_core::blacklist::RevocationTarget;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{DeleteMany, QueryFilter as _};
use uuid::Uuid;

use crate::entity::personal_tokens::{Column, Entity};
use crate::tables::Tables;

/// Number of rows that one statement deletes.
const CHUNK: usize = 500;

/// Returns the deletion of the tokens with these ids.
pub(crate) fn deletion(tables: &Tables, ids: Vec<Uuid>) -> DeleteMany<Entity> {
    tables.delete_many::<Entity>().filter(Expr::col(Column::Id).is_in(ids))
}

/// Returns the deletions of the tokens whose end is in a batch of revocations.
pub(crate) fn deletions(tables: &Tables, batch: &[Revocation]) -> Vec<DeleteMany<Entity>> {
    let sessions = batch.iter().filter_map(|revocation| match revocation.target {
        RevocationTarget::Session(id) => Some(id.as_uuid()),
        RevocationTarget::Token(_) | RevocationTarget::User { .. } | RevocationTarget::Key(_) => None,
    });
    let ids: Vec<_> = sessions.collect();
    ids.chunks(CHUNK).map(|ids| deletion(tables, ids.to_vec())).collect()
}
