//! What the databases say they would do: every statement on one-time tokens goes through an index, however many there are.

use auth_core::recovery::{EndTokens, OneTimeTokenId, Redemption};
use auth_core::{OneTimeToken, PasswordHash};
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use auth_testing::on_every_database;
use sea_orm::ConnectionTrait as _;
use time::Duration;
use time::macros::datetime;

use super::*;
use crate::connect::{ConnectOptions, connect};
use crate::query_plan::{plan, reads_all};
use crate::tables;

on_every_database!(no_statement_reads_all_tokens);

const NOW: OffsetDateTime = datetime!(2026-11-23 11:20 UTC);
const TOKENS: usize = 5_000;
const BY_USER: &str = "one_time_tokens_user_id";
const BY_ADDRESS: &str = "one_time_tokens_sent_to_key";
const BY_EXPIRY: &str = "one_time_tokens_expires_at";

async fn no_statement_reads_all_tokens(test: TestDatabase) {
    let database = connect(test.url(), ConnectOptions::default()).await.unwrap();
    auth_migrations::up(database.connection()).await.unwrap();
    let (tables, connection) = (database.tables(), database.connection());
    let all: Vec<_> = (0..TOKENS).map(token).collect();
    for chunk in all.chunks(500) {
        let rows = chunk.iter().map(|token| one_time_tokens::row_of(token).unwrap());
        tables.insert_many::<Entity>(rows).exec_without_returning(connection).await.unwrap();
    }
    let statistics =
        if test.kind() == TestDatabaseKind::MySql { "ANALYZE TABLE auth_one_time_tokens" } else { "ANALYZE" };
    connection.execute_unprepared(statistics).await.unwrap();

    let backend = connection.get_database_backend();
    let StoredOneTimeToken { id, digest, user_id, purpose, .. } = all[TOKENS / 2].clone();
    let email = all[TOKENS / 2].sent_to.clone().unwrap();
    let micros = |after: Duration| instant::to_micros(NOW + after).unwrap();
    let by_digest = tables.find::<Entity>().filter(Column::Digest.eq(one_time_tokens::hex(digest)));
    let redemption = Redemption { token: id, at: NOW, nonce: Uuid::from_u128(7) };
    let by_id = tables.find::<Entity>().filter(Column::Id.eq(id.as_uuid()));
    let row = tables::unique(by_id, connection).await.unwrap().unwrap();
    let end = EndTokens { user_id, purposes: vec![purpose], at: NOW };
    let ids = all[..8].iter().map(|token| token.id.as_uuid()).collect();
    for (what, statement, index) in [
        ("a token", by_digest.build(backend), "digest"),
        ("the latest", latest_query(tables, &email, purpose, micros(Duration::ZERO)).build(backend), BY_ADDRESS),
        ("those of a user", open_query(tables, user_id, micros(Duration::ZERO)).build(backend), BY_USER),
        ("what has expired", expired_query(tables, micros(Duration::seconds(50)), 500).build(backend), BY_EXPIRY),
        ("its deletion", deletion(tables, ids).build(backend), ""),
        ("a use", side_effects::redeeming(tables, redemption).unwrap().build(backend), ""),
        ("its siblings", side_effects::ending_siblings(tables, &row, 0).build(backend), BY_USER),
        ("an end", side_effects::ending(tables, &end).unwrap().build(backend), BY_USER),
        ("a reservation", side_effects::reservation_query(tables, &email, user_id).build(backend), BY_ADDRESS),
    ] {
        let plan = plan(&database, statement).await;
        assert!(plan.iter().all(|step| !reads_all(test.kind(), "one_time_tokens", step)), "{what}: {plan:#?}");
        assert!(plan.iter().any(|step| step.contains(index)), "{what} does not use {index}: {plan:#?}");
    }
    // That a scan would be seen: a column without an index.
    let scan = tables.find::<Entity>().filter(Column::UsedAt.eq(0)).build(backend);
    let plan = plan(&database, scan).await;
    assert!(plan.iter().any(|step| reads_all(test.kind(), "one_time_tokens", step)), "{plan:#?}");
}

/// Returns a token that lives as many seconds as its number says. Every user and every address have ten.
fn token(number: usize) -> StoredOneTimeToken {
    StoredOneTimeToken {
        id: OneTimeTokenId::generate().unwrap(),
        digest: OneTimeToken::generate().unwrap().digest(),
        code_hash: Some(PasswordHash::new("$2b$04$a-hash".to_owned())),
        purpose: OneTimeTokenPurpose::ResetPassword,
        user_id: UserId::from(Uuid::from_u128((number / 10) as u128)),
        sent_to: Some(Email::parse(&format!("user{}@example.org", number / 10)).unwrap()),
        created_at: NOW,
        expires_at: NOW + Duration::seconds(i64::try_from(number).unwrap()),
    }
}
