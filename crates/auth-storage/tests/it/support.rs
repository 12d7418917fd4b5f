//! An open database with its tables, and values to put into them.

use auth_core::blacklist::{RevocationReason, RevocationTarget};
use auth_core::{
    ChangeUserError, Claims, Email, Generation, NewUser, PasswordHash, Revocation, StoreError, TokenId, UserId,
    UserRevocation, Username,
};
use auth_storage::{ConnectOptions, Database, SeaRevocationLog, SeaUserStore, connect};
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use sea_orm::{ConnectionTrait as _, QueryResult, Statement};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use tokio::time::Instant;

/// How long a database that works again may take until calls do.
const HEALING: std::time::Duration = std::time::Duration::from_secs(30);

pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-23 11:20 UTC);

/// The database, the users and the log in it.
pub(crate) async fn open(database: &TestDatabase) -> (Database, SeaUserStore, SeaRevocationLog) {
    open_with(database, ConnectOptions::default()).await
}

pub(crate) async fn open_with(
    database: &TestDatabase,
    options: ConnectOptions,
) -> (Database, SeaUserStore, SeaRevocationLog) {
    let database = connect(database.url(), options).await.unwrap();
    auth_migrations::up(database.connection()).await.unwrap();
    (database.clone(), SeaUserStore::new(database.clone()), SeaRevocationLog::new(database))
}

pub(crate) fn new_user(name: &str) -> NewUser {
    NewUser {
        id: UserId::generate(NOW).unwrap(),
        email: Email::parse(&format!("{name}@example.org")).unwrap(),
        username: Username::parse(name).unwrap(),
        email_verified: false,
        password_hash: PasswordHash::new("$2b$04$a-hash".to_owned()),
        admin: false,
        registered_on: NOW,
    }
}

pub(crate) fn claims() -> Claims {
    Claims {
        user_id: UserId::generate(NOW).unwrap(),
        token_id: TokenId::generate().unwrap(),
        session_id: None,
        issued_at: NOW,
        expires_at: NOW + Duration::DAY,
        generation: Generation::default(),
        admin: false,
        key_id: None,
        grants: None,
    }
}

/// Repeats a call until it succeeds, for as long as something may take to heal.
pub(crate) async fn heals<T>(mut call: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
    let deadline = Instant::now() + HEALING;
    loop {
        match call().await {
            Ok(value) => return value,
            Err(error) => assert!(Instant::now() < deadline, "it does not heal: {error:?}"),
        }
    }
}

/// A logout of a token that nobody else has.
pub(crate) fn logout() -> Revocation {
    Revocation {
        target: RevocationTarget::Token(TokenId::generate().unwrap()),
        expires_at: NOW + Duration::DAY,
        revoked_at: NOW,
        reason: RevocationReason::Logout,
    }
}

pub(crate) fn everywhere(id: UserId, below: Generation) -> Revocation {
    revoke_all().entry(id, below)
}

/// The data of [`everywhere`] for `UserStore::change_and_revoke`.
pub(crate) fn revoke_all() -> UserRevocation {
    UserRevocation { expires_at: NOW + Duration::days(91), revoked_at: NOW, reason: RevocationReason::LogoutEverywhere }
}

/// The result of a change that sets no unique key.
pub(crate) fn of_store<T>(result: Result<T, ChangeUserError>) -> Result<T, StoreError> {
    result.map_err(|error| match error {
        ChangeUserError::Store(error) => error,
        taken => panic!("{taken:?}"),
    })
}

pub(crate) async fn execute(database: &Database, sql: &str) {
    database.statements().execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

pub(crate) async fn query(database: &Database, sql: &str) -> Vec<QueryResult> {
    let backend = database.statements().get_database_backend();
    let rows = database.statements().query_all_raw(Statement::from_string(backend, sql.to_owned())).await;
    rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

pub(crate) async fn number(database: &Database, sql: &str) -> i64 {
    query(database, sql).await[0].try_get_by_index(0).unwrap()
}

/// A UUID as this database spells it.
pub(crate) fn uuid_literal(kind: TestDatabaseKind, id: uuid::Uuid) -> String {
    match kind {
        TestDatabaseKind::Postgres => format!("'{id}'"),
        _ => format!("x'{}'", id.simple()),
    }
}
