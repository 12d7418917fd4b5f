//! A `UserStore` over the table of an old application, with SeaORM, and the stores that go with it.

use async_trait::async_trait;
use auth_core::{
    AuthService, ChangeUserError, Context, Email, InsertUserError, NewAccount, NewUser, PasswordHash, ProfileChange,
    RegisterError, RegisterOutcome, Revocation, SideEffects, StoreError, StoreErrorKind, StoredCredentials, User,
    UserChange, UserId, UserRevocation, UserStore, Username,
};
use auth_storage::{Database, SeaOneTimeTokenStore, SeaRevocationLog, Statements, UserTable, store_error};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::SimpleExpr;
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _};
use time::OffsetDateTime;

mod row;
mod transactions;

use row::{ActiveModel, Column, Entity, Model, added, instant, micros};
use transactions::{Refused, Revoked};

tokio::task_local! {
    /// What the registration under way says of the new member besides what an account has.
    static PROFILE: Profile;
}

/// The columns of the application's own that a registration fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) language: String,
    pub(crate) newsletter: bool,
}

impl Default for Profile {
    fn default() -> Self {
        Self { language: "en".to_owned(), newsletter: false }
    }
}

impl Profile {
    /// Registers a member with this profile. The service inserts the member within the task that calls it, so the store finds
    /// the profile there and writes the whole row in one statement.
    pub(crate) async fn register(
        self,
        auth: &AuthService,
        account: NewAccount,
        context: &Context,
    ) -> Result<RegisterOutcome, RegisterError> {
        PROFILE.scope(self, auth.register(account, context)).await
    }
}

/// The members of the old application.
#[derive(Debug, Clone)]
pub(crate) struct Members {
    database: Database,
}

impl Members {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// The log that goes with them, which has to know their generations.
    pub(crate) fn log(&self) -> SeaRevocationLog {
        let table = UserTable::new("members", "public_id", "generation");
        SeaRevocationLog::new(self.database.clone()).with_users(table)
    }

    /// Adds the columns, and gives every member an id and the keys. Once, with the application stopped.
    pub(crate) async fn adopt(&self) -> Result<(), Box<dyn std::error::Error>> {
        let connection = &self.database.statements();
        for statement in added(self.database.kind()) {
            connection.execute_unprepared(&statement).await?;
        }
        for row in Entity::find().all(connection).await? {
            let id = UserId::generate(instant(row.joined).ok_or("no such time")?)?;
            Entity::update_many()
                .col_expr(Column::PublicId, Expr::value(id.as_uuid()))
                .col_expr(Column::MailKey, Expr::value(Email::parse(&row.mail)?.key()))
                .col_expr(Column::NickKey, Expr::value(Username::from_stored(&row.nick)?.key()))
                .filter(Column::Number.eq(row.number))
                .exec(connection)
                .await?;
        }
        Ok(())
    }

    /// The one-time tokens, whose letters go to the outbox of the same database.
    pub(crate) fn tokens(&self) -> SeaOneTimeTokenStore {
        SeaOneTimeTokenStore::new(self.database.clone())
    }

    /// The profile of a member.
    pub(crate) async fn profile(&self, id: UserId) -> Result<Option<Profile>, StoreError> {
        let row = self.row(id).await?;
        Ok(row.map(|row| Profile { language: row.language, newsletter: row.newsletter }))
    }

    /// Runs a call on a connection to its end, also when whoever asked goes away: a driver must not be dropped in the middle of
    /// a statement.
    async fn call<T, F>(&self, call: impl FnOnce(Statements) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DbErr>> + Send + 'static,
    {
        self.database.run(call(self.database.statements())).await?.map_err(store_error)
    }

    async fn row(&self, id: UserId) -> Result<Option<Model>, StoreError> {
        self.call(move |statements| async move { row_of(id, &statements).await }).await
    }

    async fn update(&self, id: UserId, column: Column, value: SimpleExpr) -> Result<Option<User>, StoreError> {
        let update = Entity::update_many().col_expr(column, value).filter(Column::PublicId.eq(id.as_uuid()));
        self.call(|statements| async move { update.exec(&statements).await }).await?;
        self.find_by_id(id).await
    }
}

#[async_trait]
impl UserStore for Members {
    async fn insert(&self, new: NewUser, effects: SideEffects) -> Result<User, InsertUserError> {
        // A member whom an operator creates has no registration.
        let profile = PROFILE.try_with(Profile::clone).unwrap_or_default();
        let row = ActiveModel {
            number: NotSet,
            mail: Set(new.email.as_str().to_owned()),
            nick: Set(new.username.as_str().to_owned()),
            secret: Set(new.password_hash.expose_hash().to_owned()),
            staff: Set(new.admin),
            language: Set(profile.language),
            newsletter: Set(profile.newsletter),
            joined: Set(micros(new.registered_on)),
            public_id: Set(Some(new.id.as_uuid())),
            mail_key: Set(Some(new.email.key().to_owned())),
            nick_key: Set(Some(new.username.key().to_owned())),
            generation: Set(0),
            barred: Set(None),
            verified: Set(new.email_verified),
            seen: Set(None),
        };
        match self.database.run(self.clone().insert_once(row, new.clone(), effects)).await? {
            Ok(user) => Ok(user),
            // Which of two taken keys it reports first is the database's business; we report the address.
            Err(Refused::UsernameTaken) if self.is_email_taken(new.email, new.id).await? => {
                Err(InsertUserError::EmailTaken)
            }
            Err(Refused::EmailTaken) => Err(InsertUserError::EmailTaken),
            Err(Refused::UsernameTaken) => Err(InsertUserError::UsernameTaken),
            Err(Refused::Store(error)) => Err(error.into()),
        }
    }

