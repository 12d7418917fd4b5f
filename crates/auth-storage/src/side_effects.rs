//! The side effects of a change: one-time tokens that are used, end or begin, and letters.

use auth_core::recovery::{EndTokens, OneTimeTokenPurpose, Redemption, SideEffects};
use auth_core::{Email, StoreError, UserId};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, QueryFilter as _, QuerySelect as _, QueryTrait as _, Select, UpdateMany,
};

use crate::connect::{EarlierAttempts, WriteTransaction};
use crate::entity::letters;
use crate::entity::one_time_tokens::{self as tokens, Column};
use crate::error::AttemptError;
use crate::instant;
use crate::tables::{self, Tables};

/// Number of rows that one statement inserts.
const CHUNK: usize = 100;

/// What became of side effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    /// They are part of the transaction.
    Now,
    /// An earlier attempt was committed, so this transaction must not be.
    Before,
    /// The one-time token cannot be used, so the transaction must not be committed.
    Unusable,
}

/// Makes side effects, in the order of their fields.
///
/// The locks that it takes come after those on the log and on the users: on one-time tokens, then on letters.
pub(crate) async fn make(
    transaction: &WriteTransaction,
    tables: &Tables,
    effects: &SideEffects,
    earlier: EarlierAttempts,
) -> Result<Made, AttemptError> {
    let SideEffects { redeem, end, tokens, letters } = effects;
    match redeem {
        Some(redemption) if !redeem_within(transaction, tables, *redemption).await? => {
            let is_known = earlier == EarlierAttempts::Unknown && holds(transaction, tables, *redemption).await?;
            return Ok(if is_known { Made::Before } else { Made::Unusable });
        }
        None if earlier == EarlierAttempts::Unknown && are_written(transaction, tables, effects).await? => {
            return Ok(Made::Before);
        }
        Some(_) | None => {}
    }
    if let Some(end) = end {
        ending(tables, end)?.exec(transaction).await?;
    }
    // The ids are random, so only an earlier attempt that was committed just now can have taken one. The next attempt finds it.
    let of_insertion = |error| match earlier {
        EarlierAttempts::Unknown => AttemptError::of_taken(error),
        EarlierAttempts::RolledBack => error.into(),
    };
    let rows = tokens.iter().map(tokens::row_of).collect::<Result<Vec<_>, _>>()?;
    for rows in rows.chunks(CHUNK) {
        let insertion = tables.insert_many::<tokens::Entity>(rows.iter().cloned());
        insertion.exec_without_returning(transaction).await.map_err(of_insertion)?;
    }
    let rows = letters.iter().map(letters::row_of).collect::<Result<Vec<_>, _>>()?;
    for rows in rows.chunks(CHUNK) {
        let insertion = tables.insert_many::<letters::Entity>(rows.iter().cloned());
        insertion.exec_without_returning(transaction).await.map_err(of_insertion)?;
    }
    Ok(Made::Now)
}

/// Uses a one-time token and ends its siblings. Returns false if the token cannot be used.
async fn redeem_within(
    transaction: &WriteTransaction,
    tables: &Tables,
    redemption: Redemption,
) -> Result<bool, AttemptError> {
    if redeeming(tables, redemption)?.exec(transaction).await?.rows_affected == 0 {
        return Ok(false);
    }
    let by_id = tables.find::<tokens::Entity>().filter(Column::Id.eq(redemption.token.as_uuid()));
    let used = tables::unique(by_id, transaction).await?;
    let used = used.ok_or_else(|| StoreError::corrupt("a one-time token that was updated is gone"))?;
    ending_siblings(tables, &used, instant::to_micros(redemption.at)?).exec(transaction).await?;
    Ok(true)
}

/// Returns whether the one-time token was used by exactly this use.
async fn holds(
    connection: &impl ConnectionTrait,
    tables: &Tables,
    redemption: Redemption,
) -> Result<bool, AttemptError> {
    let by_id = tables.find::<tokens::Entity>().filter(Column::Id.eq(redemption.token.as_uuid()));
    Ok(tables::unique(by_id, connection).await?.is_some_and(|row| row.nonce == Some(redemption.nonce)))
}

