//! Random schedules of two nodes: reads, outages, rotations, revocations. No good token is ever called invalid, and none of a revoked
//! key is accepted by a node that has read since.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use auth_core::Clock as _;
use proptest::prelude::*;

use crate::nodes::{HOUR, System, kid_of};

#[expect(dead_code, reason = "these tests need some of it")]
mod nodes;

/// Longest time between two steps. Together with an outage it is below the two hours of skew that the schedule allows for.
const LONGEST_STEP: u64 = 20 * 60;

/// Longest outage, in steps.
const LONGEST_OUTAGE: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Time passes, in seconds, and every node reads the keys if it can.
    Pass(u64),
    /// A node signs a token.
    Sign(usize),
    /// An operator publishes a key before its time.
    Rotate(usize),
    /// An operator revokes the key that signs.
    Revoke(usize),
    /// The store cannot be reached from here on.
    CutOff,
    /// It can be reached again.
    Mend,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..=LONGEST_STEP).prop_map(Step::Pass),
        6 => (0..2_usize).prop_map(Step::Sign),
        1 => (0..2_usize).prop_map(Step::Rotate),
        1 => (0..2_usize).prop_map(Step::Revoke),
        1 => Just(Step::CutOff),
        2 => Just(Step::Mend),
    ]
}

async fn run(steps: Vec<Step>) {
    let system = System::new();
    let nodes = [system.node().await, system.node().await];
    // Tokens by their text, with their expiry.
    let (mut tokens, mut revoked) = (BTreeMap::new(), BTreeSet::new());
    let (mut is_cut_off, mut passed) = (false, 0);
    for step in steps {
        match step {
            Step::Pass(seconds) => {
                passed += usize::from(is_cut_off);
                if passed > LONGEST_OUTAGE {
                    (is_cut_off, passed) = (false, 0);
                    system.cut_off(false);
                }
                system.clock.advance(Duration::from_secs(seconds));
                for node in &nodes {
                    assert_eq!(node.sync().await.is_ok(), !is_cut_off);
                }
            }
            Step::Sign(node) => {
                tokens.insert(system.sign(&nodes[node]), system.clock.now() + HOUR);
            }
            Step::Rotate(node) => drop(nodes[node].rotate().await),
            Step::Revoke(node) => {
                let kid = kid_of(&system.sign(&nodes[node]));
                if nodes[node].revoke(&kid).await.is_ok() {
                    revoked.insert(kid);
                }
            }
            Step::CutOff => (is_cut_off, passed) = (true, 0),
            Step::Mend => is_cut_off = false,
        }
        system.cut_off(is_cut_off);
        tokens.retain(|_, expires_at| *expires_at > system.clock.now());
        for token in tokens.keys() {
            for node in &nodes {
                let answer = system.check(node, token).await;
                if revoked.contains(&kid_of(token)) {
                    // The log of revocations is not part of this system. The node that has read refuses by its ring.
                    let has_read = node.sync().await.is_ok();
                    assert!(!has_read || system.check(node, token).await == "invalid", "{step:?}");
                } else if is_cut_off {
                    assert!(["good", "unknown"].contains(&answer), "{step:?}: a good token is {answer}");
                } else {
                    assert_eq!(answer, "good", "{step:?}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_schedule_calls_a_good_token_invalid(steps in prop::collection::vec(step(), 1..150)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(steps));
    }
}
