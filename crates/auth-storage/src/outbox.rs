//! The letters that wait to be sent.

use std::cmp;

use async_trait::async_trait;
use auth_core::letters::{LeaseId, Leased, LetterId, Outbox, OutboxStats, QueuedLetter};
use auth_core::{StoreError, UserId};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DeleteMany, FromQueryResult as _, QueryFilter as _, QueryOrder as _,
    QueryResult, QuerySelect as _, QueryTrait as _, Select, UpdateMany,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::connect::{Database, EarlierAttempts};
use crate::entity::letters::{Column, Entity, Model, Waiting};
use crate::error::AttemptError;
use crate::instant;
use crate::tables::{self, Tables};

/// Maximum number of letters that one call leases.
const MAX_LEASED: u64 = 500;

/// Letters in a SQL database. Its contract is that of [`Outbox`]. Letters come in as side effects of changes by
/// [`SeaUserStore`](crate::SeaUserStore) and [`SeaOneTimeTokenStore`](crate::SeaOneTimeTokenStore).
///
/// A lease is one conditional update of the letters that are due. Of two workers that try to lease a letter at once, the second
/// finds it leased when the lock is released, on every database. A letter that was sent is deleted, so nothing of it is left.
#[derive(Debug, Clone)]
pub struct SeaOutbox {
    database: Database,
}

/// The due time of a lease, and its number.
#[derive(Debug, Clone, Copy)]
struct Lease {
    id: Uuid,
    now: i64,
    until: i64,
}

impl SeaOutbox {
    /// Returns the outbox in this database, whose tables `auth-migrations` made.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Leases letters that are due. When another worker leases all that were found, it looks for more.
    async fn lease_once(
        &self,
        lease: Lease,
        limit: u64,
        earlier: EarlierAttempts,
    ) -> Result<Vec<QueryResult>, AttemptError> {
        let (tables, connection) = (self.database.tables(), &self.database.statements());
        if earlier == EarlierAttempts::Unknown {
            let leased = connection.query_all(leased_query(tables, lease).as_query()).await?;
            if !leased.is_empty() {
                return Ok(leased);
            }
        }
        loop {
            let due = due_query(tables, lease.now, limit);
            let mut ids: Vec<Uuid> = due.into_tuple().all(connection).await?;
            if ids.is_empty() {
                return Ok(Vec::new());
            }
            // Every statement that locks several rows locks them in this order.
            ids.sort_unstable();
            if leasing(tables, ids, lease).exec(connection).await?.rows_affected > 0 {
                return Ok(connection.query_all(leased_query(tables, lease).as_query()).await?);
            }
        }
    }

    async fn remove_once(&self, id: Uuid, lease: Uuid, earlier: EarlierAttempts) -> Result<bool, AttemptError> {
        let (tables, connection) = (self.database.tables(), &self.database.statements());
        if deletion(tables, id, lease).exec(connection).await?.rows_affected == 1 {
            return Ok(true);
        }
        // The lease was the present one until the earlier attempt, or the letter would still be there.
        Ok(earlier == EarlierAttempts::Unknown && letter_of(id, tables, connection).await?.is_none())
    }

    async fn delay_once(
        &self,
        id: Uuid,
        lease: Uuid,
        due_at: i64,
        earlier: EarlierAttempts,
    ) -> Result<bool, AttemptError> {
        let (tables, connection) = (self.database.tables(), &self.database.statements());
        if delaying(tables, id, lease, due_at).exec(connection).await?.rows_affected == 1 {
            return Ok(true);
        }
        if earlier != EarlierAttempts::Unknown {
            return Ok(false);
        }
        let row = letter_of(id, tables, connection).await?;
        Ok(row.is_some_and(|row| row.lease.is_none() && row.due_at == due_at))
    }

    /// Returns the letters of a query, without their secrets.
    async fn waiting(&self, query: Select<Entity>) -> Result<Vec<QueuedLetter>, StoreError> {
        let (query, connection) = (query.into_partial_model::<Waiting>(), self.database.statements());
        let rows = self.database.read(async move { Ok(query.all(&connection).await?) }).await?;
        rows.into_iter().map(Waiting::into_queued).collect()
    }
}

#[async_trait]
impl Outbox for SeaOutbox {
    async fn lease(
        &self,
        lease: LeaseId,
        now: OffsetDateTime,
        until: OffsetDateTime,
        limit: u32,
    ) -> Result<Leased, StoreError> {
        let limit = cmp::min(u64::from(limit), MAX_LEASED);
        if limit == 0 {
            return Ok(Leased::default());
        }
        let lease = Lease { id: lease.as_uuid(), now: instant::to_micros(now)?, until: instant::to_micros(until)? };
        let store = self.clone();
        let rows = self
            .database
            .write(move |earlier| {
                let store = store.clone();
                async move { store.lease_once(lease, limit, earlier).await }
            })
            .await?;
        let mut leased = Leased::default();
        for row in rows {
            let id: Uuid = row.try_get("", "id").map_err(AttemptError::from)?;
            match Model::from_query_result(&row, "").map(Model::into_leased) {
                Ok(Ok(letter)) => leased.letters.push(letter),
                Ok(Err(_)) | Err(_) => leased.unreadable.push(LetterId::from(id)),
            }
        }
        Ok(leased)
    }

