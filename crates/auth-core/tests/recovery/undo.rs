use std::time::Duration;

use auth_core::letters::{Letter, LetterKind};
use auth_core::{OneTimeProof, OneTimeToken, RegisterError};

use crate::fixture::{DAY, Fixture, HOME, NEW, OLD, at, email, is_invalid, link, password};

fn token(letter: &Letter) -> OneTimeToken {
    match link(letter) {
        OneTimeProof::Token(token) => token,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_undone_change_gives_the_address_back_and_shuts_the_thief_out() {
    let fixture = Fixture::new();
    let thief = fixture.register("ada").await;
    fixture.letters().await;
    let undo = fixture.change_email(&thief, "thief").await;
    fixture.forgot("thief").await.unwrap();
    let of_thief = fixture.letter(LetterKind::ResetPassword).await;

    let user = fixture.auth.undo_email_change(token(&undo), &at(HOME)).await.unwrap();
    assert_eq!((user.email, user.email_verified), (email("ada"), true));
    assert!(fixture.is_revoked(&thief).await);
    for name in ["ada", "thief"] {
        assert!(!fixture.may_log_in(name, OLD).await, "{name}");
    }
    assert!(is_invalid(&fixture.reset(link(&of_thief)).await));

    let reset = fixture.letter(LetterKind::ResetPassword).await;
    assert_eq!(reset.to.as_ref(), Some(&email("ada")));
    fixture.reset(link(&reset)).await.unwrap();
    assert!(fixture.may_log_in("ada", NEW).await);
    assert!(is_invalid(&fixture.auth.undo_email_change(token(&undo), &at(HOME)).await));
}

#[tokio::test]
async fn a_thief_who_changes_the_address_twice_does_not_keep_the_account() {
    let fixture = Fixture::new();
    let thief = fixture.register("ada").await;
    fixture.letters().await;
    let of_owner = fixture.change_email(&thief, "thief1").await;
    fixture.clock.advance(Duration::from_secs(1));
    let of_thief = fixture.change_email(&thief, "thief2").await;
    fixture.clock.advance(Duration::from_secs(1));

    // The thief goes back to the own first address, which ends nothing of the owner.
    fixture.auth.undo_email_change(token(&of_thief), &at(HOME)).await.unwrap();
    let letter = fixture.letter(LetterKind::ResetPassword).await;
    assert_eq!(letter.to.as_ref(), Some(&email("thief1")));
    fixture.reset(link(&letter)).await.unwrap();
    fixture.letters().await;

    assert_eq!(fixture.auth.undo_email_change(token(&of_owner), &at(HOME)).await.unwrap().email, email("ada"));
    assert!(!fixture.may_log_in("ada", NEW).await);
}

#[tokio::test]
async fn the_owners_undo_ends_that_of_the_thief() {
    let fixture = Fixture::new();
    let thief = fixture.register("ada").await;
    fixture.letters().await;
    let of_owner = fixture.change_email(&thief, "thief1").await;
    fixture.clock.advance(Duration::from_secs(1));
    let of_thief = fixture.change_email(&thief, "thief2").await;
    fixture.auth.undo_email_change(token(&of_owner), &at(HOME)).await.unwrap();
    assert!(is_invalid(&fixture.auth.undo_email_change(token(&of_thief), &at(HOME)).await));
    assert_eq!(fixture.user(&thief).await.email, email("ada"));
}

#[tokio::test]
async fn an_undo_ends_a_pending_change_too() {
    let fixture = Fixture::new();
    let thief = fixture.register("ada").await;
    fixture.letters().await;
    let undo = fixture.change_email(&thief, "thief1").await;
    let principal = fixture.principal(&thief).await;
    fixture.auth.change_email(&principal, &email("thief2"), password(OLD), &at(HOME)).await.unwrap();
    let pending = fixture.letter(LetterKind::ChangeEmail).await;
    fixture.auth.undo_email_change(token(&undo), &at(HOME)).await.unwrap();
    assert!(is_invalid(&fixture.auth.verify_email(link(&pending), &at(HOME)).await));
}

#[tokio::test]
async fn a_change_can_be_undone_for_seven_days_in_which_nobody_else_gets_the_address() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    fixture.letters().await;
    let undo = fixture.change_email(&ada, "lovelace").await;
    assert!(matches!(fixture.try_register("ada", HOME).await, Err(RegisterError::EmailTaken)));
    fixture.clock.advance(DAY * 7);
    assert!(is_invalid(&fixture.auth.undo_email_change(token(&undo), &at(HOME)).await));
}

#[tokio::test]
async fn a_reset_by_the_thief_does_not_end_the_undo_of_the_owner() {
    let fixture = Fixture::new();
    let thief = fixture.register("ada").await;
    fixture.letters().await;
    let undo = fixture.change_email(&thief, "thief").await;
    fixture.forgot("thief").await.unwrap();
    let letter = fixture.letter(LetterKind::ResetPassword).await;
    fixture.reset(link(&letter)).await.unwrap();
    assert_eq!(fixture.auth.undo_email_change(token(&undo), &at(HOME)).await.unwrap().email, email("ada"));
}
