//! Random schedules, run against the service on every database and against the rules of the model. Every answer must be
//! the same.
//!
//! Between the decision of a refresh and its conditional update another node can take a step, as in the model.

use auth_testing::databases::TestDatabase;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use super::steps::{Step, steps};
use super::system::{Answer, System};

const SCHEDULES: usize = 30;
const STEPS: usize = 30;

auth_testing::on_every_database!(every_answer_is_the_one_of_the_rules);

async fn every_answer_is_the_one_of_the_rules(database: TestDatabase) {
    let mut runner = TestRunner::deterministic();
    let mut system = System::on(&database).await;
    let mut seen = Seen::default();
    for _ in 0..SCHEDULES {
        let schedule = proptest::collection::vec(steps(), STEPS).new_tree(&mut runner).unwrap().current();
        system.login().await;
        for (number, step) in schedule.iter().enumerate() {
            let (expected, given) = system.take(step).await;
            assert_eq!(given, expected, "step {number} of {:#?}", &schedule[..=number]);
            system.compare_what_passes(&schedule[..=number]).await;
            seen.note(step, &expected);
        }
    }
    // The schedules would prove nothing if they never came to these.
    assert!(
        seen.rotations > 20 && seen.repeats > 5 && seen.lost_races > 5 && seen.refusals > 20 && seen.reuses > 5,
        "{seen:?}"
    );
}

/// How often the schedules came to what.
#[derive(Debug, Default)]
struct Seen {
    rotations: u32,
    repeats: u32,
    lost_races: u32,
    refusals: u32,
    reuses: u32,
}

impl Seen {
    fn note(&mut self, step: &Step, answers: &[Answer]) {
        for answer in answers {
            match answer {
                Answer::Refused => self.refusals += 1,
                Answer::Reused => self.reuses += 1,
                Answer::Granted { is_new: true, .. } => self.rotations += 1,
                Answer::Granted { is_new: false, .. } => self.repeats += 1,
            }
        }
        if let (Step::Race { .. }, [Answer::Granted { token: first, .. }, Answer::Granted { token: second, .. }]) =
            (step, answers)
        {
            self.lost_races += u32::from(first == second);
        }
    }
}
