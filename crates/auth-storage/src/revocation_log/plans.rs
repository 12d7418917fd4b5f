//! What the databases say they would do: every statement on the log goes through an index, however long the log is.

use auth_core::blacklist::{RevocationReason, RevocationTarget};
use auth_core::{Generation, TokenId, UserId};
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use auth_testing::on_every_database;
use time::Duration;
use time::macros::datetime;

use super::writer::targets;
use super::*;
use crate::connect::{ConnectOptions, connect};
use crate::query_plan::{plan, reads_all};

on_every_database!(no_statement_reads_the_whole_log);

const NOW: OffsetDateTime = datetime!(2026-11-23 11:20 UTC);
const LIVE: usize = 10_000;
const EXPIRED: usize = 100;
const BY_EXPIRY: &str = "blacklist_expires_at_token_id_unique";
const BY_USER: &str = "blacklist_user_id_generation_unique";

async fn no_statement_reads_the_whole_log(test: TestDatabase) {
    let database = connect(test.url(), ConnectOptions::default()).await.unwrap();
    auth_migrations::up(database.connection()).await.unwrap();
    let tables = database.tables();
    let log = SeaRevocationLog::new(database.clone());
    let entries: Vec<_> = (0..LIVE + EXPIRED)
        .map(|number| Revocation {
            target: match number % 10 {
                0 => RevocationTarget::User { id: UserId::generate(NOW).unwrap(), below: Generation::new(1) },
                _ => RevocationTarget::Token(TokenId::generate().unwrap()),
            },
            expires_at: NOW + Duration::seconds(i64::try_from(number).unwrap()),
            revoked_at: NOW,
            reason: RevocationReason::Logout,
        })
        .collect();
    log.append(&entries).await.unwrap();
    let statistics =
        if test.kind() == TestDatabaseKind::MySql { "ANALYZE TABLE auth_blacklist, auth_users" } else { "ANALYZE" };
    database.connection().execute_unprepared(statistics).await.unwrap();

    let backend = database.connection().get_database_backend();
    let expired = instant::to_micros(NOW + Duration::seconds(i64::try_from(EXPIRED).unwrap())).unwrap();
    // A token that is in the log: MySQL looks it up while it plans, and has nothing left to plan for one that is not.
    let RevocationTarget::Token(token_id) = entries[1].target else { panic!("no token") };
    let expires_at = entries[1].expires_at;
    let claims = Claims {
        user_id: UserId::generate(NOW).unwrap(),
        token_id: TokenId::generate().unwrap(),
        session_id: None,
        issued_at: NOW,
        expires_at: NOW,
        generation: Generation::default(),
        admin: false,
        key_id: None,
        grants: None,
    };
    let known = |batch: &[Revocation], kind: usize| {
        tables.find::<blacklist::Entity>().filter(targets(batch).unwrap()[kind].clone()).build(backend)
    };
    for (what, statement, index) in [
        ("the expired", expired_query(tables, expired, 500).build(backend), BY_EXPIRY),
        ("their deletion", deletion(tables, (1..=50).collect()).build(backend), ""),
        ("a page", page_query(tables, Position(5000), 100, database.primary_check()).build(backend), ""),
        (
            "a look-up of a token",
            backend.build(
                &covers_query(
                    tables,
                    &Claims { token_id, expires_at, ..claims.clone() },
                    None,
                    database.primary_check(),
                )
                .unwrap(),
            ),
            BY_EXPIRY,
        ),
        (
            "a look-up of a user",
            backend.build(&covers_query(tables, &claims, None, database.primary_check()).unwrap()),
            BY_USER,
        ),
        ("known tokens", known(&entries[..8], 0), BY_EXPIRY),
        ("the known tokens of a large batch", known(&entries[..CHUNK], 0), BY_EXPIRY),
        ("known users", known(&entries[..20], 1), BY_USER),
        ("the known users of a large batch", known(&entries[..CHUNK], 1), BY_USER),
    ] {
        let plan = plan(&database, statement).await;
        assert!(plan.iter().all(|step| !reads_all(test.kind(), "blacklist", step)), "{what}: {plan:#?}");
        // SQLite names the index of a UNIQUE constraint by itself.
        if test.kind() != TestDatabaseKind::Sqlite || index == "blacklist_expires_at" {
            assert!(plan.iter().any(|step| step.contains(index)), "{what} does not use {index}: {plan:#?}");
        }
    }
    // What is sorted is the page, not all that comes after it.
    if test.kind() == TestDatabaseKind::Postgres {
        let plan =
            plan(&database, page_query(tables, Position(5000), 100, database.primary_check()).build(backend)).await;
        let of = |node| plan.iter().position(|step| step.contains(node)).unwrap_or(usize::MAX);
        assert!(of("Limit") < of("Index Scan using auth_blacklist_pkey"), "{plan:#?}");
        assert!(of("Sort") < of("Limit") || of("Sort") == usize::MAX, "{plan:#?}");
    }
    // That a scan would be seen: a column without an index.
    let scan = tables.find::<blacklist::Entity>().filter(blacklist::Column::RevokedAt.eq(0)).build(backend);
    let plan = plan(&database, scan).await;
    assert!(plan.iter().any(|step| reads_all(test.kind(), "blacklist", step)), "{plan:#?}");
}
