use auth_core::letters::LetterKind;
use auth_core::{Email, Language, LoginError, OneTimeCode, OneTimeProof, OneTimeToken, RecoveryError, RegisterOutcome};

use crate::fixture::{Fixture, HOME, HOUR, MINUTE, OLD, at, email, is_invalid, link, typed};

#[tokio::test]
async fn a_registration_sends_a_letter_whose_link_verifies_the_address_once() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    assert!(!ada.user.email_verified);

    let letter = fixture.letter(LetterKind::VerifyEmail).await;
    assert_eq!((letter.to.as_ref(), letter.user_id), (Some(&email("ada")), ada.user.id));
    assert_eq!(letter.username, ada.user.username);

    let verified = fixture.auth.verify_email(link(&letter), &at(HOME)).await.unwrap();
    assert!(verified.email_verified);
    assert!(fixture.user(&ada).await.email_verified);
    assert!(!fixture.is_revoked(&ada).await, "a session stays");
    assert!(is_invalid(&fixture.auth.verify_email(link(&letter), &at(HOME)).await));
}

#[tokio::test]
async fn the_code_of_the_letter_verifies_on_another_device_and_a_wrong_one_does_not() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    let letter = fixture.letter(LetterKind::VerifyEmail).await;

    let wrong = OneTimeProof::Code { email: email("ada"), code: OneTimeCode::generate().unwrap() };
    assert!(is_invalid(&fixture.auth.verify_email(wrong, &at(HOME)).await));
    assert!(!fixture.user(&ada).await.email_verified);

    let OneTimeProof::Code { code, .. } = typed(&letter) else { unreachable!() };
    let of_another = OneTimeProof::Code { email: email("bob"), code };
    assert!(is_invalid(&fixture.auth.verify_email(of_another, &at(HOME)).await));

    assert!(fixture.auth.verify_email(typed(&letter), &at(HOME)).await.unwrap().email_verified);
    assert!(is_invalid(&fixture.auth.verify_email(typed(&letter), &at(HOME)).await));
    assert!(is_invalid(&fixture.auth.verify_email(link(&letter), &at(HOME)).await), "link and code are one token");
}

#[tokio::test]
async fn a_letter_ends_with_its_life_and_a_new_one_can_be_asked_for() {
    let fixture = Fixture::new();
    fixture.register("ada").await;
    let first = fixture.letter(LetterKind::VerifyEmail).await;
    fixture.clock.advance(HOUR * 23 + MINUTE * 59);
    fixture.auth.resend_verification(&email("ADA"), &at(HOME)).await.unwrap();
    let second = fixture.letter(LetterKind::VerifyEmail).await;
    assert_eq!(second.to.as_ref().map(Email::as_str), Some("ada@example.org"), "the stored spelling");

    fixture.clock.advance(MINUTE);
    assert!(is_invalid(&fixture.auth.verify_email(link(&first), &at(HOME)).await));
    assert!(fixture.auth.verify_email(link(&second), &at(HOME)).await.unwrap().email_verified);
}

#[tokio::test]
async fn using_one_letter_ends_the_others() {
    let fixture = Fixture::new();
    fixture.register("ada").await;
    let first = fixture.letter(LetterKind::VerifyEmail).await;
    fixture.auth.resend_verification(&email("ada"), &at(HOME)).await.unwrap();
    let second = fixture.letter(LetterKind::VerifyEmail).await;
    fixture.auth.verify_email(link(&first), &at(HOME)).await.unwrap();
    assert!(is_invalid(&fixture.auth.verify_email(link(&second), &at(HOME)).await));
}

#[tokio::test]
async fn nobody_gets_a_letter_that_confirms_what_is_confirmed_or_disabled_or_unknown() {
    let fixture = Fixture::new();
    fixture.register_verified("ada").await;
    let bob = fixture.register("bob").await;
    fixture.auth.disable(bob.user.id).await.unwrap();
    fixture.letter(LetterKind::VerifyEmail).await;
    for name in ["ada", "bob", "nobody"] {
        fixture.auth.resend_verification(&email(name), &at(HOME)).await.unwrap();
        let decoys = fixture.take_all().await;
        assert_eq!(decoys.len(), 1, "{name}");
        assert_eq!(decoys[0].to, None, "{name}");
        assert!(is_invalid(&fixture.auth.verify_email(link(&decoys[0]), &at(HOME)).await), "{name}");
    }
}

