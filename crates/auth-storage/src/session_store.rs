//! The store of sessions.

use std::cmp;

use async_trait::async_trait;
use auth_core::session::{Rotation, Session, SessionEnd, SessionStore, StoredSession};
use auth_core::{Generation, Revocation, SessionId, StoreError, UserId};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DeleteMany, FromQueryResult as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _, Select, UpdateMany,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::connect::{Database, EarlierAttempts, Key, LookUp, WriteTransaction};
use crate::entity::sessions::{self, Column, hex};
use crate::error::AttemptError;
use crate::instant;
use crate::purge::Chunk;
use crate::revocation_log::LogWriter;
use crate::session_end::ending;
use crate::tables::{self, Tables};

/// Number of rows that one statement purges.
const CHUNK: u64 = 500;

/// Sessions in a SQL database. Its contract is that of [`SessionStore`].
#[derive(Debug, Clone)]
pub struct SeaSessionStore {
    database: Database,
    by_id: LookUp,
}

impl SeaSessionStore {
    /// Returns the store of the sessions in this database, whose tables `auth-migrations` made.
    #[must_use]
    pub fn new(database: Database) -> Self {
        let by_id = database.tables().find::<sessions::Entity>().filter(Column::Id.eq(Uuid::nil()));
        let by_id = LookUp::new(by_id.build(database.connection().get_database_backend()));
        Self { database, by_id }
    }

