//! Any sequence of attempts.

use std::time::Duration;

use proptest::prelude::*;

use crate::world::{Answer, HOME, RIGHT, World, elsewhere};

const CEILING: Duration = Duration::from_secs(15 * 60);

/// One step of somebody.
#[derive(Debug, Clone)]
enum Step {
    /// So many guesses from networks that the owner never used.
    Guess { first: u16, count: u16 },
    /// A guess from the owner's home.
    GuessAtHome,
    /// The owner mistypes at home.
    OwnerMistypes,
    /// The owner logs in at home.
    OwnerLogsIn,
    /// The owner logs in from a place that is new.
    OwnerTravels(u16),
    /// Time passes.
    Pass(Duration),
    /// The attacker waits exactly as long as they were last told to.
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
    let world = World::new();
    world.register("ada", HOME).await.unwrap();
    let mut told = Duration::ZERO;
    for step in steps {
        match step {
            Step::Guess { first, count } => {
                for number in first..first + count {
                    if let Answer::Wait(wait) = world.guess("ada", elsewhere(number)).await {
                        prop_assert!(wait <= CEILING, "a stranger waits {wait:?}");
                        told = wait;
                    }
                }
            }
            Step::GuessAtHome if home_is_safe => {}
            Step::GuessAtHome | Step::OwnerMistypes => {
                if let Answer::Wait(wait) = world.guess("ada", HOME).await {
                    prop_assert!(wait <= CEILING, "the owner waits {wait:?}");
                    told = wait;
                }
            }
            Step::OwnerLogsIn => {
                if let Answer::Wait(wait) = world.login("ada", RIGHT, HOME).await {
                    prop_assert!(wait <= CEILING, "the owner waits {wait:?}");
                    // Whatever strangers do meanwhile, having waited is enough.
                    for number in 0..100 {
                        world.guess("ada", elsewhere(number)).await;
                    }
                    world.clock.advance(wait);
                    prop_assert_eq!(world.login("ada", RIGHT, HOME).await, Answer::In);
                }
            }
            Step::OwnerTravels(place) => {
                world.login("ada", RIGHT, elsewhere(place)).await;
            }
            Step::Pass(time) => world.clock.advance(time),
            Step::WaitAsTold => world.clock.advance(told),
        }
    }
    prop_assert!(world.most_in_an_hour() <= 100, "{} guesses in an hour", world.most_in_an_hour());
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
