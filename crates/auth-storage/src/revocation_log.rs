//! The log of revocations.

use std::cmp;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::blacklist::{LogEntry, LogIdentity, LogPage, Mark, Position, Purged};
use auth_core::{Claims, Revocation, RevocationLog, RevocationSource, StoreError};
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DeleteMany, FromQueryResult, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait, Select, UpdateMany,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::connect::{Database, PrimaryCheck, WriteTransaction, check_primary};
use crate::entity::{blacklist, blacklist_head};
use crate::error::AttemptError;
use crate::instant;
use crate::personal_token_end::deletions;
use crate::purge::Chunk;
use crate::session_end::endings;
use crate::tables::Tables;
use crate::user_table::UserTable;

mod covering;
mod loss;
mod writer;

use covering::covers_query;
use loss::{lost, marking_loss, raising_generations};
pub(crate) use writer::LogWriter;

/// How many rows or targets go into one statement. Databases limit its parameters; SQLite to 32,766.
const CHUNK: usize = 500;

/// The log of revocations in a SQL database.
///
/// Its contract is that of [`RevocationLog`]. Every append first updates the one row of `blacklist_head`, and the lock on that
/// row is held until the commit: appends happen one after the other, in the order of their positions, and an entry is
/// visible before the next position is given. Readers never wait for that lock, and [`purge`](RevocationLog::purge) takes
/// it for one small update before it removes anything.
#[derive(Debug, Clone)]
pub struct SeaRevocationLog {
    database: Database,
    /// `None` stands for our own table.
    users: Option<UserTable>,
}

impl SeaRevocationLog {
    /// The log in this database, whose tables `auth-migrations` made.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database, users: None }
    }

    /// The same log beside users of your own: [`covers`](auth_core::RevocationSource::covers) reads their generations where you say.
    #[must_use]
    pub fn with_users(self, users: UserTable) -> Self {
        Self { users: Some(users), ..self }
    }

    /// Appends a batch in a transaction of the caller's, begun with [`Database::begin_write`], for a user store of your own that
    /// has to change a user and append in one step ([`UserStore::change_and_revoke`](auth_core::UserStore)). Nothing is
    /// appended until the caller commits. Returns how many entries were new.
    ///
    /// It must be the first statement of the transaction: whoever takes other locks before the log's may deadlock with who
    /// takes them after.
    ///
    /// # Errors
    ///
    /// When the store failed. The transaction then refuses everything that follows.
    pub async fn append_within(&self, transaction: &WriteTransaction, batch: &[Revocation]) -> Result<u64, StoreError> {
        let log = LogWriter::lock(transaction, self.database.tables(), batch.len()).await?;
        Ok(log.append(batch).await?)
    }

    async fn append_once(&self, batch: &[Revocation]) -> Result<u64, AttemptError> {
        let transaction = self.database.begin().await?;
        let tables = self.database.tables();
        let users = self.users.clone().unwrap_or_else(|| UserTable::ours(tables));
        let outcome = async {
            let log = LogWriter::lock(&transaction, tables, batch.len()).await?;
            for raise in raising_generations(batch, &[&users, &UserTable::of_clients(tables)]) {
                transaction.execute(&raise).await?;
            }
            for ending in endings(tables, batch)? {
                ending.exec(&transaction).await?;
            }
            for deletion in deletions(tables, batch) {
                deletion.exec(&transaction).await?;
            }
            log.append(batch).await
        };
        let outcome = outcome.await;
        self.database.end(transaction, outcome).await
    }

    async fn purge_once(&self, before: i64, limit: u64) -> Result<Chunk, AttemptError> {
        let (tables, connection) = (self.database.tables(), &self.database.statements());
        let expired = expired_query(tables, before, cmp::min(limit, CHUNK as u64));
        let expired: Vec<ExpiredRow> = expired.into_model().all(connection).await?;
        let found = expired.len();
        if found == 0 {
            return Ok(Chunk { found, removed: 0 });
        }
        // Committed before anything is removed: nobody sees an entry gone who does not also see that it may be.
        for (column, of_tokens) in
            [(blacklist_head::Column::PurgedTokens, true), (blacklist_head::Column::PurgedUsers, false)]
        {
            let of_kind = expired.iter().filter(|row| row.is_of_user() != of_tokens);
            if let Some(latest) = of_kind.map(|row| row.expires_at).max() {
                raising(tables, column, latest).exec(connection).await?;
            }
        }
        let mut positions: Vec<i64> = expired.into_iter().map(|row| row.position).collect();
        // Two nodes that purge at once lock rows in one order.
        positions.sort_unstable();
        Ok(Chunk { found, removed: deletion(tables, positions).exec(connection).await?.rows_affected })
    }
}

