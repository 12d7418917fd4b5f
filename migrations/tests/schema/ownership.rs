//! Tables of other applications: never adopted, never dropped.

use auth_migrations::{MigrateError, Migrations, Removed, down, is_current, up};
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use auth_testing::on_every_database;

use crate::support::{count, execute, open};

on_every_database!(
    a_table_of_another_application_is_never_adopted_and_never_dropped,
    a_view_is_no_table_of_ours,
    a_table_that_an_earlier_revision_adopted_is_reported_and_survives,
    what_the_stores_need_is_checked_and_what_was_added_is_not,
    a_foreign_history_is_never_written_to,
    what_down_deletes_is_told_beforehand,
);

const OURS: [&str; 5] = ["auth_users", "auth_blacklist", "auth_blacklist_head", "auth_attempts", "auth_migrations"];

async fn a_table_of_another_application_is_never_adopted_and_never_dropped(database: TestDatabase) {
    let db = open(&database).await;
    for table in &OURS[..4] {
        execute(&db, &format!("CREATE TABLE {table} (id INT, name VARCHAR(20))")).await;
        execute(&db, &format!("INSERT INTO {table} VALUES (1, 'one'), (2, 'two')")).await;
        let refusal = up(&db).await.unwrap_err();
        assert!(matches!(&refusal, MigrateError::NotOurs { table: named, .. } if named == table), "{refusal:?}");
        assert!(refusal.to_string().contains("there are no columns"), "{refusal}");
        assert!(!is_current(&db).await.unwrap());
        for other in OURS.iter().filter(|other| *other != table) {
            assert!(count(&db, other).await.is_err(), "{other} was made beside {table}");
        }
        down(&db, u32::MAX).await.unwrap();
        assert_eq!(count(&db, table).await.unwrap(), 2);
        execute(&db, &format!("DROP TABLE {table}")).await;
    }
    up(&db).await.unwrap();
}

async fn a_view_is_no_table_of_ours(database: TestDatabase) {
    let db = open(&database).await;
    execute(&db, "CREATE TABLE people (id INT)").await;
    execute(&db, "CREATE VIEW auth_users AS SELECT id FROM people").await;
    let refusal = up(&db).await.unwrap_err();
    assert!(refusal.to_string().contains("a view and not a table"), "{refusal}");
    down(&db, u32::MAX).await.unwrap();
    assert_eq!(count(&db, "auth_users").await.unwrap(), 0);
}

async fn a_table_that_an_earlier_revision_adopted_is_reported_and_survives(database: TestDatabase) {
    let db = open(&database).await;
    up(&db).await.unwrap();
    execute(&db, "DROP TABLE auth_users").await;
    execute(&db, "CREATE TABLE auth_users (id INT, name VARCHAR(20))").await;
    execute(&db, "INSERT INTO auth_users VALUES (1, 'one')").await;

    for refusal in [is_current(&db).await.unwrap_err(), up(&db).await.unwrap_err()] {
        assert!(matches!(refusal, MigrateError::NotOurs { ref table, .. } if table == "auth_users"), "{refusal:?}");
    }
    let removals = Migrations::new().removals(&db, u32::MAX).await.unwrap();
    assert!(
        removals.iter().any(|removal| removal.table == "auth_users" && matches!(removal.what, Removed::NotOurs(_)))
    );
    down(&db, u32::MAX).await.unwrap();
    assert_eq!(count(&db, "auth_users").await.unwrap(), 1);
    for table in &OURS[1..] {
        assert!(count(&db, table).await.is_err(), "{table} is still there");
    }

    execute(&db, "DROP TABLE auth_users").await;
    up(&db).await.unwrap();
    execute(&db, "DROP TABLE auth_users").await;
    assert!(matches!(is_current(&db).await, Err(MigrateError::Missing(table)) if table == "auth_users"));
}

