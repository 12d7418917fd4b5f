//! A `UserStore` over the table of an old application, with SeaORM, and the log of revocations that goes with it.

use async_trait::async_trait;
use auth_core::{
    AuthService, Context, Email, Generation, InsertUserError, NewAccount, NewUser, PasswordHash, RegisterError,
    RegisterOutcome, Revocation, StoreError, StoreErrorKind, StoredCredentials, User, UserChange, UserId,
    UserRevocation, UserStore, Username,
};
use auth_storage::{Database, DatabaseKind, SeaRevocationLog, Statements, UserTable, store_error, violated_key};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::SimpleExpr;
use sea_orm::{QueryOrder as _, QuerySelect as _};
use time::OffsetDateTime;

/// What the old table lacks: a public id, the keys that make addresses and names unique, and two columns of state.
fn added(kind: DatabaseKind) -> [String; 8] {
    // A public id has the type that SeaORM gives a UUID. MySQL compares texts without regard to case and accents unless it is
    // told otherwise, and the keys have to be compared byte by byte.
    let (uuid, key) = match kind {
        DatabaseKind::Postgres => ("UUID", "VARCHAR(254)"),
        DatabaseKind::MySql => ("BINARY(16)", "VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"),
        _ => ("BLOB", "TEXT"),
    };
    [
        format!("ALTER TABLE members ADD COLUMN public_id {uuid}"),
        format!("ALTER TABLE members ADD COLUMN mail_key {key}"),
        format!("ALTER TABLE members ADD COLUMN nick_key {key}"),
        "ALTER TABLE members ADD COLUMN generation BIGINT NOT NULL DEFAULT 0".to_owned(),
        "ALTER TABLE members ADD COLUMN barred BIGINT".to_owned(),
        "CREATE UNIQUE INDEX members_public_id ON members (public_id)".to_owned(),
        "CREATE UNIQUE INDEX members_mail_key ON members (mail_key)".to_owned(),
        "CREATE UNIQUE INDEX members_nick_key ON members (nick_key)".to_owned(),
    ]
}

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

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "members")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) number: i64,
        pub(crate) mail: String,
        pub(crate) nick: String,
        pub(crate) secret: String,
        pub(crate) staff: bool,
        pub(crate) language: String,
        pub(crate) newsletter: bool,
        /// Microseconds since 1970.
        pub(crate) joined: i64,
        pub(crate) public_id: Option<Uuid>,
        pub(crate) mail_key: Option<String>,
        pub(crate) nick_key: Option<String>,
        pub(crate) generation: i64,
        /// Microseconds since 1970.
        pub(crate) barred: Option<i64>,
    }

    #[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    // SeaORM wants one; it must not show the secret.
    impl std::fmt::Debug for Model {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("members").field("number", &self.number).finish_non_exhaustive()
        }
    }
}

