//! A row of the old table, and what is added to it.

use auth_core::{Email, Generation, Roles, StoreError, User, Username};
use auth_storage::DatabaseKind;
use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

/// What the old table lacks: a public id, the keys that make addresses and names unique, and four columns of state.
pub(crate) fn added(kind: DatabaseKind) -> [String; 10] {
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
        "ALTER TABLE members ADD COLUMN verified BOOLEAN NOT NULL DEFAULT FALSE".to_owned(),
        "ALTER TABLE members ADD COLUMN seen BIGINT".to_owned(),
        "CREATE UNIQUE INDEX members_public_id ON members (public_id)".to_owned(),
        "CREATE UNIQUE INDEX members_mail_key ON members (mail_key)".to_owned(),
        "CREATE UNIQUE INDEX members_nick_key ON members (nick_key)".to_owned(),
    ]
}

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
    pub(crate) verified: bool,
    /// Microseconds since 1970.
    pub(crate) seen: Option<i64>,
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

impl Model {
    pub(crate) fn into_user(self) -> Result<User, StoreError> {
        let corrupt = |column: &'static str| StoreError::corrupt(format!("members.{column} of {}", self.number));
        let instant = |micros, column| instant(micros).ok_or_else(|| corrupt(column));
        Ok(User {
            id: self.public_id.ok_or_else(|| corrupt("public_id"))?.into(),
            email: Email::parse(&self.mail).map_err(|_| corrupt("mail"))?,
            username: Username::from_stored(&self.nick).map_err(|_| corrupt("nick"))?,
            email_verified: self.verified,
            admin: self.staff,
            roles: Roles::default(),
            generation: u32::try_from(self.generation).map(Generation::new).map_err(|_| corrupt("generation"))?,
            disabled_at: self.barred.map(|at| instant(at, "barred")).transpose()?,
            registered_on: instant(self.joined, "joined")?,
            last_login_at: self.seen.map(|at| instant(at, "seen")).transpose()?,
        })
    }
}

pub(crate) fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

pub(crate) fn instant(micros: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok()
}
