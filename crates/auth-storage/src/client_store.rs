//! The store of clients.

use async_trait::async_trait;
use auth_core::clients::{Client, ClientStore, SecretRotation};
use auth_core::{ClientId, Generation, Revocation, StoreError, StoreErrorKind, UserId, UserRevocation};
use sea_orm::sea_query::{Expr, Func};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, FromQueryResult as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::connect::{Database, EarlierAttempts, Key, LookUp, WriteTransaction};
use crate::entity::clients::{self, Column, hex};
use crate::error::AttemptError;
use crate::instant;
use crate::revocation_log::LogWriter;
use crate::tables::{self, Tables};

/// Clients in a SQL database. Its contract is that of [`ClientStore`].
#[derive(Debug, Clone)]
pub struct SeaClientStore {
    database: Database,
    by_id: LookUp,
}

impl SeaClientStore {
    /// Returns the store of the clients in this database, whose tables `auth-migrations` made.
    #[must_use]
    pub fn new(database: Database) -> Self {
        let by_id = database.tables().find::<clients::Entity>().filter(Column::Id.eq(Uuid::nil()));
        let by_id = LookUp::new(by_id.build(database.connection().get_database_backend()));
        Self { database, by_id }
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

    async fn insert_once(&self, new: &Client, earlier: EarlierAttempts) -> Result<(), AttemptError> {
        let (tables, connection) = (self.database.tables(), &self.database.statements());
        let insertion = tables.insert_many::<clients::Entity>([clients::row_of(new)?]);
        match insertion.exec_without_returning(connection).await {
            Ok(_) => Ok(()),
            // The id is random, so only the earlier attempt can have taken it.
            Err(_) if earlier == EarlierAttempts::Unknown && row_of(new.id, tables, connection).await?.is_some() => {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn rotate_once(
        &self,
        id: ClientId,
        rotation: SecretRotation,
        earlier: EarlierAttempts,
    ) -> Result<bool, AttemptError> {
        let (tables, connection) = (self.database.tables(), &self.database.statements());
        let until = rotation.replaced_until.map(instant::to_micros).transpose()?;
        let update = tables
            .update_many::<clients::Entity>()
            .col_expr(Column::PreviousSecret, Expr::value(until.map(|_| hex(rotation.replaced))))
            .col_expr(Column::PreviousUntil, Expr::value(until))
            .col_expr(Column::Secret, Expr::value(hex(rotation.replacement)))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::Secret.eq(hex(rotation.replaced)));
        if update.exec(connection).await?.rows_affected == 1 {
            return Ok(true);
        }
        if earlier != EarlierAttempts::Unknown {
            return Ok(false);
        }
        // A secret is random: a row that has the new one was written by the earlier attempt.
        Ok(row_of(id, tables, connection).await?.is_some_and(|row| row.secret == hex(rotation.replacement)))
    }

    /// Disables a client if its generation is still the one before `below`, and appends the entry. Returns `None` if another change
    /// came between.
    async fn disable_once(
        &self,
        id: ClientId,
        at: i64,
        below: Generation,
        entry: Revocation,
        earlier: EarlierAttempts,
    ) -> Result<Option<Client>, AttemptError> {
        let transaction = self.database.begin().await?;
        let outcome = disable_within(&transaction, self.database.tables(), id, at, below, entry, earlier).await;
        self.database.end_if(Option::is_some, transaction, outcome).await
    }

    async fn enable_once(&self, id: ClientId) -> Result<Option<clients::Model>, AttemptError> {
        let (tables, connection) = (self.database.tables(), &self.database.statements());
        let update = tables
            .update_many::<clients::Entity>()
            .col_expr(Column::DisabledAt, Expr::value(None::<i64>))
            .filter(Column::Id.eq(id.as_uuid()));
        update.exec(connection).await?;
        row_of(id, tables, connection).await
    }

    /// Moves the time of the last use forward.
    async fn record_use_once(&self, id: ClientId, at: i64) -> Result<(), AttemptError> {
        let update = self.database.tables().move_forward::<clients::Entity>(Column::LastUsedAt, at);
        let update = update.filter(Column::Id.eq(id.as_uuid()));
        update.exec(&self.database.statements()).await?;
        Ok(())
    }
}

#[async_trait]
impl ClientStore for SeaClientStore {
    async fn insert(&self, new: Client) -> Result<(), StoreError> {
        self.write(move |store, earlier| {
            let new = new.clone();
            async move { store.insert_once(&new, earlier).await }
        })
        .await
    }

    async fn find(&self, id: ClientId) -> Result<Option<Client>, StoreError> {
        let Some(row) = self.database.look_up(&self.by_id, Key::Id(id.as_uuid())).await? else { return Ok(None) };
        let row = clients::Model::from_query_result(&row, "").map_err(AttemptError::from)?;
        row.into_client().map(Some)
    }

    async fn list(&self, after: Option<ClientId>, limit: u32) -> Result<Vec<Client>, StoreError> {
        let connection = self.database.statements();
        let mut query =
            self.database.tables().find::<clients::Entity>().order_by_asc(Column::Id).limit(u64::from(limit));
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(after.as_uuid()));
        }
        let rows = self.database.read(async move { Ok(query.all(&connection).await?) }).await?;
        rows.into_iter().map(clients::Model::into_client).collect()
    }

    async fn rotate_secret(&self, id: ClientId, rotation: SecretRotation) -> Result<bool, StoreError> {
        self.write(move |store, earlier| async move { store.rotate_once(id, rotation, earlier).await }).await
    }

    async fn disable(
        &self,
        id: ClientId,
        at: OffsetDateTime,
        revocation: UserRevocation,
    ) -> Result<Option<(Client, Revocation)>, StoreError> {
        let at = instant::to_micros(at)?;
        // The generation is read first, and the change is made only if it is still the same. A change that loses this race lost it
        // to another change that was made, so the loop ends.
        loop {
            let Some(client) = self.find(id).await? else { return Ok(None) };
            let below = client.generation.next();
            if below == client.generation {
                return Err(StoreError::new(StoreErrorKind::Internal, "the generation cannot be raised any further"));
            }
            let entry = revocation.entry(UserId::from(id.as_uuid()), below);
            let disabled = self
                .write(move |store, earlier| async move { store.disable_once(id, at, below, entry, earlier).await });
            if let Some(client) = disabled.await? {
                return Ok(Some((client, entry)));
            }
        }
    }

    async fn enable(&self, id: ClientId) -> Result<Option<Client>, StoreError> {
        let row = self.write(move |store, _| async move { store.enable_once(id).await }).await?;
        row.map(clients::Model::into_client).transpose()
    }

    async fn record_use(&self, id: ClientId, at: OffsetDateTime) -> Result<(), StoreError> {
        let at = instant::to_micros(at)?;
        self.write(move |store, _| async move { store.record_use_once(id, at).await }).await
    }
}

async fn disable_within(
    transaction: &WriteTransaction,
    tables: &Tables,
    id: ClientId,
    at: i64,
    below: Generation,
    entry: Revocation,
    earlier: EarlierAttempts,
) -> Result<Option<Client>, AttemptError> {
    let log = LogWriter::lock(transaction, tables, 1).await?;
    let number = i64::from(below.number());
    // Disabled twice is disabled since the first time.
    let since = Func::coalesce([Expr::col(Column::DisabledAt), Expr::value(at)]);
    let update = tables
        .update_many::<clients::Entity>()
        .col_expr(Column::Generation, Expr::value(number))
        .col_expr(Column::DisabledAt, since.into())
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::Generation.eq(number - 1));
    let is_raced = update.exec(transaction).await?.rows_affected == 0;
    // Unless the earlier attempt was committed. Somebody else may have raised the generation since then.
    if is_raced && (earlier == EarlierAttempts::RolledBack || !log.holds(&entry).await?) {
        return Ok(None);
    }
    log.append(&[entry]).await?;
    let row = row_of(id, tables, transaction).await?;
    let client = row.map(clients::Model::into_client).transpose()?;
    Ok(client.map(|client| Client { generation: below, ..client }))
}

async fn row_of(
    id: ClientId,
    tables: &Tables,
    connection: &impl ConnectionTrait,
) -> Result<Option<clients::Model>, AttemptError> {
    Ok(tables::unique(tables.find::<clients::Entity>().filter(Column::Id.eq(id.as_uuid())), connection).await?)
}