#[tokio::test]
async fn a_disabled_account_is_verified_by_no_letter() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    let letter = fixture.letter(LetterKind::VerifyEmail).await;
    fixture.auth.disable(ada.user.id).await.unwrap();
    assert!(is_invalid(&fixture.auth.verify_email(link(&letter), &at(HOME)).await));
    fixture.auth.enable(ada.user.id).await.unwrap();
    assert!(fixture.auth.verify_email(link(&letter), &at(HOME)).await.unwrap().email_verified);
}

#[tokio::test]
async fn a_token_that_was_never_made_is_answered_like_a_used_one() {
    let fixture = Fixture::new();
    let proof = OneTimeProof::Token(OneTimeToken::generate().unwrap());
    assert!(is_invalid(&fixture.auth.verify_email(proof.clone(), &at(HOME)).await));
    assert!(is_invalid(&fixture.reset(proof).await));
}

#[tokio::test]
async fn a_letter_permits_nothing_but_its_purpose() {
    let fixture = Fixture::new();
    fixture.register("ada").await;
    let verify = fixture.letter(LetterKind::VerifyEmail).await;
    fixture.forgot("ada").await.unwrap();
    let reset = fixture.letter(LetterKind::ResetPassword).await;
    for proof in [link(&verify), typed(&verify)] {
        assert!(is_invalid(&fixture.reset(proof).await));
    }
    for proof in [link(&reset), typed(&reset)] {
        assert!(is_invalid(&fixture.auth.verify_email(proof, &at(HOME)).await));
    }
    let OneTimeProof::Token(token) = link(&reset) else { unreachable!() };
    assert!(is_invalid(&fixture.auth.undo_email_change(token, &at(HOME)).await));
    assert!(fixture.may_log_in("ada", OLD).await);
}

#[tokio::test]
async fn where_addresses_must_be_verified_nobody_is_signed_in_before() {
    let fixture = Fixture::with(|options| options.require_verified = true);
    let outcome = fixture.try_register("ada", HOME).await.unwrap();
    assert!(matches!(&outcome, RegisterOutcome::Unverified(user) if user.email == email("ada")), "{outcome:?}");

    let wrong = fixture.try_login("ada", "a wrong password").await;
    assert!(matches!(wrong, Err(LoginError::InvalidCredentials)), "{wrong:?}");
    let right = fixture.try_login("ada", OLD).await;
    assert!(matches!(right, Err(LoginError::EmailUnverified)), "{right:?}");

    let letter = fixture.letter(LetterKind::VerifyEmail).await;
    fixture.auth.verify_email(link(&letter), &at(HOME)).await.unwrap();
    let signed_in = fixture.try_login("ada", OLD).await.unwrap().signed_in().unwrap();
    assert!(signed_in.user.last_login_at.is_some());
}

#[tokio::test]
async fn a_letter_is_in_the_language_of_the_request() {
    let fixture = Fixture::new();
    fixture.register("ada").await;
    fixture.letters().await;
    let korean = at(HOME).with_language(Language::parse("ko").unwrap());
    fixture.auth.forgot_password(&email("ada"), &korean).await.unwrap();
    assert_eq!(fixture.letter(LetterKind::ResetPassword).await.language.as_str(), "ko");
}

#[tokio::test]
async fn without_letters_a_flow_says_so_and_registration_works() {
    let fixture = crate::profile::without_letters();
    let outcome = crate::profile::register(&fixture, "ada").await;
    assert!(outcome.signed_in().is_some());
    let refused = fixture.forgot_password(&email("ada"), &at(HOME)).await;
    assert!(matches!(refused, Err(RecoveryError::MailUnconfigured)), "{refused:?}");
    let refused = fixture.resend_verification(&email("ada"), &at(HOME)).await;
    assert!(matches!(refused, Err(RecoveryError::MailUnconfigured)), "{refused:?}");
}
