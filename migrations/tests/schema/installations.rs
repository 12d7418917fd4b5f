//! Prefixes, schemas, other applications with SeaORM's migrator, and several installations in one database.

use std::collections::HashSet;

use auth_migrations::{MigrateError, Migrations, Part, Prefix, Schema, down, is_current, status, up};
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use auth_testing::on_every_database;
use sea_orm_migration::sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};

use crate::support::{count, execute, open};

on_every_database!(
    new_tables_have_the_default_prefix,
    the_migrations_of_another_application_are_neither_read_nor_touched,
    installations_with_different_prefixes_know_nothing_of_each_other,
    only_the_parts_that_were_asked_for_are_made,
    two_installations_and_no_prefix_are_an_error,
);

mod postgres_only {
    auth_testing::on_database!(
        Postgres: a_schema_is_made_and_needs_no_search_path,
        a_schema_that_is_there_is_used_and_never_dropped,
        tables_are_found_wherever_the_search_path_leads
    );
}

mod without_schemas {
    auth_testing::on_database!(Sqlite: a_schema_is_refused_where_there_are_none);
}

fn prefix(text: &str) -> Migrations {
    Migrations::new().prefix(Prefix::parse(text).unwrap())
}

async fn new_tables_have_the_default_prefix(database: TestDatabase) {
    let db = open(&database).await;
    let layout = up(&db).await.unwrap();
    assert_eq!((layout.prefix(), layout.history().as_str()), ("auth_", "auth_migrations"));
    assert_eq!(layout.schema(), (database.kind() == TestDatabaseKind::Postgres).then_some("public"));
    for table in ["auth_users", "auth_blacklist", "auth_blacklist_head", "auth_attempts", "auth_migrations"] {
        count(&db, table).await.unwrap();
    }
    assert!(count(&db, "users").await.is_err() && count(&db, "seaql_migrations").await.is_err());
    assert_eq!(Migrations::new().layout(&db).await.unwrap(), layout);
    assert!(Migrations::from(layout).is_current(&db).await.unwrap());
}

async fn the_migrations_of_another_application_are_neither_read_nor_touched(database: TestDatabase) {
    let db = open(&database).await;
    execute(
        &db,
        "CREATE TABLE seaql_migrations (version varchar(255) NOT NULL PRIMARY KEY, applied_at bigint NOT NULL)",
    )
    .await;
    execute(&db, "INSERT INTO seaql_migrations VALUES ('m20220101_000001_create_cake', 7)").await;
    execute(&db, "CREATE TABLE users (id INT, name VARCHAR(20))").await;
    assert!(!is_current(&db).await.unwrap());
    up(&db).await.unwrap();
    assert!(is_current(&db).await.unwrap());
    execute(&db, "INSERT INTO seaql_migrations VALUES ('m20220101_000002_eat_cake', 8)").await;
    assert!(is_current(&db).await.unwrap(), "a running server does not mind");
    assert!(status(&db).await.unwrap().iter().all(|migration| migration.applied));
    down(&db, u32::MAX).await.unwrap();
    assert_eq!(count(&db, "seaql_migrations").await.unwrap(), 2);
    assert_eq!(count(&db, "users").await.unwrap(), 0);
}

async fn installations_with_different_prefixes_know_nothing_of_each_other(database: TestDatabase) {
    let db = open(&database).await;
    let (one, two) = (prefix("one_"), prefix("a_long_prefix_of_24_char"));
    one.up(&db).await.unwrap();
    assert!(!two.is_current(&db).await.unwrap());
    let layout = two.up(&db).await.unwrap();
    up(&db).await.unwrap();
    let identities = ["one_blacklist_head", "auth_blacklist_head", &layout.table("blacklist_head")];
    let mut found = HashSet::new();
    for table in identities {
        found.insert(identity(&db, table).await);
    }
    assert_eq!(found.len(), 3, "each has a log of its own");
    one.down(&db, u32::MAX).await.unwrap();
    assert!(count(&db, "one_users").await.is_err() && count(&db, "one_migrations").await.is_err());
    assert!(two.is_current(&db).await.unwrap() && is_current(&db).await.unwrap());
}

async fn only_the_parts_that_were_asked_for_are_made(database: TestDatabase) {
    let db = open(&database).await;
    execute(&db, "CREATE TABLE auth_users (id INT, name VARCHAR(20))").await;
    let blacklist = Migrations::new().only(&[Part::Blacklist]);
    blacklist.up(&db).await.unwrap();
    assert!(blacklist.is_current(&db).await.unwrap());
    assert_eq!(blacklist.status(&db).await.unwrap().len(), 7);
    for table in ["auth_sessions", "auth_clients", "auth_personal_tokens"] {
        assert_eq!(count(&db, table).await.unwrap(), 0, "{table}");
    }
    assert!(count(&db, "auth_attempts").await.is_err());
    assert_eq!(count(&db, "auth_blacklist_head").await.unwrap(), 1);
    assert!(!Migrations::new().only(&[Part::Blacklist, Part::Attempts]).is_current(&db).await.unwrap());

    execute(&db, "DROP TABLE auth_users").await;
    up(&db).await.unwrap();
    assert!(is_current(&db).await.unwrap(), "the rest can be added later");
    blacklist.down(&db, u32::MAX).await.unwrap();
    assert!(count(&db, "auth_blacklist").await.is_err());
    count(&db, "auth_users").await.unwrap();
    count(&db, "auth_migrations").await.unwrap();
}

