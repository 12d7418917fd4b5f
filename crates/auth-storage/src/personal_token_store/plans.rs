//! What the databases say they would do: every statement on personal tokens goes through an index, however many there are.

use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use auth_testing::on_every_database;
use sea_orm::ConnectionTrait as _;
use time::Duration;
use time::macros::datetime;
use uuid::Uuid;

use super::*;
use crate::connect::{ConnectOptions, connect};
use crate::query_plan::{plan, reads_all};

on_every_database!(no_statement_reads_all_personal_tokens);

const NOW: OffsetDateTime = datetime!(2026-11-27 11:20 UTC);
const TOKENS: usize = 5_000;
const BY_USER: &str = "personal_tokens_user_id";
const BY_EXPIRY: &str = "personal_tokens_expires_at";

async fn no_statement_reads_all_personal_tokens(test: TestDatabase) {
    let database = connect(test.url(), ConnectOptions::default()).await.unwrap();
    auth_migrations::up(database.connection()).await.unwrap();
    let (tables, connection) = (database.tables(), database.connection());
    let all: Vec<_> = (0..TOKENS).map(token).collect();
    for chunk in all.chunks(500) {
        let rows = chunk.iter().map(|stored| personal_tokens::row_of(stored).unwrap());
        tables.insert_many::<Entity>(rows).exec_without_returning(connection).await.unwrap();
    }
    let statistics =
        if test.kind() == TestDatabaseKind::MySql { "ANALYZE TABLE auth_personal_tokens" } else { "ANALYZE" };
    connection.execute_unprepared(statistics).await.unwrap();

    let backend = connection.get_database_backend();
    let stored = &all[TOKENS / 2];
    let PersonalToken { user_id, generation, .. } = stored.token;
    let micros = |after: Duration| instant::to_micros(NOW + after).unwrap();
    let by_digest = tables.find::<Entity>().filter(Column::Digest.eq(hex(stored.digest)));
    let by_unique_key =
        if test.kind() == TestDatabaseKind::Sqlite { "sqlite_autoindex" } else { "personal_tokens_digest_unique" };
    let ids = all[..5].iter().map(|stored| stored.token.id.as_uuid()).collect();
    for (what, statement, index) in [
        ("a token", by_digest.build(backend), by_unique_key),
        ("those of a user", live_query(tables, user_id, generation, micros(Duration::ZERO)).build(backend), BY_USER),
        ("what has expired", expired_query(tables, micros(Duration::seconds(50)), 500).build(backend), BY_EXPIRY),
        ("its deletion", deletion(tables, ids).build(backend), ""),
    ] {
        let plan = plan(&database, statement).await;
        assert!(plan.iter().all(|step| !reads_all(test.kind(), "personal_tokens", step)), "{what}: {plan:#?}");
        assert!(plan.iter().any(|step| step.contains(index)), "{what} does not use {index}: {plan:#?}");
    }
    // That a scan would be seen: a column without an index.
    let scan = tables.find::<Entity>().filter(Column::Generation.eq(1)).build(backend);
    let plan = plan(&database, scan).await;
    assert!(plan.iter().any(|step| reads_all(test.kind(), "personal_tokens", step)), "{plan:#?}");
}

/// Returns a token that lives for as many seconds as its number says. Every user has ten.
fn token(number: usize) -> StoredPersonalToken {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&(number as u64).to_be_bytes());
    StoredPersonalToken {
        token: PersonalToken {
            id: PersonalTokenId::generate().unwrap(),
            user_id: UserId::from(Uuid::from_u128((number / 10) as u128)),
            name: "backup".parse().unwrap(),
            scopes: "".parse().unwrap(),
            roles: "".parse().unwrap(),
            generation: Generation::default(),
            created_at: NOW,
            expires_at: NOW + Duration::seconds(i64::try_from(number).unwrap()),
            last_used_at: None,
        },
        digest: PersonalTokenDigest(digest),
    }
}