#[async_trait]
impl RevocationSource for SeaRevocationLog {
    /// One statement, so one view of the database: the head, the entries up to it, and whether the server that answered
    /// may be read from.
    async fn read_after(&self, after: Position, limit: u32) -> Result<LogPage, StoreError> {
        let page =
            page_query(self.database.tables(), after, limit, self.database.primary_check()).into_model::<PageRow>();
        let connection = self.database.statements();
        let rows = self.database.read(async move { Ok(page.all(&connection).await?) }).await?;
        let Some(head) = rows.first() else {
            return Err(StoreError::corrupt(HeadIsMissing));
        };
        check_primary(head.primary_check)?;
        let purged = Purged { tokens: purged(head.purged_tokens)?, users: purged(head.purged_users)? };
        let lost = lost(head.lost_at)?;
        let (identity, head) = (LogIdentity(head.log_id), position(head.head)?);
        let entries = rows.into_iter().filter_map(PageRow::into_entry).collect::<Result<Vec<_>, _>>()?;
        // The row that carries the head is there also when no entry was asked for.
        let entries = if limit == 0 { Vec::new() } else { entries };
        Ok(LogPage { identity, head, purged, lost, age: Duration::ZERO, entries })
    }

    async fn covers(&self, claims: &Claims) -> Result<bool, StoreError> {
        let query = covers_query(self.database.tables(), claims, self.users.as_ref(), self.database.primary_check())?;
        let connection = self.database.statements();
        let row = self.database.read(async move { Ok(connection.query_one(&query).await?) }).await?;
        let row = row.ok_or_else(|| StoreError::corrupt("a SELECT without FROM has no row"))?;
        check_primary(row.try_get_by_index(1).map_err(AttemptError::from)?)?;
        row.try_get_by_index::<bool>(0).map_err(|error| AttemptError::from(error).into())
    }
}

#[async_trait]
impl RevocationLog for SeaRevocationLog {
    async fn append(&self, batch: &[Revocation]) -> Result<u64, StoreError> {
        if batch.is_empty() {
            return Ok(0);
        }
        let (log, batch) = (self.clone(), Arc::<[Revocation]>::from(batch));
        self.database
            .write(move |_| {
                let (log, batch) = (log.clone(), Arc::clone(&batch));
                async move { log.append_once(&batch).await }
            })
            .await
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        let before = instant::to_micros_rounded_up(before)?;
        let log = self.clone();
        self.database
            .purge(limit, move |wanted| {
                let log = log.clone();
                async move { log.purge_once(before, wanted).await }
            })
            .await
    }

    async fn mark_loss(&self, at: Option<OffsetDateTime>) -> Result<(), StoreError> {
        let at = at.map(instant::to_micros_rounded_up).transpose()?;
        let database = self.database.clone();
        self.database
            .write(move |_| {
                let (statements, marking) = (database.statements(), marking_loss(database.tables(), at));
                async move {
                    let marked = marking.exec(&statements).await?;
                    if marked.rows_affected != 1 {
                        return Err(StoreError::corrupt(HeadIsMissing).into());
                    }
                    Ok(())
                }
            })
            .await
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        self.database.now().await
    }
}

/// The one row of the head.
fn head_query(tables: &Tables) -> Select<blacklist_head::Entity> {
    tables.find::<blacklist_head::Entity>().filter(blacklist_head::Column::Id.eq(blacklist_head::ID))
}

