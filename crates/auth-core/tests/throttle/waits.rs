//! Lengths of the waits.

use std::time::Duration;

use crate::fixture::{Answer, HOME, RIGHT, ThrottleFixture, elsewhere};

#[tokio::test]
async fn a_guesser_at_one_place_waits_longer_and_longer_up_to_the_ceiling() {
    let fixture = ThrottleFixture::new();
    for _ in 0..10 {
        assert_eq!(fixture.guess("ada", elsewhere(1)).await, Answer::Wrong);
    }
    let mut waits = Vec::new();
    for _ in 0..14 {
        let Answer::Wait(wait) = fixture.guess("ada", elsewhere(1)).await else { panic!("let through") };
        waits.push(wait.as_secs());
        fixture.clock.advance(wait.saturating_sub(Duration::from_micros(1)));
        assert!(matches!(fixture.guess("ada", elsewhere(1)).await, Answer::Wait(_)), "a microsecond too early");
        fixture.clock.advance(Duration::from_micros(1));
        assert_eq!(fixture.guess("ada", elsewhere(1)).await, Answer::Wrong);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]);
    assert_eq!(fixture.throttle.stats().account, 28);
}

#[tokio::test]
async fn the_right_password_is_refused_too_while_one_has_to_wait_and_costs_no_hash() {
    let fixture = ThrottleFixture::new();
    fixture.register("ada", HOME).await.unwrap();
    for _ in 0..10 {
        fixture.guess("ada", elsewhere(1)).await;
    }
    let before = fixture.hashes();
    assert!(matches!(fixture.login("ada", RIGHT, elsewhere(1)).await, Answer::Wait(_)));
    assert_eq!(fixture.hashes(), before);
}

#[tokio::test]
async fn an_unknown_account_is_answered_like_a_known_one_all_the_way() {
    let (one, other) = (ThrottleFixture::new(), ThrottleFixture::new());
    one.register("ada", HOME).await.unwrap();
    let registered = one.hashes();
    for number in 0..200_u16 {
        let from = elsewhere(number % 40);
        let answers = (one.guess("ada", from).await, other.guess("ada", from).await);
        assert_eq!(answers.0, answers.1, "guess {number}");
        assert_eq!(one.hashes() - registered, other.hashes(), "guess {number}");
        if number % 3 == 0 {
            one.clock.advance(Duration::from_secs(20));
            other.clock.advance(Duration::from_secs(20));
        }
    }
}

#[tokio::test]
async fn an_attacker_with_a_thousand_networks_gets_sixty_tries_an_hour_and_the_owner_gets_in() {
    let fixture = ThrottleFixture::new();
    fixture.register("ada", HOME).await.unwrap();
    for second in 0..3 * 3_600_u32 {
        let from = elsewhere(u16::try_from(second % 1_000).unwrap());
        fixture.guess("ada", from).await;
        fixture.clock.advance(Duration::from_secs(1));
        if second % 600 == 0 {
            assert_eq!(fixture.login("ada", RIGHT, HOME).await, Answer::In, "after {second} s");
        }
    }
    assert_eq!(fixture.most_in_an_hour(), 60);
    // From a new network the owner competes with the attacker. Once the attacker stops, the owner waits two minutes.
    fixture.guess("ada", elsewhere(1)).await;
    let Answer::Wait(wait) = fixture.login("ada", RIGHT, elsewhere(2_000)).await else { panic!("let through") };
    assert!(wait <= Duration::from_secs(120), "{wait:?}");
    fixture.clock.advance(wait);
    assert_eq!(fixture.login("ada", RIGHT, elsewhere(2_000)).await, Answer::In);
}

#[tokio::test]
async fn a_network_is_known_for_thirty_days_after_a_login_and_no_longer() {
    let day = Duration::from_secs(24 * 3_600);
    let fixture = ThrottleFixture::new();
    fixture.register("ada", HOME).await.unwrap();
    for (passed, gets_in) in [((30 * day).saturating_sub(Duration::from_secs(1)), true), (30 * day, false)] {
        fixture.clock.advance(passed);
        for number in 0..40 {
            fixture.guess("ada", elsewhere(number)).await;
        }
        assert!(
            matches!(fixture.login("ada", RIGHT, elsewhere(99)).await, Answer::Wait(_)),
            "strangers used theirs up"
        );
        assert_eq!(fixture.login("ada", RIGHT, HOME).await == Answer::In, gets_in, "after {passed:?}");
    }
}

#[tokio::test]
async fn one_network_that_tries_many_accounts_is_stopped_and_those_who_live_there_are_not() {
    let fixture = ThrottleFixture::new();
    fixture.register("ada", HOME).await.unwrap();
    let mut wrong = 0;
    for number in 0..1_000 {
        if fixture.guess(&format!("user{number}"), HOME).await == Answer::Wrong {
            wrong += 1;
        }
    }
    assert_eq!(wrong, 300, "half of 600 an hour at once");
    assert_eq!(fixture.throttle.stats().network, 700);
    assert_eq!(fixture.login("ada", RIGHT, HOME).await, Answer::In);
    assert!(matches!(fixture.guess("ada", elsewhere(1)).await, Answer::Wrong), "another network");
}

#[tokio::test]
async fn an_office_behind_one_address_logs_in_undisturbed() {
    let fixture = ThrottleFixture::new();
    for number in 0..400 {
        let name = format!("user{number}");
        // Every fifth person mistypes twice.
        for _ in 0..if number % 5 == 0 { 2 } else { 0 } {
            assert_eq!(fixture.guess(&name, HOME).await, Answer::Wrong, "{name}");
        }
        let result = fixture.register(&name, elsewhere(number)).await;
        assert!(result.is_ok(), "{name}: {result:?}");
        assert_eq!(fixture.login(&name, RIGHT, HOME).await, Answer::In, "{name}");
    }
}

#[tokio::test]
async fn a_success_ends_the_waits_of_its_place_but_gives_a_neighbour_no_more_tries() {
    let fixture = ThrottleFixture::new();
    fixture.register("ada", HOME).await.unwrap();
    for round in 0..40 {
        for _ in 0..9 {
            fixture.guess("ada", HOME).await;
        }
        if let Answer::Wait(wait) = fixture.login("ada", RIGHT, HOME).await {
            assert!(wait <= Duration::from_secs(180), "round {round}: {wait:?}");
            fixture.clock.advance(wait);
            assert_eq!(fixture.login("ada", RIGHT, HOME).await, Answer::In, "round {round}");
        }
        fixture.clock.advance(Duration::from_secs(60));
    }
    assert!(fixture.most_in_an_hour() <= 40, "{}", fixture.most_in_an_hour());

    let fixture = ThrottleFixture::new();
    fixture.register("ada", HOME).await.unwrap();
    for _ in 0..2 {
        for _ in 0..9 {
            assert_eq!(fixture.guess("ada", HOME).await, Answer::Wrong);
        }
        assert_eq!(fixture.login("ada", RIGHT, HOME).await, Answer::In);
    }
}