    async fn find_by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.row(id).await?.map(Model::into_user).transpose()
    }

    async fn find_credentials(&self, email: &Email) -> Result<Option<StoredCredentials>, StoreError> {
        let query = Entity::find().filter(Column::MailKey.eq(email.key()));
        let row = self.call(|statements| async move { query.one(&statements).await }).await?;
        row.map(|row| {
            let password_hash = PasswordHash::new(row.secret.clone());
            Ok(StoredCredentials { user: row.into_user()?, password_hash })
        })
        .transpose()
    }

    async fn find_by_username(&self, username: &Username) -> Result<Option<User>, StoreError> {
        let query = Entity::find().filter(Column::NickKey.eq(username.key()));
        let row = self.call(|statements| async move { query.one(&statements).await }).await?;
        row.map(Model::into_user).transpose()
    }

    async fn list(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        let mut query = Entity::find().order_by_asc(Column::PublicId).limit(u64::from(limit));
        if let Some(after) = after {
            query = query.filter(Column::PublicId.gt(after.as_uuid()));
        }
        let rows = self.call(|statements| async move { query.all(&statements).await }).await?;
        rows.into_iter().map(Model::into_user).collect()
    }

    async fn promote(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.update(id, Column::Staff, Expr::value(true)).await
    }

    async fn enable(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.update(id, Column::Barred, Expr::value(None::<i64>)).await
    }

    async fn record_login(&self, id: UserId, at: OffsetDateTime) -> Result<(), StoreError> {
        let is_later = Condition::any().add(Column::Seen.is_null()).add(Column::Seen.lt(micros(at)));
        let update = Entity::update_many()
            .col_expr(Column::Seen, Expr::value(micros(at)))
            .filter(Column::PublicId.eq(id.as_uuid()))
            .filter(is_later);
        self.call(|statements| async move { update.exec(&statements).await }).await?;
        Ok(())
    }

    async fn change(
        &self,
        id: UserId,
        change: ProfileChange,
        effects: SideEffects,
    ) -> Result<Option<User>, ChangeUserError> {
        Ok(self.database.run(self.clone().change_once(id, change, effects)).await??)
    }

    async fn change_and_revoke(
        &self,
        id: UserId,
        change: UserChange,
        revocation: UserRevocation,
        effects: SideEffects,
    ) -> Result<Option<(User, Revocation)>, ChangeUserError> {
        loop {
            let Some(row) = self.row(id).await? else { return Ok(None) };
            let applies = match &change {
                UserChange::PasswordFrom { current, .. } => current.expose_hash() == row.secret,
                UserChange::ResetPassword { email, .. } => row.mail_key.as_deref() == Some(email.key()),
                // Members have no roles.
                UserChange::TakeRole(_) => false,
                _ => true,
            };
            if !applies {
                return Ok(None);
            }
            let user = row.into_user()?;
            let revocation = revocation.entry(id, user.generation.next());
            let attempt = self.clone().revoke_once(user, change.clone(), effects.clone(), revocation);
            match self.database.run(attempt).await?? {
                Revoked::Made(user) => return Ok(Some((user, revocation))),
                Revoked::Raced => {}
                Revoked::Unusable => return Ok(None),
            }
        }
    }

    async fn delete(&self, id: UserId, revocation: UserRevocation) -> Result<Option<Revocation>, StoreError> {
        loop {
            let Some(user) = self.find_by_id(id).await? else { return Ok(None) };
            let revocation = revocation.entry(id, user.generation.next());
            match self.database.run(self.clone().delete_once(user, revocation)).await? {
                Ok(true) => return Ok(Some(revocation)),
                Ok(false) => {}
                Err(Refused::Store(error)) => return Err(error),
                Err(_) => return Err(internal("a deletion sets no key")),
            }
        }
    }

    async fn replace_hash(
        &self,
        id: UserId,
        current: &PasswordHash,
        replacement: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let update = Entity::update_many()
            .col_expr(Column::Secret, Expr::value(replacement.expose_hash()))
            .filter(Column::PublicId.eq(id.as_uuid()))
            .filter(Column::Secret.eq(current.expose_hash()));
        let replaced = self.call(|statements| async move { update.exec(&statements).await }).await?;
        Ok(replaced.rows_affected == 1)
    }
}

async fn row_of(id: UserId, connection: &impl ConnectionTrait) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::PublicId.eq(id.as_uuid())).one(connection).await
}

fn internal(what: &'static str) -> StoreError {
    StoreError::new(StoreErrorKind::Internal, what)
}
