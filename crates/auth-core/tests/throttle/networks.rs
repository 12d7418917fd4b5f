//! Networks and accounts that count as one.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use auth_core::{Context, Email, NewAccount, Password, RegisterError, Username};

use crate::fixture::{Answer, HOME, RIGHT, ThrottleFixture, elsewhere, login};

#[tokio::test]
async fn a_network_is_an_ipv4_address_or_the_64_of_an_ipv6_one() {
    let fixture = ThrottleFixture::new();
    let v6 = |host: u16| Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, host).into();
    for host in 0..10 {
        assert_eq!(fixture.guess("ada", v6(host)).await, Answer::Wrong);
    }
    assert!(matches!(fixture.guess("ada", v6(99)).await, Answer::Wait(_)));
    let neighbour = Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1).into();
    assert_eq!(fixture.guess("ada", neighbour).await, Answer::Wrong);

    let v4 = Ipv4Addr::new(192, 0, 2, 1);
    for _ in 0..5 {
        assert_eq!(fixture.guess("bob", v4.into()).await, Answer::Wrong);
        assert_eq!(fixture.guess("bob", v4.to_ipv6_mapped().into()).await, Answer::Wrong);
    }
    assert!(matches!(fixture.guess("bob", v4.into()).await, Answer::Wait(_)));
}

#[tokio::test]
async fn spellings_of_one_address_are_one_account() {
    let fixture = ThrottleFixture::new();
    for _ in 0..5 {
        assert_eq!(fixture.guess("ada", HOME).await, Answer::Wrong);
        assert_eq!(fixture.guess("ADA", HOME).await, Answer::Wrong);
    }
    assert!(matches!(fixture.guess("Ada", HOME).await, Answer::Wait(_)));
}

#[tokio::test]
async fn a_network_registers_so_many_an_hour_and_then_waits_before_any_hash() {
    let fixture = ThrottleFixture::new();
    for number in 0..50 {
        fixture.register(&format!("user{number}"), HOME).await.unwrap();
    }
    let before = fixture.hashes();
    let refused = fixture.register("late", HOME).await;
    let Err(RegisterError::TooManyAttempts { retry_after }) = refused else { panic!("{refused:?}") };
    assert_eq!((retry_after, fixture.hashes()), (Duration::from_secs(72), before));
    assert_eq!(fixture.throttle.stats().registration, 1);
    fixture.register("elsewhere", elsewhere(1)).await.unwrap();
    fixture.clock.advance(retry_after);
    // A client that asks whether an address is registered is counted as well.
    assert!(matches!(fixture.register("user1", HOME).await, Err(RegisterError::EmailTaken)));
    assert!(matches!(fixture.register("late", HOME).await, Err(RegisterError::TooManyAttempts { .. })));
}

#[tokio::test]
async fn without_an_address_attempts_count_for_the_account_alone() {
    let fixture = ThrottleFixture::new();
    fixture.register("ada", HOME).await.unwrap();
    for _ in 0..10 {
        assert_eq!(login(&fixture.auth, "ada", "a wrong password", &Context::default()).await, Answer::Wrong);
    }
    assert!(matches!(login(&fixture.auth, "ada", RIGHT, &Context::default()).await, Answer::Wait(_)));
    assert_eq!(fixture.login("ada", RIGHT, HOME).await, Answer::In);
    for number in 0..200 {
        let account = NewAccount {
            email: Email::parse(&format!("user{number}@example.org")).unwrap(),
            username: Username::parse(&format!("user{number}")).unwrap(),
            password: Password::parse(RIGHT).unwrap(),
        };
        fixture.auth.register(account, &Context::default()).await.unwrap();
    }
}
