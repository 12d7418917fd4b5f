//! The store of users: what only a real database shows.

use auth_core::blacklist::Position;
use auth_core::{
    Email, Generation, InsertUserError, NewUser, PasswordHash, RevocationLog, RevocationSource as _, SideEffects,
    StoreErrorKind, UserChange, UserStore, Username,
};
use auth_testing::databases::TestDatabase;
use auth_testing::on_every_database;
use time::Duration;

use crate::support::{NOW, execute, logout, new_user, number, of_store, open, revoke_all};

on_every_database!(
    the_field_that_is_taken_is_told_whatever_it_says,
    a_taken_id_is_no_conflict_of_a_person,
    spellings_of_one_key_are_one_user_and_similar_keys_are_not,
    a_generation_at_its_limit_is_an_error_and_changes_nothing,
    a_change_that_cannot_be_logged_is_not_made,
    changes_and_logouts_at_once_do_not_deadlock,
    a_row_that_is_no_user_is_corrupt,
    a_username_that_an_earlier_release_accepted_is_read,
    instants_come_back_to_the_microsecond,
    replacing_a_hash_by_itself_counts,
);

async fn the_field_that_is_taken_is_told_whatever_it_says(database: TestDatabase) {
    let (_, users, _) = open(&database).await;
    // A name that looks like what MySQL says about the other field.
    let tricky = "' for key 'users_email_key_unique";
    let first = NewUser { username: Username::parse(tricky).unwrap(), ..new_user("ada") };
    users.insert(first.clone(), SideEffects::default()).await.unwrap();

    let same_name = NewUser { username: first.username.clone(), ..new_user("bob") };
    assert!(matches!(
        users.insert(same_name.clone(), SideEffects::default()).await,
        Err(InsertUserError::UsernameTaken)
    ));
    let same_address = NewUser { email: first.email.clone(), ..new_user("cid") };
    assert!(matches!(users.insert(same_address, SideEffects::default()).await, Err(InsertUserError::EmailTaken)));
    let same_both = NewUser { email: first.email.clone(), ..same_name };
    assert!(matches!(users.insert(same_both, SideEffects::default()).await, Err(InsertUserError::EmailTaken)));
    // The name of one user and the address of another.
    users.insert(new_user("dot"), SideEffects::default()).await.unwrap();
    let mixed = NewUser { email: new_user("dot").email, username: first.username, ..new_user("eve") };
    assert!(matches!(users.insert(mixed, SideEffects::default()).await, Err(InsertUserError::EmailTaken)));
}

async fn a_taken_id_is_no_conflict_of_a_person(database: TestDatabase) {
    let (_, users, _) = open(&database).await;
    let first = users.insert(new_user("ada"), SideEffects::default()).await.unwrap();
    let same_id = NewUser { id: first.id, ..new_user("bob") };
    let Err(InsertUserError::Store(error)) = users.insert(same_id, SideEffects::default()).await else {
        panic!("two users with one id")
    };
    assert_eq!(error.kind(), StoreErrorKind::Internal);
}

async fn spellings_of_one_key_are_one_user_and_similar_keys_are_not(database: TestDatabase) {
    let (_, users, _) = open(&database).await;
    users.insert(new_user("ada"), SideEffects::default()).await.unwrap();
    let loud = NewUser { email: Email::parse("ADA@EXAMPLE.ORG").unwrap(), ..new_user("other") };
    assert!(matches!(users.insert(loud, SideEffects::default()).await, Err(InsertUserError::EmailTaken)));
    // Equal in the eyes of a collation that ignores accents.
    users
        .insert(NewUser { email: Email::parse("adá@example.org").unwrap(), ..new_user("adá") }, SideEffects::default())
        .await
        .unwrap();
    let found = users.find_credentials(&Email::parse("Ada@Example.Org").unwrap()).await.unwrap().unwrap();
    assert_eq!(found.user.username.as_str(), "ada");
}

async fn a_generation_at_its_limit_is_an_error_and_changes_nothing(database: TestDatabase) {
    let (opened, users, log) = open(&database).await;
    let id = users.insert(new_user("ada"), SideEffects::default()).await.unwrap().id;
    execute(&opened, "UPDATE auth_users SET token_generation = 4294967294").await;
    let (user, _) = users
        .change_and_revoke(id, UserChange::LogoutEverywhere, revoke_all(), SideEffects::default())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(user.generation, Generation::new(u32::MAX));

    let changed = users.change_and_revoke(id, UserChange::Disable(NOW), revoke_all(), SideEffects::default()).await;
    let error = of_store(changed).unwrap_err();

    assert_eq!(error.kind(), StoreErrorKind::Internal);
    assert_eq!(users.find_by_id(id).await.unwrap().unwrap(), user);
    assert_eq!(log.read_after(Position(0), 10).await.unwrap().head, Position(1));
}

