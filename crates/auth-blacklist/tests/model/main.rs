//! Model of log, poll, freshness, purge and check, explored exhaustively.
//!
//! Within its bounds no order of steps lets a node accept a token later than the promise allows, or refuse one that
//! nobody logged out. Without any one of the rules some order does.
//!
//! Two tokens are logged out on other nodes while one node polls the log and checks one token. Another node purges
//! entries from the log. Time is a counter that all share, except for the purging node, whose clock may be ahead by any
//! amount.

mod loss;
mod rules;

use stateright::{Checker, Model, Property};

use self::rules::Without;

const BOUND: u8 = 2;
const LAST_TICK: u8 = 5;

/// Leeway: a token is good while `now < expiry + LEEWAY`. It is more than one, so that a moment lies between expiry and
/// leeway.
const LEEWAY: u8 = 2;

/// First token. It expires during the modelled time, and is logged out.
const EARLY: usize = 0;
/// Second token. It outlives the modelled time, and is logged out.
const LATE: usize = 1;
/// Token that nobody logs out. It expires with the first.
const STRANGER: usize = 2;

const EXPIRY: [u8; 3] = [1, 9, 1];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Writer {
    Idle,
    Written { position: u8 },
    Committed { position: u8 },
    Purged { position: u8 },
}

/// Purge of one entry, in two steps, each of which is committed by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Purge {
    Idle,
    Half { token: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Poll {
    Idle,
    Sent {
        at: u8,
    },
    /// The database has answered with its state at this moment: whether it showed the checked token, the last position,
    /// and the purge bound.
    Answered {
        at: u8,
        shown: bool,
        last: u8,
        purged: u8,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Check {
    Idle,
    /// The first half of the check is read: whether memory is fresh, or (without the rule) whether the index holds the
    /// token.
    Half {
        late: bool,
        read: bool,
    },
}

/// Promise that was broken on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Broken {
    Nothing,
    /// The checked token was accepted past the bound.
    AcceptedTooLate,
    /// The token was refused although nobody logged out, and no clock was wrong.
    RefusedWrongly,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    now: u8,
    up: bool,
    given: u8,
    writers: [Writer; 2],
    /// Time at which the logout of the checked token was acknowledged.
    acknowledged: Option<u8>,
    purge: Purge,
    /// Latest expiry of the entries that the log says may have been purged. Zero means none.
    purged: u8,
    /// Whether a purge removed an entry that a right clock would have kept.
    wrong_clock: bool,
    poll: Poll,
    position: u8,
    index: bool,
    /// Value of `purged` that the node knows.
    noted: u8,
    synced_at: Option<u8>,
    check: Check,
    broken: Broken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Tick,
    Fail,
    Heal,
    Write(usize),
    Commit(usize),
    Acknowledge,
    BeginPurge(usize),
    EndPurge,
    Send,
    Answer,
    Arrive,
    Lose,
    BeginCheck,
    EndCheck,
}

/// The system with one rule left out, and the token that is checked in it.
struct System {
    without: Without,
    token: usize,
}

impl State {
    /// Returns the position of the entry of a token, if a reader of the log sees it.
    fn entry(&self, token: usize) -> Option<u8> {
        match self.writers.get(token) {
            Some(Writer::Committed { position }) => Some(*position),
            _ => None,
        }
    }

    /// Returns the head of the log that a reader sees.
    fn head(&self, without: Without) -> u8 {
        let positions = self.writers.iter().map(|writer| match writer {
            Writer::Committed { position } => *position,
            Writer::Purged { position } if without != Without::HeadStays => *position,
            _ => 0,
        });
        positions.max().unwrap_or(0)
    }

    fn raise_purge_bound(&mut self, token: usize) {
        self.purged = self.purged.max(EXPIRY[token]);
    }

    fn remove(&mut self, token: usize) {
        if let Writer::Committed { position } = self.writers[token] {
            self.writers[token] = Writer::Purged { position };
        }
    }

    fn fresh(&self, without: Without) -> bool {
        self.synced_at.is_some_and(|at| without == Without::Bound || self.now - at <= BOUND)
    }
}

impl System {
    /// Returns whether memory refuses the token: its entry was read, or may have been purged.
    fn memory_refuses(&self, state: &State) -> bool {
        state.index || self.without != Without::PurgedIsRefused && EXPIRY[self.token] <= state.noted
    }

    /// Returns whether the log refuses the token at this moment.
    fn log_refuses(&self, state: &State) -> bool {
        let may_be_purged = self.without != Without::PurgedIsRefused && EXPIRY[self.token] <= state.purged;
        state.entry(self.token).is_some() || may_be_purged
    }

    fn is_unexpired(&self, state: &State) -> bool {
        state.now < EXPIRY[self.token] + LEEWAY
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
            acknowledged: None,
            purge: Purge::Idle,
            purged: 0,
            wrong_clock: false,
            poll: Poll::Idle,
            position: 0,
            index: false,
            noted: 0,
            synced_at: None,
            check: Check::Idle,
            broken: Broken::Nothing,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.now < LAST_TICK {
            steps.push(Step::Tick);
        }
        steps.push(if state.up { Step::Fail } else { Step::Heal });
        let locked = state.writers.iter().any(|writer| matches!(writer, Writer::Written { .. }));
        for token in [EARLY, LATE] {
            match state.writers[token] {
                Writer::Idle if state.up && (!locked || self.without == Without::CommitOrder) => {
                    steps.push(Step::Write(token));
                }
                Writer::Written { .. } if state.up => steps.push(Step::Commit(token)),
                Writer::Committed { .. } if state.up && state.purge == Purge::Idle => {
                    steps.push(Step::BeginPurge(token));
                }
                _ => {}
            }
        }
        let may = match state.writers.get(self.token) {
            Some(Writer::Committed { .. } | Writer::Purged { .. }) => true,
            Some(Writer::Written { .. }) => self.without == Without::DurableAck,
            Some(Writer::Idle) | None => false,
        };
        if may && state.acknowledged.is_none() {
            steps.push(Step::Acknowledge);
        }
        if state.up && state.purge != Purge::Idle {
            steps.push(Step::EndPurge);
        }
        match state.poll {
            Poll::Idle => steps.push(Step::Send),
            Poll::Sent { .. } if state.up => steps.extend([Step::Answer, Step::Lose]),
            Poll::Sent { .. } => steps.push(Step::Lose),
            Poll::Answered { .. } => steps.extend([Step::Arrive, Step::Lose]),
        }
        match state.check {
            Check::Idle if self.is_unexpired(state) => steps.push(Step::BeginCheck),
            Check::Idle => {}
            Check::Half { .. } => steps.push(Step::EndCheck),
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = *last;
        match step {
            Step::Tick => state.now += 1,
            Step::Fail => state.up = false,
            Step::Heal => state.up = true,
            Step::Write(token) => {
                // The holder of the lock reads the head. Without the lock positions are given regardless of commits.
                let before = if self.without == Without::CommitOrder { state.given } else { state.head(self.without) };
                state.given = before + 1;
                state.writers[token] = Writer::Written { position: state.given };
            }
            Step::Commit(token) => {
                let Writer::Written { position } = state.writers[token] else { return None };
                state.writers[token] = Writer::Committed { position };
            }
            Step::Acknowledge => state.acknowledged = Some(state.now),
            Step::BeginPurge(token) => {
                let leeway = if self.without == Without::Leeway { 0 } else { LEEWAY };
                state.wrong_clock |= state.now <= EXPIRY[token] + leeway;
                state.purge = Purge::Half { token };
                match self.without {
                    Without::PurgedFirst => state.remove(token),
                    _ => state.raise_purge_bound(token),
                }
            }
            Step::EndPurge => {
                let Purge::Half { token } = state.purge else { return None };
                state.raise_purge_bound(token);
                state.remove(token);
                state.purge = Purge::Idle;
            }
            Step::Send => state.poll = Poll::Sent { at: state.now },
            Step::Answer => {
                let Poll::Sent { at } = state.poll else { return None };
                let shown = state.entry(self.token).is_some_and(|position| position > state.position);
                let last = state.head(self.without).max(state.position);
                state.poll = Poll::Answered { at, shown, last, purged: state.purged };
            }
            Step::Arrive => {
                let Poll::Answered { at, shown, last, purged } = state.poll else { return None };
                state.index |= shown;
                state.position = last;
                state.noted = purged;
                state.synced_at = Some(if self.without == Without::SentInstant { state.now } else { at });
                state.poll = Poll::Idle;
            }
            Step::Lose => {
                if let (Without::OnlySuccess, Poll::Sent { at }) = (self.without, state.poll) {
                    state.synced_at = Some(at);
                }
                state.poll = Poll::Idle;
            }
            Step::BeginCheck => {
                let late = state.acknowledged.is_some_and(|at| state.now > at + BOUND);
                let read = match self.without {
                    Without::FreshnessFirst => self.memory_refuses(&state),
                    _ => state.fresh(self.without),
                };
                state.check = Check::Half { late, read };
            }
            Step::EndCheck => {
                let Check::Half { late, read } = state.check else { return None };
                let (revoked, vouches) = match self.without {
                    Without::FreshnessFirst => (read, state.fresh(self.without)),
                    _ => (self.memory_refuses(&state), read),
                };
                let (accepted, refused) = match (revoked, vouches) {
                    (true, _) => (false, true),
                    (false, true) => (true, false),
                    (false, false) if state.up => (!self.log_refuses(&state), self.log_refuses(&state)),
                    (false, false) => (self.without == Without::FailClosed, false),
                };
                let is_good = self.token == STRANGER && self.is_unexpired(&state);
                if accepted && late {
                    state.broken = Broken::AcceptedTooLate;
                } else if refused && is_good && !state.wrong_clock {
                    state.broken = Broken::RefusedWrongly;
                }
                state.check = Check::Idle;
            }
        }
        Some(state)
    }

    fn within_boundary(&self, state: &State) -> bool {
        // For the token that nobody logs out only right clocks matter.
        self.token != STRANGER || !state.wrong_clock
    }

    fn properties(&self) -> Vec<Property<Self>> {
        // With "always" alone the promise could hold because nothing ever happens.
        match self.token {
            STRANGER => vec![
                Property::always(NOBODY_WRONGED, |_, state: &State| state.broken != Broken::RefusedWrongly),
                Property::sometimes("the node takes note of a purge", |_, state: &State| state.noted == EXPIRY[EARLY]),
            ],
            _ => vec![
                Property::always(WITHIN_THE_BOUND, |_, state: &State| state.broken != Broken::AcceptedTooLate),
                Property::sometimes("memory answers alone", |_, state: &State| {
                    state.check == Check::Half { late: true, read: true } && state.now == LAST_TICK
                }),
                Property::sometimes("a revocation is read", |_, state: &State| state.index && state.position == 2),
                Property::sometimes("it was purged before it could be read", |_, state: &State| {
                    state.entry(LATE).is_none() && state.acknowledged.is_some() && !state.index && state.position == 2
                }),
            ],
        }
    }
}

const WITHIN_THE_BOUND: &str = "refused within the bound";
const NOBODY_WRONGED: &str = "accepted until it is logged out";

fn explore(without: Without, token: usize) -> impl Checker<System> {
    System { without, token }.checker().threads(2).spawn_bfs().join()
}

#[test]
fn the_promise_holds_in_every_order_of_steps() {
    for token in [LATE, STRANGER] {
        explore(Without::Nothing, token).assert_properties();
    }
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
        Without::PurgedFirst,
        Without::PurgedIsRefused,
        Without::HeadStays,
    ] {
        let missed = explore(without, LATE).discovery(WITHIN_THE_BOUND).is_some();
        assert!(missed, "the model does not miss the rule {without:?}");
    }
    // An entry that is removed too early is refused all the same, and so is every token that expires with it.
    assert!(explore(Without::Leeway, STRANGER).discovery(NOBODY_WRONGED).is_some());
}
