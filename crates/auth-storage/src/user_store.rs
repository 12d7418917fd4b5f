//! The store of users.

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::{
    Email, Generation, InsertUserError, NewUser, PasswordHash, Revocation, StoreError, StoreErrorKind,
    StoredCredentials, User, UserChange, UserId, UserRevocation, UserStore,
};
use sea_orm::sea_query::{Expr, Func, SimpleExpr};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _, Select,
};
use uuid::Uuid;

use crate::connect::{Database, EarlierAttempts, Key, LookUp, WriteTransaction};
use crate::entity::users::{self, Column};
use crate::error::{AttemptError, violated_key};
use crate::instant;
use crate::revocation_log::LogWriter;
use crate::tables::{self, Tables};

/// Users in a SQL database. Its contract is that of [`UserStore`]. Instants are kept to the microsecond; what is finer is cut
/// off.
#[derive(Debug, Clone)]
pub struct SeaUserStore {
    database: Database,
    look_ups: Arc<UserLookUps>,
}

/// The look-ups of users in one database.
#[derive(Debug)]
struct UserLookUps {
    user_by_id: LookUp,
    credentials_by_id: LookUp,
    credentials_by_email: LookUp,
}

impl UserLookUps {
    fn new(database: &Database) -> Self {
        let backend = database.connection().get_database_backend();
        let by_id = || database.tables().find::<users::Entity>().filter(Column::Id.eq(Uuid::nil()));
        let by_email = || database.tables().find::<users::Entity>().filter(Column::EmailKey.eq(""));
        let look_up = |query: Select<users::Entity>| LookUp::new(query.build(backend));
        Self {
            user_by_id: look_up(by_id().select_only().columns(users::USER)),
            credentials_by_id: look_up(by_id().select_only().columns(users::CREDENTIALS)),
            credentials_by_email: look_up(by_email().select_only().columns(users::CREDENTIALS)),
        }
    }
}

impl SeaUserStore {
    /// The users in this database, whose tables `auth-migrations` made.
    #[must_use]
    pub fn new(database: Database) -> Self {
        let look_ups = Arc::new(UserLookUps::new(&database));
        Self { database, look_ups }
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

    async fn find_credentials_by_id(&self, id: UserId) -> Result<Option<StoredCredentials>, StoreError> {
        let row = self.database.look_up(&self.look_ups.credentials_by_id, Key::Id(id.as_uuid())).await?;
        row.as_ref().map(users::credentials_of).transpose()
    }

    /// Inserts and lets the unique keys decide. A key that an earlier attempt took is not taken by anybody else.
    async fn insert_once(
        &self,
        row: &users::Model,
        earlier: EarlierAttempts,
    ) -> Result<Result<(), Taken>, AttemptError> {
        let (tables, connection) = (self.database.tables(), &self.database.statements());
        let insertion = tables.insert_many::<users::Entity>([row.clone().into_active()]);
        let insertion = insertion.exec_without_returning(connection).await;
        let Err(error) = insertion else { return Ok(Ok(())) };
        let Some(key) = violated_key(&error) else { return Err(error.into()) };
        // The names of constraints have the prefix of the table; SQLite names the column.
        let is =
            |column: &str| key.ends_with(&format!("users_{column}_unique")) || key.ends_with(&format!(".{column}"));
        if earlier == EarlierAttempts::Unknown && is_made(row, tables, connection).await? {
            return Ok(Ok(()));
        }
        if is("email_key") {
            return Ok(Err(Taken::Email));
        }
        if is("username_key") {
            // Which of two violated keys a database reports first is its own business; we report the address.
            let same_address = tables.find::<users::Entity>().filter(Column::EmailKey.eq(&row.email_key));
            let both = same_address.count(connection).await? > 0;
            return Ok(Err(if both { Taken::Email } else { Taken::Username }));
        }
        Err(error.into())
    }

    async fn update(&self, id: UserId, column: Column, value: SimpleExpr) -> Result<Option<User>, StoreError> {
        let row = self
            .write(move |store, _| {
                let value = value.clone();
                async move { store.update_once(id, column, value).await }
            })
            .await?;
        row.map(users::Model::into_user).transpose()
    }

    async fn update_once(
        &self,
        id: UserId,
        column: Column,
        value: SimpleExpr,
    ) -> Result<Option<users::Model>, AttemptError> {
        let (tables, connection) = (self.database.tables(), &self.database.statements());
        let update = tables.update_many::<users::Entity>().col_expr(column, value).filter(Column::Id.eq(id.as_uuid()));
        update.exec(connection).await?;
        row_of(id, tables, connection).await
    }

    /// Makes the change if the user's generation is still the one before `below`, and appends the revocation.
    async fn change_once(
        &self,
        id: UserId,
        change: &UserChange,
        below: Generation,
        revocation: Revocation,
        earlier: EarlierAttempts,
    ) -> Result<Option<User>, AttemptError> {
        let transaction = self.database.begin().await?;
        let outcome = change_within(&transaction, self.database.tables(), id, change, below, revocation, earlier).await;
        match outcome {
            Ok(None) => {
                transaction.rollback().await?;
                Ok(None)
            }
            outcome => self.database.end(transaction, outcome).await,
        }
    }

    async fn replace_hash_once(
        &self,
        id: UserId,
        current: &PasswordHash,
        replacement: &PasswordHash,
        earlier: EarlierAttempts,
    ) -> Result<bool, AttemptError> {
        let (tables, connection) = (self.database.tables(), &self.database.statements());
        let update = tables
            .update_many::<users::Entity>()
            .col_expr(Column::PasswordHash, Expr::value(replacement.expose_hash()))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::PasswordHash.eq(current.expose_hash()));
        if update.exec(connection).await?.rows_affected == 1 {
            return Ok(true);
        }
        // A hash is salted: one that is equal was written by the earlier attempt.
        let replaced =
            row_of(id, tables, connection).await?.is_some_and(|row| row.password_hash == replacement.expose_hash());
        Ok(earlier == EarlierAttempts::Unknown && replaced)
    }
}

