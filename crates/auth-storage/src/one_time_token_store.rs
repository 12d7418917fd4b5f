//! The store of one-time tokens.

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::recovery::{
    MAX_OPEN_TOKENS, OneTimeTokenDigest, OneTimeTokenPurpose, OneTimeTokenStore, SideEffects, StoredOneTimeToken,
};
use auth_core::{Email, StoreError, UserId};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, DeleteMany, FromQueryResult as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _, Select,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::connect::{Database, EarlierAttempts, Key, LookUp, WriteTransaction};
use crate::entity::one_time_tokens::{self, Column, Entity};
use crate::error::AttemptError;
use crate::instant;
use crate::side_effects::{self, Made};
use crate::tables::Tables;

/// One-time tokens in a SQL database. Its contract is that of [`OneTimeTokenStore`]. The letters that carry them go to the
/// [`SeaOutbox`](crate::SeaOutbox) of the same database.
#[derive(Debug, Clone)]
pub struct SeaOneTimeTokenStore {
    database: Database,
    by_digest: LookUp,
}

impl SeaOneTimeTokenStore {
    /// Returns the store of the one-time tokens in this database, whose tables `auth-migrations` made.
    #[must_use]
    pub fn new(database: Database) -> Self {
        let by_digest = database.tables().find::<Entity>().filter(Column::Digest.eq(""));
        let by_digest = LookUp::new(by_digest.build(database.connection().get_database_backend()));
        Self { database, by_digest }
    }

    /// Makes the side effects of a change in a transaction of the caller's, begun with [`Database::begin_write`], for a user store
    /// of your own ([`UserStore`](auth_core::UserStore)). Nothing is written until the caller commits. Returns false when the
    /// one-time token cannot be used; drop the transaction then, and answer `None`.
    ///
    /// Every transaction takes its locks in one order: first the log
    /// ([`append_within`](crate::SeaRevocationLog::append_within)), then the users, then this.
    ///
    /// A caller who repeats a transaction whose outcome is unknown finds the token used. It may have been used by the first
    /// attempt, so answer [`Unavailable`](auth_core::StoreErrorKind::Unavailable) rather than `None` in that case.
    ///
    /// # Errors
    ///
    /// When the store failed. The transaction then refuses everything that follows.
    pub async fn write_within(
        &self,
        transaction: &WriteTransaction,
        effects: &SideEffects,
    ) -> Result<bool, StoreError> {
        let made =
            side_effects::make(transaction, self.database.tables(), effects, EarlierAttempts::RolledBack).await?;
        Ok(made == Made::Now)
    }

    /// Returns whether an address is reserved for a user other than `user_id` by an open token that undoes a change of address.
    /// A user store of your own treats such an address as taken.
    ///
    /// Ask this in the transaction that writes the address, after it was written. The unique key on the address makes that write
    /// wait for a transaction which is giving the address up, and this then sees the token of that transaction.
    ///
    /// # Errors
    ///
    /// When the store failed. The transaction then refuses everything that follows.
    pub async fn is_reserved_within(
        &self,
        transaction: &WriteTransaction,
        email: &Email,
        user_id: UserId,
    ) -> Result<bool, StoreError> {
        Ok(side_effects::is_reserved(transaction, self.database.tables(), email, user_id).await?)
    }

    /// Deletes the one-time tokens and the waiting letters of a user in a transaction of the caller's, for a user store of your own
    /// that deletes the user in it.
    ///
    /// # Errors
    ///
    /// When the store failed. The transaction then refuses everything that follows.
    pub async fn delete_user_within(&self, transaction: &WriteTransaction, user_id: UserId) -> Result<(), StoreError> {
        Ok(side_effects::delete_of_user(transaction, self.database.tables(), user_id).await?)
    }

