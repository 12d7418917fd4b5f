//! A row of `users`.

use std::fmt;

use auth_core::{
    Email, Generation, NewUser, PasswordHash, Roles, StoreError, StoredCredentials, User, UserId, Username,
};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{QueryResult, TryGetable};

use crate::error::AttemptError;
use crate::instant;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) email: String,
    pub(crate) email_key: String,
    pub(crate) username: String,
    pub(crate) username_key: String,
    pub(crate) password_hash: String,
    pub(crate) admin: bool,
    pub(crate) token_generation: i64,
    pub(crate) disabled_at: Option<i64>,
    pub(crate) registered_on: i64,
    pub(crate) email_verified: bool,
    pub(crate) last_login_at: Option<i64>,
    /// Names of the roles, with a blank between two.
    pub(crate) roles: String,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("users::Model").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The columns of a [`User`], as [`user_of`] reads them.
pub(crate) const USER: [Column; 10] = [
    Column::Id,
    Column::Email,
    Column::Username,
    Column::Admin,
    Column::TokenGeneration,
    Column::DisabledAt,
    Column::RegisteredOn,
    Column::EmailVerified,
    Column::LastLoginAt,
    Column::Roles,
];

/// The columns of [`StoredCredentials`], as [`credentials_of`] reads them: those of [`USER`] and the hash.
pub(crate) const CREDENTIALS: [Column; 11] = {
    let [id, email, username, admin, generation, disabled_at, registered_on, email_verified, last_login_at, roles] =
        USER;
    [
        id,
        email,
        username,
        admin,
        generation,
        disabled_at,
        registered_on,
        email_verified,
        last_login_at,
        roles,
        Column::PasswordHash,
    ]
};

/// Returns the user in a row with the columns of [`USER`], and maybe others after them.
pub(crate) fn user_of(row: &QueryResult) -> Result<User, StoreError> {
    let stored = StoredUser {
        id: column(row, 0)?,
        email: column(row, 1)?,
        username: column(row, 2)?,
        admin: column(row, 3)?,
        token_generation: column(row, 4)?,
        disabled_at: column(row, 5)?,
        registered_on: column(row, 6)?,
        email_verified: column(row, 7)?,
        last_login_at: column(row, 8)?,
        roles: column(row, 9)?,
    };
    stored.parse()
}

/// Returns the user and the hash in a row with the columns of [`CREDENTIALS`].
pub(crate) fn credentials_of(row: &QueryResult) -> Result<StoredCredentials, StoreError> {
    Ok(StoredCredentials { user: user_of(row)?, password_hash: PasswordHash::new(column(row, USER.len())?) })
}

fn column<T: TryGetable>(row: &QueryResult, index: usize) -> Result<T, StoreError> {
    Ok(row.try_get_by_index(index).map_err(AttemptError::from)?)
}

/// The values of a user as the database has them.
struct StoredUser {
    id: Uuid,
    email: String,
    username: String,
    admin: bool,
    token_generation: i64,
    disabled_at: Option<i64>,
    registered_on: i64,
    email_verified: bool,
    last_login_at: Option<i64>,
    roles: String,
}

impl StoredUser {
    fn parse(self) -> Result<User, StoreError> {
        let id = UserId::from(self.id);
        let corrupt = |what: &'static str| StoreError::corrupt(CorruptUser { id, what });
        let instant = |micros: i64, what| instant::from_micros(micros).ok_or_else(|| corrupt(what));
        Ok(User {
            id,
            email: Email::parse(&self.email).map_err(|_| corrupt("email"))?,
            username: Username::from_stored(&self.username).map_err(|_| corrupt("username"))?,
            email_verified: self.email_verified,
            admin: self.admin,
            roles: self.roles.parse::<Roles>().map_err(|_| corrupt("roles"))?,
            generation: u32::try_from(self.token_generation)
                .map(Generation::new)
                .map_err(|_| corrupt("token_generation"))?,
            disabled_at: self.disabled_at.map(|at| instant(at, "disabled_at")).transpose()?,
            registered_on: instant(self.registered_on, "registered_on")?,
            last_login_at: self.last_login_at.map(|at| instant(at, "last_login_at")).transpose()?,
        })
    }
}

impl Model {
    /// The row of a new user.
    pub(crate) fn of_new_user(new: &NewUser) -> Result<Self, StoreError> {
        Ok(Self {
            id: new.id.as_uuid(),
            email: new.email.as_str().to_owned(),
            email_key: new.email.key().to_owned(),
            username: new.username.as_str().to_owned(),
            username_key: new.username.key().to_owned(),
            password_hash: new.password_hash.expose_hash().to_owned(),
            admin: new.admin,
            token_generation: 0,
            disabled_at: None,
            registered_on: instant::to_micros(new.registered_on)?,
            email_verified: new.email_verified,
            last_login_at: None,
            roles: String::new(),
        })
    }

    pub(crate) fn into_active(self) -> ActiveModel {
        ActiveModel {
            id: Set(self.id),
            email: Set(self.email),
            email_key: Set(self.email_key),
            username: Set(self.username),
            username_key: Set(self.username_key),
            password_hash: Set(self.password_hash),
            admin: Set(self.admin),
            token_generation: Set(self.token_generation),
            disabled_at: Set(self.disabled_at),
            registered_on: Set(self.registered_on),
            email_verified: Set(self.email_verified),
            last_login_at: Set(self.last_login_at),
            roles: Set(self.roles),
        }
    }

    /// The user without the hash.
    pub(crate) fn into_user(self) -> Result<User, StoreError> {
        let stored = StoredUser {
            id: self.id,
            email: self.email,
            username: self.username,
            admin: self.admin,
            token_generation: self.token_generation,
            disabled_at: self.disabled_at,
            registered_on: self.registered_on,
            email_verified: self.email_verified,
            last_login_at: self.last_login_at,
            roles: self.roles,
        };
        stored.parse()
    }
}

/// Which row and column is wrong; the value itself may be anything and is not repeated.
#[derive(Debug, thiserror::Error)]
#[error("the column {what} of user {id} holds no valid value")]
struct CorruptUser {
    id: UserId,
    what: &'static str,
}
