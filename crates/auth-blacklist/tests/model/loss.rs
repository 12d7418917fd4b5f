//! Model of a log that loses its latest entries once, as in a failover, and of a node that reads it and writes to it.
//!
//! Whenever a round of reads is complete and nothing has happened since it began, the log and the node have the same
//! entries. If the log lost an entry that the node knew, the node has raised the alarm.

use stateright::{Checker, Model, Property};

/// Token that is logged out at the modelled node.
const OWN: u8 = 0;
/// Token that is logged out elsewhere, and again when the answer was lost.
const REPEATED: u8 = 1;
/// Tokens that are logged out elsewhere.
const OTHER: [u8; 2] = [2, 3];

/// Rule that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    /// The last entry is compared by its target, not by the transaction that appended it.
    Marks,
    /// The last entry is not compared at all.
    Comparison,
    /// A round need not show the entries that the node itself has appended.
    OwnEntries,
    /// The node appends nothing again.
    Restoring,
}

/// Entry of the log: its target, and the transaction that appended it.
type Entry = (u8, u8);

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and every combination is a state")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    log: Vec<Entry>,
    transactions: u8,
    has_lost: bool,
    /// Number of appends from elsewhere.
    writes: u8,
    /// Position and content of the entry that the node read last.
    last: Option<(usize, Entry)>,
    /// Targets that the node refuses, as bits.
    index: u8,
    /// Round that had begun when the node appended its own entry, if it has not read the entry yet.
    unread: Option<u8>,
    round: u8,
    is_reading: bool,
    /// Whether the node is to append again the entries that it knows.
    must_restore: bool,
    alarm: bool,
    /// Whether the log lost an entry that the node knew.
    lost_known: bool,
    /// Whether nothing has happened since the round began.
    is_undisturbed: bool,
    /// Whether a round is complete and nothing has happened since it began.
    is_settled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    LogOut,
    WriteElsewhere(u8),
    Lose { kept: usize },
    Send,
    Arrive,
}

struct System(Without);

impl State {
    fn append(&mut self, revoked: u8) -> bool {
        let is_new = self.log.iter().all(|entry| entry.0 != revoked);
        if is_new {
            self.transactions += 1;
            self.log.push((revoked, self.transactions));
        }
        is_new
    }

    fn logged(&self) -> u8 {
        self.log.iter().fold(0, |bits, (revoked, _)| bits | 1 << revoked)
    }

    /// Appends again the entries that the node knows. Returns whether any was new.
    fn restore(&mut self) -> bool {
        let mut any = false;
        for revoked in 0..4 {
            let known = self.index >> revoked & 1 == 1;
            any |= known && self.append(revoked);
        }
        any
    }

    fn is_other_log(&self, without: Without) -> bool {
        let Some((position, read)) = self.last else { return false };
        match (without, self.log.get(position)) {
            (Without::Comparison, _) => false,
            (Without::Marks, Some(entry)) => entry.0 != read.0,
            (_, Some(entry)) => *entry != read,
            (_, None) => true,
        }
    }

    fn arrive(&mut self, without: Without) {
        self.is_reading = false;
        if self.is_other_log(without) {
            self.last = None;
            (self.must_restore, self.alarm) = (true, true);
            return;
        }
        let first = self.last.map_or(0, |(position, _)| position + 1);
        for (revoked, _) in self.log.iter().skip(first) {
            self.index |= 1 << revoked;
            if *revoked == OWN {
                self.unread = None;
            }
        }
        self.last = self.log.iter().copied().enumerate().next_back().or(self.last);
        let is_missing = self.unread.is_some_and(|acknowledged| acknowledged < self.round);
        if is_missing && without != Without::OwnEntries {
            (self.must_restore, self.alarm) = (true, true);
        } else {
            self.is_settled = self.is_undisturbed;
        }
    }
}

impl Model for System {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            log: Vec::new(),
            transactions: 0,
            has_lost: false,
            writes: 0,
            last: None,
            index: 0,
            unread: None,
            round: 0,
            is_reading: false,
            must_restore: false,
            alarm: false,
            lost_known: false,
            is_undisturbed: false,
            is_settled: false,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.index >> OWN & 1 == 0 {
            steps.push(Step::LogOut);
        }
        if state.writes < 4 {
            steps.extend([REPEATED, OTHER[0], OTHER[1]].map(Step::WriteElsewhere));
        }
        if !state.has_lost {
            steps.extend((0..state.log.len()).map(|kept| Step::Lose { kept }));
        }
        steps.push(if state.is_reading { Step::Arrive } else { Step::Send });
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        state.is_settled = false;
        state.is_undisturbed &= step == Step::Arrive;
        match step {
            Step::LogOut => {
                state.append(OWN);
                state.index |= 1 << OWN;
                state.unread = Some(state.round);
            }
            Step::WriteElsewhere(revoked) => {
                state.writes += 1;
                state.append(revoked);
            }
            Step::Lose { kept } => {
                let before = state.logged();
                state.log.truncate(kept);
                state.has_lost = true;
                state.lost_known = before & !state.logged() & state.index != 0;
            }
            Step::Send => {
                if state.must_restore && self.0 != Without::Restoring {
                    state.restore();
                }
                state.must_restore = false;
                state.round += 1;
                (state.is_reading, state.is_undisturbed) = (true, true);
            }
            Step::Arrive => state.arrive(self.0),
        }
        Some(state)
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.round < 6
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NOTHING_MISSED, |_, state: &State| {
                !state.is_settled || state.logged() & !state.index == 0
            }),
            Property::always(NOTHING_LOST, |_, state: &State| !state.is_settled || state.index & !state.logged() == 0),
            Property::always(ALARMED, |_, state: &State| !state.is_settled || !state.lost_known || state.alarm),
            Property::always(NO_FALSE_ALARM, |_, state: &State| !state.alarm || state.has_lost),
            Property::sometimes("a loss is repaired", |_, state: &State| {
                state.is_settled && state.lost_known && state.log.len() == 3
            }),
        ]
    }
}

const NOTHING_MISSED: &str = "the node refuses what the log has";
const NOTHING_LOST: &str = "the log has what the node refuses";
const ALARMED: &str = "a loss of what the node knew raises the alarm";
const NO_FALSE_ALARM: &str = "there is no alarm without a loss";

#[test]
fn a_loss_is_noticed_and_repaired_in_every_order_of_steps() {
    System(Without::Nothing).checker().threads(2).spawn_bfs().join().assert_properties();
}

#[test]
fn each_rule_against_losses_is_needed() {
    for (without, broken) in [
        (Without::Marks, NOTHING_MISSED),
        (Without::Comparison, NOTHING_LOST),
        (Without::OwnEntries, NOTHING_LOST),
        (Without::OwnEntries, ALARMED),
        (Without::Restoring, NOTHING_LOST),
    ] {
        let checker = System(without).checker().threads(2).spawn_bfs().join();
        assert!(checker.discovery(broken).is_some(), "without {without:?} it still holds that {broken}");
    }
}
