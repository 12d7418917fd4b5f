//! What the databases say they would do: every statement on letters goes through an index, however many wait.

use auth_core::letters::{LetterKind, LetterSecret};
use auth_core::{Email, Language, Letter, OneTimeToken, Username};
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use auth_testing::on_every_database;
use time::Duration;
use time::macros::datetime;

use super::*;
use crate::connect::{ConnectOptions, connect};
use crate::entity::letters::row_of;
use crate::query_plan::{plan, reads_all};

on_every_database!(no_statement_reads_all_letters);

const NOW: OffsetDateTime = datetime!(2026-11-23 11:20 UTC);
const LETTERS: usize = 5_000;
const BY_DUE_TIME: &str = "letters_due_at";
const BY_USER: &str = "letters_user_id";

async fn no_statement_reads_all_letters(test: TestDatabase) {
    let database = connect(test.url(), ConnectOptions::default()).await.unwrap();
    auth_migrations::up(database.connection()).await.unwrap();
    let (tables, connection) = (database.tables(), database.connection());
    let all: Vec<_> = (0..LETTERS).map(letter).collect();
    for chunk in all.chunks(500) {
        let rows = chunk.iter().map(|letter| row_of(letter).unwrap());
        tables.insert_many::<Entity>(rows).exec_without_returning(connection).await.unwrap();
    }
    let statistics = if test.kind() == TestDatabaseKind::MySql { "ANALYZE TABLE auth_letters" } else { "ANALYZE" };
    connection.execute_unprepared(statistics).await.unwrap();

    let backend = connection.get_database_backend();
    let (id, user_id) = (all[LETTERS / 2].id.as_uuid(), all[LETTERS / 2].user_id);
    let ids = all[..8].iter().map(|letter| letter.id.as_uuid()).collect();
    let micros = |after: Duration| instant::to_micros(NOW + after).unwrap();
    let lease = Lease { id: Uuid::from_u128(7), now: micros(Duration::HOUR), until: micros(2 * Duration::HOUR) };
    for (what, statement, index) in [
        ("what is due", due_query(tables, micros(Duration::seconds(50)), 20).build(backend), BY_DUE_TIME),
        ("a lease", leasing(tables, ids, lease).build(backend), ""),
        ("the letters of a lease", leased_query(tables, lease).build(backend), BY_DUE_TIME),
        ("a removal", deletion(tables, id, lease.id).build(backend), ""),
        ("a delay", delaying(tables, id, lease.id, lease.until).build(backend), ""),
        ("the queue", queue_query(tables, 20).build(backend), BY_DUE_TIME),
        ("the letters of a user", user_query(tables, user_id).build(backend), BY_USER),
    ] {
        let plan = plan(&database, statement).await;
        let reads_all = |step: &String| {
            // An index in the order of the due time is read to the limit, and no further.
            let is_by_limit = what == "the queue" && step.contains(BY_DUE_TIME);
            !is_by_limit && reads_all(test.kind(), "letters", step)
        };
        assert!(!plan.iter().any(reads_all), "{what}: {plan:#?}");
        assert!(plan.iter().any(|step| step.contains(index)), "{what} does not use {index}: {plan:#?}");
    }
    // That a scan would be seen: a column without an index.
    let scan = tables.find::<Entity>().filter(Column::Attempts.eq(7)).build(backend);
    let plan = plan(&database, scan).await;
    assert!(plan.iter().any(|step| reads_all(test.kind(), "letters", step)), "{plan:#?}");
}

/// Returns a letter that is due after as many seconds as its number says. Every user has ten.
fn letter(number: usize) -> Letter {
    let created_at = NOW + Duration::seconds(i64::try_from(number).unwrap());
    Letter {
        id: LetterId::generate().unwrap(),
        kind: LetterKind::ResetPassword,
        user_id: UserId::from(Uuid::from_u128((number / 10) as u128)),
        to: Some(Email::parse("ada@example.org").unwrap()),
        username: Username::parse("ada").unwrap(),
        secret: Some(LetterSecret {
            token: OneTimeToken::generate().unwrap(),
            code: None,
            expires_at: created_at + Duration::HOUR,
        }),
        language: Language::default(),
        created_at,
    }
}
