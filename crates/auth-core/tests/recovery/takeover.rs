//! An account that a stranger registered on somebody else's address, in every state that the stranger can bring it to.

use std::sync::Arc;

use auth_core::letters::LetterKind;
use auth_core::{ChangeEmailError, ProfileChange, UserStore as _};

use crate::fixture::{Fixture, HOME, NEW, OLD, at, elsewhere, email, is_invalid, link, password, typed};

#[tokio::test]
async fn the_owner_of_the_address_takes_the_account_over_by_a_reset() {
    let fixture = Fixture::new();
    let stranger = fixture.register("ada").await;
    let verify = fixture.letter(LetterKind::VerifyEmail).await;
    let principal = fixture.principal(&stranger).await;
    fixture.auth.change_email(&principal, &email("stranger"), password(OLD), &at(elsewhere(1))).await.unwrap();
    let pending = fixture.letter(LetterKind::ChangeEmail).await;
    fixture.auth.forgot_password(&email("ada"), &at(elsewhere(1))).await.unwrap();
    let asked_by_stranger = fixture.letter(LetterKind::ResetPassword).await;

    fixture.forgot("ada").await.unwrap();
    let letter = fixture.letter(LetterKind::ResetPassword).await;
    let user = fixture.reset(link(&letter)).await.unwrap();
    assert_eq!((user.id, user.email_verified), (stranger.user.id, true));

    assert!(fixture.is_revoked(&stranger).await, "the session");
    assert!(!fixture.may_log_in("ada", OLD).await, "the password");
    for proof in [link(&pending), typed(&pending), link(&verify), typed(&verify)] {
        assert!(is_invalid(&fixture.auth.verify_email(proof, &at(HOME)).await), "the pending change");
    }
    assert!(is_invalid(&fixture.reset(link(&asked_by_stranger)).await), "other letters");
    assert_eq!(fixture.user(&stranger).await.email, email("ada"));
    assert!(fixture.may_log_in("ada", NEW).await);
}

#[tokio::test]
async fn the_owner_takes_the_account_over_after_the_stranger_has_moved_it_to_another_address() {
    let fixture = Fixture::new();
    let stranger = fixture.register("ada").await;
    fixture.letters().await;
    let undo = fixture.change_email(&stranger, "stranger").await;
    let auth_core::OneTimeProof::Token(token) = link(&undo) else { unreachable!() };
    fixture.auth.undo_email_change(token, &at(HOME)).await.unwrap();
    let letter = fixture.letter(LetterKind::ResetPassword).await;
    fixture.reset(link(&letter)).await.unwrap();
    assert!(fixture.is_revoked(&stranger).await);
    for (name, text) in [("ada", OLD), ("stranger", OLD), ("stranger", NEW)] {
        assert!(!fixture.may_log_in(name, text).await, "{name} {text}");
    }
    assert!(fixture.may_log_in("ada", NEW).await);
}

#[tokio::test]
async fn a_request_for_another_address_that_began_before_the_reset_writes_nothing_after_it() {
    let fixture = Arc::new(Fixture::new());
    let stranger = fixture.register("ada").await;
    fixture.letters().await;
    fixture.forgot("ada").await.unwrap();
    let letter = fixture.letter(LetterKind::ResetPassword).await;
    let generation = fixture.user(&stranger).await.generation;
    fixture.reset(link(&letter)).await.unwrap();
    fixture.letters().await;

    // The write of the request, as it would come after the reset.
    let change = ProfileChange::Unchanged { generation };
    let effects = auth_core::SideEffects::default();
    assert_eq!(fixture.store.change(stranger.user.id, change, effects).await.unwrap(), None);

    // The flow uses this write, and not the one that asks for nothing.
    fixture.calls.take();
    let again = fixture.try_login("ada", NEW).await.unwrap().signed_in().unwrap();
    let principal = fixture.principal(&again).await;
    fixture.auth.change_email(&principal, &email("lovelace"), password(NEW), &at(HOME)).await.unwrap();
    let calls = fixture.calls.take();
    assert!(calls.iter().any(|call| call.starts_with("change: ")), "{calls:?}");
    assert!(!calls.iter().any(|call| call.starts_with("write: ")), "{calls:?}");
}

#[tokio::test]
async fn a_session_that_a_reset_has_ended_asks_for_nothing() {
    let fixture = Fixture::new();
    let stranger = fixture.register("ada").await;
    fixture.letters().await;
    // A check that was made before the reset.
    let principal = fixture.principal(&stranger).await;
    fixture.forgot("ada").await.unwrap();
    let letter = fixture.letter(LetterKind::ResetPassword).await;
    fixture.reset(link(&letter)).await.unwrap();
    fixture.letters().await;
    let refused = fixture.auth.change_email(&principal, &email("stranger"), password(OLD), &at(elsewhere(1))).await;
    assert!(matches!(refused, Err(ChangeEmailError::Login(_))), "{refused:?}");
    assert_eq!(fixture.take_all().await, []);
}
