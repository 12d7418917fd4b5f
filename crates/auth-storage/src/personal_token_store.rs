//! The store of personal access tokens.

use async_trait::async_trait;
use auth_core::personal::{PersonalToken, PersonalTokenDigest, PersonalTokenStore, StoredPersonalToken};
use auth_core::{Generation, PersonalTokenId, Revocation, StoreError, UserId};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, FromQueryResult as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _, Select,
};
use time::OffsetDateTime;

use crate::connect::{Database, EarlierAttempts, Key, LookUp, WriteTransaction};
use crate::entity::personal_tokens::{self, Column, Entity, hex};
use crate::error::AttemptError;
use crate::instant;
use crate::personal_token_end::deletion;
use crate::revocation_log::LogWriter;
use crate::tables::{self, Tables};

/// Personal access tokens in a SQL database. Its contract is that of [`PersonalTokenStore`].
#[derive(Debug, Clone)]
pub struct SeaPersonalTokenStore {
    database: Database,
    by_digest: LookUp,
}

impl SeaPersonalTokenStore {
    /// Returns the store of the personal access tokens in this database, whose tables `auth-migrations` made.
    #[must_use]
    pub fn new(database: Database) -> Self {
        let by_digest = database.tables().find::<Entity>().filter(Column::Digest.eq(""));
        let by_digest = LookUp::new(by_digest.build(database.connection().get_database_backend()));
        Self { database, by_digest }
    }

    /// Deletes the personal access tokens of a user in a transaction of the caller's, begun with [`Database::begin_write`], for a user
    /// store of your own that deletes the user in it. The revocation that the same transaction appends ends them everywhere.
    ///
    /// # Errors
    ///
    /// When the store failed. The transaction then refuses everything that follows.
    pub async fn delete_user_within(&self, transaction: &WriteTransaction, user_id: UserId) -> Result<(), StoreError> {
        Ok(delete_of_user(transaction, self.database.tables(), user_id).await?)
    }

    /// Runs an attempt with a handle of its own, because a call outlives the caller who goes away.
    async fn write<T, F>(
        &self,
        attempt: impl Fn(Self, EarlierAttempts) -> F + Send + Sync + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, AttemptError>> + Send + 'static,
    {
        let store = self.clone();
        self.database.write(move |earlier| attempt(store.clone(), earlier)).await
    }

    async fn insert_once(
        &self,
        new: &StoredPersonalToken,
        limit: u32,
        earlier: EarlierAttempts,
    ) -> Result<bool, AttemptError> {
        let transaction = self.database.begin().await?;
        let outcome = insert_within(&transaction, self.database.tables(), new, limit, earlier).await;
        self.database.end(transaction, outcome).await
    }

    async fn delete_once(
        &self,
        user_id: UserId,
        end: Revocation,
        id: PersonalTokenId,
        earlier: EarlierAttempts,
    ) -> Result<bool, AttemptError> {
        let transaction = self.database.begin().await?;
        let outcome = delete_within(&transaction, self.database.tables(), user_id, end, id, earlier).await;
        self.database.end_if(|deleted| *deleted, transaction, outcome).await
    }

    async fn record_use_once(&self, id: PersonalTokenId, at: i64) -> Result<(), AttemptError> {
        let update = self.database.tables().move_forward::<Entity>(Column::LastUsedAt, at);
        let update = update.filter(Column::Id.eq(id.as_uuid()));
        update.exec(&self.database.statements()).await?;
        Ok(())
    }
}

#[async_trait]
impl PersonalTokenStore for SeaPersonalTokenStore {
    async fn insert(&self, new: StoredPersonalToken, limit: u32) -> Result<bool, StoreError> {
        self.write(move |store, earlier| {
            let new = new.clone();
            async move { store.insert_once(&new, limit, earlier).await }
        })
        .await
    }

    async fn find(&self, digest: PersonalTokenDigest) -> Result<Option<PersonalToken>, StoreError> {
        let Some(row) = self.database.look_up(&self.by_digest, Key::Text(hex(digest))).await? else { return Ok(None) };
        let row = personal_tokens::Model::from_query_result(&row, "").map_err(AttemptError::from)?;
        row.into_token().map(Some)
    }

    async fn record_use(&self, id: PersonalTokenId, at: OffsetDateTime) -> Result<(), StoreError> {
        let at = instant::to_micros(at)?;
        self.write(move |store, _| async move { store.record_use_once(id, at).await }).await
    }

    async fn delete(
        &self,
        user_id: UserId,
        id: PersonalTokenId,
        at: OffsetDateTime,
    ) -> Result<Option<Revocation>, StoreError> {
        let end = PersonalToken::end(id, at);
        let deleted =
            self.write(move |store, earlier| async move { store.delete_once(user_id, end, id, earlier).await });
        Ok(deleted.await?.then_some(end))
    }