    async fn insert_once(&self, new: &StoredSession, earlier: EarlierAttempts) -> Result<(), AttemptError> {
        let (tables, connection) = (self.database.tables(), &self.database.statements());
        let insertion = tables.insert_many::<sessions::Entity>([sessions::row_of(new)?]);
        match insertion.exec_without_returning(connection).await {
            Ok(_) => Ok(()),
            // The id is random, so only the earlier attempt can have taken it.
            Err(_)
                if earlier == EarlierAttempts::Unknown
                    && session_of(new.session.id, tables, connection).await?.is_some() =>
            {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn rotate_once(
        &self,
        id: SessionId,
        rotation: Rotation,
        earlier: EarlierAttempts,
    ) -> Result<bool, AttemptError> {
        let (tables, connection) = (self.database.tables(), &self.database.statements());
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

    async fn end_once(&self, id: SessionId, end: SessionEnd) -> Result<Option<Revocation>, AttemptError> {
        let transaction = self.database.begin().await?;
        let outcome = end_within(&transaction, self.database.tables(), id, end).await;
        self.database.end(transaction, outcome).await
    }

    async fn purge_once(&self, before: i64, limit: u64) -> Result<Chunk, AttemptError> {
        let (tables, connection) = (self.database.tables(), &self.database.statements());
        let unneeded = unneeded_query(tables, before, cmp::min(limit, CHUNK));
        let mut ids: Vec<Uuid> = unneeded.into_tuple().all(connection).await?;
        // Every transaction that locks several rows locks them in this order.
        ids.sort_unstable();
        let found = ids.len();
        if found == 0 {
            return Ok(Chunk { found, removed: 0 });
        }
        Ok(Chunk { found, removed: deletion(tables, ids, before).exec(connection).await?.rows_affected })
    }
}

#[async_trait]
impl SessionStore for SeaSessionStore {
    async fn insert(&self, new: StoredSession) -> Result<(), StoreError> {
        let store = self.clone();
        self.database
            .write(move |earlier| {
                let (store, new) = (store.clone(), new.clone());
                async move { store.insert_once(&new, earlier).await }
            })
            .await
    }

    async fn find(&self, id: SessionId) -> Result<Option<StoredSession>, StoreError> {
        let Some(row) = self.database.look_up(&self.by_id, Key::Id(id.as_uuid())).await? else { return Ok(None) };
        let row = sessions::Model::from_query_result(&row, "").map_err(AttemptError::from)?;
        row.into_stored().map(Some)
    }

    async fn rotate(&self, id: SessionId, rotation: Rotation) -> Result<bool, StoreError> {
        let store = self.clone();
        self.database
            .write(move |earlier| {
                let store = store.clone();
                async move { store.rotate_once(id, rotation, earlier).await }
            })
            .await
    }

    async fn end(&self, id: SessionId, end: SessionEnd) -> Result<Option<Revocation>, StoreError> {
        let store = self.clone();
        self.database
            .write(move |_| {
                let store = store.clone();
                async move { store.end_once(id, end).await }
            })
            .await
    }

    async fn list(
        &self,
        user_id: UserId,
        generation: Generation,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<Session>, StoreError> {
        let query = live_query(self.database.tables(), user_id, generation, instant::to_micros(now)?, limit);
        let connection = self.database.statements();
        let rows = self.database.read(async move { Ok(query.all(&connection).await?) }).await?;
        rows.into_iter().map(|row| row.into_stored().map(|stored| stored.session)).collect()
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        let before = instant::to_micros(before)?;
        let store = self.clone();
        self.database
            .purge(limit, move |wanted| {
                let store = store.clone();
                async move { store.purge_once(before, wanted).await }
            })
            .await
    }
}

/// Ends a session that has not ended, and appends its entry to the log unless the log has it.
///
/// The entry is looked for even if the session had ended before: the log is what every node reads, so an entry that is returned must
/// be there.
async fn end_within(
    transaction: &WriteTransaction,
    tables: &Tables,
    id: SessionId,
    end: SessionEnd,
) -> Result<Option<Revocation>, AttemptError> {
    let log = LogWriter::lock(transaction, tables, 1).await?;
    ending(tables, id, end)?.exec(transaction).await?;
    let stored = session_of(id, tables, transaction).await?.map(sessions::Model::into_stored).transpose()?;
    let Some((stored, first)) = stored.and_then(|stored| stored.session.ended.map(|first| (stored, first))) else {
        log.append(&[]).await?;
        return Ok(None);
    };
    let revocation = stored.revocation(first);
    log.append(&[revocation]).await?;
    Ok(Some(revocation))
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

async fn session_of(
    id: SessionId,
    tables: &Tables,
    connection: &impl ConnectionTrait,
) -> Result<Option<sessions::Model>, AttemptError> {
    Ok(tables::unique(tables.find::<sessions::Entity>().filter(Column::Id.eq(id.as_uuid())), connection).await?)
}

/// Returns the query for the sessions of a user that can be used, by way of the index on user and last use.
fn live_query(
    tables: &Tables,
    user_id: UserId,
    generation: Generation,
    now: i64,
    limit: u32,
) -> Select<sessions::Entity> {
    tables
        .find::<sessions::Entity>()
        .filter(Column::UserId.eq(user_id.as_uuid()))
        .filter(Column::Generation.eq(i64::from(generation.number())))
        .filter(Column::EndedAt.is_null())
        .filter(Column::IdleUntil.gt(now))
        .filter(Column::EndsAt.gt(now))
        .order_by_desc(Column::LastUsedAt)
        .order_by_asc(Column::Id)
        .limit(u64::from(limit))
}

/// Returns the query for the ids of at most `limit` sessions that nothing needs, by way of the index on that instant.
fn unneeded_query(tables: &Tables, before: i64, limit: u64) -> Select<sessions::Entity> {
    tables
        .find::<sessions::Entity>()
        .select_only()
        .column(Column::Id)
        .filter(Column::NeededUntil.lt(before))
        .order_by_asc(Column::NeededUntil)
        .limit(limit)
}

fn deletion(tables: &Tables, ids: Vec<Uuid>, before: i64) -> DeleteMany<sessions::Entity> {
    tables
        .delete_many::<sessions::Entity>()
        .filter(Expr::col(Column::Id).is_in(ids))
        .filter(Expr::col(Column::NeededUntil).lt(before))
}
