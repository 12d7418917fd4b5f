use std::sync::Arc;

use auth_core::letters::LetterKind;
use auth_core::{OneTimeCode, OneTimeProof, PasswordError, RecoveryError};

use crate::fixture::{DAY, Fixture, HOME, HOUR, NEW, OLD, at, email, is_invalid, link, password, typed};

#[tokio::test]
async fn a_reset_sets_the_password_verifies_the_address_ends_every_session_and_signs_nobody_in() {
    let fixture = Fixture::new();
    let first = fixture.register("ada").await;
    let second = fixture.try_login("ada", OLD).await.unwrap().signed_in().unwrap();
    fixture.letters().await;
    fixture.forgot("ada").await.unwrap();
    let letter = fixture.letter(LetterKind::ResetPassword).await;

    let user = fixture.reset(link(&letter)).await.unwrap();
    assert!(user.email_verified);
    assert!(fixture.is_revoked(&first).await && fixture.is_revoked(&second).await);
    assert_eq!(fixture.auth.list_sessions(user.id, 10).await.unwrap(), []);
    assert!(!fixture.may_log_in("ada", OLD).await);
    assert!(fixture.may_log_in("ada", NEW).await);

    let notice = fixture.letter(LetterKind::PasswordChanged).await;
    assert_eq!((notice.to.as_ref(), notice.secret.as_ref()), (Some(&email("ada")), None));
    assert!(is_invalid(&fixture.reset(link(&letter)).await), "used");
}

#[tokio::test]
async fn the_code_of_the_letter_resets_too_and_once() {
    let fixture = Fixture::new();
    fixture.register("ada").await;
    fixture.letters().await;
    fixture.forgot("ada").await.unwrap();
    let letter = fixture.letter(LetterKind::ResetPassword).await;
    fixture.reset(typed(&letter)).await.unwrap();
    assert!(fixture.may_log_in("ada", NEW).await);
    assert!(is_invalid(&fixture.reset(typed(&letter)).await));
}

#[tokio::test]
async fn of_many_resets_by_one_letter_one_succeeds() {
    let fixture = Arc::new(Fixture::new());
    fixture.register("ada").await;
    fixture.letters().await;
    fixture.forgot("ada").await.unwrap();
    let letter = fixture.letter(LetterKind::ResetPassword).await;
    let tries = (0..8).map(|number| {
        let (fixture, proof) = (Arc::clone(&fixture), link(&letter));
        tokio::spawn(async move {
            fixture.auth.reset_password(proof, password(&format!("password {number}")), &at(HOME)).await.is_ok()
        })
    });
    let done = futures_util::future::join_all(tries).await;
    assert_eq!(done.into_iter().filter(|done| *done.as_ref().unwrap()).count(), 1);
}

#[tokio::test]
async fn a_password_that_breaks_the_policy_costs_no_letter() {
    let fixture = Fixture::new();
    fixture.register("ada").await;
    fixture.letters().await;
    fixture.forgot("ada").await.unwrap();
    let letter = fixture.letter(LetterKind::ResetPassword).await;
    for (weak, rule) in [("short", PasswordError::TooShort { min: 6 }), ("ada@example.org", PasswordError::Personal)] {
        for proof in [link(&letter), typed(&letter)] {
            let refused = fixture.auth.reset_password(proof, password(weak), &at(HOME)).await;
            assert!(matches!(&refused, Err(RecoveryError::NewPassword(broken)) if *broken == rule), "{refused:?}");
        }
    }
    fixture.reset(link(&letter)).await.unwrap();
}

#[tokio::test]
async fn a_reset_ends_with_its_life_and_with_the_account() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    fixture.letters().await;
    fixture.forgot("ada").await.unwrap();
    let first = fixture.letter(LetterKind::ResetPassword).await;
    fixture.clock.advance(HOUR);
    for proof in [link(&first), typed(&first)] {
        assert!(is_invalid(&fixture.reset(proof).await));
    }

    fixture.forgot("ada").await.unwrap();
    let second = fixture.letter(LetterKind::ResetPassword).await;
    fixture.auth.disable(ada.user.id).await.unwrap();
    assert!(is_invalid(&fixture.reset(link(&second)).await), "disabled");
    fixture.auth.enable(ada.user.id).await.unwrap();
    fixture.auth.delete_user(ada.user.id).await.unwrap();
    assert!(is_invalid(&fixture.reset(link(&second)).await), "deleted");
}

#[tokio::test]
async fn a_disabled_account_gets_no_letter_and_an_unverified_one_does() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    fixture.letters().await;
    fixture.forgot("ada").await.unwrap();
    fixture.letter(LetterKind::ResetPassword).await;
    fixture.auth.disable(ada.user.id).await.unwrap();
    fixture.forgot("ada").await.unwrap();
    assert_eq!(fixture.letters().await, []);
}

#[tokio::test]
async fn a_wrong_code_is_limited_like_a_wrong_password_and_together_with_it() {
    let fixture = Fixture::new();
    fixture.register("ada").await;
    fixture.letters().await;
    fixture.forgot("ada").await.unwrap();
    let letter = fixture.letter(LetterKind::ResetPassword).await;
    for _ in 0..5 {
        let wrong = OneTimeProof::Code { email: email("ada"), code: OneTimeCode::generate().unwrap() };
        assert!(is_invalid(&fixture.reset(wrong).await));
        assert!(!fixture.may_log_in("ada", "a wrong password").await);
    }
    let refused = fixture.reset(typed(&letter)).await;
    assert!(matches!(refused, Err(RecoveryError::TooManyAttempts { .. })), "{refused:?}");
    // The link is no guess.
    fixture.reset(link(&letter)).await.unwrap();
}

#[tokio::test]
async fn a_letter_to_a_former_address_resets_nothing() {
    let fixture = Fixture::new();
    let ada = fixture.register_verified("ada").await;
    fixture.forgot("ada").await.unwrap();
    let stale = fixture.letter(LetterKind::ResetPassword).await;
    let undo = fixture.change_email(&ada, "lovelace").await;
    assert!(is_invalid(&fixture.reset(link(&stale)).await));

    // Nor does it once the account has the address again.
    let OneTimeProof::Token(token) = link(&undo) else { unreachable!() };
    fixture.auth.undo_email_change(token, &at(HOME)).await.unwrap();
    assert!(is_invalid(&fixture.reset(link(&stale)).await));
}

#[tokio::test]
async fn expired_tokens_are_purged() {
    let fixture = Fixture::new();
    fixture.register("ada").await;
    fixture.forgot("ada").await.unwrap();
    fixture.clock.advance(DAY * 2);
    let now = auth_core::Clock::now(fixture.clock.as_ref());
    let purged = auth_core::recovery::purge_one_time_tokens(fixture.store.as_ref(), now, 1, async |_| {}).await;
    assert_eq!(purged.unwrap(), 2);
}