/// The body of [`SeaUserStore::change_once`]. `None` says that nothing was changed and nothing is to be committed.
async fn change_within(
    transaction: &WriteTransaction,
    tables: &Tables,
    id: UserId,
    change: &UserChange,
    raised: Generation,
    revocation: Revocation,
    earlier: EarlierAttempts,
) -> Result<Option<User>, AttemptError> {
    let log = LogWriter::lock(transaction, tables, 1).await?;
    let below = i64::from(raised.number());
    let update = tables
        .update_many::<users::Entity>()
        .col_expr(Column::TokenGeneration, Expr::value(below))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::TokenGeneration.eq(below - 1));
    let update = match change {
        UserChange::LogoutEverywhere => update,
        UserChange::Demote => update.col_expr(Column::Admin, Expr::value(false)),
        UserChange::Disable(at) => {
            // Disabled twice is disabled since the first time.
            let since = Func::coalesce([Expr::col(Column::DisabledAt), Expr::value(instant::to_micros(*at)?)]);
            update.col_expr(Column::DisabledAt, since.into())
        }
        UserChange::Password(new) => update.col_expr(Column::PasswordHash, Expr::value(new.expose_hash())),
        UserChange::PasswordFrom { current, new } => update
            .col_expr(Column::PasswordHash, Expr::value(new.expose_hash()))
            .filter(Column::PasswordHash.eq(current.expose_hash())),
        _ => return Err(internal("a change that this store does not know")),
    };
    if update.exec(transaction).await?.rows_affected == 0 {
        if earlier == EarlierAttempts::RolledBack || !log.holds(&revocation).await? {
            return Ok(None);
        }
        // The earlier attempt was committed. Somebody else may have raised the generation since then; the caller must not
        // take the later one for its own.
        log.append(&[revocation]).await?;
        let user = row_of(id, tables, transaction).await?.map(users::Model::into_user).transpose()?;
        return Ok(user.map(|user| User { generation: raised, ..user }));
    }
    let row = row_of(id, tables, transaction).await?.ok_or_else(|| internal("a row that was updated is gone"))?;
    let user = row.into_user()?;
    log.append(&[revocation]).await?;
    Ok(Some(user))
}

