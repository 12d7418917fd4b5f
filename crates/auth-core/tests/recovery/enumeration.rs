//! What an observer could tell from the calls of the stores and of the hash function: nothing about an address.

use auth_core::letters::LetterKind;
use auth_core::recovery::OneTimeTokenStore as _;
use auth_core::{OneTimeCode, OneTimeProof, RecoveryError};

use crate::fixture::{Fixture, HOME, at, elsewhere, email, is_invalid, link, typed};

/// Returns a service with one user in each state, and their names with that of nobody.
async fn one_of_each() -> (Fixture, [&'static str; 5]) {
    let fixture = Fixture::new();
    fixture.register_verified("verified").await;
    fixture.register("unverified").await;
    let disabled = fixture.register("disabled").await;
    fixture.auth.disable(disabled.user.id).await.unwrap();
    fixture.register("limited").await;
    for number in 0..5 {
        fixture.auth.forgot_password(&email("limited"), &at(elsewhere(number))).await.unwrap();
        fixture.auth.resend_verification(&email("limited"), &at(elsewhere(number))).await.unwrap();
    }
    fixture.letters().await;
    fixture.calls.take();
    (fixture, ["nobody", "verified", "unverified", "disabled", "limited"])
}

#[tokio::test]
async fn a_forgotten_password_and_a_repeated_letter_make_the_same_calls_for_every_address() {
    let (fixture, names) = one_of_each().await;
    let expected = [
        "attempts: read 1",
        "attempts: update 1, written 1",
        "find_credentials",
        "hash",
        "attempts: update 1, written 1",
        "write: redeem false, end false, tokens 1 (1), letters 1 (1)",
    ];
    let forgot = ("forgot", ["verified", "unverified"].as_slice());
    for (flow, with_letter) in [forgot, ("resend", &["unverified"])] {
        for name in names {
            let context = at(elsewhere(100));
            if flow == "forgot" {
                fixture.auth.forgot_password(&email(name), &context).await.unwrap();
            } else {
                fixture.auth.resend_verification(&email(name), &context).await.unwrap();
            }
            assert_eq!(fixture.calls.take(), expected, "{flow} {name}");
            let written = fixture.take_all().await;
            assert_eq!(written.len(), 1, "{flow} {name}");
            assert_eq!(written[0].to.is_some(), with_letter.contains(&name), "{flow} {name}");
        }
    }
}

#[tokio::test]
async fn a_wrong_code_makes_the_same_calls_for_every_address_whether_a_letter_was_sent_or_not() {
    let (fixture, names) = one_of_each().await;
    fixture.forgot("verified").await.unwrap();
    fixture.letter(LetterKind::ResetPassword).await;
    fixture.calls.take();
    for name in names {
        let wrong = || OneTimeProof::Code { email: email(name), code: OneTimeCode::generate().unwrap() };
        assert!(is_invalid(&fixture.reset(wrong()).await));
        let admitted = ["attempts: read 4", "attempts: update 3, written 3"];
        let reset = ["find_latest reset_password", "verify"];
        // The owners are in a network that their accounts know.
        let calls = fixture.calls.take();
        let tail: Vec<_> = calls.iter().filter(|call| !call.starts_with("attempts")).collect();
        assert_eq!(tail, reset, "{name}");
        assert_eq!(calls.first().map(String::as_str), Some(admitted[0]), "{name}");

        assert!(is_invalid(&fixture.auth.verify_email(wrong(), &at(elsewhere(7))).await));
        let verify = ["find_latest verify_email", "find_latest change_email", "verify"];
        assert_eq!(fixture.calls.take(), [admitted.as_slice(), &verify].concat(), "{name}");
    }
}

#[tokio::test]
async fn a_decoy_permits_nothing_by_its_link_or_its_code() {
    let fixture = Fixture::new();
    fixture.forgot("nobody").await.unwrap();
    let decoy = fixture.take_all().await.pop().unwrap();
    assert_eq!(decoy.to, None);
    assert!(is_invalid(&fixture.reset(link(&decoy)).await));
    let code = decoy.secret.as_ref().unwrap().code.clone().unwrap();
    let typed = OneTimeProof::Code { email: email("nobody"), code };
    assert!(is_invalid(&fixture.reset(typed).await));

    // A user who registers the address later is not the user of the decoy.
    let ada = fixture.register("nobody").await;
    assert_ne!(decoy.user_id, ada.user.id);
    let now = auth_core::Clock::now(fixture.clock.as_ref());
    assert_eq!(fixture.store.open_tokens(ada.user.id, now).await.unwrap().len(), 1);
    assert!(is_invalid(&fixture.reset(link(&decoy)).await));
}

#[tokio::test]
async fn the_network_is_told_to_wait_and_the_address_never_is() {
    let fixture = Fixture::new();
    fixture.register("ada").await;
    fixture.letters().await;
    for name in ["ada", "nobody"] {
        let network = if name == "ada" { elsewhere(1) } else { elsewhere(2) };
        let mut admitted = 0;
        let refused = loop {
            match fixture.auth.forgot_password(&email(name), &at(network)).await {
                Ok(()) => admitted += 1,
                Err(refused) => break refused,
            }
        };
        assert!(matches!(refused, RecoveryError::TooManyAttempts { .. }), "{refused:?}");
        assert_eq!(admitted, 30, "{name}");
    }
    fixture.forgot("nobody").await.unwrap();
}

#[tokio::test]
async fn a_right_code_is_not_counted_and_a_used_one_is_a_wrong_one() {
    let fixture = Fixture::new();
    fixture.register("ada").await;
    fixture.letters().await;
    fixture.forgot("ada").await.unwrap();
    let letter = fixture.letter(LetterKind::ResetPassword).await;
    fixture.reset(typed(&letter)).await.unwrap();
    for _ in 0..10 {
        assert!(is_invalid(&fixture.reset(typed(&letter)).await));
    }
    let refused =
        fixture.auth.reset_password(typed(&letter), crate::fixture::password("new password"), &at(HOME)).await;
    assert!(matches!(refused, Err(RecoveryError::TooManyAttempts { .. })), "{refused:?}");
}