    async fn list(
        &self,
        user_id: UserId,
        generation: Generation,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<PersonalToken>, StoreError> {
        let query = live_query(self.database.tables(), user_id, generation, instant::to_micros(now)?)
            .order_by_desc(Column::CreatedAt)
            .order_by_asc(Column::Id)
            .limit(u64::from(limit));
        let connection = self.database.statements();
        let rows = self.database.read(async move { Ok(query.all(&connection).await?) }).await?;
        rows.into_iter().map(personal_tokens::Model::into_token).collect()
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        let before = instant::to_micros(before)?;
        let expired = move |tables: &Tables, limit| expired_query(tables, before, limit);
        self.database.purge_rows(limit, expired, deletion).await
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        self.database.now().await
    }
}

/// Inserts a token while its user has fewer than `limit` and their tokens are not ended. Returns whether it did, now or in an earlier attempt.
async fn insert_within(
    transaction: &WriteTransaction,
    tables: &Tables,
    new: &StoredPersonalToken,
    limit: u32,
    earlier: EarlierAttempts,
) -> Result<bool, AttemptError> {
    // Insertions take turns by the lock on the log, which a deletion takes too. They are rare.
    let log = LogWriter::lock(transaction, tables, 0).await?;
    let PersonalToken { id, user_id, generation, created_at, .. } = new.token;
    let by_id = tables.find::<Entity>().filter(Column::Id.eq(id.as_uuid()));
    // The id is random, so only the earlier attempt can have taken it.
    if earlier == EarlierAttempts::Unknown && tables::unique(by_id, transaction).await?.is_some() {
        return Ok(true);
    }
    // The user may have been deleted, or all their tokens ended, since the caller read them. Either has appended an entry under the lock.
    if log.ends_user(user_id, generation).await? {
        return Ok(false);
    }
    let now = instant::to_micros(created_at)?;
    let live = live_query(tables, user_id, generation, now).count(transaction).await?;
    if live >= u64::from(limit) {
        return Ok(false);
    }
    let is_dead =
        Expr::col(Column::ExpiresAt).lte(now).or(Expr::col(Column::Generation).lt(i64::from(generation.number())));
    let dead = tables.delete_many::<Entity>().filter(Expr::col(Column::UserId).eq(user_id.as_uuid())).filter(is_dead);
    dead.exec(transaction).await?;
    tables.insert_many::<Entity>([personal_tokens::row_of(new)?]).exec_without_returning(transaction).await?;
    Ok(true)
}

/// Deletes a token of a user and appends its end. Returns whether it did, now or in an earlier attempt.
async fn delete_within(
    transaction: &WriteTransaction,
    tables: &Tables,
    user_id: UserId,
    end: Revocation,
    id: PersonalTokenId,
    earlier: EarlierAttempts,
) -> Result<bool, AttemptError> {
    let log = LogWriter::lock(transaction, tables, 1).await?;
    let of_user = Expr::col(Column::UserId).eq(user_id.as_uuid());
    let deletion = deletion(tables, vec![id.as_uuid()]).filter(of_user);
    let is_absent = deletion.exec(transaction).await?.rows_affected == 0;
    // Unless the earlier attempt was committed.
    if is_absent && (earlier == EarlierAttempts::RolledBack || !log.holds(&end).await?) {
        return Ok(false);
    }
    log.append(&[end]).await?;
    Ok(true)
}

/// Deletes the tokens of a user.
pub(crate) async fn delete_of_user(
    transaction: &WriteTransaction,
    tables: &Tables,
    user_id: UserId,
) -> Result<(), AttemptError> {
    let of_user = Expr::col(Column::UserId).eq(user_id.as_uuid());
    tables.delete_many::<Entity>().filter(of_user).exec(transaction).await?;
    Ok(())
}

/// Returns the query for the tokens of a user that can be used, by way of the index on user and creation.
fn live_query(tables: &Tables, user_id: UserId, generation: Generation, now: i64) -> Select<Entity> {
    tables
        .find::<Entity>()
        .filter(Column::UserId.eq(user_id.as_uuid()))
        .filter(Column::Generation.eq(i64::from(generation.number())))
        .filter(Column::ExpiresAt.gt(now))
}

/// Returns the query for the ids of at most `limit` tokens that have expired, by way of the index on that instant.
fn expired_query(tables: &Tables, before: i64, limit: u64) -> Select<Entity> {
    tables
        .find::<Entity>()
        .select_only()
        .column(Column::Id)
        .filter(Column::ExpiresAt.lt(before))
        .order_by_asc(Column::ExpiresAt)
        .limit(limit)
}

#[cfg(test)]
mod plans;
