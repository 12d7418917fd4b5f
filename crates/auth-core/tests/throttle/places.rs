//! What counts as one network and one account.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use auth_core::{Context, Email, NewAccount, Password, RegisterError, Username};

use crate::world::{Answer, HOME, RIGHT, World, elsewhere, login};

#[tokio::test]
async fn a_network_is_an_ipv4_address_or_the_64_of_an_ipv6_one() {
    let world = World::new();
    let v6 = |host: u16| Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, host).into();
    for host in 0..10 {
        assert_eq!(world.guess("ada", v6(host)).await, Answer::Wrong);
    }
    assert!(matches!(world.guess("ada", v6(99)).await, Answer::Wait(_)));
    let neighbour = Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1).into();
    assert_eq!(world.guess("ada", neighbour).await, Answer::Wrong);

    let v4 = Ipv4Addr::new(192, 0, 2, 1);
    for _ in 0..5 {
        assert_eq!(world.guess("bob", v4.into()).await, Answer::Wrong);
        assert_eq!(world.guess("bob", v4.to_ipv6_mapped().into()).await, Answer::Wrong);
    }
    assert!(matches!(world.guess("bob", v4.into()).await, Answer::Wait(_)));
}

#[tokio::test]
async fn spellings_of_one_address_are_one_account() {
    let world = World::new();
    for _ in 0..5 {
        assert_eq!(world.guess("ada", HOME).await, Answer::Wrong);
        assert_eq!(world.guess("ADA", HOME).await, Answer::Wrong);
    }
    assert!(matches!(world.guess("Ada", HOME).await, Answer::Wait(_)));
}

#[tokio::test]
async fn a_network_registers_so_many_an_hour_and_then_waits_before_any_hash() {
    let world = World::new();
    for number in 0..50 {
        world.register(&format!("user{number}"), HOME).await.unwrap();
    }
    let before = world.hashes();
    let refused = world.register("late", HOME).await;
    let Err(RegisterError::TooManyAttempts { retry_after }) = refused else { panic!("{refused:?}") };
    assert_eq!((retry_after, world.hashes()), (Duration::from_secs(72), before));
    assert_eq!(world.throttle.stats().registration, 1);
    world.register("elsewhere", elsewhere(1)).await.unwrap();
    world.clock.advance(retry_after);
    // Who asks whether an address is registered is counted as well.
    assert!(matches!(world.register("user1", HOME).await, Err(RegisterError::EmailTaken)));
    assert!(matches!(world.register("late", HOME).await, Err(RegisterError::TooManyAttempts { .. })));
}

#[tokio::test]
async fn without_an_address_attempts_count_for_the_account_alone() {
    let world = World::new();
    world.register("ada", HOME).await.unwrap();
    for _ in 0..10 {
        assert_eq!(login(&world.auth, "ada", "a wrong password", &Context::default()).await, Answer::Wrong);
    }
    assert!(matches!(login(&world.auth, "ada", RIGHT, &Context::default()).await, Answer::Wait(_)));
    assert_eq!(world.login("ada", RIGHT, HOME).await, Answer::In);
    for number in 0..200 {
        let account = NewAccount {
            email: Email::parse(&format!("user{number}@example.org")).unwrap(),
            username: Username::parse(&format!("user{number}")).unwrap(),
            password: Password::parse(RIGHT).unwrap(),
        };
        world.auth.register(account, &Context::default()).await.unwrap();
    }
}
