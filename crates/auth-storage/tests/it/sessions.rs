//! Databases whose defaults would change what our statements mean.

use auth_core::blacklist::Position;
use auth_core::throttle::AttemptKey;
use auth_core::{
    AttemptStore as _, InsertUserError, RevocationLog as _, RevocationSource as _, SideEffects, UserStore as _,
};
use auth_storage::{ConnectOptions, SeaAttemptStore, connect};
use auth_testing::databases::{OwnServer, TestDatabase, TestDatabaseKind};

use crate::support::{execute, logout, new_user, number, open, query};

mod postgres {
    auth_testing::on_database!(Postgres: a_database_with_hostile_defaults_keeps_what_was_acknowledged);
}

async fn a_database_with_hostile_defaults_keeps_what_was_acknowledged(database: TestDatabase) {
    let (_, name) = database.url().rsplit_once('/').unwrap();
    let plain = connect(database.url(), ConnectOptions::default()).await.unwrap();
    for default in [
        "default_transaction_read_only = on",
        "default_transaction_deferrable = on",
        "default_transaction_isolation = 'serializable'",
        "standard_conforming_strings = off",
        "transform_null_equals = on",
        "synchronous_commit = off",
        "lock_timeout = '1ms'",
        "idle_in_transaction_session_timeout = '2s'",
        "client_encoding = 'LATIN1'",
        "\"TimeZone\" = 'Asia/Tokyo'",
        "\"DateStyle\" = 'German'",
    ] {
        execute(&plain, &format!("ALTER DATABASE {name} SET {default}")).await;
    }
    plain.close().await.unwrap();

    registered_and_logged_out(&database).await;
    let opened = is_kept(&database).await;
    let setting = async |name: &str| query(&opened, &format!("SHOW {name}")).await[0].try_get_by_index(0).unwrap();
    let expected: [(&str, &str); 10] = [
        ("transaction_isolation", "read committed"),
        ("transaction_read_only", "off"),
        ("transaction_deferrable", "off"),
        ("synchronous_commit", "on"),
        ("standard_conforming_strings", "on"),
        ("client_encoding", "UTF8"),
        ("TimeZone", "UTC"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("statement_timeout", "5s"),
    ];
    for (name, value) in expected {
        let found: String = setting(name).await;
        assert_eq!(found, value, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mariadb_with_hostile_defaults_keeps_what_was_acknowledged() {
    let settings = [
        "autocommit=0",
        "completion-type=CHAIN",
        "sql-mode=ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH",
        "transaction-isolation=SERIALIZABLE",
        "transaction-read-only=1",
        "character-set-server=latin1",
        "collation-server=latin1_swedish_ci",
        "default-time-zone=+09:00",
        "default-storage-engine=MyISAM",
        "wait-timeout=1",
        "interactive-timeout=1",
        "lc-messages=de_DE",
    ];
    let Some(mut server) = OwnServer::start_with(TestDatabaseKind::MySql, &settings).await else { return };
    for global in ["sql_select_limit = 1", "sql_safe_updates = 1", "max_statement_time = 0.05", "lock_wait_timeout = 1"]
    {
        server.execute(&format!("SET GLOBAL {global}")).await;
    }
    let database = server.database();
    registered_and_logged_out(&database).await;
    is_kept(&database).await.close().await.unwrap();
    server.stop().await;
    server.start_again().await;
    let opened = is_kept(&database).await;
    let expected = [
        ("autocommit", 1),
        ("wait_timeout", 900),
        ("tx_read_only", 0),
        ("sql_select_limit", i64::MAX),
        ("lock_wait_timeout", 5),
        ("foreign_key_checks", 1),
    ];
    for (name, value) in expected {
        // An unsigned number may be larger than ours.
        let sql = format!("SELECT CAST(LEAST(@@session.{name}, {}) AS SIGNED)", i64::MAX);
        assert_eq!(number(&opened, &sql).await, value, "{name}");
    }
    for (name, value) in [
        ("completion_type", "NO_CHAIN"),
        ("tx_isolation", "READ-COMMITTED"),
        ("time_zone", "+00:00"),
        ("character_set_client", "utf8mb4"),
        ("character_set_results", "utf8mb4"),
        ("lc_messages", "en_US"),
    ] {
        let found: String = query(&opened, &format!("SELECT @@session.{name}")).await[0].try_get_by_index(0).unwrap();
        assert_eq!(found, value, "{name}");
    }
    let engines = "SELECT COUNT(*) FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_name IN ('auth_users', 'auth_blacklist', 'auth_blacklist_head', 'auth_attempts') \
         AND engine = 'InnoDB' AND table_collation LIKE 'utf8mb4%'";
    assert_eq!(number(&opened, engines).await, 4);
}

const NAMES: [&str; 2] = ["zoe", "Zoë日本"];

fn key() -> AttemptKey {
    AttemptKey::from([7; 16])
}

/// Migrates, registers, logs out and counts, and leaves without saying goodbye.
async fn registered_and_logged_out(database: &TestDatabase) {
    let (opened, users, log) = open(database).await;
    for name in NAMES {
        let mut new = new_user("zoe");
        new.email = auth_core::Email::parse(&format!("{}@example.org", name.len())).unwrap();
        new.username = auth_core::Username::parse(name).unwrap();
        users.insert(new, SideEffects::default()).await.unwrap();
    }
    let mut again = new_user("somebody-else");
    again.email = auth_core::Email::parse(&format!("{}@example.org", NAMES[0].len())).unwrap();
    assert!(matches!(users.insert(again, SideEffects::default()).await, Err(InsertUserError::EmailTaken)));
    assert_eq!(log.append(&[logout(), logout(), logout()]).await.unwrap(), 3);
    assert_eq!(log.append(&[logout()]).await.unwrap(), 1);
    SeaAttemptStore::new(opened)
        .update(&[key()], std::sync::Arc::new(|counters| counters[0].failures += 1))
        .await
        .unwrap();
}

/// Opens the database again, and looks for everything.
async fn is_kept(database: &TestDatabase) -> auth_storage::Database {
    let (opened, users, log) = open(database).await;
    let mut names: Vec<_> = users.list(None, 10).await.unwrap();
    names.sort_by_key(|user| user.username.as_str().len());
    let names: Vec<_> = names.iter().map(|user| user.username.as_str()).collect();
    assert_eq!(names, NAMES);
    let page = log.read_after(Position(0), 10).await.unwrap();
    assert_eq!((page.head, page.entries.len()), (Position(4), 4));
    let counters = SeaAttemptStore::new(opened.clone()).read(&[key()]).await.unwrap();
    assert_eq!(counters[0].failures, 1);
    opened
}
