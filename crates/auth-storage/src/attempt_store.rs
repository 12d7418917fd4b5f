//! The store of counters of attempts.

use std::collections::HashMap;

use async_trait::async_trait;
use auth_core::AttemptStore;
use auth_core::StoreError;
use auth_core::throttle::{AttemptKey, Change, Counter};
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DeleteMany, InsertMany, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    Select,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::connect::{Database, WriteTransaction};
use crate::entity::attempts::{self, ActiveModel, Column};
use crate::error::AttemptError;
use crate::instant;
use crate::tables::Tables;

/// Counters of attempts in a SQL database, shared by all nodes on it. Its contract is that of [`AttemptStore`]. It
/// forgets nothing by itself: somebody calls [`purge`](AttemptStore::purge) from time to time.
///
/// An update first makes or touches the rows of all its keys, in the order of the keys; that locks them until the commit, on
/// all three databases. A plain `SELECT … FOR UPDATE` would lock nothing where there is no row yet.
#[derive(Debug, Clone)]
pub struct SeaAttemptStore {
    database: Database,
}

impl SeaAttemptStore {
    /// The counters in this database, whose tables `auth-migrations` made.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    async fn update_once(&self, keys: &[AttemptKey], change: &Change) -> Result<Vec<Counter>, AttemptError> {
        let transaction = self.database.begin().await?;
        let outcome = update_within(&transaction, self.database.tables(), keys, change).await;
        match outcome {
            // Also those rows that were only made to be locked.
            Ok((before, Changed(false))) => {
                transaction.rollback().await?;
                Ok(before)
            }
            outcome => Ok(self.database.end(transaction, outcome).await?.0),
        }
    }
}

#[async_trait]
impl AttemptStore for SeaAttemptStore {
    async fn read(&self, keys: &[AttemptKey]) -> Result<Vec<Counter>, StoreError> {
        let (keys, tables) = (keys.to_vec(), self.database.tables().clone());
        let connection = self.database.statements();
        self.database.read(async move { counters(&keys, &tables, &connection).await }).await
    }

    async fn update(&self, keys: &[AttemptKey], change: Change) -> Result<Vec<Counter>, StoreError> {
        let (store, keys) = (self.clone(), keys.to_vec());
        self.database
            .write_at_most_once(move || {
                let (store, keys, change) = (store.clone(), keys.clone(), Change::clone(&change));
                async move { store.update_once(&keys, &change).await }
            })
            .await
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        let before = instant::to_micros(before)?;
        let expired = move |tables: &Tables, limit| expired_query(tables, before, limit);
        self.database.purge_rows(limit, expired, move |tables: &Tables, ids| deletion(tables, ids, before)).await
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        self.database.now().await
    }
}

/// Whether an update has anything to commit.
struct Changed(bool);

async fn update_within(
    transaction: &WriteTransaction,
    tables: &Tables,
    keys: &[AttemptKey],
    change: &Change,
) -> Result<(Vec<Counter>, Changed), AttemptError> {
    locking(tables, keys)?.exec_without_returning(transaction).await?;
    let before = counters(keys, tables, transaction).await?;
    let mut after = before.clone();
    change(&mut after);
    let changed = keys.iter().zip(&before).zip(&after).filter(|((_, before), after)| before != after);
    let changed: Vec<_> = changed.map(|((key, _), after)| attempts::row_of(*key, after)).collect::<Result<_, _>>()?;
    let any = Changed(!changed.is_empty());
    if any.0 {
        writing(tables, changed).exec_without_returning(transaction).await?;
    }
    Ok((before, any))
}

async fn counters(
    keys: &[AttemptKey],
    tables: &Tables,
    connection: &impl ConnectionTrait,
) -> Result<Vec<Counter>, AttemptError> {
    let rows = rows_query(tables, keys).all(connection).await?;
    let found = rows.into_iter().map(|row| Ok((row.id, row.into_counter()?)));
    let found = found.collect::<Result<HashMap<_, _>, StoreError>>()?;
    Ok(keys.iter().map(|key| found.get(&attempts::id_of(*key)).copied().unwrap_or_default()).collect())
}

fn rows_query(tables: &Tables, keys: &[AttemptKey]) -> Select<attempts::Entity> {
    tables.find::<attempts::Entity>().filter(Column::Id.is_in(keys.iter().copied().map(attempts::id_of)))
}

/// Makes rows that say nothing where there are none, and changes nothing where there are some.
fn locking(tables: &Tables, keys: &[AttemptKey]) -> Result<InsertMany<ActiveModel>, StoreError> {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    let blank = Counter::default();
    let rows = keys.into_iter().map(|key| attempts::row_of(key, &blank)).collect::<Result<Vec<_>, _>>()?;
    let failures = Expr::col((tables.name_of::<attempts::Entity>(), Column::Failures));
    let unchanged = OnConflict::column(Column::Id).value(Column::Failures, failures).to_owned();
    Ok(tables.insert_many::<attempts::Entity>(rows).on_conflict(unchanged))
}

/// Writes rows that are there.
pub(crate) fn writing(tables: &Tables, rows: Vec<ActiveModel>) -> InsertMany<ActiveModel> {
    let columns = [Column::Failures, Column::NotBefore, Column::SpentUntil, Column::KnownUntil, Column::ExpiresAt];
    let replaced = OnConflict::column(Column::Id).update_columns(columns).to_owned();
    tables.insert_many::<attempts::Entity>(rows).on_conflict(replaced)
}

/// The ids of at most `limit` expired counters, by way of the index on their expiry.
fn expired_query(tables: &Tables, before: i64, limit: u64) -> Select<attempts::Entity> {
    tables
        .find::<attempts::Entity>()
        .select_only()
        .column(Column::Id)
        .filter(Column::ExpiresAt.lt(before))
        .order_by_asc(Column::ExpiresAt)
        .limit(limit)
}

fn deletion(tables: &Tables, ids: Vec<Uuid>, before: i64) -> DeleteMany<attempts::Entity> {
    tables
        .delete_many::<attempts::Entity>()
        .filter(Expr::col(Column::Id).is_in(ids))
        .filter(Expr::col(Column::ExpiresAt).lt(before))
}
