//! Exploration of the model: with every rule, and without each.

use stateright::{Checker, HasDiscoveries};

use super::*;

fn explore(without: Without, second: Second, until: HasDiscoveries) -> impl Checker<System> {
    let rules = Rules { lives: LIVES, without };
    System { rules, second }.checker().threads(2).finish_when(until).spawn_bfs().join()
}

#[test]
fn the_promises_hold_in_every_order_of_steps() {
    for second in [Second::Tab, Second::Thief] {
        explore(Without::Nothing, second, HasDiscoveries::All).assert_properties();
    }
}

#[test]
fn each_rule_is_needed() {
    for (without, second, promise) in [
        (Without::ConditionalRotation, Second::Tab, ONE_CHAIN),
        (Without::EndStopsRotation, Second::Tab, ENDED_STAYS_ENDED),
        (Without::LoserLooksAgain, Second::Tab, HONEST_STAY),
        (Without::Grace, Second::Tab, HONEST_STAY),
        (Without::GraceFromFirstUse, Second::Thief, ONE_CHAIN),
        (Without::SameSuccessor, Second::Thief, ONE_CHAIN),
        (Without::ExpiryWithinStored, Second::Tab, ENDED_STAYS_ENDED),
        (Without::ExpiryNoted, Second::Tab, ENDED_STAYS_ENDED),
        (Without::ReuseEnds, Second::Thief, ENDED_STAYS_ENDED),
        (Without::ReuseIsLogged, Second::Thief, ENDED_STAYS_ENDED),
        (Without::Generation, Second::Tab, ENDED_STAYS_ENDED),
        (Without::IdleEnd, Second::Tab, WITHIN_ITS_LIFE),
        (Without::AbsoluteEnd, Second::Tab, WITHIN_ITS_LIFE),
    ] {
        let missed = explore(without, second, HasDiscoveries::AnyOf([promise].into())).discovery(promise).is_some();
        assert!(missed, "the model does not miss the rule {without:?}");
    }
}