async fn two_installations_and_no_prefix_are_an_error(database: TestDatabase) {
    let db = open(&database).await;
    prefix("").up(&db).await.unwrap();
    prefix("auth_").up(&db).await.unwrap();
    for outcome in [up(&db).await.map(drop), is_current(&db).await.map(drop)] {
        assert!(matches!(outcome, Err(MigrateError::Ambiguous(..))), "{outcome:?}");
    }
    assert!(prefix("").is_current(&db).await.unwrap() && prefix("auth_").is_current(&db).await.unwrap());
    prefix("").down(&db, u32::MAX).await.unwrap();
    assert!(is_current(&db).await.unwrap());
}

async fn a_schema_is_made_and_needs_no_search_path(database: TestDatabase) {
    let db = open(&database).await;
    let migrations = Migrations::new().schema(Schema::parse("My-Auth").unwrap());
    let layout = migrations.up(&db).await.unwrap();
    assert_eq!((layout.prefix(), layout.schema()), ("", Some("My-Auth")));
    for table in ["users", "blacklist", "blacklist_head", "attempts", "auth_migrations"] {
        count(&db, &format!("\"My-Auth\".{table}")).await.unwrap();
        assert!(count(&db, table).await.is_err(), "{table} is in the search_path");
    }
    assert!(migrations.is_current(&db).await.unwrap());
    assert!(!is_current(&db).await.unwrap(), "in the search_path there is nothing of ours");
    // Names of indexes are those of a schema, so this makes the same ones once more.
    prefix("").up(&db).await.unwrap();
    migrations.down(&db, u32::MAX).await.unwrap();
    assert!(count(&db, "\"My-Auth\".users").await.is_err());
    count(&db, "users").await.unwrap();
}

async fn a_schema_that_is_there_is_used_and_never_dropped(database: TestDatabase) {
    let db = open(&database).await;
    execute(&db, "CREATE SCHEMA app").await;
    execute(&db, "CREATE TABLE app.users (id INT)").await;
    let migrations = Migrations::new().schema(Schema::parse("app").unwrap());
    assert!(matches!(migrations.up(&db).await, Err(MigrateError::NotOurs { table, .. }) if table == "users"));
    let prefixed = migrations.clone().prefix(Prefix::parse("auth_").unwrap());
    prefixed.up(&db).await.unwrap();
    assert_eq!(migrations.layout(&db).await.unwrap().prefix(), "auth_", "found by its history");
    prefixed.down(&db, u32::MAX).await.unwrap();
    count(&db, "app.users").await.unwrap();
}

async fn tables_are_found_wherever_the_search_path_leads(database: TestDatabase) {
    let db = open(&database).await;
    let layout = up(&db).await.unwrap();
    execute(&db, "CREATE SCHEMA before").await;
    let name: String = {
        let query = Statement::from_string(db.get_database_backend(), "SELECT current_database() AS name".to_owned());
        db.query_one_raw(query).await.unwrap().unwrap().try_get("", "name").unwrap()
    };
    execute(&db, &format!("ALTER DATABASE {name} SET search_path = before, public")).await;
    let later = open(&database).await;
    assert_eq!(Migrations::new().layout(&later).await.unwrap(), layout);
    assert!(is_current(&later).await.unwrap());
    execute(&db, &format!("ALTER DATABASE {name} SET search_path = nowhere")).await;
    let lost = open(&database).await;
    assert!(matches!(up(&lost).await, Err(MigrateError::NoSchema)));
    assert!(Migrations::from(layout).is_current(&lost).await.unwrap());
}

async fn a_schema_is_refused_where_there_are_none(database: TestDatabase) {
    let db = open(&database).await;
    let migrations = Migrations::new().schema(Schema::parse("auth").unwrap());
    assert!(matches!(migrations.up(&db).await, Err(MigrateError::SchemaUnsupported)));
}

async fn identity(db: &DatabaseConnection, table: &str) -> uuid::Uuid {
    let query = Statement::from_string(db.get_database_backend(), format!("SELECT log_id FROM {table}"));
    db.query_one_raw(query).await.unwrap().unwrap().try_get("", "log_id").unwrap()
}