    async fn write_once(&self, effects: &SideEffects, earlier: EarlierAttempts) -> Result<bool, AttemptError> {
        let transaction = self.database.begin().await?;
        match side_effects::make(&transaction, self.database.tables(), effects, earlier).await {
            Ok(made @ (Made::Before | Made::Unusable)) => {
                transaction.rollback().await?;
                Ok(made == Made::Before)
            }
            outcome => Ok(self.database.end(transaction, outcome).await? == Made::Now),
        }
    }
}

#[async_trait]
impl OneTimeTokenStore for SeaOneTimeTokenStore {
    async fn write(&self, effects: SideEffects) -> Result<bool, StoreError> {
        let (store, effects) = (self.clone(), Arc::new(effects));
        self.database
            .write(move |earlier| {
                let (store, effects) = (store.clone(), Arc::clone(&effects));
                async move { store.write_once(&effects, earlier).await }
            })
            .await
    }

    async fn find(
        &self,
        digest: OneTimeTokenDigest,
        at: OffsetDateTime,
    ) -> Result<Option<StoredOneTimeToken>, StoreError> {
        let at = instant::to_micros(at)?;
        let row = self.database.look_up(&self.by_digest, Key::Text(one_time_tokens::hex(digest))).await?;
        let Some(row) = row else { return Ok(None) };
        let row = one_time_tokens::Model::from_query_result(&row, "").map_err(AttemptError::from)?;
        if row.is_open(at) { row.into_stored().map(Some) } else { Ok(None) }
    }

    async fn find_latest(
        &self,
        sent_to: &Email,
        purpose: OneTimeTokenPurpose,
        at: OffsetDateTime,
    ) -> Result<Option<StoredOneTimeToken>, StoreError> {
        let query = latest_query(self.database.tables(), sent_to, purpose, instant::to_micros(at)?);
        let connection = self.database.statements();
        let row = self.database.read(async move { Ok(query.one(&connection).await?) }).await?;
        row.map(one_time_tokens::Model::into_stored).transpose()
    }

    async fn open_tokens(&self, user_id: UserId, at: OffsetDateTime) -> Result<Vec<StoredOneTimeToken>, StoreError> {
        let query = open_query(self.database.tables(), user_id, instant::to_micros(at)?);
        let connection = self.database.statements();
        let rows = self.database.read(async move { Ok(query.all(&connection).await?) }).await?;
        rows.into_iter().map(one_time_tokens::Model::into_stored).collect()
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

fn open(tables: &Tables, at: i64) -> Select<Entity> {
    let open = tables.find::<Entity>().filter(Column::UsedAt.is_null()).filter(Column::ExpiresAt.gt(at));
    open.order_by_desc(Column::CreatedAt).order_by_desc(Column::Id)
}

/// Returns the query for the open token with a code that was sent to an address last, by way of the index on the address.
fn latest_query(tables: &Tables, sent_to: &Email, purpose: OneTimeTokenPurpose, at: i64) -> Select<Entity> {
    open(tables, at)
        .filter(Column::SentToKey.eq(sent_to.key()))
        .filter(Column::Purpose.eq(purpose.as_str()))
        .filter(Column::CodeHash.is_not_null())
        .limit(1)
}

/// Returns the query for the open tokens of a user, by way of the index on the user.
fn open_query(tables: &Tables, user_id: UserId, at: i64) -> Select<Entity> {
    open(tables, at).filter(Column::UserId.eq(user_id.as_uuid())).limit(u64::from(MAX_OPEN_TOKENS))
}

/// Returns the query for the ids of at most `limit` expired tokens, by way of the index on their expiry.
fn expired_query(tables: &Tables, before: i64, limit: u64) -> Select<Entity> {
    tables
        .find::<Entity>()
        .select_only()
        .column(Column::Id)
        .filter(Column::ExpiresAt.lt(before))
        .order_by_asc(Column::ExpiresAt)
        .limit(limit)
}

/// The expiry of a token never changes, so what has expired stays so.
fn deletion(tables: &Tables, ids: Vec<Uuid>) -> DeleteMany<Entity> {
    tables.delete_many::<Entity>().filter(Expr::col(Column::Id).is_in(ids))
}

#[cfg(test)]
mod plans;
