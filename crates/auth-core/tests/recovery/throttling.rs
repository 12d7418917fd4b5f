use std::time::Duration;

use auth_core::letters::LetterKind;
use auth_core::{Context, RegisterError};

use crate::fixture::{Fixture, HOME, HOUR, MINUTE, OLD, at, elsewhere, email, password};

impl Fixture {
    /// Asks for a reset from a network of its own, and returns whether a letter was written.
    async fn gets_letter(&self, name: &str, number: u8) -> bool {
        self.auth.forgot_password(&email(name), &at(elsewhere(number))).await.unwrap();
        !self.letters().await.is_empty()
    }
}

#[tokio::test]
async fn no_address_gets_more_than_five_letters_of_one_purpose_in_an_hour() {
    let fixture = Fixture::new();
    fixture.register("ada").await;
    fixture.letters().await;
    let mut sent = Vec::new();
    let start = auth_core::Clock::now(fixture.clock.as_ref());
    for minute in 0..300_u16 {
        let now = auth_core::Clock::now(fixture.clock.as_ref());
        if fixture.gets_letter("ada", u8::try_from(minute % 250).unwrap()).await {
            sent.push(now - start);
        }
        fixture.clock.advance(MINUTE);
    }
    assert_eq!(sent.iter().take_while(|at| at.is_zero() || **at < MINUTE * 3).count(), 3, "three at once: {sent:?}");
    for (number, first) in sent.iter().enumerate() {
        let within = sent[number..].iter().take_while(|at| **at - *first <= HOUR).count();
        assert!(within <= 5, "{sent:?}");
    }
    assert!(sent.len() >= 10, "{sent:?}");
    assert!(fixture.throttle.stats().withheld_letters > 200);
}

#[tokio::test]
async fn letters_to_one_address_take_none_from_another_or_from_another_purpose() {
    let fixture = Fixture::new();
    for name in ["ada", "bob"] {
        fixture.register(name).await;
    }
    fixture.letters().await;
    for number in 0..10 {
        fixture.gets_letter("ada", number).await;
    }
    assert!(fixture.gets_letter("bob", 20).await);
    fixture.auth.resend_verification(&email("ada"), &at(elsewhere(21))).await.unwrap();
    fixture.letter(LetterKind::VerifyEmail).await;
}

#[tokio::test]
async fn letters_that_nobody_gets_take_none_from_the_owner_of_the_address() {
    let fixture = Fixture::new();
    for number in 0..20 {
        fixture.auth.resend_verification(&email("ada"), &at(elsewhere(number))).await.unwrap();
        fixture.auth.forgot_password(&email("ada"), &at(elsewhere(number))).await.unwrap();
    }
    let ada = fixture.register("ada").await;
    fixture.letter(LetterKind::VerifyEmail).await;
    fixture.auth.vouch_for_email(ada.user.id).await.unwrap();
    for number in 0..20 {
        fixture.auth.resend_verification(&email("ada"), &at(elsewhere(number))).await.unwrap();
    }
    assert!(fixture.gets_letter("ada", 30).await);
}

#[tokio::test]
async fn a_registration_that_fails_takes_no_letter_from_the_owner_of_the_address() {
    let fixture = Fixture::new();
    fixture.register("ada").await;
    fixture.letters().await;
    for number in 0..10 {
        let refused = fixture.try_register("ada", elsewhere(number)).await;
        assert!(matches!(refused, Err(RegisterError::EmailTaken)), "{refused:?}");
    }
    assert_eq!(fixture.take_all().await, []);
    fixture.auth.resend_verification(&email("ada"), &at(HOME)).await.unwrap();
    fixture.letter(LetterKind::VerifyEmail).await;
}

#[tokio::test]
async fn an_address_that_is_registered_again_and_again_gets_no_letter_beyond_its_number() {
    let fixture = Fixture::new();
    let mut sent = 0;
    for _ in 0..8 {
        let signed_in = fixture.register("ada").await;
        sent += fixture.letters().await.len();
        fixture.auth.delete_user(signed_in.user.id).await.unwrap();
    }
    assert_eq!(sent, 3);
}

#[tokio::test]
async fn a_new_address_gets_no_letter_beyond_its_number_and_the_last_one_stays_good() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    fixture.letters().await;
    let principal = fixture.principal(&ada).await;
    let mut sent = Vec::new();
    for _ in 0..6 {
        fixture.auth.change_email(&principal, &email("victim"), password(OLD), &at(HOME)).await.unwrap();
        sent.extend(fixture.letters().await);
    }
    assert_eq!(sent.len(), 3);
    let last = crate::fixture::link(sent.last().unwrap());
    assert_eq!(fixture.auth.verify_email(last, &at(HOME)).await.unwrap().email, email("victim"));
}

#[tokio::test]
async fn a_network_without_an_address_is_limited_by_the_address_of_the_letter_alone() {
    let fixture = Fixture::new();
    fixture.register("ada").await;
    fixture.letters().await;
    for _ in 0..40 {
        fixture.auth.forgot_password(&email("ada"), &Context::default()).await.unwrap();
    }
    assert_eq!(fixture.letters().await.len(), 3);
}

#[tokio::test]
async fn a_network_may_ask_again_after_the_wait_that_it_was_told() {
    let fixture = Fixture::new();
    let ask = async || fixture.auth.forgot_password(&email("nobody"), &at(HOME)).await;
    for _ in 0..30 {
        ask().await.unwrap();
    }
    let Err(auth_core::RecoveryError::TooManyAttempts { retry_after }) = ask().await else { panic!("admitted") };
    assert_eq!(retry_after, Duration::from_secs(120));
    fixture.clock.advance(retry_after);
    ask().await.unwrap();
    assert_eq!(fixture.throttle.stats().letters, 1);
}
