//! The store of users.

use async_trait::async_trait;
use auth_core::{
    Email, Generation, InsertUserError, NewUser, PasswordHash, Revocation, StoreError, StoreErrorKind, StoredCredentials,
    User, UserChange, UserId, UserStore,
};
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, SimpleExpr};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use crate::connect::Database;
use crate::entity::users::{self, Column};
use crate::error::{Trouble, violated_key};
use crate::instant;
use crate::revocation_log::Turn;

/// Users in a SQL database. Its contract is that of [`UserStore`].
#[derive(Debug, Clone)]
pub struct SeaUserStore {
    database: Database,
}

impl SeaUserStore {
    /// The users in this database, whose tables `auth-migrations` made.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Inserts and lets the unique keys decide.
    async fn insert_once(&self, row: &users::Model) -> Result<Result<(), Taken>, Trouble> {
        let connection = self.database.connection();
        let insertion = users::Entity::insert(row.clone().into_active()).exec_without_returning(connection).await;
        let Err(error) = insertion else { return Ok(Ok(())) };
        let key = violated_key(&error).unwrap_or_default();
        if key.contains("email_key") {
            return Ok(Err(Taken::Email));
        }
        if key.contains("username_key") {
            // Which of two violated keys a database reports first is its own business; we report the address.
            let same_address = users::Entity::find().filter(Column::EmailKey.eq(&row.email_key));
            let both = same_address.count(connection).await? > 0;
            return Ok(Err(if both { Taken::Email } else { Taken::Username }));
        }
        Err(error.into())
    }

    async fn update_once(&self, id: UserId, column: Column, value: SimpleExpr) -> Result<Option<users::Model>, Trouble> {
        let connection = self.database.connection();
        let update = users::Entity::update_many().col_expr(column, value).filter(Column::Id.eq(id.as_uuid()));
        update.exec(connection).await?;
        row_of(id, connection).await
    }

    async fn change_once(
        &self,
        id: UserId,
        change: &UserChange,
        revocation: &(dyn Fn(Generation) -> Revocation + Send + Sync),
    ) -> Result<Option<(User, Revocation)>, Trouble> {
        let transaction = self.database.begin().await?;
        let turn = Turn::take(&transaction, 1).await?;
        let update = users::Entity::update_many()
            .col_expr(Column::TokenGeneration, Expr::col(Column::TokenGeneration).add(1))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::TokenGeneration.lt(i64::from(u32::MAX)));
        let update = match change {
            UserChange::LogoutEverywhere => update,
            UserChange::Demote => update.col_expr(Column::Admin, Expr::value(false)),
            UserChange::Disable(at) => {
                // Disabled twice is disabled since the first time.
                let since = Func::coalesce([Expr::col(Column::DisabledAt), Expr::value(instant::to_micros(*at)?)]);
                update.col_expr(Column::DisabledAt, since.into())
            }
            UserChange::Password(hash) => update.col_expr(Column::PasswordHash, Expr::value(hash.expose_hash())),
            _ => return Err(internal("a change that this store does not know")),
        };
        let updated = update.exec(&transaction).await?.rows_affected;
        let Some(row) = row_of(id, &transaction).await? else { return Ok(None) };
        if updated == 0 {
            return Err(internal("the generation cannot be raised any further"));
        }
        let user = row.into_user()?;
        let revocation = revocation(user.generation);
        turn.write(&[revocation]).await?;
        transaction.commit().await?;
        Ok(Some((user, revocation)))
    }

    async fn replace_hash_once(
        &self,
        id: UserId,
        current: &PasswordHash,
        replacement: &PasswordHash,
    ) -> Result<bool, Trouble> {
        let update = users::Entity::update_many()
            .col_expr(Column::PasswordHash, Expr::value(replacement.expose_hash()))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::PasswordHash.eq(current.expose_hash()));
        Ok(update.exec(self.database.connection()).await?.rows_affected == 1)
    }
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
        match self.database.write(|| self.insert_once(&row)).await? {
            Ok(()) => Ok(row.into_user()?),
            Err(Taken::Email) => Err(InsertUserError::EmailTaken),
            Err(Taken::Username) => Err(InsertUserError::UsernameTaken),
        }
    }

    async fn find_by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let row = self.database.read(row_of(id, self.database.connection())).await?;
        row.map(users::Model::into_user).transpose()
    }

    async fn find_credentials(&self, email: &Email) -> Result<Option<StoredCredentials>, StoreError> {
        let query = users::Entity::find().filter(Column::EmailKey.eq(email.key()));
        let row = self.database.read(async { Ok(query.one(self.database.connection()).await?) }).await?;
        row.map(users::Model::into_credentials).transpose()
    }

    async fn list(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        let mut query = users::Entity::find().order_by_asc(Column::Id).limit(u64::from(limit));
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(after.as_uuid()));
        }
        let rows = self.database.read(async { Ok(query.all(self.database.connection()).await?) }).await?;
        rows.into_iter().map(users::Model::into_user).collect()
    }

    async fn promote(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let row = self.database.write(|| self.update_once(id, Column::Admin, Expr::value(true))).await?;
        row.map(users::Model::into_user).transpose()
    }

    async fn enable(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let never = || Expr::value(None::<i64>);
        let row = self.database.write(|| self.update_once(id, Column::DisabledAt, never())).await?;
        row.map(users::Model::into_user).transpose()
    }

    async fn change_and_revoke(
        &self,
        id: UserId,
        change: UserChange,
        revocation: &(dyn Fn(Generation) -> Revocation + Send + Sync),
    ) -> Result<Option<(User, Revocation)>, StoreError> {
        self.database.write(|| self.change_once(id, &change, revocation)).await
    }

    async fn replace_hash(
        &self,
        id: UserId,
        current: &PasswordHash,
        replacement: &PasswordHash,
    ) -> Result<bool, StoreError> {
        self.database.write(|| self.replace_hash_once(id, current, replacement)).await
    }
}

async fn row_of(id: UserId, connection: &impl ConnectionTrait) -> Result<Option<users::Model>, Trouble> {
    Ok(users::Entity::find_by_id(id.as_uuid()).one(connection).await?)
}

fn internal(what: &'static str) -> Trouble {
    StoreError::new(StoreErrorKind::Internal, what).into()
}
