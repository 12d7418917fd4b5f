//! Arbitrary sequences of attempts.

use std::time::Duration;

use proptest::prelude::*;

use crate::fixture::{Answer, HOME, RIGHT, ThrottleFixture, elsewhere};

const CEILING: Duration = Duration::from_secs(15 * 60);

/// Step of the attacker, of the owner or of time.
#[derive(Debug, Clone)]
enum Step {
    /// The attacker makes `count` guesses from networks that the owner never used.
    Guess { first: u16, count: u16 },
    /// The attacker guesses from the owner's home network.
    GuessAtHome,
    /// The owner mistypes at home.
    OwnerMistypes,
    /// The owner logs in at home.
    OwnerLogsIn,
    /// The owner logs in from a new network.
    OwnerTravels(u16),
    /// Time passes.
    Pass(Duration),
    /// The attacker waits exactly as long as the last answer said.
    WaitAsTold,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u16..500, 1_u16..40).prop_map(|(first, count)| Step::Guess { first, count }),
        2 => Just(Step::GuessAtHome),
        1 => Just(Step::OwnerMistypes),
        2 => Just(Step::OwnerLogsIn),
        1 => (10_000_u16..10_010).prop_map(Step::OwnerTravels),
        2 => (0_u64..600_000).prop_map(|millis| Step::Pass(Duration::from_millis(millis))),
        1 => (3_000_u64..9_000).prop_map(|seconds| Step::Pass(Duration::from_secs(seconds))),
        4 => Just(Step::WaitAsTold),
    ]
}

async fn play(steps: Vec<Step>, home_is_safe: bool) -> Result<(), TestCaseError> {
    let fixture = ThrottleFixture::new();
    fixture.register("ada", HOME).await.unwrap();
    let mut told = Duration::ZERO;
    for step in steps {
        match step {
            Step::Guess { first, count } => {
                for number in first..first + count {
                    if let Answer::Wait(wait) = fixture.guess("ada", elsewhere(number)).await {
                        prop_assert!(wait <= CEILING, "a stranger waits {wait:?}");
                        told = wait;
                    }
                }
            }
            Step::GuessAtHome if home_is_safe => {}
            Step::GuessAtHome | Step::OwnerMistypes => {
                if let Answer::Wait(wait) = fixture.guess("ada", HOME).await {
                    prop_assert!(wait <= CEILING, "the owner waits {wait:?}");
                    told = wait;
                }
            }
            Step::OwnerLogsIn => {
                if let Answer::Wait(wait) = fixture.login("ada", RIGHT, HOME).await {
                    prop_assert!(wait <= CEILING, "the owner waits {wait:?}");
                    // The wait is enough, even if strangers keep guessing meanwhile.
                    for number in 0..100 {
                        fixture.guess("ada", elsewhere(number)).await;
                    }
                    fixture.clock.advance(wait);
                    prop_assert_eq!(fixture.login("ada", RIGHT, HOME).await, Answer::In);
                }
            }
            Step::OwnerTravels(place) => {
                fixture.login("ada", RIGHT, elsewhere(place)).await;
            }
            Step::Pass(time) => fixture.clock.advance(time),
            Step::WaitAsTold => fixture.clock.advance(told),
        }
    }
    prop_assert!(fixture.most_in_an_hour() <= 100, "{} guesses in an hour", fixture.most_in_an_hour());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn in_any_hour_of_any_sequence_a_hundred_guesses_reach_the_hasher_and_the_owner_waits_no_longer_than_the_ceiling(
        steps in prop::collection::vec(step(), 1..120),
        home_is_safe: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(play(steps, home_is_safe))?;
    }
}
