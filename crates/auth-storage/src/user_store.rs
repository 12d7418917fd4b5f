//! The store of users.

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::{
    ChangeUserError, Email, InsertUserError, NewUser, PasswordHash, ProfileChange, Revocation, SideEffects, StoreError,
    StoreErrorKind, StoredCredentials, User, UserChange, UserId, UserRevocation, UserStore, Username,
};
use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _,
    Select,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::connect::{Database, EarlierAttempts, Key, LookUp};
use crate::entity::users::{self, Column};
use crate::error::{AttemptError, violated_key};
use crate::instant;
use crate::tables::{self, Tables};

mod deletion;
mod insertion;
mod profile;
mod revoking;

use profile::Changed;
use revoking::Outcome;

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
    user_by_username: LookUp,
}

impl UserLookUps {
    fn new(database: &Database) -> Self {
        let backend = database.connection().get_database_backend();
        let by_id = || database.tables().find::<users::Entity>().filter(Column::Id.eq(Uuid::nil()));
        let by_email = || database.tables().find::<users::Entity>().filter(Column::EmailKey.eq(""));
        let by_username = || database.tables().find::<users::Entity>().filter(Column::UsernameKey.eq(""));
        let look_up = |query: Select<users::Entity>| LookUp::new(query.build(backend));
        Self {
            user_by_id: look_up(by_id().select_only().columns(users::USER)),
            credentials_by_id: look_up(by_id().select_only().columns(users::CREDENTIALS)),
            credentials_by_email: look_up(by_email().select_only().columns(users::CREDENTIALS)),
            user_by_username: look_up(by_username().select_only().columns(users::USER)),
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

    /// Moves the time of the last login forward.
    async fn record_login_once(&self, id: UserId, at: i64) -> Result<(), AttemptError> {
        let update = self.database.tables().move_forward::<users::Entity>(Column::LastLoginAt, at);
        let update = update.filter(Column::Id.eq(id.as_uuid()));
        update.exec(&self.database.statements()).await?;
        Ok(())
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

/// The unique key that a write collided with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Email,
    Username,
}

impl Taken {
    /// Returns the key of users that another row has, if that is the error. The names of constraints have the prefix of the table;
    /// SQLite names the column.
    fn of(error: &DbErr) -> Option<Self> {
        let key = violated_key(error)?;
        let is =
            |column: &str| key.ends_with(&format!("users_{column}_unique")) || key.ends_with(&format!(".{column}"));
        if is("email_key") {
            Some(Self::Email)
        } else if is("username_key") {
            Some(Self::Username)
        } else {
            None
        }
    }
}

impl From<Taken> for InsertUserError {
    fn from(taken: Taken) -> Self {
        match taken {
            Taken::Email => Self::EmailTaken,
            Taken::Username => Self::UsernameTaken,
        }
    }
}

impl From<Taken> for ChangeUserError {
    fn from(taken: Taken) -> Self {
        match taken {
            Taken::Email => Self::EmailTaken,
            Taken::Username => Self::UsernameTaken,
        }
    }
}

#[async_trait]
impl UserStore for SeaUserStore {
    async fn insert(&self, new: NewUser, effects: SideEffects) -> Result<User, InsertUserError> {
        let user = users::Model::of_new_user(&new)?.into_user()?;
        let new = Arc::new((new, effects));
        let inserted = self.write(move |store, earlier| {
            let new = Arc::clone(&new);
            async move { store.insert_once(&new.0, &new.1, earlier).await }
        });
        inserted.await??;
        Ok(user)
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

    async fn find_by_username(&self, username: &Username) -> Result<Option<User>, StoreError> {
        let key = Key::Text(username.key().to_owned());
        let row = self.database.look_up(&self.look_ups.user_by_username, key).await?;
        row.as_ref().map(users::user_of).transpose()
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

    async fn record_login(&self, id: UserId, at: OffsetDateTime) -> Result<(), StoreError> {
        let at = instant::to_micros(at)?;
        self.write(move |store, _| async move { store.record_login_once(id, at).await }).await
    }

    async fn change(
        &self,
        id: UserId,
        change: ProfileChange,
        effects: SideEffects,
    ) -> Result<Option<User>, ChangeUserError> {
        let change = Arc::new((change, effects));
        let changed = self.write(move |store, earlier| {
            let change = Arc::clone(&change);
            async move { store.change_once(id, &change.0, &change.1, earlier).await }
        });
        match changed.await? {
            Changed::Made(user) => Ok(Some(user)),
            Changed::Refused => Ok(None),
            Changed::Taken(taken) => Err(taken.into()),
            Changed::TooManyRoles => Err(ChangeUserError::TooManyRoles),
        }
    }

    async fn change_and_revoke(
        &self,
        id: UserId,
        change: UserChange,
        revocation: UserRevocation,
        effects: SideEffects,
    ) -> Result<Option<(User, Revocation)>, ChangeUserError> {
        let change = Arc::new((change, effects));
        // The generation is read first, and the change is made only if it is still the same. A change that loses this race
        // lost it to another change that was made, so the loop ends.
        loop {
            let Some(stored) = self.find_credentials_by_id(id).await? else { return Ok(None) };
            if !revoking::applies(&change.0, &stored) {
                return Ok(None);
            }
            let User { generation, roles, .. } = stored.user;
            let below = generation.next();
            if below == generation {
                let error = StoreError::new(StoreErrorKind::Internal, "the generation cannot be raised any further");
                return Err(error.into());
            }
            let (revocation, change) = (revocation.entry(id, below), Arc::clone(&change));
            let outcome = self.write(move |store, earlier| {
                let (change, roles) = (Arc::clone(&change), roles.clone());
                async move {
                    let (what, effects) = &*change;
                    let change = revoking::Change { id, what, effects, roles: &roles, below, revocation };
                    store.revoke_once(change, earlier).await
                }
            });
            match outcome.await? {
                Outcome::Made(user) => return Ok(Some((user, revocation))),
                Outcome::Raced => {}
                Outcome::Refused => return Ok(None),
                Outcome::EmailTaken => return Err(ChangeUserError::EmailTaken),
            }
        }
    }

    async fn delete(&self, id: UserId, revocation: UserRevocation) -> Result<Option<Revocation>, StoreError> {
        self.write(move |store, earlier| async move { store.delete_once(id, revocation, earlier).await }).await
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
