use auth_core::{AccountError, DeleteAccountError, LoginError, OneTimeTokenStore as _, Outbox as _};

use crate::fixture::{Fixture, HOME, NEW, OLD, at, elsewhere, is_invalid, link, password};

#[tokio::test]
async fn a_user_deletes_the_own_account_with_the_password_and_nothing_is_left_of_it() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    let bob = fixture.register("bob").await;
    fixture.forgot("ada").await.unwrap();
    let principal = fixture.principal(&ada).await;

    let wrong = fixture.auth.delete_account(&principal, password(NEW), &at(HOME)).await;
    assert!(matches!(wrong, Err(DeleteAccountError::Login(LoginError::InvalidCredentials))), "{wrong:?}");
    assert!(!fixture.is_revoked(&ada).await);

    fixture.auth.delete_account(&principal, password(OLD), &at(HOME)).await.unwrap();
    assert!(fixture.is_revoked(&ada).await);
    let found = fixture.auth.find_user(ada.user.id).await;
    assert!(matches!(found, Err(AccountError::UserNotFound)), "{found:?}");
    assert!(!fixture.may_log_in("ada", OLD).await);
    let now = auth_core::Clock::now(fixture.clock.as_ref());
    assert_eq!(fixture.store.open_tokens(ada.user.id, now).await.unwrap(), []);
    assert_eq!(fixture.store.of_user(ada.user.id).await.unwrap(), []);
    let letters = fixture.letters().await;
    assert!(letters.iter().all(|letter| letter.user_id == bob.user.id), "{letters:?}");

    let again = fixture.auth.delete_account(&principal, password(OLD), &at(HOME)).await;
    assert!(matches!(again, Err(DeleteAccountError::UserNotFound)), "{again:?}");
    assert!(!fixture.is_revoked(&bob).await && fixture.may_log_in("bob", OLD).await);
}

#[tokio::test]
async fn name_and_address_of_a_deleted_user_are_free_and_old_letters_are_worth_nothing_for_the_next_owner() {
    let fixture = Fixture::new();
    let first = fixture.register("ada").await;
    let letter = fixture.letters().await.pop().unwrap();
    fixture.auth.delete_user(first.user.id).await.unwrap();
    let second = fixture.register("ada").await;
    assert_ne!(second.user.id, first.user.id);
    assert!(is_invalid(&fixture.auth.verify_email(link(&letter), &at(HOME)).await));
    assert!(fixture.is_revoked(&first).await && !fixture.is_revoked(&second).await);
}

#[tokio::test]
async fn an_operator_deletes_once() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    fixture.auth.delete_user(ada.user.id).await.unwrap();
    let again = fixture.auth.delete_user(ada.user.id).await;
    assert!(matches!(again, Err(AccountError::UserNotFound)), "{again:?}");
}

#[tokio::test]
async fn guesses_at_the_password_of_a_deletion_are_limited() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    let principal = fixture.principal(&ada).await;
    for _ in 0..10 {
        let wrong = fixture.auth.delete_account(&principal, password(NEW), &at(elsewhere(1))).await;
        assert!(matches!(wrong, Err(DeleteAccountError::Login(LoginError::InvalidCredentials))), "{wrong:?}");
    }
    let refused = fixture.auth.delete_account(&principal, password(OLD), &at(elsewhere(1))).await;
    assert!(matches!(refused, Err(DeleteAccountError::Login(LoginError::TooManyAttempts { .. }))), "{refused:?}");
}
