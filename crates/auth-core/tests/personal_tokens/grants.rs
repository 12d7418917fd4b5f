//! What a personal token allows, and who may make one.

use std::sync::atomic::Ordering;
use std::time::Duration;

use auth_core::personal::{MAX_PERSONAL_TOKEN_LIFE, MAX_PERSONAL_TOKENS};
use auth_core::{CreatePersonalTokenError, TokenKind};

use crate::fixture::{Fixture, new, text};

#[tokio::test]
async fn a_token_allows_what_its_user_gave_it() {
    let fixture = Fixture::new().await;
    let token = fixture.try_create(Some("orders:read"), None).await.unwrap();
    let principal = fixture.principal(&token).await;
    assert_eq!((principal.user_id(), principal.kind()), (fixture.ada, TokenKind::Personal));
    assert_eq!(principal.session_id(), Some(token.token.id.session()));
    assert!(principal.has_scope("orders:read") && !principal.has_scope("orders:write"));
    assert!(!principal.is_admin());
    let bare = fixture.try_create(Some(""), None).await.unwrap();
    assert!(!fixture.principal(&bare).await.has_scope("orders:read"));
}

#[tokio::test]
async fn without_scopes_a_token_has_those_of_its_user_and_no_role() {
    let fixture = Fixture::new().await;
    fixture.near.promote(fixture.ada).await.unwrap();
    fixture.near.give_role(fixture.ada, "auditor".parse().unwrap()).await.unwrap();
    let principal = fixture.principal(&fixture.create().await).await;
    assert_eq!(principal.scopes().unwrap().to_string(), "editor orders:read orders:write");
    assert!(!principal.is_admin() && !principal.has_role("auditor"));
    let named = fixture.try_create(Some("admin auditor"), None).await.unwrap();
    let principal = fixture.principal(&named).await;
    assert!(principal.is_admin() && principal.has_role("auditor") && !principal.has_scope("orders:read"));
}

#[tokio::test]
async fn a_token_is_no_wider_than_its_user() {
    let fixture = Fixture::new().await;
    for wider in ["admin", "orders:delete", "orders:read auditor"] {
        let refused = fixture.try_create(Some(wider), None).await;
        assert!(matches!(refused, Err(CreatePersonalTokenError::NotGranted(_))), "{wider}: {refused:?}");
    }
}

#[tokio::test]
async fn a_name_that_is_a_scope_and_a_role_stands_for_the_scope() {
    let fixture = Fixture::new().await;
    let token = fixture.try_create(Some("editor"), None).await.unwrap();
    fixture.near.give_role(fixture.ada, "editor".parse().unwrap()).await.unwrap();
    let principal = fixture.principal(&token).await;
    assert!(principal.has_scope("editor") && !principal.has_role("editor"));
}

#[tokio::test]
async fn the_loss_of_a_role_ends_the_token() {
    let fixture = Fixture::new().await;
    fixture.near.promote(fixture.ada).await.unwrap();
    let token = fixture.try_create(Some("admin"), None).await.unwrap();
    assert!(fixture.principal(&token).await.is_admin());
    fixture.near.demote(fixture.ada).await.unwrap();
    assert_eq!(fixture.checks(&token).await, ["revoked", "revoked"]);
}

#[tokio::test]
async fn a_personal_token_makes_no_personal_token() {
    let fixture = Fixture::new().await;
    let principal = fixture.principal(&fixture.create().await).await;
    let refused = fixture.near.create_personal_token(&principal, new(None, None)).await;
    assert!(matches!(refused, Err(CreatePersonalTokenError::NotALogin)), "{refused:?}");
}

#[tokio::test]
async fn a_login_that_was_ended_makes_no_personal_token() {
    let fixture = Fixture::new().await;
    let principal = fixture.login().await;
    fixture.near.logout_everywhere(fixture.ada).await.unwrap();
    let refused = fixture.near.create_personal_token(&principal, new(None, None)).await;
    assert!(matches!(refused, Err(CreatePersonalTokenError::Revoked)), "{refused:?}");
}

#[tokio::test]
async fn a_user_who_is_deleted_meanwhile_gets_no_token() {
    let fixture = Fixture::new().await;
    let principal = fixture.login().await;
    fixture.gate.is_overtaken.store(true, Ordering::SeqCst);
    let refused = fixture.near.create_personal_token(&principal, new(None, None)).await;
    assert!(matches!(refused, Err(CreatePersonalTokenError::Revoked)), "{refused:?}");
}

#[tokio::test]
async fn a_life_has_bounds() {
    let fixture = Fixture::new().await;
    for life in [Duration::ZERO, Duration::from_millis(1_500), MAX_PERSONAL_TOKEN_LIFE + Duration::from_secs(1)] {
        let refused = fixture.try_create(None, Some(life)).await;
        assert!(matches!(refused, Err(CreatePersonalTokenError::Life)), "{life:?}: {refused:?}");
    }
    for life in [Duration::from_secs(1), MAX_PERSONAL_TOKEN_LIFE] {
        let token = fixture.try_create(None, Some(life)).await.unwrap().token;
        assert_eq!(token.expires_at - token.created_at, life);
    }
}

#[tokio::test]
async fn a_user_has_a_limited_number_of_tokens() {
    let fixture = Fixture::new().await;
    let principal = fixture.login().await;
    let mut last = None;
    for _ in 0..MAX_PERSONAL_TOKENS {
        last = Some(fixture.near.create_personal_token(&principal, new(None, None)).await.unwrap());
    }
    let refused = fixture.near.create_personal_token(&principal, new(None, None)).await;
    assert!(matches!(refused, Err(CreatePersonalTokenError::TooMany)), "{refused:?}");
    assert!(fixture.near.delete_personal_token(fixture.ada, last.unwrap().token.id).await.unwrap());
    assert!(fixture.near.create_personal_token(&principal, new(None, None)).await.is_ok());
}

#[tokio::test]
async fn a_list_and_an_export_have_the_tokens_and_no_secret() {
    let fixture = Fixture::new().await;
    let principal = fixture.login().await;
    let token = fixture.near.create_personal_token(&principal, new(Some("orders:read"), None)).await.unwrap();
    let listed = fixture.near.list_personal_tokens(fixture.ada).await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&token.token));
    let export = fixture.near.export(&principal).await.unwrap();
    assert_eq!(export.personal_tokens, listed);
    assert!(!format!("{token:?}{export:?}").contains(&text(&token)[4..]));
}