/// The head, and beside it at most `limit` entries after `after` (one where `limit` is 0).
///
/// The entries are limited before they are joined: PostgreSQL would read all that come after to sort them, at every page.
fn page_query(
    tables: &Tables,
    after: Position,
    limit: u32,
    primary_check: PrimaryCheck,
) -> Select<blacklist_head::Entity> {
    use blacklist::Column;
    const PAGE: &str = "page";
    let after = i64::try_from(after.0).unwrap_or(i64::MAX);
    let columns = [
        Column::Position,
        Column::TokenId,
        Column::UserId,
        Column::Generation,
        Column::ExpiresAt,
        Column::RevokedAt,
        Column::Reason,
        Column::Mark,
    ];
    let entries = Query::select()
        .columns(columns)
        .from(tables.of::<blacklist::Entity>())
        .and_where(Expr::col(Column::Position).gt(after))
        .order_by(Column::Position, Order::Asc)
        .limit(u64::from(cmp::max(limit, 1)))
        .take();
    let mut page = head_query(tables)
        .select_only()
        .column(blacklist_head::Column::LogId)
        .column_as(blacklist_head::Column::Position, "head")
        .columns([
            blacklist_head::Column::PurgedTokens,
            blacklist_head::Column::PurgedUsers,
            blacklist_head::Column::LostAt,
        ])
        .column_as(Expr::cust(primary_check.expression()), "primary_check");
    let query = QueryTrait::query(&mut page);
    for column in columns {
        query.expr_as(Expr::col((PAGE, column)), column);
    }
    let head = Expr::col((blacklist_head::Entity, blacklist_head::Column::Position));
    let up_to_the_head = Expr::col((PAGE, Column::Position)).lte(head);
    query
        .join_subquery(JoinType::LeftJoin, entries, PAGE, up_to_the_head)
        .order_by((PAGE, Column::Position), Order::Asc);
    page
}

/// At most `limit` expired entries, those that expired first first, by way of the index on their expiry.
fn expired_query(tables: &Tables, before: i64, limit: u64) -> Select<blacklist::Entity> {
    tables
        .find::<blacklist::Entity>()
        .select_only()
        .columns([
            blacklist::Column::Position,
            blacklist::Column::UserId,
            blacklist::Column::Generation,
            blacklist::Column::ExpiresAt,
        ])
        .filter(blacklist::Column::ExpiresAt.lt(before))
        .order_by_asc(blacklist::Column::ExpiresAt)
        .limit(limit)
}

fn deletion(tables: &Tables, positions: Vec<i64>) -> DeleteMany<blacklist::Entity> {
    tables.delete_many::<blacklist::Entity>().filter(Expr::col(blacklist::Column::Position).is_in(positions))
}

/// Raises what the head says was purged, unless it says so already; then the row is not locked.
fn raising(tables: &Tables, column: blacklist_head::Column, latest: i64) -> UpdateMany<blacklist_head::Entity> {
    tables
        .update_many::<blacklist_head::Entity>()
        .col_expr(column, Expr::value(latest))
        .filter(blacklist_head::Column::Id.eq(blacklist_head::ID))
        .filter(column.lt(latest))
}

fn purged(stored: i64) -> Result<OffsetDateTime, StoreError> {
    instant::from_micros(stored).ok_or_else(|| StoreError::corrupt("what the head says was purged is no instant"))
}

fn position(stored: i64) -> Result<Position, StoreError> {
    u64::try_from(stored).map(Position).map_err(StoreError::corrupt)
}

#[derive(Debug, FromQueryResult)]
struct ExpiredRow {
    position: i64,
    user_id: Option<Uuid>,
    generation: Option<i64>,
    expires_at: i64,
}

impl ExpiredRow {
    fn is_of_user(&self) -> bool {
        self.user_id.is_some() && self.generation != Some(blacklist::KEY)
    }
}

#[derive(Debug, FromQueryResult)]
struct PageRow {
    log_id: Uuid,
    head: i64,
    purged_tokens: i64,
    purged_users: i64,
    primary_check: i64,
    lost_at: i64,
    position: Option<i64>,
    token_id: Option<Uuid>,
    user_id: Option<Uuid>,
    generation: Option<i64>,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    reason: Option<String>,
    mark: Option<i64>,
}

impl PageRow {
    /// The entry, in a row that has one.
    fn into_entry(self) -> Option<Result<LogEntry, StoreError>> {
        let row = blacklist::Model {
            position: self.position?,
            token_id: self.token_id,
            user_id: self.user_id,
            generation: self.generation,
            expires_at: self.expires_at?,
            revoked_at: self.revoked_at?,
            reason: self.reason?,
            mark: self.mark?,
        };
        let mark = Mark(row.mark.cast_unsigned());
        Some(
            position(row.position)
                .and_then(|position| Ok(LogEntry { position, mark, revocation: row.into_revocation()? })),
        )
    }
}

/// There is not one row in `blacklist_head`.
#[derive(Debug, thiserror::Error)]
#[error("the head of the log is missing")]
struct HeadIsMissing;

#[cfg(test)]
mod plans;
