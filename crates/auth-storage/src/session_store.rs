//! The store of sessions.

mod batch;

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::session::{Rotation, Session, SessionEnd, SessionStore, StoredSession};
use auth_core::{Generation, Revocation, SessionId, StoreError, UserId};
use group_commit::GroupCommit;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DeleteMany, FromQueryResult as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _, Select,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::connect::{Database, EarlierAttempts, Key, LookUp, WriteTransaction};
use crate::entity::sessions::{self, Column};
use crate::error::AttemptError;
use crate::instant;
use crate::tables::{self, Tables};

use self::batch::{Write, Written};

/// Maximum number of writes that share a transaction.
const MAX_BATCH: usize = 100;

/// Sessions in a SQL database. Its contract is that of [`SessionStore`].
#[derive(Debug, Clone)]
pub struct SeaSessionStore {
    database: Database,
    by_id: LookUp,
    group: Arc<GroupCommit<Write, Written, StoreError>>,
}

impl SeaSessionStore {
    /// Returns the store of the sessions in this database, whose tables `auth-migrations` made.
    #[must_use]
    pub fn new(database: Database) -> Self {
        let by_id = database.tables().find::<sessions::Entity>().filter(Column::Id.eq(Uuid::nil()));
        let by_id = LookUp::new(by_id.build(database.connection().get_database_backend()));
        Self { database, by_id, group: Arc::new(GroupCommit::new(MAX_BATCH)) }
    }

    /// Deletes the sessions of a user in a transaction of the caller's, begun with [`Database::begin_write`], for a user store of
    /// your own that deletes the user in it. The revocation that the same transaction appends ends their access tokens.
    ///
    /// # Errors
    ///
    /// When the store failed. The transaction then refuses everything that follows.
    pub async fn delete_user_within(&self, transaction: &WriteTransaction, user_id: UserId) -> Result<(), StoreError> {
        Ok(delete_of_user(transaction, self.database.tables(), user_id).await?)
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

    /// Writes a rotation or an end, together with others that come at the same time.
    async fn write(&self, write: Write) -> Result<Written, StoreError> {
        let in_one_transaction = |batch: Vec<Write>| async move {
            let (database, batch) = (self.database.clone(), Arc::<[Write]>::from(batch));
            let write_once = move |earlier| {
                let (database, batch) = (database.clone(), Arc::clone(&batch));
                async move { batch::write_once(&database, &batch, earlier).await }
            };
            self.database.write(write_once).await
        };
        self.group.write(write, in_one_transaction).await
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
        Ok(matches!(self.write(Write::Rotation(id, rotation)).await?, Written::Rotated(true)))
    }

    async fn end(&self, id: SessionId, end: SessionEnd) -> Result<Option<Revocation>, StoreError> {
        Ok(match self.write(Write::End(id, end)).await? {
            Written::Ended(entry) => entry,
            Written::Rotated(_) => None,
        })
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
        let expired = move |tables: &Tables, limit| unneeded_query(tables, before, limit);
        self.database.purge_rows(limit, expired, move |tables: &Tables, ids| deletion(tables, ids, before)).await
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        self.database.now().await
    }
}

async fn session_of(
    id: SessionId,
    tables: &Tables,
    connection: &impl ConnectionTrait,
) -> Result<Option<sessions::Model>, AttemptError> {
    Ok(tables::unique(tables.find::<sessions::Entity>().filter(Column::Id.eq(id.as_uuid())), connection).await?)
}

/// Deletes the sessions of a user.
pub(crate) async fn delete_of_user(
    transaction: &WriteTransaction,
    tables: &Tables,
    user_id: UserId,
) -> Result<(), AttemptError> {
    let of_user = Expr::col(Column::UserId).eq(user_id.as_uuid());
    tables.delete_many::<sessions::Entity>().filter(of_user).exec(transaction).await?;
    Ok(())
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

#[cfg(test)]
mod plans;
