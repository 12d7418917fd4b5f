//! Rotations and ends of sessions that share a transaction.

use std::cmp;

use auth_core::session::{Rotation, SessionEnd};
use auth_core::{Revocation, SessionId, StoreError};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, ConnectionTrait, QueryFilter as _, UpdateMany};
use uuid::Uuid;

use super::session_of;
use crate::connect::{Database, EarlierAttempts, WriteTransaction};
use crate::entity::sessions::{self, Column, hex};
use crate::error::AttemptError;
use crate::instant;
use crate::revocation_log::LogWriter;
use crate::session_end::ending;
use crate::tables::Tables;

/// Change of one session.
#[derive(Debug, Clone, Copy)]
pub(super) enum Write {
    Rotation(SessionId, Rotation),
    End(SessionId, SessionEnd),
}

/// Result of a [`Write`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Written {
    /// Whether the refresh token was replaced.
    Rotated(bool),
    /// The entry of the first end of the session, if there is such a session.
    Ended(Option<Revocation>),
}

impl Write {
    fn session(&self) -> SessionId {
        match *self {
            Self::Rotation(id, _) | Self::End(id, _) => id,
        }
    }
}

/// Writes a batch, and returns the results in its order.
pub(super) async fn write_once(
    database: &Database,
    batch: &[Write],
    earlier: EarlierAttempts,
) -> Result<Vec<Written>, AttemptError> {
    let tables = database.tables();
    if let [Write::Rotation(id, rotation)] = *batch {
        // One statement is a transaction by itself.
        return Ok(vec![Written::Rotated(rotate(id, rotation, tables, &database.statements(), earlier).await?)]);
    }
    let transaction = database.begin().await?;
    let outcome = write_within(&transaction, tables, batch, earlier).await;
    database.end(transaction, outcome).await
}

async fn write_within(
    transaction: &WriteTransaction,
    tables: &Tables,
    batch: &[Write],
    earlier: EarlierAttempts,
) -> Result<Vec<Written>, AttemptError> {
    let ends = batch.iter().filter(|write| matches!(write, Write::End(..))).count();
    let log = if ends == 0 { None } else { Some(LogWriter::lock(transaction, tables, ends).await?) };
    let mut written = vec![Written::Rotated(false); batch.len()];
    let mut entries = Vec::with_capacity(ends);
    // Every transaction that locks several rows locks them in this order. Two writes to one session keep theirs.
    let mut order: Vec<usize> = (0..batch.len()).collect();
    order.sort_by_key(|index| batch[*index].session());
    for index in order {
        written[index] = match batch[index] {
            Write::Rotation(id, rotation) => {
                Written::Rotated(rotate(id, rotation, tables, transaction, earlier).await?)
            }
            Write::End(id, end) => {
                ending(tables, id, end)?.exec(transaction).await?;
                let entry = entry_of_end(id, tables, transaction).await?;
                // Also of a session that had ended before: the log is what every node reads, so an entry that is returned must be
                // there. The log appends no entry twice.
                entries.extend(entry);
                Written::Ended(entry)
            }
        };
    }
    if let Some(log) = log {
        log.append(&entries).await?;
    }
    Ok(written)
}

/// Replaces the current refresh token of a session, if it is the one that is used. Returns whether it did, now or in an earlier
/// attempt.
async fn rotate(
    id: SessionId,
    rotation: Rotation,
    tables: &Tables,
    connection: &impl ConnectionTrait,
    earlier: EarlierAttempts,
) -> Result<bool, AttemptError> {
    if rotating(tables, id, &rotation)?.exec(connection).await?.rows_affected == 1 {
        return Ok(true);
    }
    if earlier != EarlierAttempts::Unknown {
        return Ok(false);
    }
    // The salt is random: a row that has it was written by the earlier attempt.
    let row = session_of(id, tables, connection).await?;
    Ok(row.is_some_and(|row| row.previous_salt == Some(Uuid::from_bytes(rotation.salt.0))))
}

/// Returns the entry of the end of a session, if there is such a session.
async fn entry_of_end(
    id: SessionId,
    tables: &Tables,
    connection: &impl ConnectionTrait,
) -> Result<Option<Revocation>, AttemptError> {
    let stored = session_of(id, tables, connection).await?.map(sessions::Model::into_stored).transpose()?;
    Ok(stored.and_then(|stored| stored.session.ended.map(|first| stored.revocation(first))))
}

fn rotating(tables: &Tables, id: SessionId, rotation: &Rotation) -> Result<UpdateMany<sessions::Entity>, StoreError> {
    let access_expires_at = instant::to_micros_rounded_up(rotation.access_expires_at)?;
    let latest = |column: Column, value: i64| {
        Expr::case(Expr::col(column).gt(value), Expr::col(column)).finally(Expr::value(value))
    };
    let needed_until = cmp::max(access_expires_at, instant::to_micros_rounded_up(rotation.idle_until)?);
    Ok(tables
        .update_many::<sessions::Entity>()
        .col_expr(Column::Previous, Expr::value(hex(rotation.used)))
        .col_expr(Column::PreviousSalt, Expr::value(Uuid::from_bytes(rotation.salt.0)))
        .col_expr(Column::PreviousUsedAt, Expr::value(instant::to_micros(rotation.at)?))
        .col_expr(Column::LastUsedAt, Expr::value(instant::to_micros(rotation.last_used_at)?))
        .col_expr(Column::IdleUntil, Expr::value(instant::to_micros(rotation.idle_until)?))
        .col_expr(Column::NeededUntil, latest(Column::AccessExpiresAt, needed_until).into())
        .col_expr(Column::AccessExpiresAt, latest(Column::AccessExpiresAt, access_expires_at).into())
        .col_expr(Column::Current, Expr::value(hex(rotation.successor)))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::Current.eq(hex(rotation.used)))
        .filter(Column::EndedAt.is_null()))
}
