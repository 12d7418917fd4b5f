//! Tables of other names: every statement of every store finds them.

use std::sync::Arc;

use auth_core::blacklist::Position;
use auth_core::throttle::{AttemptKey, Change, Counter};
use auth_core::{
    AttemptStore as _, Claims, InsertUserError, NewUser, RevocationLog as _, RevocationSource as _, SideEffects,
    UserChange, UserStore as _,
};
use auth_migrations::{Migrations, Prefix, Schema};
use auth_storage::{ConnectOptions, Database, SeaAttemptStore, SeaRevocationLog, SeaUserStore, Tables, connect};
use auth_testing::databases::TestDatabase;
use auth_testing::on_every_database;
use time::Duration;

use crate::support::{NOW, claims, execute, logout, new_user, revoke_all};

on_every_database!(the_stores_work_with_any_prefix, a_database_of_an_earlier_revision_has_none);

mod postgres_only {
    auth_testing::on_database!(Postgres: the_stores_work_in_any_schema_whatever_the_search_path);
}

async fn the_stores_work_with_any_prefix(database: TestDatabase) {
    // A prefix that looks like the column of one key does not make the other key look like it.
    for prefix in ["username_key_", "users_email_key_unique_"] {
        let opened = connect(database.url(), ConnectOptions::default()).await.unwrap();
        stores_work(with(opened, Migrations::new().prefix(Prefix::parse(prefix).unwrap())).await).await;
    }
}

async fn a_database_of_an_earlier_revision_has_none(database: TestDatabase) {
    let opened = connect(database.url(), ConnectOptions::default()).await.unwrap();
    let migrations = Migrations::new().prefix(Prefix::parse("").unwrap());
    let opened = with(opened, migrations).await;
    assert_eq!(
        *opened.tables(),
        Tables::new("", Migrations::new().layout(opened.connection()).await.unwrap().schema())
    );
    stores_work(opened).await;
}

async fn the_stores_work_in_any_schema_whatever_the_search_path(database: TestDatabase) {
    let opened = connect(database.url(), ConnectOptions::default()).await.unwrap();
    // Tables of the same names, which other applications have.
    execute(&opened, "CREATE TABLE users (id INT); CREATE TABLE blacklist (id INT); CREATE TABLE attempts (id INT)")
        .await;
    stores_work(with(opened, Migrations::new().schema(Schema::parse("Auth-1").unwrap())).await).await;
}

async fn with(opened: Database, migrations: Migrations) -> Database {
    let layout = migrations.up(opened.connection()).await.unwrap();
    opened.with_tables(Tables::new(layout.prefix(), layout.schema()))
}

async fn stores_work(database: Database) {
    let users = SeaUserStore::new(database.clone());
    let ada = users.insert(new_user("ada"), SideEffects::default()).await.unwrap();
    let same_name = NewUser { username: ada.username.clone(), ..new_user("bob") };
    assert!(matches!(
        users.insert(same_name.clone(), SideEffects::default()).await,
        Err(InsertUserError::UsernameTaken)
    ));
    let same_address = NewUser { email: ada.email.clone(), ..new_user("bob") };
    assert!(matches!(users.insert(same_address, SideEffects::default()).await, Err(InsertUserError::EmailTaken)));
    let same_both = NewUser { email: ada.email.clone(), ..same_name };
    assert!(matches!(users.insert(same_both, SideEffects::default()).await, Err(InsertUserError::EmailTaken)));
    assert_eq!(users.list(None, 10).await.unwrap(), std::slice::from_ref(&ada));
    assert!(users.promote(ada.id).await.unwrap().unwrap().admin);
    let hash = users.find_credentials(&ada.email).await.unwrap().unwrap().password_hash;
    assert!(users.replace_hash(ada.id, &hash, &hash).await.unwrap());
    users
        .change_and_revoke(ada.id, UserChange::Disable(NOW), revoke_all(), SideEffects::default())
        .await
        .unwrap()
        .unwrap();

    let log = SeaRevocationLog::new(database.clone());
    assert_eq!(log.append(&[logout(), logout()]).await.unwrap(), 2);
    assert_eq!(log.read_after(Position(0), 10).await.unwrap().entries.len(), 3);
    assert!(log.covers(&Claims { user_id: ada.id, ..claims() }).await.unwrap());
    assert!(!log.covers(&claims()).await.unwrap());
    assert_eq!(log.purge(NOW + Duration::days(365), 10).await.unwrap(), 3);
    // The entry is gone; the generation in the table of users still says so.
    assert!(log.covers(&Claims { user_id: ada.id, ..claims() }).await.unwrap());

    let attempts = SeaAttemptStore::new(database);
    let key = [AttemptKey::from([7; 16])];
    for failures in 1..=2 {
        let change: Change = Arc::new(|counters: &mut [Counter]| counters[0].failures += 1);
        attempts.update(&key, change).await.unwrap();
        assert_eq!(attempts.read(&key).await.unwrap()[0].failures, failures);
    }
    assert_eq!(attempts.purge(NOW, 10).await.unwrap(), 1);
}
