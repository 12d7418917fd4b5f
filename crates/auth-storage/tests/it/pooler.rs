//! PostgreSQL behind PgBouncer.

use auth_core::blacklist::Position;
use auth_core::{RevocationLog as _, RevocationSource as _, SideEffects, UserStore as _};
use auth_storage::{ConnectError, ConnectOptions, connect};
use auth_testing::databases::{PgBouncer, TestDatabase};

use crate::support::{claims, logout, new_user, number, open};

mod postgres {
    auth_testing::on_database!(Postgres:
        the_stores_work_in_session_mode,
        the_stores_work_in_transaction_mode,
        statement_mode_is_refused,
        other_clients_of_the_pooler_do_not_disturb,
    );
}

async fn the_stores_work_in_session_mode(database: TestDatabase) {
    many_nodes_write_and_read(&database, "session").await;
}

async fn the_stores_work_in_transaction_mode(database: TestDatabase) {
    many_nodes_write_and_read(&database, "transaction").await;
}

/// Three nodes share few connections to the server, so every statement may run in another session.
async fn many_nodes_write_and_read(database: &TestDatabase, mode: &str) {
    const EACH: usize = 12;
    let Some(pooler) = PgBouncer::before(database, mode).await else { return };
    let pooled = pooler.database(database);
    let mut tasks = Vec::new();
    for node in 0..3 {
        let (opened, users, log) = open(&pooled).await;
        for task in 0..4 {
            let (opened, users, log) = (opened.clone(), users.clone(), log.clone());
            tasks.push(tokio::spawn(async move {
                for round in 0..EACH {
                    let user = users
                        .insert(new_user(&format!("user-{node}-{task}-{round}")), SideEffects::default())
                        .await
                        .unwrap();
                    assert_eq!(log.append(&[logout()]).await.unwrap(), 1);
                    assert_eq!(users.find_by_id(user.id).await.unwrap(), Some(user));
                    assert!(!log.covers(&claims()).await.unwrap());
                    opened.ping().await.unwrap();
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    let (opened, users, log) = open(&pooled).await;
    let all = 3 * 4 * EACH;
    let page = log.read_after(Position(0), 1000).await.unwrap();
    assert_eq!((page.head, page.entries.len()), (Position(all as u64), all));
    assert_eq!(users.list(None, 1000).await.unwrap().len(), all);
    // Each transaction has our settings, and leaves none behind.
    let limit = "SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout'";
    assert_eq!(number(&opened, limit).await, 5000);
    assert!(auth_migrations::is_current(&opened.statements()).await.unwrap());
}

async fn statement_mode_is_refused(database: TestDatabase) {
    let Some(pooler) = PgBouncer::before(&database, "statement").await else { return };
    let refused = connect(pooler.database(&database).url(), ConnectOptions::default()).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Pooler(_)), "{refused:?}");
}

/// Another program of the same driver leaves prepared statements behind, under the names that ours would have.
async fn other_clients_of_the_pooler_do_not_disturb(database: TestDatabase) {
    use sea_orm::sqlx::postgres::PgPoolOptions;
    let Some(pooler) = PgBouncer::before(&database, "transaction").await else { return };
    let pooled = pooler.database(&database);
    let other = PgPoolOptions::new().max_connections(1).connect_lazy(pooled.url()).unwrap();
    drop(other.acquire().await.unwrap_err());
    let options: sea_orm::sqlx::postgres::PgConnectOptions = pooled.url().parse().unwrap();
    let other = PgPoolOptions::new().max_connections(3).connect_lazy_with(options.extra_float_digits(None));
    for _ in 0..3 {
        // Three at once: one for each connection of the pooler to the server.
        let mut transactions = Vec::new();
        for _ in 0..3 {
            let mut transaction = other.begin().await.unwrap();
            for statement in ["SELECT 'a'", "SELECT 'b'", "SELECT 'c'", "SELECT 'd'"] {
                drop(sea_orm::sqlx::query(statement).fetch_all(&mut *transaction).await);
            }
            transactions.push(transaction);
        }
        for transaction in transactions {
            drop(transaction.rollback().await);
        }
    }
    let (_, users, log) = open(&pooled).await;
    let user = users.insert(new_user("ada"), SideEffects::default()).await.unwrap();
    log.append(&[logout()]).await.unwrap();
    assert_eq!(users.find_by_id(user.id).await.unwrap(), Some(user));
    assert_eq!(log.read_after(Position(0), 10).await.unwrap().entries.len(), 1);
}
