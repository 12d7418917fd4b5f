//! Appending to the log, one transaction after another.

use std::collections::{BTreeMap, HashSet};

use auth_core::blacklist::{Mark, RevocationTarget};
use auth_core::{Generation, Revocation, StoreError, StoreErrorKind, UserId};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, Condition, QueryFilter as _};
use uuid::Uuid;

use super::{CHUNK, HeadIsMissing, head_query};
use crate::connect::WriteTransaction;
use crate::entity::{blacklist, blacklist_head};
use crate::error::AttemptError;
use crate::instant;
use crate::tables::{self, Tables};

/// The exclusive right to append: the lock on the head row, held until the end of the transaction.
pub(crate) struct LogWriter<'t> {
    transaction: &'t WriteTransaction,
    tables: &'t Tables,
    /// The head before the lock.
    head: i64,
    reserved: i64,
}

impl<'t> LogWriter<'t> {
    /// Waits for the lock, and reserves positions for this number of entries. It must be the first statement of the transaction: one
    /// that takes other locks before this one may deadlock with one that takes them after.
    pub(crate) async fn lock(
        transaction: &'t WriteTransaction,
        tables: &'t Tables,
        entries: usize,
    ) -> Result<Self, AttemptError> {
        let reserved = i64::try_from(entries).unwrap_or(i64::MAX);
        move_head(transaction, tables, reserved).await?;
        let head = tables::unique(head_query(tables), transaction).await?;
        let head = head.ok_or_else(|| StoreError::corrupt(HeadIsMissing))?.position;
        Ok(Self { transaction, tables, head: head - reserved, reserved })
    }

    /// Appends the entries that the log does not have, and returns their number.
    pub(crate) async fn append(self, batch: &[Revocation]) -> Result<u64, AttemptError> {
        let mut known = self.known(batch).await?;
        let mut new = Vec::with_capacity(batch.len());
        for revocation in batch {
            if known.insert(known_by(revocation)?) {
                new.push(revocation);
            }
        }
        let mark = Mark::generate().map_err(|error| StoreError::new(StoreErrorKind::Internal, error))?;
        let rows = new
            .into_iter()
            .zip(self.head + 1..)
            .map(|(revocation, position)| blacklist::Model::of_revocation(position, mark, revocation))
            .collect::<Result<Vec<_>, _>>()?;
        let appended = rows.len();
        for chunk in rows.chunks(CHUNK) {
            let chunk = chunk.iter().cloned().map(blacklist::Model::into_active);
            let insertion = self.tables.insert_many::<blacklist::Entity>(chunk);
            let insertion = insertion.exec_without_returning(self.transaction).await;
            insertion.map_err(AttemptError::of_taken)?;
        }
        let unused = self.reserved - i64::try_from(appended).unwrap_or(i64::MAX);
        if unused != 0 {
            move_head(self.transaction, self.tables, -unused).await?;
        }
        Ok(appended as u64)
    }

    /// Returns true if the log has exactly this revocation.
    pub(crate) async fn holds(&self, revocation: &Revocation) -> Result<bool, AttemptError> {
        for of_kind in targets(&[*revocation])?.into_iter().filter(|any| !any.is_empty()) {
            for row in self.tables.find::<blacklist::Entity>().filter(of_kind).all(self.transaction).await? {
                if blacklist::Model::of_revocation(row.position, Mark(row.mark.cast_unsigned()), revocation)? == row {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Returns whether the log has an entry that ends all tokens of this user and generation.
    pub(crate) async fn ends_user(&self, id: UserId, generation: Generation) -> Result<bool, AttemptError> {
        let of_user = blacklist::Column::UserId
            .eq(id.as_uuid())
            .and(blacklist::Column::Generation.gt(i64::from(generation.number())));
        Ok(self.tables.find::<blacklist::Entity>().filter(of_user).one(self.transaction).await?.is_some())
    }

    async fn known(&self, batch: &[Revocation]) -> Result<HashSet<(RevocationTarget, i64)>, AttemptError> {
        let mut known = HashSet::with_capacity(batch.len());
        for chunk in batch.chunks(CHUNK) {
            for of_kind in targets(chunk)?.into_iter().filter(|any| !any.is_empty()) {
                let rows = self.tables.find::<blacklist::Entity>().filter(of_kind).all(self.transaction).await?;
                for row in rows {
                    known.insert(known_by(&row.into_revocation()?)?);
                }
            }
        }
        Ok(known)
    }
}

/// Returns the unique key of an entry: a token or a session with its expiry, a user with a generation, or a key.
fn known_by(revocation: &Revocation) -> Result<(RevocationTarget, i64), StoreError> {
    let expires_at = match revocation.target {
        RevocationTarget::Token(_) | RevocationTarget::Session(_) => {
            instant::to_micros_rounded_up(revocation.expires_at)?
        }
        RevocationTarget::User { .. } | RevocationTarget::Key(_) => 0,
    };
    Ok((revocation.target, expires_at))
}

async fn move_head(transaction: &WriteTransaction, tables: &Tables, by: i64) -> Result<(), AttemptError> {
    let moved = tables
        .update_many::<blacklist_head::Entity>()
        .col_expr(blacklist_head::Column::Position, Expr::col(blacklist_head::Column::Position).add(by))
        .filter(blacklist_head::Column::Id.eq(blacklist_head::ID))
        .exec(transaction)
        .await?;
    match moved.rows_affected {
        1 => Ok(()),
        _ => Err(StoreError::corrupt(HeadIsMissing).into()),
    }
}

/// Returns the conditions for the entries with one of these targets: first those of tokens, by expiry and id, then those of
/// users and keys. They are two statements so that each uses one index: MySQL would read the whole log rather than merge two indexes.
pub(super) fn targets(batch: &[Revocation]) -> Result<[Condition; 2], StoreError> {
    use blacklist::Column;
    let mut tokens = BTreeMap::<i64, Vec<Uuid>>::new();
    let mut of_users = Condition::any();
    for revocation in batch {
        let id = match revocation.target {
            RevocationTarget::Token(id) => id.as_uuid(),
            RevocationTarget::Session(id) => id.as_uuid(),
            RevocationTarget::User { id, below } => {
                let generation = Column::Generation.eq(i64::from(below.number()));
                of_users = of_users.add(Column::UserId.eq(id.as_uuid()).and(generation));
                continue;
            }
            RevocationTarget::Key(id) => {
                let of_key = Column::Generation.eq(blacklist::KEY);
                of_users = of_users.add(Column::UserId.eq(id.as_uuid()).and(of_key));
                continue;
            }
        };
        let expires_at = instant::to_micros_rounded_up(revocation.expires_at)?;
        tokens.entry(expires_at).or_default().push(id);
    }
    let of_tokens = tokens.into_iter().fold(Condition::any(), |any, (expires_at, ids)| {
        any.add(Column::ExpiresAt.eq(expires_at).and(Column::TokenId.is_in(ids)))
    });
    Ok([of_tokens, of_users])
}