/// Which unique key a new user collided with.
enum Taken {
    Email,
    Username,
}

#[async_trait]
impl UserStore for SeaUserStore {
    async fn insert(&self, new: NewUser) -> Result<User, InsertUserError> {
        let row = users::Model::of_new_user(&new)?;
        let user = row.clone().into_user()?;
        match self
            .write(move |store, earlier| {
                let row = row.clone();
                async move { store.insert_once(&row, earlier).await }
            })
            .await?
        {
            Ok(()) => Ok(user),
            Err(Taken::Email) => Err(InsertUserError::EmailTaken),
            Err(Taken::Username) => Err(InsertUserError::UsernameTaken),
        }
    }

    async fn find_by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let row = self.database.look_up(&self.look_ups.user_by_id, Key::Id(id.as_uuid())).await?;
        row.as_ref().map(users::user_of).transpose()
    }

    async fn find_credentials(&self, email: &Email) -> Result<Option<StoredCredentials>, StoreError> {
        let key = Key::Text(email.key().to_owned());
        let row = self.database.look_up(&self.look_ups.credentials_by_email, key).await?;
        row.as_ref().map(users::credentials_of).transpose()
    }

    async fn list(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        let connection = self.database.statements();
        let mut query = self.database.tables().find::<users::Entity>().order_by_asc(Column::Id).limit(u64::from(limit));
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(after.as_uuid()));
        }
        let rows = self.database.read(async move { Ok(query.all(&connection).await?) }).await?;
        rows.into_iter().map(users::Model::into_user).collect()
    }

    async fn promote(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.update(id, Column::Admin, Expr::value(true)).await
    }

    async fn enable(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.update(id, Column::DisabledAt, Expr::value(None::<i64>)).await
    }

    async fn change_and_revoke(
        &self,
        id: UserId,
        change: UserChange,
        revocation: UserRevocation,
    ) -> Result<Option<(User, Revocation)>, StoreError> {
        // The generation is read first, and the change is made only if it is still the same. A change that loses this race
        // lost it to another change that was made, so the loop ends.
        loop {
            let Some(stored) = self.find_credentials_by_id(id).await? else { return Ok(None) };
            if matches!(&change, UserChange::PasswordFrom { current, .. } if *current != stored.password_hash) {
                return Ok(None);
            }
            let generation = stored.user.generation;
            let below = generation.next();
            if below == generation {
                return Err(StoreError::new(StoreErrorKind::Internal, "the generation cannot be raised any further"));
            }
            let (revocation, change) = (revocation.entry(id, below), change.clone());
            let changed = self
                .write(move |store, earlier| {
                    let change = change.clone();
                    async move { store.change_once(id, &change, below, revocation, earlier).await }
                })
                .await?;
            if let Some(user) = changed {
                return Ok(Some((user, revocation)));
            }
        }
    }

    async fn replace_hash(
        &self,
        id: UserId,
        current: &PasswordHash,
        replacement: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let hashes = (current.clone(), replacement.clone());
        self.write(move |store, earlier| {
            let (current, replacement) = hashes.clone();
            async move { store.replace_hash_once(id, &current, &replacement, earlier).await }
        })
        .await
    }
}

/// Whether this user has been inserted. The id is random, so nobody else's row has it.
async fn is_made(row: &users::Model, tables: &Tables, connection: &impl ConnectionTrait) -> Result<bool, AttemptError> {
    let found = tables::unique(tables.find::<users::Entity>().filter(Column::Id.eq(row.id)), connection).await?;
    Ok(found.is_some_and(|found| found.email_key == row.email_key && found.username_key == row.username_key))
}

async fn row_of(
    id: UserId,
    tables: &Tables,
    connection: &impl ConnectionTrait,
) -> Result<Option<users::Model>, AttemptError> {
    Ok(tables::unique(tables.find::<users::Entity>().filter(Column::Id.eq(id.as_uuid())), connection).await?)
}

fn internal(what: &'static str) -> AttemptError {
    StoreError::new(StoreErrorKind::Internal, what).into()
}
