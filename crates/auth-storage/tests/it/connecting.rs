//! Opening a database, losing it and getting it back.

use std::error::Error;
use std::time::Duration;

use auth_core::blacklist::Position;
use auth_core::{RevocationLog, RevocationSource as _, SideEffects, StoreErrorKind, UserStore};
use auth_storage::{ConnectError, ConnectOptions, DatabaseKind, SeaRevocationLog, SeaUserStore, connect};
use auth_testing::databases::{Line, Proxy, TestDatabase, TestDatabaseKind};
use sea_orm::ConnectionTrait as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

use crate::support::{logout, new_user, number, open, query};

const SECRET: &str = "s3cr3t-pa55";

/// Every word that an error could put into a log.
fn told(error: &dyn Error) -> String {
    let mut told = format!("{error:?}");
    let mut next = Some(error);
    while let Some(error) = next {
        told = format!("{told}; {error}");
        next = error.source();
    }
    told
}

async fn refused(url: &str) -> ConnectError {
    let connecting = connect(url, ConnectOptions::default());
    let error = timeout(Duration::from_secs(5), connecting).await.expect("an answer in time").unwrap_err();
    let told = told(&error);
    assert!(!told.contains(SECRET), "{told}");
    error
}

#[tokio::test]
async fn a_url_that_makes_no_sense_is_refused_without_repeating_it() {
    for url in [format!("redis://u:{SECRET}@h/0"), SECRET.to_owned(), format!("{SECRET}:"), String::new()] {
        assert!(matches!(refused(&url).await, ConnectError::UnknownScheme), "{url}");
    }
    for url in [
        format!("postgres://u:{SECRET}@h:port/db"),
        format!("mysql://u:{SECRET}@h:99999/db"),
        format!("mysql://u:{SECRET}@h/db?ssl-mode={SECRET}"),
        format!("postgres://u:{SECRET}@h/db?sslmode={SECRET}"),
        format!("sqlite://{SECRET}?mode={SECRET}"),
        "sqlite:".to_owned(),
        "sqlite://".to_owned(),
    ] {
        assert!(matches!(refused(&url).await, ConnectError::InvalidUrl(_)), "{url}");
    }
    assert!(matches!(refused("sqlite:///no/such/folder/auth.db").await, ConnectError::File(_)));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_in_time() {
    let port = free_port().await;
    for scheme in ["postgres", "mysql"] {
        let error = refused(&format!("{scheme}://u:{SECRET}@127.0.0.1:{port}/db")).await;
        assert!(told(&error).contains("refused"), "{}", told(&error));
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_an_error_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            open.push(listener.accept().await.unwrap());
        }
    });
    for scheme in ["postgres", "mysql"] {
        let error = refused(&format!("{scheme}://u:{SECRET}@127.0.0.1:{port}/db")).await;
        assert!(matches!(error, ConnectError::TimedOut(_)), "{error:?}");
    }
    silent.abort();
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn memory_is_one_database_for_all_callers() {
    for url in
        ["sqlite::memory:", "sqlite://:memory:", "sqlite://?mode=memory", "sqlite://named?mode=memory&cache=shared"]
    {
        let options = ConnectOptions { max_connections: Some(8), ..ConnectOptions::default() };
        let database = connect(url, options).await.unwrap();
        auth_migrations::up(database.connection()).await.unwrap();
        let users = SeaUserStore::new(database.clone());
        let callers: Vec<_> = (0..8)
            .map(|caller| {
                let users = users.clone();
                tokio::spawn(async move {
                    users.insert(new_user(&format!("user{caller}")), SideEffects::default()).await.unwrap()
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        assert_eq!(users.list(None, 100).await.unwrap().len(), 8, "{url}");
        assert_eq!(database.pool_stats().max, 1);
    }
}

auth_testing::on_every_database!(
    sessions_are_what_we_rely_on,
    an_open_database_tells_its_kind_and_no_secret,
    a_closed_database_is_unavailable,
    a_lost_server_is_an_error_in_time_and_heals,
    connections_that_stall_for_ever_are_replaced,
    a_silent_server_gets_no_storm_of_connections,
);

mod encodings {
    auth_testing::on_database!(Postgres: a_database_that_is_not_utf8_is_refused_at_once);
}

async fn a_database_that_is_not_utf8_is_refused_at_once(database: TestDatabase) {
    let (opened, _, _) = open(&database).await;
    let name = query(&opened, "SELECT current_database()::text").await[0].try_get_by_index::<String>(0).unwrap();
    for encoding in ["SQL_ASCII", "LATIN1"] {
        let other = format!("{name}_{}", encoding.to_lowercase());
        let create =
            format!("CREATE DATABASE {other} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        opened.connection().execute_unprepared(&create).await.unwrap();
        let outcome = connect(&database.url().replace(&name, &other), ConnectOptions::default()).await;
        opened.connection().execute_unprepared(&format!("DROP DATABASE {other} WITH (FORCE)")).await.unwrap();
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains(encoding) && error.contains("UTF8"), "{error}");
    }
}

async fn sessions_are_what_we_rely_on(database: TestDatabase) {
    let (opened, _, _) = open(&database).await;
    let setting = async |sql: &str| query(&opened, sql).await[0].try_get_by_index::<String>(0).unwrap();
    match database.kind() {
        TestDatabaseKind::Sqlite => {
            assert_eq!(setting("PRAGMA journal_mode").await, "wal");
            assert_eq!(number(&opened, "PRAGMA synchronous").await, 2);
            assert_eq!(number(&opened, "PRAGMA foreign_keys").await, 1);
            assert!(number(&opened, "PRAGMA busy_timeout").await >= 1000);
            #[cfg(unix)]
            for suffix in ["", "-wal", "-shm"] {
                use std::os::unix::fs::PermissionsExt as _;
                let path = format!("{}{suffix}", database.url().trim_start_matches("sqlite://"));
                assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{path}");
            }
        }
        TestDatabaseKind::Postgres => {
            assert_eq!(setting("SHOW transaction_isolation").await, "read committed");
            assert_eq!(setting("SHOW statement_timeout").await, "5s");
            assert_eq!(setting("SHOW lock_timeout").await, "5s");
            assert_ne!(setting("SHOW synchronous_commit").await, "off");
        }
        TestDatabaseKind::MySql => {
            assert_eq!(setting("SELECT @@session.time_zone").await, "+00:00");
            assert!(setting("SELECT @@session.sql_mode").await.contains("STRICT_ALL_TABLES"));
            assert_eq!(setting("SELECT @@session.tx_isolation").await, "READ-COMMITTED");
            assert_eq!(number(&opened, "SELECT CAST(@@session.innodb_lock_wait_timeout AS SIGNED)").await, 5);
        }
    }
}

async fn an_open_database_tells_its_kind_and_no_secret(database: TestDatabase) {
    let (opened, users, log) = open(&database).await;
    let kind = match database.kind() {
        TestDatabaseKind::Sqlite => DatabaseKind::Sqlite,
        TestDatabaseKind::Postgres => DatabaseKind::Postgres,
        TestDatabaseKind::MySql => DatabaseKind::MySql,
    };
    assert_eq!(opened.kind(), kind);
    opened.ping().await.unwrap();
    let stats = opened.pool_stats();
    assert!(stats.idle <= stats.open && stats.open <= stats.max && stats.max > 1, "{stats:?}");
    let shown = format!("{opened:?} {users:?} {log:?}");
    assert!(
        shown.contains(kind.as_str())
            || shown.contains("MySql")
            || shown.contains("Postgres")
            || shown.contains("Sqlite")
    );
    assert!(!shown.contains("://") && !shown.contains("127.0.0.1"), "{shown}");
}

async fn a_closed_database_is_unavailable(database: TestDatabase) {
    let (opened, users, _) = open(&database).await;
    opened.close().await.unwrap();
    assert_eq!(users.list(None, 1).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert_eq!(opened.ping().await.unwrap_err().kind(), StoreErrorKind::Unavailable);
}

async fn a_lost_server_is_an_error_in_time_and_heals(database: TestDatabase) {
    let Some((proxy, url)) = Proxy::before(&database).await else { return };
    open(&database).await;
    let opened = connect(&url, ConnectOptions::default()).await.unwrap();
    let log = SeaRevocationLog::new(opened.clone());
    log.append(&[logout()]).await.unwrap();

    proxy.set(Line::Cut);
    for _ in 0..3 {
        let batch = [logout()];
        let outcome = timeout(Duration::from_secs(5), log.append(&batch)).await.expect("an answer in time");
        assert_eq!(outcome.unwrap_err().kind(), StoreErrorKind::Unavailable);
    }
    proxy.set(Line::Open);
    log.append(&[logout()]).await.unwrap();
    let page = log.read_after(Position(0), 10).await.unwrap();
    assert_eq!(page.head, Position(2));
}

async fn connections_that_stall_for_ever_are_replaced(database: TestDatabase) {
    let Some((proxy, url)) = Proxy::before(&database).await else { return };
    let call_timeout = Duration::from_millis(600);
    let options =
        ConnectOptions { max_connections: Some(1), acquire_timeout: Duration::from_millis(300), call_timeout };
    open(&database).await;
    let opened = connect(&url, options).await.unwrap();
    let log = SeaRevocationLog::new(opened.clone());
    log.append(&[logout()]).await.unwrap();

    while opened.pool_stats().idle == 0 {
        tokio::task::yield_now().await;
    }
    // What is open is silent from now on, without being closed; a new connection would be served.
    proxy.set(Line::Stalled);
    let started = Instant::now();
    let mut failures = 0;
    while let Err(error) = log.append(&[logout()]).await {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        failures += 1;
        assert!(started.elapsed() < Duration::from_secs(5), "it does not heal");
    }
    assert!(failures > 0, "the line was never down");
    assert_eq!(number(&opened, "SELECT position FROM auth_blacklist_head").await, 2);
}

async fn a_silent_server_gets_no_storm_of_connections(database: TestDatabase) {
    let Some((proxy, url)) = Proxy::before(&database).await else { return };
    open(&database).await;
    let options = ConnectOptions { acquire_timeout: Duration::from_secs(1), ..ConnectOptions::default() };
    let opened = connect(&url, options).await.unwrap();
    let log = SeaRevocationLog::new(opened.clone());
    log.append(&[logout()]).await.unwrap();

    proxy.set(Line::Held);
    let before = proxy.connections();
    let started = Instant::now();
    let mut calls = JoinSet::new();
    let mut ticks = interval(Duration::from_millis(10));
    while started.elapsed() < Duration::from_secs(3) {
        ticks.tick().await;
        let opened = opened.clone();
        calls.spawn(async move { opened.ping().await });
    }
    let opened_meanwhile = proxy.connections() - before;
    proxy.set(Line::Open);
    let asked = calls.len();
    let refused = calls.join_all().await.into_iter().filter(Result::is_err).count();
    assert!(refused > 0, "the server was never silent");
    // The pool has ten slots, and each attempt lasts a second.
    assert!(opened_meanwhile <= 60, "{opened_meanwhile} connections for {asked} calls");
    log.append(&[logout()]).await.unwrap();
}
