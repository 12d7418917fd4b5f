//! Transactions of an application, begun with `Database::begin_write`.

use std::time::Duration;

use auth_core::blacklist::Position;
use auth_core::{RevocationLog as _, RevocationSource as _};
use auth_storage::{ConnectOptions, connect};
use auth_testing::databases::{Line, Proxy, TestDatabase, TestDatabaseKind};
use futures_util::FutureExt as _;
use sea_orm::{ConnectionTrait as _, Statement};
use tokio::time::timeout;

use crate::support::{execute, logout, number, open};

auth_testing::on_every_database!(
    a_transaction_with_a_failed_statement_cannot_be_committed,
    a_transaction_with_an_abandoned_statement_cannot_be_committed,
    a_transaction_that_is_committed_rolled_back_or_dropped,
    a_statement_that_is_dropped_mixes_up_no_answers,
);

/// A swallowed error must not look like success: PostgreSQL answers such a commit with a rollback and without an error.
async fn a_transaction_with_a_failed_statement_cannot_be_committed(database: TestDatabase) {
    let (opened, _, log) = open(&database).await;
    let transaction = opened.begin_write().await.unwrap();
    log.append_within(&transaction, &[logout()]).await.unwrap();
    transaction.execute_unprepared("SELECT * FROM no_such_table").await.unwrap_err();
    log.append_within(&transaction, &[logout()]).await.unwrap_err();
    transaction.query_all_raw(statement(&opened)).await.unwrap_err();
    transaction.commit().await.unwrap_err();
    assert_eq!(log.read_after(Position(0), 10).await.unwrap().head, Position(0));
    log.append(&[logout()]).await.unwrap();
}

async fn a_transaction_with_an_abandoned_statement_cannot_be_committed(database: TestDatabase) {
    let (opened, _, log) = open(&database).await;
    let transaction = opened.begin_write().await.unwrap();
    log.append_within(&transaction, &[logout()]).await.unwrap();
    let slow = match database.kind() {
        TestDatabaseKind::Sqlite => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT MAX(i) FROM n"
        }
        TestDatabaseKind::Postgres => "SELECT pg_sleep(0.2)",
        TestDatabaseKind::MySql => "SELECT SLEEP(0.2)",
    };
    // Polled once and dropped, as by a deadline.
    let abandoned = transaction.execute_unprepared(slow).now_or_never();
    assert!(abandoned.is_none(), "the statement ended at once");
    transaction.execute_unprepared("SELECT 1").await.unwrap_err();
    transaction.commit().await.unwrap_err();
    for position in 1..=3 {
        log.append(&[logout()]).await.unwrap();
        assert_eq!(log.read_after(Position(0), 10).await.unwrap().head, Position(position));
    }
}

async fn a_transaction_that_is_committed_rolled_back_or_dropped(database: TestDatabase) {
    let (opened, _, _) = open(&database).await;
    execute(&opened, "CREATE TABLE notes (note INT)").await;
    for (note, ending) in ["commit", "rollback", "drop"].into_iter().enumerate() {
        let transaction = opened.begin_write().await.unwrap();
        transaction.execute_unprepared(&format!("INSERT INTO notes VALUES ({note})")).await.unwrap();
        match ending {
            "commit" => transaction.commit().await.unwrap(),
            "rollback" => transaction.rollback().await.unwrap(),
            _ => drop(transaction),
        }
    }
    assert_eq!(number(&opened, "SELECT COUNT(*) FROM notes").await, 1);
}

/// An application that drops a call of its own while the driver prepares or executes a statement. The next caller on that
/// connection must get the answer to its own question.
async fn a_statement_that_is_dropped_mixes_up_no_answers(database: TestDatabase) {
    let Some((proxy, url)) = Proxy::before(&database).await else { return };
    open(&database).await;
    let options = ConnectOptions { max_connections: Some(1), ..ConnectOptions::default() };
    let opened = connect(&url, options).await.unwrap();
    let backend = opened.connection().get_database_backend();
    let sum = |number: i64| {
        let sql = match database.kind() {
            TestDatabaseKind::Postgres => format!("SELECT $1 + $2 + {number}"),
            _ => format!("SELECT CAST(? AS SIGNED) + CAST(? AS SIGNED) + {number}"),
        };
        Statement::from_sql_and_values(backend, sql, [1_000_i64.into(), 2_000_i64.into()])
    };
    for stage in 0..8 {
        opened.ping().await.unwrap();
        proxy.set(Line::Late(Duration::from_millis(20)));
        let limit = Duration::from_millis(10 * u64::try_from(stage).unwrap());
        let _ = timeout(limit, opened.connection().query_one_raw(sum(stage))).await;
        proxy.set(Line::Open);
        for next in 0..3 {
            let expected = 10 * stage + next;
            let row = opened.connection().query_one_raw(sum(expected)).await.unwrap().unwrap();
            assert_eq!(row.try_get_by_index::<i64>(0).unwrap(), 3_000 + expected, "after a drop at stage {stage}");
        }
    }
}

fn statement(database: &auth_storage::Database) -> Statement {
    Statement::from_string(database.connection().get_database_backend(), "SELECT 1")
}