/// Returns whether an earlier attempt wrote the tokens or, if there are none, the letters. A letter that was sent meanwhile is gone;
/// it is then sent again, with the same id.
async fn are_written(
    connection: &impl ConnectionTrait,
    tables: &Tables,
    effects: &SideEffects,
) -> Result<bool, AttemptError> {
    if let Some(token) = effects.tokens.first() {
        let by_id = tables.find::<tokens::Entity>().filter(Column::Id.eq(token.id.as_uuid()));
        return Ok(tables::unique(by_id, connection).await?.is_some());
    }
    let Some(letter) = effects.letters.first() else { return Ok(false) };
    let by_id = tables.find::<letters::Entity>().filter(letters::Column::Id.eq(letter.id.as_uuid()));
    Ok(tables::unique(by_id, connection).await?.is_some())
}

/// Returns whether the address is that of an open token which gives it back to another user. It must be asked after the address
/// was written in the transaction: the unique key makes that wait for whoever is giving the address up.
pub(crate) async fn is_reserved(
    connection: &impl ConnectionTrait,
    tables: &Tables,
    email: &Email,
    user_id: UserId,
) -> Result<bool, AttemptError> {
    let query = reservation_query(tables, email, user_id);
    Ok(connection.query_one(query.as_query()).await?.is_some())
}

/// Deletes the one-time tokens and the letters of a user.
pub(crate) async fn delete_of_user(
    transaction: &WriteTransaction,
    tables: &Tables,
    user_id: UserId,
) -> Result<(), AttemptError> {
    let id = user_id.as_uuid();
    let of_user = tables.delete_many::<tokens::Entity>().filter(Expr::col(Column::UserId).eq(id));
    of_user.exec(transaction).await?;
    let of_user = tables.delete_many::<letters::Entity>().filter(Expr::col(letters::Column::UserId).eq(id));
    of_user.exec(transaction).await?;
    Ok(())
}

pub(crate) fn redeeming(tables: &Tables, redemption: Redemption) -> Result<UpdateMany<tokens::Entity>, StoreError> {
    let at = instant::to_micros(redemption.at)?;
    Ok(tables
        .update_many::<tokens::Entity>()
        .col_expr(Column::UsedAt, Expr::value(at))
        .col_expr(Column::Nonce, Expr::value(redemption.nonce))
        .filter(Column::Id.eq(redemption.token.as_uuid()))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(at)))
}

/// Returns the update that ends the other open tokens of the user with the same purpose. Of tokens that give an address back it
/// ends only those that were made later.
pub(crate) fn ending_siblings(tables: &Tables, used: &tokens::Model, at: i64) -> UpdateMany<tokens::Entity> {
    let siblings = tables
        .update_many::<tokens::Entity>()
        .col_expr(Column::UsedAt, Expr::value(at))
        .filter(Column::UserId.eq(used.user_id))
        .filter(Column::Purpose.eq(&used.purpose))
        .filter(Column::UsedAt.is_null());
    if used.purpose == OneTimeTokenPurpose::UndoEmailChange.as_str() {
        siblings.filter(Column::CreatedAt.gte(used.created_at))
    } else {
        siblings
    }
}

pub(crate) fn ending(tables: &Tables, end: &EndTokens) -> Result<UpdateMany<tokens::Entity>, StoreError> {
    Ok(tables
        .update_many::<tokens::Entity>()
        .col_expr(Column::UsedAt, Expr::value(instant::to_micros(end.at)?))
        .filter(Column::UserId.eq(end.user_id.as_uuid()))
        .filter(Column::Purpose.is_in(end.purposes.iter().map(|purpose| purpose.as_str())))
        .filter(Column::UsedAt.is_null()))
}

/// Returns the query for an open token that gives this address back to another user, by way of the index on the address.
pub(crate) fn reservation_query(tables: &Tables, email: &Email, user_id: UserId) -> Select<tokens::Entity> {
    tables
        .find::<tokens::Entity>()
        .select_only()
        .column(Column::Id)
        .filter(Column::SentToKey.eq(email.key()))
        .filter(Column::Purpose.eq(OneTimeTokenPurpose::UndoEmailChange.as_str()))
        .filter(Column::UsedAt.is_null())
        .filter(Column::UserId.ne(user_id.as_uuid()))
        .limit(1)
}
