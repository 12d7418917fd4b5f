//! What the databases say they would do: every statement on sessions goes through an index, however many there are.

use auth_core::session::{RefreshState, RefreshToken};
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use auth_testing::on_every_database;
use time::Duration;
use time::macros::datetime;

use super::*;
use crate::connect::{ConnectOptions, connect};
use crate::query_plan::{plan, reads_all};

on_every_database!(no_statement_reads_all_sessions);

const NOW: OffsetDateTime = datetime!(2026-11-23 11:20 UTC);
const SESSIONS: usize = 5_000;
const BY_USER: &str = "sessions_user_id_last_used_at";
const BY_NEED: &str = "sessions_needed_until";

async fn no_statement_reads_all_sessions(test: TestDatabase) {
    let database = connect(test.url(), ConnectOptions::default()).await.unwrap();
    auth_migrations::up(database.connection()).await.unwrap();
    let (tables, connection) = (database.tables(), database.connection());
    let all: Vec<_> = (0..SESSIONS).map(session).collect();
    for chunk in all.chunks(500) {
        let rows = chunk.iter().map(|stored| sessions::row_of(stored).unwrap());
        tables.insert_many::<sessions::Entity>(rows).exec_without_returning(connection).await.unwrap();
    }
    let statistics = if test.kind() == TestDatabaseKind::MySql { "ANALYZE TABLE auth_sessions" } else { "ANALYZE" };
    connection.execute_unprepared(statistics).await.unwrap();

    let backend = connection.get_database_backend();
    let Session { id, user_id, generation, .. } = all[SESSIONS / 2].session;
    let micros = |after: Duration| instant::to_micros(NOW + after).unwrap();
    let by_id = tables.find::<sessions::Entity>().filter(Column::Id.eq(id.as_uuid()));
    let ids = all[..50].iter().map(|stored| stored.session.id.as_uuid()).collect();
    for (what, statement, index) in [
        ("a session", by_id.build(backend), ""),
        (
            "the list of a user",
            live_query(tables, user_id, generation, micros(Duration::ZERO), 100).build(backend),
            BY_USER,
        ),
        ("what nothing needs", unneeded_query(tables, micros(Duration::seconds(50)), 500).build(backend), BY_NEED),
        ("its deletion", deletion(tables, ids, micros(Duration::HOUR)).build(backend), ""),
    ] {
        let plan = plan(&database, statement).await;
        assert!(plan.iter().all(|step| !reads_all(test.kind(), "sessions", step)), "{what}: {plan:#?}");
        assert!(plan.iter().any(|step| step.contains(index)), "{what} does not use {index}: {plan:#?}");
    }
    // That a scan would be seen: a column without an index.
    let scan = tables.find::<sessions::Entity>().filter(Column::CreatedAt.eq(0)).build(backend);
    let plan = plan(&database, scan).await;
    assert!(plan.iter().any(|step| reads_all(test.kind(), "sessions", step)), "{plan:#?}");
}

/// Returns a session that is needed for as many seconds as its number says. Every user has ten.
fn session(number: usize) -> StoredSession {
    let first = RefreshToken::first(SessionId::generate().unwrap()).unwrap();
    let until = NOW + Duration::seconds(i64::try_from(number).unwrap());
    StoredSession {
        session: Session {
            id: first.unverified_session_id(),
            user_id: UserId::from(Uuid::from_u128((number / 10) as u128)),
            generation: Generation::default(),
            created_at: NOW,
            last_used_at: NOW,
            idle_until: until,
            ends_at: until,
            user_agent: None,
            network: None,
            ended: None,
        },
        access_expires_at: until,
        refresh: Some(RefreshState { family: first.family_digest(), current: first.own_digest(), predecessor: None }),
    }
}
