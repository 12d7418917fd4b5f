//! Look-ups, whose connections go from one read to the next without the pool in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use auth_core::{SideEffects, StoreErrorKind, UserStore as _};
use auth_storage::ConnectOptions;
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use futures_util::future::join_all;
use sea_orm::ConnectionTrait as _;

use crate::support::{execute, new_user, open, open_with};

auth_testing::on_every_database!(
    look_ups_without_a_pause_leave_room_for_everybody_else,
    a_look_up_that_fails_spoils_none_of_the_next,
    a_closed_database_answers_no_look_up,
);

async fn look_ups_without_a_pause_leave_room_for_everybody_else(database: TestDatabase) {
    let options = ConnectOptions { max_connections: Some(2), ..ConnectOptions::default() };
    let (opened, users, _) = open_with(&database, options).await;
    let ada = users.insert(new_user("ada"), SideEffects::default()).await.unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = |_| {
        let (users, ada, is_over) = (users.clone(), ada.clone(), Arc::clone(&is_over));
        tokio::spawn(async move {
            let mut reads = 0;
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(users.find_by_id(ada.id).await.unwrap().as_ref(), Some(&ada));
                reads += 1;
            }
            reads
        })
    };
    let readers: Vec<_> = (0..8).map(reader).collect();
    for number in 0..10 {
        users.insert(new_user(&format!("user{number}")), SideEffects::default()).await.unwrap();
        opened.connection().execute_unprepared("SELECT 1").await.unwrap();
        opened.begin_write().await.unwrap().commit().await.unwrap();
    }
    is_over.store(true, Ordering::Relaxed);
    for reads in join_all(readers).await {
        assert!(reads.unwrap() > 0, "every reader had its turn");
    }
    let stats = opened.pool_stats();
    assert!(stats.open <= 2, "{stats:?}");
}

async fn a_look_up_that_fails_spoils_none_of_the_next(database: TestDatabase) {
    let (opened, users, _) = open(&database).await;
    let ada = users.insert(new_user("ada"), SideEffects::default()).await.unwrap();
    let (here, away) = ("auth_users", "auth_users_away");
    execute(&opened, &format!("ALTER TABLE {here} RENAME TO {away}")).await;
    users.find_by_id(ada.id).await.unwrap_err();
    users.find_credentials(&ada.email).await.unwrap_err();
    execute(&opened, &format!("ALTER TABLE {away} RENAME TO {here}")).await;
    for _ in 0..3 {
        assert_eq!(users.find_by_id(ada.id).await.unwrap().as_ref(), Some(&ada));
        assert_eq!(users.find_credentials(&ada.email).await.unwrap().unwrap().user, ada);
    }
}

async fn a_closed_database_answers_no_look_up(database: TestDatabase) {
    let (opened, users, _) = open(&database).await;
    let ada = users.insert(new_user("ada"), SideEffects::default()).await.unwrap();
    users.find_by_id(ada.id).await.unwrap();
    let stats = opened.pool_stats();
    assert!(stats.idle <= stats.open, "{stats:?}");
    opened.close().await.unwrap();
    assert_eq!(users.find_by_id(ada.id).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
}

/// A connection that goes back to the pool needs a runtime to be checked in; one that is dropped with its database must not.
#[test]
fn the_database_may_be_dropped_outside_of_a_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let kept = runtime.block_on(async {
        let mut kept = None;
        auth_testing::databases::run(TestDatabaseKind::Sqlite, async |database| {
            let (opened, users, log) = open(&database).await;
            let ada = users.insert(new_user("ada"), SideEffects::default()).await.unwrap();
            users.find_by_id(ada.id).await.unwrap();
            kept = Some((opened, users, log));
        })
        .await;
        kept
    });
    drop(kept);
}