async fn a_change_that_cannot_be_logged_is_not_made(database: TestDatabase) {
    let (opened, users, _) = open(&database).await;
    let before = users.insert(NewUser { admin: true, ..new_user("ada") }, SideEffects::default()).await.unwrap();
    execute(&opened, "ALTER TABLE auth_blacklist RENAME TO elsewhere").await;
    for change in [UserChange::Demote, UserChange::Password(PasswordHash::new("new".to_owned()))] {
        users.change_and_revoke(before.id, change, revoke_all(), SideEffects::default()).await.unwrap_err();
    }
    let after = users.find_credentials(&before.email).await.unwrap().unwrap();
    assert_eq!(after.user, before);
    assert_eq!(after.password_hash, new_user("ada").password_hash);
    assert_eq!(number(&opened, "SELECT position FROM auth_blacklist_head").await, 0);
}

async fn changes_and_logouts_at_once_do_not_deadlock(database: TestDatabase) {
    let (_, users, log) = open(&database).await;
    let ada = users.insert(new_user("ada"), SideEffects::default()).await.unwrap().id;
    let bob = users.insert(new_user("bob"), SideEffects::default()).await.unwrap().id;
    let callers: Vec<_> = (0..10)
        .map(|caller| {
            let (users, log) = (users.clone(), log.clone());
            tokio::spawn(async move {
                for round in 0..4 {
                    let id = if (caller + round) % 2 == 0 { ada } else { bob };
                    users
                        .change_and_revoke(id, UserChange::LogoutEverywhere, revoke_all(), SideEffects::default())
                        .await
                        .unwrap()
                        .unwrap();
                    log.append(&[logout(), logout()]).await.unwrap();
                    log.purge(NOW, 10).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(log.read_after(Position(0), 1).await.unwrap().head, Position(40 + 80));
    for id in [ada, bob] {
        assert_eq!(users.find_by_id(id).await.unwrap().unwrap().generation, Generation::new(20));
    }
}

async fn a_row_that_is_no_user_is_corrupt(database: TestDatabase) {
    let (opened, users, _) = open(&database).await;
    let user = users.insert(new_user("ada"), SideEffects::default()).await.unwrap();
    for (damage, repair) in [
        ("email = 'nobody'", "email = 'ada@example.org'"),
        ("username = ''", "username = 'ada'"),
        ("registered_on = 9223372036854775807", "registered_on = 0"),
        ("disabled_at = -9223372036854775807", "disabled_at = NULL"),
    ] {
        execute(&opened, &format!("UPDATE auth_users SET {damage}")).await;
        assert_eq!(users.find_by_id(user.id).await.unwrap_err().kind(), StoreErrorKind::Corrupt, "{damage}");
        assert_eq!(users.find_credentials(&user.email).await.unwrap_err().kind(), StoreErrorKind::Corrupt, "{damage}");
        assert_eq!(users.list(None, 10).await.unwrap_err().kind(), StoreErrorKind::Corrupt, "{damage}");
        execute(&opened, &format!("UPDATE auth_users SET {repair}")).await;
        users.find_by_id(user.id).await.unwrap().unwrap();
    }
}

async fn a_username_that_an_earlier_release_accepted_is_read(database: TestDatabase) {
    let (opened, users, _) = open(&database).await;
    let user = users.insert(new_user("ada"), SideEffects::default()).await.unwrap();
    for name in ["ada  lovelace", "ada\u{a0}l", "\u{2800}", "\u{e000}", "a\u{378}", "\u{301}a"] {
        assert!(Username::parse(name).is_err(), "{name:?} is refused today");
        execute(&opened, &format!("UPDATE auth_users SET username = '{name}'")).await;
        let read = users.find_by_id(user.id).await.unwrap().unwrap();
        assert_eq!(read.username.as_str(), name);
        assert_eq!(users.find_credentials(&user.email).await.unwrap().unwrap().user, read);
        assert_eq!(users.list(None, 10).await.unwrap(), [read]);
    }
}

async fn instants_come_back_to_the_microsecond(database: TestDatabase) {
    let (_, users, _) = open(&database).await;
    let registered_on = NOW + Duration::nanoseconds(123_456_789);
    let user = users.insert(NewUser { registered_on, ..new_user("ada") }, SideEffects::default()).await.unwrap();
    assert_eq!(user.registered_on, NOW + Duration::microseconds(123_456));
    assert_eq!(users.find_by_id(user.id).await.unwrap(), Some(user.clone()));

    let disabled_at = NOW - Duration::microseconds(1);
    for at in [disabled_at, NOW] {
        let change = UserChange::Disable(at);
        let (disabled, _) =
            users.change_and_revoke(user.id, change, revoke_all(), SideEffects::default()).await.unwrap().unwrap();
        assert_eq!(disabled.disabled_at, Some(disabled_at), "disabled since the first time");
    }
}

async fn replacing_a_hash_by_itself_counts(database: TestDatabase) {
    let (_, users, _) = open(&database).await;
    let id = users.insert(new_user("ada"), SideEffects::default()).await.unwrap().id;
    let hash = new_user("ada").password_hash;
    assert!(users.replace_hash(id, &hash, &hash).await.unwrap());
    let upper = PasswordHash::new(hash.expose_hash().to_uppercase());
    assert!(!users.replace_hash(id, &upper, &hash).await.unwrap(), "hashes differ in case");
}
