//! Upgrades of hashes that are not of the configured scheme and cost.

use auth_core::PasswordHasher as _;
use auth_core::service::UpgradeStats;

use crate::counting::{argon2, bcrypt, password};
use crate::fixture::{PasswordFixture, one_of_each};

#[tokio::test]
async fn a_login_upgrades_a_hash_of_another_scheme_or_cost_after_the_answer() {
    let fixture = PasswordFixture::new(&[]);
    one_of_each(&fixture).await;
    for (number, name) in (1..).zip(["cheaper", "dearer", "other", "otherless", "othermore"]) {
        let before = fixture.hash_of(name).await;
        fixture.login(name, "right password").await.unwrap();
        assert!(fixture.hash_of(name).await == before, "{name}: the answer did not wait for the upgrade");
        fixture.run_later().await;
        let after = fixture.hash_of(name).await;
        assert!(after.expose_hash().starts_with("$2b$06$"), "{name} was not upgraded");
        fixture.login(name, "right password").await.unwrap();
        assert_eq!(fixture.auth.upgrade_stats().upgraded, number);
        assert!(fixture.later.lock().unwrap().is_empty(), "{name} is upgraded once");
    }
}

#[tokio::test]
async fn a_password_that_was_changed_meanwhile_is_not_overwritten_by_an_upgrade() {
    let fixture = PasswordFixture::new(&[]);
    let id = fixture.import("ada", bcrypt(4).hash(&password("right password")).unwrap()).await;
    fixture.login("ada", "right password").await.unwrap();
    fixture.auth.set_password(id, password("another password")).await.unwrap();
    fixture.run_later().await;
    assert_eq!(fixture.auth.upgrade_stats().superseded, 1);
    assert!(fixture.login("ada", "right password").await.is_err());
    assert!(fixture.login("ada", "another password").await.is_ok());
}

#[tokio::test]
async fn one_upgrade_at_a_time_and_the_others_wait_for_another_login() {
    let fixture = PasswordFixture::new(&[]);
    for name in ["ada", "bob"] {
        fixture.import(name, bcrypt(4).hash(&password("right password")).unwrap()).await;
        fixture.login(name, "right password").await.unwrap();
    }
    fixture.run_later().await;
    let stats = fixture.auth.upgrade_stats();
    assert_eq!((stats.upgraded, stats.shed), (1, 1));
    fixture.login("bob", "right password").await.unwrap();
    fixture.run_later().await;
    assert_eq!(fixture.auth.upgrade_stats().upgraded, 2);
}

#[tokio::test]
async fn a_password_that_the_configured_scheme_cannot_take_stays_as_it_is() {
    let fixture = PasswordFixture::new(&[]);
    let long = "x".repeat(100);
    fixture.import("ada", argon2(64, 2).hash(&password(&long)).unwrap()).await;
    fixture.login("ada", &long).await.unwrap();
    assert!(fixture.later.lock().unwrap().is_empty());
    assert_eq!(fixture.auth.upgrade_stats(), UpgradeStats::default());
}
