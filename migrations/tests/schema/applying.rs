//! Every migration, up and down, on every database.

use auth_migrations::{MigrateError, Status, down, is_current, status, up};
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use auth_testing::on_every_database;
use sea_orm_migration::sea_orm::{ConnectionTrait as _, Database};

use crate::support::{applied, count, log_identity, open, writable};

on_every_database!(
    up_makes_and_down_removes_every_table,
    up_twice_changes_nothing,
    eight_replicas_at_once_migrate_once,
    a_half_applied_migration_is_completed,
    a_migration_that_fails_lets_go_of_the_lock,
    a_caller_who_goes_away_lets_go_of_the_lock,
    status_writes_nothing,
    a_migration_of_a_newer_program_is_an_error,
    keys_differ_when_their_bytes_differ,
);

const TABLES: [&str; 4] = ["auth_users", "auth_blacklist", "auth_blacklist_head", "auth_attempts"];

async fn up_makes_and_down_removes_every_table(database: TestDatabase) {
    let db = open(&database).await;
    assert!(!is_current(&db).await.unwrap());
    for _ in 0..2 {
        up(&db).await.unwrap();
        assert!(is_current(&db).await.unwrap());
        for table in TABLES {
            count(&db, table).await.unwrap();
        }
        assert_eq!(count(&db, "auth_blacklist_head").await.unwrap(), 1);
        for step in (0..status(&db).await.unwrap().len()).rev() {
            down(&db, 1).await.unwrap();
            assert_eq!(applied(&db).await, step);
        }
        for table in TABLES {
            assert!(count(&db, table).await.is_err(), "{table} is still there");
        }
    }
}

async fn up_twice_changes_nothing(database: TestDatabase) {
    let db = open(&database).await;
    up(&db).await.unwrap();
    let identity = log_identity(&db).await;
    up(&db).await.unwrap();
    assert_eq!(log_identity(&db).await, identity);
    assert_eq!(count(&db, "auth_blacklist_head").await.unwrap(), 1);
}

async fn eight_replicas_at_once_migrate_once(database: TestDatabase) {
    let replicas: Vec<_> = (0..8)
        .map(|_| {
            let url = writable(&database);
            tokio::spawn(async move { up(&Database::connect(url).await.unwrap()).await })
        })
        .collect();
    for replica in replicas {
        replica.await.unwrap().unwrap();
    }
    let db = open(&database).await;
    assert!(is_current(&db).await.unwrap());
    assert_eq!(count(&db, "auth_blacklist_head").await.unwrap(), 1);
}

async fn a_half_applied_migration_is_completed(database: TestDatabase) {
    let db = open(&database).await;
    up(&db).await.unwrap();
    // As if the second migration had been killed after its first statement, and the third one had not begun.
    db.execute_unprepared("DROP TABLE auth_blacklist_head").await.unwrap();
    db.execute_unprepared("DELETE FROM auth_migrations WHERE version LIKE '%blacklist%'").await.unwrap();
    // And the one of attempts.
    let index = if database.kind() == TestDatabaseKind::MySql { " ON auth_attempts" } else { "" };
    db.execute_unprepared(&format!("DROP INDEX auth_attempts_expires_at{index}")).await.unwrap();
    db.execute_unprepared("DELETE FROM auth_migrations WHERE version LIKE '%attempts'").await.unwrap();
    assert!(!is_current(&db).await.unwrap());

    up(&db).await.unwrap();

    assert!(is_current(&db).await.unwrap());
    assert_eq!(count(&db, "auth_blacklist_head").await.unwrap(), 1);
    // As if the third one had been killed between its two columns.
    db.execute_unprepared("ALTER TABLE auth_blacklist_head DROP COLUMN purged_users").await.unwrap();
    db.execute_unprepared("DELETE FROM auth_migrations WHERE version LIKE '%blacklist_purged'").await.unwrap();

    up(&db).await.unwrap();

    db.execute_unprepared("UPDATE auth_blacklist_head SET purged_tokens = 0, purged_users = 0").await.unwrap();
}

async fn a_migration_that_fails_lets_go_of_the_lock(database: TestDatabase) {
    let db = open(&database).await;
    // A table of this name with other columns stops the migration.
    db.execute_unprepared("CREATE TABLE auth_blacklist_head (something INT)").await.unwrap();
    assert!(matches!(up(&db).await, Err(MigrateError::NotOurs { .. })));
    assert!(!is_current(&db).await.unwrap());

    db.execute_unprepared("DROP TABLE auth_blacklist_head").await.unwrap();
    up(&open(&database).await).await.unwrap();
    assert!(is_current(&db).await.unwrap());
}

async fn a_caller_who_goes_away_lets_go_of_the_lock(database: TestDatabase) {
    let db = open(&database).await;
    for polls in 0.. {
        let finished = {
            let mut migration = Box::pin(up(&db));
            let mut outcome = None;
            for _ in 0..polls {
                // One step further each time, then dropped wherever it is.
                let step = std::future::poll_fn(|context| std::task::Poll::Ready(migration.as_mut().poll(context)));
                if let std::task::Poll::Ready(finished) = step.await {
                    outcome = Some(finished);
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            outcome
        };
        if let Some(finished) = finished {
            finished.unwrap();
            break;
        }
        if polls % 8 == 0 {
            up(&open(&database).await).await.unwrap();
            down(&open(&database).await, u32::MAX).await.unwrap();
        }
    }
    assert!(is_current(&db).await.unwrap());
}

async fn status_writes_nothing(database: TestDatabase) {
    let db = open(&database).await;
    assert_eq!(applied(&db).await, 0);
    assert!(count(&db, "auth_migrations").await.is_err());
    up(&db).await.unwrap();
    let names: Vec<_> = status(&db).await.unwrap();
    assert_eq!(names[0], Status { name: "m20261123_000001_users".to_owned(), applied: true });
}

async fn a_migration_of_a_newer_program_is_an_error(database: TestDatabase) {
    let db = open(&database).await;
    up(&db).await.unwrap();
    db.execute_unprepared("UPDATE auth_migrations SET version = 'm20991231_000001_later' WHERE version LIKE '%users'")
        .await
        .unwrap();
    assert!(matches!(up(&db).await, Err(MigrateError::NewerProgram(names)) if names == ["m20991231_000001_later"]));
    assert!(matches!(is_current(&db).await, Err(MigrateError::NewerProgram(_))));
    assert!(matches!(down(&db, 1).await, Err(MigrateError::NewerProgram(_))));
}

async fn keys_differ_when_their_bytes_differ(database: TestDatabase) {
    let db = open(&database).await;
    up(&db).await.unwrap();
    for (number, key) in ["ada", "adá", "ada\u{301}", "straße", "strasse"].iter().enumerate() {
        let id = match database.kind() {
            TestDatabaseKind::Postgres => format!("'00000000-0000-0000-0000-00000000000{number}'"),
            _ => format!("x'0000000000000000000000000000000{number}'"),
        };
        let insertion = format!(
            "INSERT INTO auth_users (id, email, email_key, username, username_key, password_hash, admin, token_generation, \
             registered_on) VALUES ({id}, '{key}', '{key}', '{key}', '{key}', '', FALSE, 0, 0)"
        );
        db.execute_unprepared(&insertion).await.unwrap_or_else(|error| panic!("{key}: {error}"));
    }
}
