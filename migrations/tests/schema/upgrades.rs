//! Databases of earlier revisions. `tests/fixtures` holds one at each state of the migrations, written by the servers of that time
//! and dumped with each engine's own tool.

use auth_migrations::{Migrations, Removed, down, is_current, status, up};
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use auth_testing::on_every_database;
use sea_orm_migration::sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};

use crate::support::{applied, count, execute, open};

on_every_database!(
    every_earlier_state_is_upgraded_without_loss_and_taken_back,
    a_server_of_an_earlier_revision_finds_what_it_looks_for_after_the_upgrade,
    a_database_of_an_earlier_revision_is_found_before_it_is_migrated,
    the_keys_of_an_earlier_revision_are_good_enough,
    a_database_with_sessions_and_personal_tokens_is_upgraded_without_loss,
    a_personal_token_of_before_the_roles_has_none,
);

/// The tables, and how many rows the fixtures have in each.
const TABLES: [(&str, i64); 4] = [("users", 3), ("blacklist", 2), ("blacklist_head", 1), ("attempts", 4)];

/// How many of [`TABLES`] there are at each state.
const AT_STATE: [usize; 4] = [1, 3, 3, 4];

async fn every_earlier_state_is_upgraded_without_loss_and_taken_back(database: TestDatabase) {
    let db = open(&database).await;
    for state in 1..=4 {
        load(&db, &fixture(database.kind(), state)).await;
        assert_eq!(applied(&db).await, state);

        let layout = up(&db).await.unwrap();

        assert_eq!(layout.prefix(), "", "the tables keep their names");
        assert!(is_current(&db).await.unwrap());
        for (table, rows) in &TABLES[..AT_STATE[state - 1]] {
            assert_eq!(count(&db, table).await.unwrap(), *rows, "{table} of state {state}");
        }
        up(&db).await.unwrap();
        let removals = Migrations::new().removals(&db, u32::MAX).await.unwrap();
        assert!(removals.iter().all(|removal| !matches!(removal.what, Removed::NotOurs(_))), "{removals:?}");
        let all = applied(&db).await;
        down(&db, 1).await.unwrap();
        assert_eq!(applied(&db).await, all - 1);
        down(&db, u32::MAX).await.unwrap();
        for (table, _) in TABLES {
            assert!(count(&db, table).await.is_err(), "{table} is still there");
        }
        assert_eq!(count(&db, "seaql_migrations").await.unwrap(), 0, "it may be another application's too");
        assert_eq!(up(&db).await.unwrap().prefix(), "auth_", "a new database");
        down(&db, u32::MAX).await.unwrap();
        execute(&db, "DROP TABLE seaql_migrations").await;
    }
}

async fn a_server_of_an_earlier_revision_finds_what_it_looks_for_after_the_upgrade(database: TestDatabase) {
    let db = open(&database).await;
    load(&db, &fixture(database.kind(), 4)).await;
    execute(&db, "INSERT INTO seaql_migrations VALUES ('m20220101_000001_create_cake', 7)").await;
    up(&db).await.unwrap();
    assert_eq!(count(&db, "seaql_migrations").await.unwrap(), 5, "its rows, no newer ones, and those of others");
    assert_eq!(count(&db, "auth_migrations").await.unwrap(), i64::try_from(status(&db).await.unwrap().len()).unwrap());
}

async fn a_database_of_an_earlier_revision_is_found_before_it_is_migrated(database: TestDatabase) {
    let db = open(&database).await;
    load(&db, &fixture(database.kind(), 4)).await;
    assert!(!is_current(&db).await.unwrap());
    assert_eq!(applied(&db).await, 4);
    assert_eq!(Migrations::new().layout(&db).await.unwrap().table("users"), "users");
    assert!(count(&db, "auth_migrations").await.is_err(), "looking writes nothing");
}

async fn the_keys_of_an_earlier_revision_are_good_enough(database: TestDatabase) {
    let db = open(&database).await;
    let (now, then) = match database.kind() {
        TestDatabaseKind::Sqlite => (r#"UNIQUE ("expires_at", "token_id")"#, r#"UNIQUE ("token_id")"#),
        TestDatabaseKind::Postgres => ("UNIQUE (expires_at, token_id)", "UNIQUE (token_id)"),
        TestDatabaseKind::MySql => ("(`expires_at`,`token_id`)", "(`token_id`)"),
    };
    let current = fixture(database.kind(), 4);
    let earlier = current.replace(now, then);
    assert_ne!(earlier, current);
    load(&db, &earlier).await;
    up(&db).await.unwrap();
    assert!(is_current(&db).await.unwrap());
    assert_eq!(count(&db, "blacklist").await.unwrap(), 2);
}

async fn a_database_with_sessions_and_personal_tokens_is_upgraded_without_loss(database: TestDatabase) {
    let db = open(&database).await;
    load(&db, &fixture(database.kind(), 12)).await;
    assert_eq!(applied(&db).await, 12);
    let layout = up(&db).await.unwrap();
    assert_eq!(layout.prefix(), "auth_");
    assert!(is_current(&db).await.unwrap());
    for (table, rows) in [
        ("users", 3),
        ("sessions", 9),
        ("blacklist", 3),
        ("blacklist_head", 1),
        ("attempts", 1),
        ("clients", 1),
        ("personal_tokens", 2),
    ] {
        assert_eq!(count(&db, &format!("auth_{table}")).await.unwrap(), rows, "{table}");
    }
    down(&db, u32::MAX).await.unwrap();
    assert!(count(&db, "auth_users").await.is_err());
}

async fn a_personal_token_of_before_the_roles_has_none(database: TestDatabase) {
    let db = open(&database).await;
    up(&db).await.unwrap();
    down(&db, 1).await.unwrap();
    let id = match database.kind() {
        TestDatabaseKind::Postgres => "'01935a1e-8c00-7def-8123-456789abcdef'",
        TestDatabaseKind::Sqlite | TestDatabaseKind::MySql => "X'01935a1e8c007def8123456789abcdef'",
    };
    let columns = "id, digest, user_id, name, scopes, generation, created_at, expires_at";
    let values = format!("{id}, 'digest', {id}, 'backup', 'orders:read admin', 3, 1, 2");
    execute(&db, &format!("INSERT INTO auth_personal_tokens ({columns}) VALUES ({values})")).await;
    up(&db).await.unwrap();
    assert!(is_current(&db).await.unwrap());
    let query = "SELECT scopes, roles FROM auth_personal_tokens".to_owned();
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), query)).await.unwrap().unwrap();
    let names: (String, String) = (row.try_get("", "scopes").unwrap(), row.try_get("", "roles").unwrap());
    assert_eq!(names, ("orders:read admin".to_owned(), String::new()));
}

fn fixture(kind: TestDatabaseKind, state: usize) -> String {
    let folder = match kind {
        TestDatabaseKind::Sqlite => "sqlite",
        TestDatabaseKind::Postgres => "postgres",
        TestDatabaseKind::MySql => "mysql",
    };
    let path = format!("{}/tests/fixtures/{folder}/{state:06}.sql", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

async fn load(db: &DatabaseConnection, dump: &str) {
    for statement in dump.split(";\n").filter(|statement| !statement.trim().is_empty()) {
        execute(db, statement).await;
    }
}
