//! Hashes that a login computes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use auth_core::{LoginError, PasswordHasher as _};
use auth_password::{HashWork, PasswordSchemes};

use crate::counting::{Counts, argon2, bcrypt, password, totals};
use crate::fixture::{PasswordFixture, email, one_of_each};

#[tokio::test]
async fn every_login_costs_the_same_whatever_is_stored() {
    let legacy = [HashWork::Bcrypt { cost: 7 }, HashWork::Argon2 { memory_kib: 96, passes: 3, lanes: 1 }];
    let fixture = PasswordFixture::new(&legacy);
    let names = one_of_each(&fixture).await;
    let long = "x".repeat(100);
    let mut costs = BTreeMap::new();
    for text in ["wrong password", long.as_str()] {
        costs.insert(format!("nobody, {} characters", text.len()), fixture.cost("nobody", text).await);
        for name in &names {
            costs.insert(format!("{name}, {} characters", text.len()), fixture.cost(name, text).await);
        }
    }
    for name in &names {
        let id = fixture.auth.find_by_email(&email(name)).await.unwrap().id;
        fixture.auth.disable(id).await.unwrap();
        costs.insert(format!("{name}, disabled"), fixture.cost(name, "right password").await);
    }
    for (who, counts) in &costs {
        assert_eq!(totals(counts), (1 << 7, 96 * 3), "{who}: {counts:?}");
    }
    assert_eq!(costs.len(), 2 * 10 + 9);
}

#[tokio::test]
async fn with_one_scheme_and_one_cost_a_login_is_one_hash() {
    let fixture = PasswordFixture::new(&[]);
    fixture.import("ada", bcrypt(6).hash(&password("right password")).unwrap()).await;
    for name in ["ada", "nobody"] {
        assert_eq!(
            fixture.cost(name, "wrong password").await,
            Counts::from([(HashWork::Bcrypt { cost: 6 }, 1)]),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_dearer_stored_hash_raises_the_cost_of_every_later_login() {
    let fixture = PasswordFixture::new(&[]);
    one_of_each(&fixture).await;
    assert_eq!(totals(&fixture.cost("nobody", "wrong password").await), (1 << 6, 0));
    assert_eq!(totals(&fixture.cost("dearer", "wrong password").await), (1 << 7, 0));
    assert_eq!(totals(&fixture.cost("nobody", "wrong password").await), (1 << 7, 0));
    assert_eq!(totals(&fixture.cost("othermore", "wrong password").await), (1 << 7, 96 * 3));
    for name in ["nobody", "default", "other", "unusable"] {
        assert_eq!(totals(&fixture.cost(name, "wrong password").await), (1 << 7, 96 * 3), "{name}");
    }
}

#[test]
fn each_new_level_is_reported_once() {
    let told = Arc::<Mutex<Vec<HashWork>>>::default();
    let teller = Arc::clone(&told);
    let schemes = PasswordSchemes::new(bcrypt(6))
        .reading(argon2(64, 2))
        .with_level(HashWork::Bcrypt { cost: 7 })
        .on_new_level(move |level| teller.lock().unwrap().push(level));
    let (dearer, other, more) = (bcrypt(8).dummy_hash(), argon2(64, 2).dummy_hash(), argon2(64, 3).dummy_hash());
    let met = [bcrypt(6).dummy_hash(), bcrypt(7).dummy_hash(), dearer, other, more];
    let met = met.map(Result::unwrap);
    for hash in met.iter().chain(&met) {
        schemes.verify(&password("wrong password"), hash).unwrap();
    }
    let argon2 = |passes| HashWork::Argon2 { memory_kib: 64, passes, lanes: 1 };
    assert_eq!(*told.lock().unwrap(), [HashWork::Bcrypt { cost: 8 }, argon2(2), argon2(3)]);
}

#[tokio::test]
async fn a_hash_that_cannot_be_used_is_named_and_no_login() {
    let fixture = PasswordFixture::new(&[]);
    one_of_each(&fixture).await;
    for name in ["unusable", "malformed", "foreign"] {
        let error = fixture.login(name, "right password").await.unwrap_err();
        assert!(matches!(error, LoginError::UnusableHash { .. }), "{name} got {error:?}");
    }
}
