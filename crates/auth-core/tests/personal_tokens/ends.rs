//! What ends a personal token.

use std::time::Duration;

use auth_core::{Context, LEEWAY, Password};

use crate::fixture::{Fixture, SECRET, check, text};

#[tokio::test]
async fn a_deleted_token_is_refused_here_at_once_and_elsewhere_with_the_next_poll() {
    let fixture = Fixture::new().await;
    let (token, other) = (fixture.create().await, fixture.create().await);
    assert_eq!(fixture.checks(&token).await, ["good", "good"]);
    assert_eq!(fixture.checks(&other).await, ["good", "good"]);
    assert!(fixture.near.delete_personal_token(fixture.ada, token.token.id).await.unwrap());
    assert_eq!(check(&fixture.near, &text(&token)).await, "revoked");
    assert_eq!(check(&fixture.far, &text(&token)).await, "good", "within the bound memory may answer");
    assert_eq!(fixture.checks(&token).await, ["revoked", "revoked"]);
    assert_eq!(fixture.checks(&other).await, ["good", "good"]);
    // What a look-up found is forgotten after a quarter of an hour.
    fixture.clock.advance(Duration::from_secs(16 * 60));
    assert_eq!(fixture.checks(&token).await, ["invalid", "invalid"]);
    assert!(!fixture.near.delete_personal_token(fixture.ada, token.token.id).await.unwrap());
}

#[tokio::test]
async fn a_node_that_is_cut_off_from_the_log_does_not_trust_its_memory() {
    let fixture = Fixture::new().await;
    let token = fixture.create().await;
    assert_eq!(fixture.checks(&token).await, ["good", "good"]);
    fixture.near.delete_personal_token(fixture.ada, token.token.id).await.unwrap();
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(check(&fixture.far, &text(&token)).await, "revoked", "the store has no such token");
}

#[tokio::test]
async fn nobody_deletes_the_token_of_another_user() {
    let fixture = Fixture::new().await;
    let token = fixture.create().await;
    let bob = auth_core::UserId::generate(token.token.created_at).unwrap();
    assert!(!fixture.near.delete_personal_token(bob, token.token.id).await.unwrap());
    assert_eq!(fixture.checks(&token).await, ["good", "good"]);
}

#[tokio::test]
async fn a_token_that_logs_out_or_is_revoked_is_deleted() {
    let fixture = Fixture::new().await;
    let token = fixture.create().await;
    let principal = fixture.principal(&token).await;
    assert_eq!(fixture.checks(&token).await, ["good", "good"]);
    fixture.near.logout(&principal).await.unwrap();
    assert_eq!(fixture.checks(&token).await, ["revoked", "revoked"]);
    let token = fixture.create().await;
    fixture.near.revoke_token(None, &text(&token)).await.unwrap();
    assert_eq!(fixture.checks(&token).await, ["revoked", "invalid"], "the far node had never looked it up");
    assert!(fixture.near.list_personal_tokens(fixture.ada).await.unwrap().is_empty());
}

#[tokio::test]
async fn whatever_ends_all_tokens_of_a_user_ends_a_personal_one_for_ever() {
    for end in ["logout everywhere", "password", "disable", "delete"] {
        let fixture = Fixture::new().await;
        let (used, unused) = (fixture.create().await, fixture.create().await);
        assert_eq!(fixture.checks(&used).await, ["good", "good"]);
        let gone = match end {
            "password" => {
                let (current, new) = (Password::parse(SECRET).unwrap(), Password::parse("another secret").unwrap());
                let principal = fixture.login().await;
                fixture.near.change_password(&principal, current, new, &Context::default()).await.unwrap();
                "revoked"
            }
            "disable" => {
                fixture.near.disable(fixture.ada).await.unwrap();
                fixture.near.enable(fixture.ada).await.unwrap();
                "revoked"
            }
            "delete" => {
                fixture.near.delete_user(fixture.ada).await.unwrap();
                "invalid"
            }
            _ => {
                fixture.near.logout_everywhere(fixture.ada).await.unwrap();
                "revoked"
            }
        };
        assert_eq!(fixture.checks(&used).await, ["revoked", "revoked"], "{end}");
        assert_eq!(fixture.checks(&unused).await, [gone, gone], "{end}");
        fixture.clock.advance(Duration::from_secs(16 * 60));
        assert_eq!(fixture.checks(&used).await, [gone, gone], "{end}");
    }
}

#[tokio::test]
async fn a_token_expires() {
    let fixture = Fixture::new().await;
    let token = fixture.try_create(None, Some(Duration::from_secs(60))).await.unwrap();
    assert_eq!(fixture.checks(&token).await, ["good", "good"]);
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(fixture.checks(&token).await, ["good", "good"], "within the leeway");
    fixture.clock.advance(LEEWAY);
    assert_eq!(fixture.checks(&token).await, ["expired", "expired"]);
    assert!(fixture.near.list_personal_tokens(fixture.ada).await.unwrap().is_empty());
}