    async fn remove(&self, id: LetterId, lease: LeaseId) -> Result<bool, StoreError> {
        let (store, id, lease) = (self.clone(), id.as_uuid(), lease.as_uuid());
        self.database
            .write(move |earlier| {
                let store = store.clone();
                async move { store.remove_once(id, lease, earlier).await }
            })
            .await
    }

    async fn delay(&self, id: LetterId, lease: LeaseId, due_at: OffsetDateTime) -> Result<bool, StoreError> {
        let (store, id, lease, due_at) = (self.clone(), id.as_uuid(), lease.as_uuid(), instant::to_micros(due_at)?);
        self.database
            .write(move |earlier| {
                let store = store.clone();
                async move { store.delay_once(id, lease, due_at, earlier).await }
            })
            .await
    }

    async fn queue(&self, limit: u32) -> Result<Vec<QueuedLetter>, StoreError> {
        self.waiting(queue_query(self.database.tables(), u64::from(limit))).await
    }

    async fn of_user(&self, user_id: UserId) -> Result<Vec<QueuedLetter>, StoreError> {
        self.waiting(user_query(self.database.tables(), user_id)).await
    }

    async fn stats(&self) -> Result<OutboxStats, StoreError> {
        let query = self.database.tables().find::<Entity>().select_only();
        let query = query.column_as(Column::Id.count(), "waiting").column_as(Column::CreatedAt.min(), "oldest");
        let connection = self.database.statements();
        let row = self.database.read(async move { Ok(connection.query_one(query.as_query()).await?) }).await?;
        let row = row.ok_or_else(|| StoreError::corrupt("a count has no row"))?;
        let waiting: i64 = row.try_get("", "waiting").map_err(AttemptError::from)?;
        let oldest: Option<i64> = row.try_get("", "oldest").map_err(AttemptError::from)?;
        let oldest = oldest.map(|at| instant::from_micros(at).ok_or_else(|| StoreError::corrupt("letters.created_at")));
        let mut stats = OutboxStats::default();
        stats.waiting = u64::try_from(waiting).unwrap_or(0);
        stats.oldest = oldest.transpose()?;
        Ok(stats)
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        self.database.now().await
    }
}

async fn letter_of(
    id: Uuid,
    tables: &Tables,
    connection: &impl ConnectionTrait,
) -> Result<Option<Model>, AttemptError> {
    Ok(tables::unique(tables.find::<Entity>().filter(Column::Id.eq(id)), connection).await?)
}

/// Returns the query for the ids of at most `limit` letters that are due, by way of the index on that time.
fn due_query(tables: &Tables, now: i64, limit: u64) -> Select<Entity> {
    tables
        .find::<Entity>()
        .select_only()
        .column(Column::Id)
        .filter(Column::DueAt.lte(now))
        .order_by_asc(Column::DueAt)
        .order_by_asc(Column::Id)
        .limit(limit)
}

/// Returns the update that leases those of these letters that are still due.
fn leasing(tables: &Tables, ids: Vec<Uuid>, lease: Lease) -> UpdateMany<Entity> {
    tables
        .update_many::<Entity>()
        .col_expr(Column::DueAt, Expr::value(lease.until))
        .col_expr(Column::Lease, Expr::value(lease.id))
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        .filter(Column::Id.is_in(ids))
        .filter(Column::DueAt.lte(lease.now))
}

/// Returns the query for the letters of a lease, by way of the index on their due time, which is the end of the lease.
fn leased_query(tables: &Tables, lease: Lease) -> Select<Entity> {
    let leased = tables.find::<Entity>().filter(Column::DueAt.eq(lease.until)).filter(Column::Lease.eq(lease.id));
    leased.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id)
}

fn deletion(tables: &Tables, id: Uuid, lease: Uuid) -> DeleteMany<Entity> {
    tables.delete_many::<Entity>().filter(Expr::col(Column::Id).eq(id)).filter(Expr::col(Column::Lease).eq(lease))
}

fn delaying(tables: &Tables, id: Uuid, lease: Uuid, due_at: i64) -> UpdateMany<Entity> {
    tables
        .update_many::<Entity>()
        .col_expr(Column::DueAt, Expr::value(due_at))
        .col_expr(Column::Lease, Expr::value(None::<Uuid>))
        .filter(Column::Id.eq(id))
        .filter(Column::Lease.eq(lease))
}

/// Returns the query for the letters that are due first, by way of the index on their due time.
fn queue_query(tables: &Tables, limit: u64) -> Select<Entity> {
    let letters = tables.find::<Entity>().filter(Column::Recipient.is_not_null());
    letters.order_by_asc(Column::DueAt).order_by_asc(Column::Id).limit(limit)
}

/// Returns the query for the letters of a user, by way of the index on the user.
fn user_query(tables: &Tables, user_id: UserId) -> Select<Entity> {
    let letters = tables.find::<Entity>().filter(Column::UserId.eq(user_id.as_uuid()));
    letters.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id)
}

#[cfg(test)]
mod plans;
