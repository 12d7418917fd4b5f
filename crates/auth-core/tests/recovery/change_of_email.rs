use auth_core::letters::LetterKind;
use auth_core::{ChangeEmailError, LoginError, RecoveryError};

use crate::fixture::{Fixture, HOME, NEW, OLD, at, email, is_invalid, link, password, typed};

#[tokio::test]
async fn the_new_address_confirms_and_the_old_one_is_told() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    fixture.letters().await;
    let principal = fixture.principal(&ada).await;
    fixture.auth.change_email(&principal, &email("lovelace"), password(OLD), &at(HOME)).await.unwrap();
    assert_eq!(fixture.user(&ada).await.email, email("ada"), "until it is confirmed");

    let letter = fixture.letter(LetterKind::ChangeEmail).await;
    assert_eq!((letter.to.as_ref(), letter.user_id), (Some(&email("lovelace")), ada.user.id));
    let user = fixture.auth.verify_email(link(&letter), &at(HOME)).await.unwrap();
    assert_eq!((user.email, user.email_verified), (email("lovelace"), true));
    assert!(!fixture.is_revoked(&ada).await);
    assert!(fixture.may_log_in("lovelace", OLD).await && !fixture.may_log_in("ada", OLD).await);

    let notice = fixture.letter(LetterKind::EmailChanged).await;
    assert_eq!(notice.to.as_ref(), Some(&email("ada")));
    assert!(notice.secret.unwrap().code.is_none());
}

#[tokio::test]
async fn the_code_confirms_the_new_address_too() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    fixture.letters().await;
    let principal = fixture.principal(&ada).await;
    fixture.auth.change_email(&principal, &email("lovelace"), password(OLD), &at(HOME)).await.unwrap();
    let letter = fixture.letter(LetterKind::ChangeEmail).await;
    assert_eq!(fixture.auth.verify_email(typed(&letter), &at(HOME)).await.unwrap().email, email("lovelace"));
}

#[tokio::test]
async fn the_current_password_is_needed_and_another_address() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    fixture.letters().await;
    let principal = fixture.principal(&ada).await;
    let wrong = fixture.auth.change_email(&principal, &email("lovelace"), password(NEW), &at(HOME)).await;
    assert!(matches!(wrong, Err(ChangeEmailError::Login(LoginError::InvalidCredentials))), "{wrong:?}");
    let same = fixture.auth.change_email(&principal, &email("ADA"), password(OLD), &at(HOME)).await;
    assert!(matches!(same, Err(ChangeEmailError::SameEmail)), "{same:?}");
    assert_eq!(fixture.take_all().await, []);
}

#[tokio::test]
async fn the_owner_of_an_address_in_use_is_told_and_nobody_else_learns_of_it() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    let bob = fixture.register("bob").await;
    fixture.letters().await;
    let principal = fixture.principal(&ada).await;

    fixture.calls.take();
    fixture.auth.change_email(&principal, &email("free"), password(OLD), &at(HOME)).await.unwrap();
    let free = fixture.calls.take();
    fixture.letter(LetterKind::ChangeEmail).await;
    fixture.auth.change_email(&principal, &email("bob"), password(OLD), &at(HOME)).await.unwrap();
    let taken: Vec<_> = fixture.calls.take();
    // The letter has no secret, which nobody but its reader can tell.
    let taken: Vec<_> = taken.iter().map(|call| call.replace("letters 1 (0)", "letters 1 (1)")).collect();
    assert_eq!(free, taken);

    let letter = fixture.letter(LetterKind::EmailInUse).await;
    assert_eq!((letter.to.as_ref(), letter.user_id), (Some(&email("bob")), bob.user.id));
    assert_eq!(letter.secret, None);
    assert_eq!(fixture.user(&ada).await.email, email("ada"));
}

#[tokio::test]
async fn an_address_that_another_account_got_meanwhile_is_refused() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    fixture.letters().await;
    let principal = fixture.principal(&ada).await;
    fixture.auth.change_email(&principal, &email("new"), password(OLD), &at(HOME)).await.unwrap();
    let letter = fixture.letter(LetterKind::ChangeEmail).await;
    fixture.register("new").await;
    let refused = fixture.auth.verify_email(link(&letter), &at(HOME)).await;
    assert!(matches!(refused, Err(RecoveryError::EmailTaken)), "{refused:?}");
    assert_eq!(fixture.user(&ada).await.email, email("ada"));
}

#[tokio::test]
async fn a_second_request_ends_the_first() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    fixture.letters().await;
    let principal = fixture.principal(&ada).await;
    fixture.auth.change_email(&principal, &email("first"), password(OLD), &at(HOME)).await.unwrap();
    let first = fixture.letter(LetterKind::ChangeEmail).await;
    fixture.auth.change_email(&principal, &email("second"), password(OLD), &at(HOME)).await.unwrap();
    let second = fixture.letter(LetterKind::ChangeEmail).await;
    assert!(is_invalid(&fixture.auth.verify_email(link(&first), &at(HOME)).await));
    assert_eq!(fixture.auth.verify_email(link(&second), &at(HOME)).await.unwrap().email, email("second"));
}

#[tokio::test]
async fn a_disabled_account_gets_no_other_address() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    fixture.letters().await;
    let principal = fixture.principal(&ada).await;
    fixture.auth.change_email(&principal, &email("lovelace"), password(OLD), &at(HOME)).await.unwrap();
    let letter = fixture.letter(LetterKind::ChangeEmail).await;
    fixture.auth.disable(ada.user.id).await.unwrap();
    assert!(is_invalid(&fixture.auth.verify_email(link(&letter), &at(HOME)).await));
}

#[tokio::test]
async fn a_changed_password_is_told_to_its_owner() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    fixture.letters().await;
    let principal = fixture.principal(&ada).await;
    fixture.auth.change_password(&principal, password(OLD), password(NEW), &at(HOME)).await.unwrap();
    fixture.letter(LetterKind::PasswordChanged).await;
    fixture.auth.set_password(ada.user.id, password(OLD)).await.unwrap();
    let letter = fixture.letter(LetterKind::PasswordChanged).await;
    assert_eq!((letter.to.as_ref(), letter.user_id), (Some(&email("ada")), ada.user.id));
}
