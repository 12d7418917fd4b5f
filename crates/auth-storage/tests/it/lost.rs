//! A database that lost what it had committed, as after a failover to a standby that lagged; and the clock of the database.

use std::sync::Arc;

use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::blacklist::Position;
use auth_core::{
    Blacklist as _, Claims, Clock as _, Revocation, RevocationLog as _, RevocationSource as _, SideEffects,
    SystemClock, UserChange, UserRevocation, UserStore as _,
};
use auth_storage::Database;
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use auth_testing::on_every_database;
use time::Duration;

use crate::support::{claims, execute, logout, new_user, open, revoke_all};

on_every_database!(
    a_node_writes_again_what_the_log_lost,
    a_position_that_is_given_again_has_another_mark,
    the_database_tells_the_time_if_it_has_a_clock,
);

/// Takes back all entries after `kept`.
async fn lose(database: &Database, kept: u64) {
    execute(database, &format!("DELETE FROM auth_blacklist WHERE position > {kept}")).await;
    execute(database, &format!("UPDATE auth_blacklist_head SET position = {kept}")).await;
}

async fn a_node_writes_again_what_the_log_lost(database: TestDatabase) {
    let (opened, users, log) = open(&database).await;
    let node = SyncedBlacklist::new(Arc::new(log.clone()), Arc::new(SystemClock), SyncOptions::default());
    let sync = async || while !node.sync_step().await.unwrap().complete {};
    // Expiries that have not passed by the clock of this machine.
    let expires_at = (SystemClock.now() + Duration::DAY).replace_nanosecond(0).unwrap();
    let read = Revocation { expires_at, ..logout() };
    log.append(&[read]).await.unwrap();
    sync().await;
    let user = users.insert(new_user("ada"), SideEffects::default()).await.unwrap();
    let revocation = UserRevocation { expires_at, ..revoke_all() };
    let change = users
        .change_and_revoke(user.id, UserChange::LogoutEverywhere, revocation, SideEffects::default())
        .await
        .unwrap();
    let (changed, noted) = change.unwrap();
    node.note(&noted);
    let acknowledged = Revocation { expires_at, ..logout() };
    node.revoke(acknowledged).await.unwrap();
    assert_eq!(log.read_after(Position(0), 10).await.unwrap().head, Position(3));

    // No reader has seen the last two; the row of the user is the older one again.
    lose(&opened, 1).await;
    execute(&opened, "UPDATE auth_users SET token_generation = 0").await;
    sync().await;

    let page = log.read_after(Position(0), 10).await.unwrap();
    let mut targets: Vec<_> = page.entries.iter().map(|entry| format!("{:?}", entry.revocation.target)).collect();
    let mut expected = [read, noted, acknowledged].map(|revocation| format!("{:?}", revocation.target));
    targets.sort_unstable();
    expected.sort_unstable();
    assert_eq!(targets, expected);
    assert!(page.lost.is_some() && node.lost().is_some());
    let found = users.find_by_id(user.id).await.unwrap().unwrap();
    assert_eq!(found.generation, changed.generation, "a login gives a token that is good");
    let token = |generation| Claims { user_id: user.id, generation, expires_at, ..claims() };
    assert!(log.covers(&token(user.generation)).await.unwrap());
    assert!(!log.covers(&token(found.generation)).await.unwrap());

    // Read before it was lost.
    lose(&opened, 0).await;
    sync().await;
    assert_eq!(log.read_after(Position(0), 10).await.unwrap().entries.len(), 3);
    assert_eq!((node.stats().losses, node.stats().restored), (2, 5));
    log.mark_loss(None).await.unwrap();
    sync().await;
    assert_eq!(node.lost(), None);
}

async fn a_position_that_is_given_again_has_another_mark(database: TestDatabase) {
    let (opened, _, log) = open(&database).await;
    let batch = [logout(), logout()];
    log.append(&batch).await.unwrap();
    let before = log.read_after(Position(0), 10).await.unwrap();
    lose(&opened, 1).await;
    log.append(&batch).await.unwrap();
    let after = log.read_after(Position(0), 10).await.unwrap();
    assert_eq!(before.entries[0], after.entries[0]);
    assert_eq!(before.entries[1].revocation, after.entries[1].revocation);
    assert_ne!(before.entries[1], after.entries[1]);
}

async fn the_database_tells_the_time_if_it_has_a_clock(database: TestDatabase) {
    let (opened, _, log) = open(&database).await;
    let (before, now) = (SystemClock.now(), log.now().await.unwrap());
    assert_eq!(now.is_some(), database.kind() != TestDatabaseKind::Sqlite);
    if let Some(now) = now {
        // It may be another machine's; a wrong unit or zone is further away.
        assert!((now - before).abs() < Duration::minutes(10), "{now} and {before}");
        assert!(opened.now().await.unwrap() >= Some(now));
    }
}
