//! What becomes of a hash that is not of the configured scheme and cost.

use auth_core::PasswordHasher as _;
use auth_core::service::UpgradeStats;

use crate::tally::{argon2, bcrypt, password};
use crate::world::{World, one_of_each};

#[tokio::test]
async fn a_login_upgrades_a_hash_of_another_scheme_or_cost_after_the_answer() {
    let world = World::new(&[]);
    one_of_each(&world).await;
    for (number, name) in (1..).zip(["cheaper", "dearer", "other", "otherless", "othermore"]) {
        let before = world.hash_of(name).await;
        world.login(name, "right password").await.unwrap();
        assert!(world.hash_of(name).await == before, "{name}: the answer did not wait for the upgrade");
        world.run_later().await;
        let after = world.hash_of(name).await;
        assert!(after.expose_hash().starts_with("$2b$06$"), "{name} was not upgraded");
        world.login(name, "right password").await.unwrap();
        assert_eq!(world.auth.upgrade_stats().upgraded, number);
        assert!(world.later.lock().unwrap().is_empty(), "{name} is upgraded once");
    }
}

#[tokio::test]
async fn a_password_that_was_changed_meanwhile_is_not_overwritten_by_an_upgrade() {
    let world = World::new(&[]);
    let id = world.import("ada", bcrypt(4).hash(&password("right password")).unwrap()).await;
    world.login("ada", "right password").await.unwrap();
    world.auth.set_password(id, password("another password")).await.unwrap();
    world.run_later().await;
    assert_eq!(world.auth.upgrade_stats().superseded, 1);
    assert!(world.login("ada", "right password").await.is_err());
    assert!(world.login("ada", "another password").await.is_ok());
}

#[tokio::test]
async fn one_upgrade_at_a_time_and_the_others_wait_for_another_login() {
    let world = World::new(&[]);
    for name in ["ada", "bob"] {
        world.import(name, bcrypt(4).hash(&password("right password")).unwrap()).await;
        world.login(name, "right password").await.unwrap();
    }
    world.run_later().await;
    let stats = world.auth.upgrade_stats();
    assert_eq!((stats.upgraded, stats.shed), (1, 1));
    world.login("bob", "right password").await.unwrap();
    world.run_later().await;
    assert_eq!(world.auth.upgrade_stats().upgraded, 2);
}

#[tokio::test]
async fn a_password_that_the_configured_scheme_cannot_take_stays_as_it_is() {
    let world = World::new(&[]);
    let long = "x".repeat(100);
    world.import("ada", argon2(64, 2).hash(&password(&long)).unwrap()).await;
    world.login("ada", &long).await.unwrap();
    assert!(world.later.lock().unwrap().is_empty());
    assert_eq!(world.auth.upgrade_stats(), UpgradeStats::default());
}