use row::{ActiveModel, Column, Entity, Model};

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

    /// Runs a call on a connection to its end, also when whoever asked goes away: a driver must not be dropped in the middle of
    /// a statement.
    async fn call<T, F>(&self, call: impl FnOnce(Statements) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DbErr>> + Send + 'static,
    {
        self.database.run(call(self.database.statements())).await?.map_err(store_error)
    }

    /// The profile of a member.
    pub(crate) async fn profile(&self, id: UserId) -> Result<Option<Profile>, StoreError> {
        let row = self.row(id).await?;
        Ok(row.map(|row| Profile { language: row.language, newsletter: row.newsletter }))
    }

    async fn row(&self, id: UserId) -> Result<Option<Model>, StoreError> {
        self.call(move |statements| async move { row_of(id, &statements).await }).await
    }

    async fn update(&self, id: UserId, column: Column, value: SimpleExpr) -> Result<Option<User>, StoreError> {
        let update = Entity::update_many().col_expr(column, value).filter(Column::PublicId.eq(id.as_uuid()));
        self.call(|statements| async move { update.exec(&statements).await }).await?;
        self.find_by_id(id).await
    }

    /// Makes the change and appends the revocation in one transaction, if the member is still as `user` says.
    async fn change_once(
        self,
        user: User,
        change: UserChange,
        below: Generation,
        revocation: Revocation,
    ) -> Result<Option<User>, StoreError> {
        let transaction = self.database.begin_write().await?;
        // The log first: its head is the lock that all writers take in one order.
        self.log().append_within(&transaction, &[revocation]).await?;
        let update = Entity::update_many()
            .col_expr(Column::Generation, Expr::value(below.number()))
            .filter(Column::PublicId.eq(user.id.as_uuid()))
            .filter(Column::Generation.eq(user.generation.number()));
        let update = match &change {
            UserChange::LogoutEverywhere => update,
            UserChange::Demote => update.col_expr(Column::Staff, Expr::value(false)),
            UserChange::Disable(at) => {
                let since = micros(user.disabled_at.unwrap_or(*at));
                update.col_expr(Column::Barred, Expr::value(since))
            }
            UserChange::Password(hash) => update.col_expr(Column::Secret, Expr::value(hash.expose_hash())),
            UserChange::PasswordFrom { current, new } => update
                .col_expr(Column::Secret, Expr::value(new.expose_hash()))
                .filter(Column::Secret.eq(current.expose_hash())),
            _ => return Err(StoreError::new(StoreErrorKind::Internal, "a change that this store does not know")),
        };
        // If somebody else changed the member meanwhile, nothing is written: dropping a transaction undoes it.
        if update.exec(&transaction).await.map_err(store_error)?.rows_affected != 1 {
            return Ok(None);
        }
        // Before the commit: after it somebody else may have changed the member again.
        let row = row_of(user.id, &transaction).await.map_err(store_error)?;
        let user = row.map(Model::into_user).transpose()?;
        transaction.commit().await.map_err(store_error)?;
        Ok(user)
    }
}

#[async_trait]
impl UserStore for Members {
    async fn insert(&self, new: NewUser) -> Result<User, InsertUserError> {
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
        };
        // The unique keys decide. Which of two it reports first is the database's business; we report the address.
        let statements = self.database.statements();
        let insertion = async move { Entity::insert(row).exec_without_returning(&statements).await };
        if let Err(error) = self.database.run(insertion).await? {
            return Err(match violated_key(&error) {
                Some(key) if key.ends_with("mail_key") => InsertUserError::EmailTaken,
                Some(key) if key.ends_with("nick_key") => match self.find_credentials(&new.email).await? {
                    Some(_) => InsertUserError::EmailTaken,
                    None => InsertUserError::UsernameTaken,
                },
                _ => store_error(error).into(),
            });
        }
        let stored = self.find_by_id(new.id).await?;
        stored.ok_or_else(|| StoreError::new(StoreErrorKind::Internal, "the new member is gone").into())
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

    async fn change_and_revoke(
        &self,
        id: UserId,
        change: UserChange,
        revocation: UserRevocation,
    ) -> Result<Option<(User, Revocation)>, StoreError> {
        loop {
            let Some(row) = self.row(id).await? else { return Ok(None) };
            if matches!(&change, UserChange::PasswordFrom { current, .. } if current.expose_hash() != row.secret) {
                return Ok(None);
            }
            let user = row.into_user()?;
            let below = user.generation.next();
            let revocation = revocation.entry(id, below);
            let attempt = self.clone().change_once(user, change.clone(), below, revocation);
            if let Some(user) = self.database.run(attempt).await?? {
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

impl Model {
    fn into_user(self) -> Result<User, StoreError> {
        let corrupt = |column: &'static str| StoreError::corrupt(format!("members.{column} of {}", self.number));
        let instant = |micros, column| instant(micros).ok_or_else(|| corrupt(column));
        Ok(User {
            id: self.public_id.ok_or_else(|| corrupt("public_id"))?.into(),
            email: Email::parse(&self.mail).map_err(|_| corrupt("mail"))?,
            username: Username::from_stored(&self.nick).map_err(|_| corrupt("nick"))?,
            admin: self.staff,
            generation: u32::try_from(self.generation).map(Generation::new).map_err(|_| corrupt("generation"))?,
            disabled_at: self.barred.map(|at| instant(at, "barred")).transpose()?,
            registered_on: instant(self.joined, "joined")?,
        })
    }
}

fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

fn instant(micros: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok()
}