async fn what_the_stores_need_is_checked_and_what_was_added_is_not(database: TestDatabase) {
    let db = open(&database).await;
    let (id, flag) = match database.kind() {
        TestDatabaseKind::Sqlite => ("uuid_text", "boolean"),
        TestDatabaseKind::Postgres => ("uuid", "boolean"),
        TestDatabaseKind::MySql => ("binary(16)", "tinyint(1)"),
    };
    let mysql = database.kind() == TestDatabaseKind::MySql;
    let options = if mysql { " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin" } else { "" };
    let users = format!(
        "CREATE TABLE auth_users (id {id} NOT NULL PRIMARY KEY, email varchar(254) NOT NULL, email_key varchar(254) NOT NULL, \
         username varchar(200) NOT NULL, username_key varchar(200) NOT NULL, password_hash varchar(255) NOT NULL, \
         admin {flag} NOT NULL, token_generation bigint NOT NULL, disabled_at bigint, registered_on bigint NOT NULL, \
         email_verified {flag} NOT NULL, last_login_at bigint, roles varchar(2079) NOT NULL, \
         UNIQUE (email_key), UNIQUE (username_key)){options}"
    );
    let mut cases = vec![
        (" PRIMARY KEY,", ",", "`id` is not the primary key"),
        ("UNIQUE (email_key), ", "", "no unique key on (email_key)"),
        ("UNIQUE (email_key)", "UNIQUE (email_key, id)", "no unique key on (email_key)"),
        ("password_hash varchar(255) NOT NULL", "password_hash varchar(255)", "`password_hash` can be null"),
        ("disabled_at bigint,", "disabled_at bigint NOT NULL,", "`disabled_at` cannot be null"),
        ("token_generation bigint", "token_generation varchar(9)", "`token_generation` has the type"),
        (" disabled_at bigint,", "", "no column `disabled_at`"),
        ("UNIQUE (email_key),", "extra INT NOT NULL, UNIQUE (email_key),", "`extra` must be set"),
    ];
    if database.kind() != TestDatabaseKind::Sqlite {
        cases.push(("password_hash varchar(255)", "password_hash varchar(60)", "`password_hash` has the type"));
    }
    if mysql {
        cases.push(("utf8mb4_bin", "utf8mb4_general_ci", "different keys are equal"));
        cases.push(("UNIQUE (email_key)", "UNIQUE (email_key(20))", "no unique key on (email_key)"));
    }
    up(&db).await.unwrap();
    for (ours, theirs, difference) in cases {
        let changed = users.replace(ours, theirs);
        assert_ne!(changed, users, "{ours}");
        execute(&db, "DROP TABLE auth_users").await;
        execute(&db, &changed).await;
        let refusal = is_current(&db).await.unwrap_err().to_string();
        assert!(refusal.contains(difference), "{difference}: {refusal}");
    }

    execute(&db, "DROP TABLE auth_users").await;
    execute(&db, &users).await;
    assert!(is_current(&db).await.unwrap());
    if !mysql {
        execute(&db, "CREATE UNIQUE INDEX one_ada ON auth_users (email) WHERE email <> ''").await;
    }
    execute(&db, "ALTER TABLE auth_users ADD COLUMN note varchar(20)").await;
    assert!(is_current(&db).await.unwrap(), "a column that may stay empty keeps nobody from registering");
    // But where the history says nothing of the table, it is not ours.
    execute(&db, "DELETE FROM auth_migrations").await;
    let refusal = up(&db).await.unwrap_err().to_string();
    assert!(refusal.contains("the column `note` is unknown"), "{refusal}");
}

async fn a_foreign_history_is_never_written_to(database: TestDatabase) {
    let db = open(&database).await;
    execute(&db, "CREATE TABLE auth_migrations (id INT, name VARCHAR(20))").await;
    let refusal = up(&db).await.unwrap_err();
    assert!(matches!(&refusal, MigrateError::NotOurs { table, .. } if table == "auth_migrations"), "{refusal:?}");
    assert!(down(&db, 1).await.is_err());
    assert_eq!(count(&db, "auth_migrations").await.unwrap(), 0);
}

async fn what_down_deletes_is_told_beforehand(database: TestDatabase) {
    let db = open(&database).await;
    up(&db).await.unwrap();
    let removals = Migrations::new().removals(&db, u32::MAX).await.unwrap();
    let told: Vec<_> = removals.iter().map(|removal| (removal.table.as_str(), &removal.what)).collect();
    let columns = |names: &[&str]| Removed::Columns(names.iter().map(ToString::to_string).collect());
    let table = |rows| Removed::Table { rows };
    assert_eq!(
        told,
        [
            ("auth_personal_tokens", &columns(&["roles"])),
            ("auth_personal_tokens", &table(0)),
            ("auth_clients", &table(0)),
            ("auth_signing_keys", &table(0)),
            ("auth_signing_keys_head", &table(1)),
            ("auth_users", &columns(&["roles"])),
            ("auth_one_time_tokens", &table(0)),
            ("auth_letters", &table(0)),
            ("auth_users", &columns(&["email_verified", "last_login_at"])),
            ("auth_sessions", &table(0)),
            ("auth_blacklist", &columns(&["mark"])),
            ("auth_blacklist_head", &columns(&["lost_at"])),
            ("auth_attempts", &table(0)),
            ("auth_blacklist_head", &columns(&["purged_tokens", "purged_users"])),
            ("auth_blacklist", &table(0)),
            ("auth_blacklist_head", &table(1)),
            ("auth_users", &table(0)),
        ]
    );
    assert_eq!(Migrations::new().removals(&db, 4).await.unwrap()[..], removals[..5]);
    assert!(is_current(&db).await.unwrap(), "telling deletes nothing");
}
