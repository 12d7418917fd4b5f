//! A model of log, poll, freshness and check, explored exhaustively: within its bounds no order of steps lets a node
//! accept a token later than the promise allows — and each rule, taken away, is missed.
//!
//! Two tokens are logged out on other nodes while one node polls the log and checks tokens. Time is a counter.

use stateright::{Checker, Model, Property};

const BOUND: u8 = 2;
const LAST_TICK: u8 = 5;

/// A rule that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    /// Positions are given without a lock, as auto-increment ids are.
    CommitOrder,
    /// Freshness counts from the arrival of an answer, not from before the question.
    SentInstant,
    /// Past the bound memory answers on.
    Bound,
    /// When the log cannot be asked either, the token is accepted.
    FailClosed,
    /// A check reads the index first and the freshness second.
    FreshnessFirst,
    /// A logout is acknowledged before it is committed.
    DurableAck,
    /// A poll that failed counts as one that read nothing.
    OnlySuccess,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Writer {
    Idle,
    Written { position: u8 },
    Committed { position: u8 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Poll {
    Idle,
    Sent {
        at: u8,
    },
    /// The database has answered for this moment: which tokens it showed, and the last position.
    Answered {
        at: u8,
        shown: [bool; 2],
        last: u8,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Check {
    Idle,
    /// The first half is read: whether memory vouches, or (without the rule) whether the index holds the token.
    Half {
        token: usize,
        began: u8,
        read: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    now: u8,
    up: bool,
    given: u8,
    writers: [Writer; 2],
    acknowledged: [Option<u8>; 2],
    poll: Poll,
    position: u8,
    index: [bool; 2],
    synced_at: Option<u8>,
    check: Check,
    broken: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Tick,
    Fail,
    Heal,
    Write(usize),
    Commit(usize),
    Acknowledge(usize),
    Send,
    Answer,
    Arrive,
    Lose,
    BeginCheck(usize),
    EndCheck,
}

struct System(Without);

impl State {
    fn committed(&self, token: usize) -> Option<u8> {
        match self.writers[token] {
            Writer::Committed { position } => Some(position),
            _ => None,
        }
    }

    fn fresh(&self, without: Without) -> bool {
        self.synced_at.is_some_and(|at| without == Without::Bound || self.now - at <= BOUND)
    }
}

impl Model for System {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            now: 0,
            up: true,
            given: 0,
            writers: [Writer::Idle; 2],
            acknowledged: [None; 2],
            poll: Poll::Idle,
            position: 0,
            index: [false; 2],
            synced_at: None,
            check: Check::Idle,
            broken: false,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.now < LAST_TICK {
            steps.push(Step::Tick);
        }
        steps.push(if state.up { Step::Fail } else { Step::Heal });
        let locked = state.writers.iter().any(|writer| matches!(writer, Writer::Written { .. }));
        for token in 0..2 {
            match state.writers[token] {
                Writer::Idle if state.up && (!locked || self.0 == Without::CommitOrder) => {
                    steps.push(Step::Write(token));
                }
                Writer::Written { .. } if state.up => steps.push(Step::Commit(token)),
                _ => {}
            }
            let may = match state.writers[token] {
                Writer::Committed { .. } => true,
                Writer::Written { .. } => self.0 == Without::DurableAck,
                Writer::Idle => false,
            };
            if may && state.acknowledged[token].is_none() {
                steps.push(Step::Acknowledge(token));
            }
            if state.check == Check::Idle {
                steps.push(Step::BeginCheck(token));
            }
        }
        match state.poll {
            Poll::Idle => steps.push(Step::Send),
            Poll::Sent { .. } if state.up => steps.extend([Step::Answer, Step::Lose]),
            Poll::Sent { .. } => steps.push(Step::Lose),
            Poll::Answered { .. } => steps.extend([Step::Arrive, Step::Lose]),
        }
        if state.check != Check::Idle {
            steps.push(Step::EndCheck);
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = *last;
        match step {
            Step::Tick => state.now += 1,
            Step::Fail => state.up = false,
            Step::Heal => state.up = true,
            Step::Write(token) => {
                state.given += 1;
                state.writers[token] = Writer::Written { position: state.given };
            }
            Step::Commit(token) => {
                let Writer::Written { position } = state.writers[token] else { return None };
                state.writers[token] = Writer::Committed { position };
            }
            Step::Acknowledge(token) => state.acknowledged[token] = Some(state.now),
            Step::Send => state.poll = Poll::Sent { at: state.now },
            Step::Answer => {
                let Poll::Sent { at } = state.poll else { return None };
                let positions = [state.committed(0), state.committed(1)];
                let shown = positions.map(|position| position.is_some_and(|position| position > state.position));
                let last = positions.into_iter().flatten().max().unwrap_or(0).max(state.position);
                state.poll = Poll::Answered { at, shown, last };
            }
            Step::Arrive => {
                let Poll::Answered { at, shown, last } = state.poll else { return None };
                state.index = [0, 1].map(|token| state.index[token] || shown[token]);
                state.position = last;
                state.synced_at = Some(if self.0 == Without::SentInstant { state.now } else { at });
                state.poll = Poll::Idle;
            }
            Step::Lose => {
                if let (Without::OnlySuccess, Poll::Sent { at }) = (self.0, state.poll) {
                    state.synced_at = Some(at);
                }
                state.poll = Poll::Idle;
            }
            Step::BeginCheck(token) => {
                let first = if self.0 == Without::FreshnessFirst { state.index[token] } else { state.fresh(self.0) };
                state.check = Check::Half { token, began: state.now, read: first };
            }
            Step::EndCheck => {
                let Check::Half { token, began, read } = state.check else { return None };
                let (revoked, vouches) = match self.0 {
                    Without::FreshnessFirst => (read, state.fresh(self.0)),
                    _ => (state.index[token], read),
                };
                let accepted = match (revoked, vouches) {
                    (true, _) => false,
                    (false, true) => true,
                    (false, false) if state.up => state.committed(token).is_none(),
                    (false, false) => self.0 == Without::FailClosed,
                };
                let late = state.acknowledged[token].is_some_and(|at| began > at + BOUND);
                state.broken |= accepted && late;
                state.check = Check::Idle;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("refused within the bound", |_, state: &State| !state.broken),
            // Without these the promise could hold because nothing ever happens.
            Property::sometimes("memory answers alone", |_, state: &State| {
                state.check == Check::Half { token: 0, began: LAST_TICK, read: true }
            }),
            Property::sometimes("a revocation is read", |_, state: &State| state.index == [true, true]),
        ]
    }
}

fn broken(without: Without) -> bool {
    let checker = System(without).checker().threads(2).spawn_bfs().join();
    checker.discovery("refused within the bound").is_some()
}

#[test]
fn the_promise_holds_in_every_order_of_steps() {
    System(Without::Nothing).checker().threads(2).spawn_bfs().join().assert_properties();
}

#[test]
fn each_rule_is_needed() {
    for without in [
        Without::CommitOrder,
        Without::SentInstant,
        Without::Bound,
        Without::FailClosed,
        Without::FreshnessFirst,
        Without::DurableAck,
        Without::OnlySuccess,
    ] {
        assert!(broken(without), "the model does not miss the rule {without:?}");
    }
}
