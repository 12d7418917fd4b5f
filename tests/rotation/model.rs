//! Model of two holders of refresh tokens, explored exhaustively.
//!
//! The owner refreshes when the access token has expired, and repeats a refresh whose answer was lost. The other holder is a
//! second tab of the owner, with the same storage, or a thief, who copies the owner's token once and uses it at any time.
//! Every refresh is sent, decided, written, and answered in steps of their own. Requests and answers can be lost.
//!
//! A node keeps nothing of its own for a refresh, so two requests on their way are two nodes at work. When a node learns of an
//! entry of the log is the subject of the model of the blacklist (`crates/auth-blacklist/tests/model`). Here the node that is
//! asked learns of it as late as the bound allows.

mod exploration;

use stateright::{Model, Property};

use super::rules::{Decision, Lives, Rules, Stored, Without};

const LIVES: Lives = Lives { access: 3, idle: 4, absolute: 8, grace: 2 };
const BOUND: u32 = 1;
const LAST_TICK: u32 = 9;
const MOST_TOKENS: usize = 5;

const OWNER: usize = 0;

/// Who the second holder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Second {
    Tab,
    Thief,
}

/// One refresh on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Request {
    None,
    Sent {
        token: u8,
    },
    /// A node has read the session, and decided to rotate it.
    Decided {
        token: u8,
        at: u32,
    },
    Answered {
        token: u8,
        access_until: u32,
    },
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Holder {
    token: Option<u8>,
    access_until: u32,
    request: Request,
    /// Whether the last request was lost, so that it is repeated.
    repeats: bool,
}

/// Promise that was broken on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Broken {
    Nothing,
    /// The owner was refused without a reason.
    HonestLoggedOut,
    /// One refresh token got two successors.
    SecondChain,
    /// A refresh token passed that was neither the current one nor the predecessor within its grace.
    Reused,
    /// A refresh passed after the end of the session or of the user's generation was acknowledged.
    RefreshedAfterEnd,
    /// The session issued something after its idle end, or beyond its absolute end.
    BeyondItsLife,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    now: u32,
    stored: Stored,
    /// Number of refresh tokens that were made.
    made: u8,
    /// First use of each token, and its successor.
    first_use: [Option<u32>; MOST_TOKENS],
    successor: [Option<u8>; MOST_TOKENS],
    holders: [Holder; 2],
    /// Expiry of the entry in the log that refuses the access tokens of the session.
    entry: Option<u32>,
    /// Time at which a logout was acknowledged.
    logged_out_at: Option<u32>,
    /// Time at which a re-use was answered.
    reused_at: Option<u32>,
    /// Time at which the end of all sessions of the user was acknowledged.
    raised_at: Option<u32>,
    was_stolen: bool,
    /// Whether the owner's repetition came later than the grace.
    was_late: bool,
    broken: Broken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Tick,
    Steal,
    Send(usize),
    /// A node reads the session and the user, and decides.
    Decide(usize),
    /// The conditional update.
    Rotate(usize),
    Arrive(usize),
    Lose(usize),
    Logout,
    RevokeAll,
}

struct System {
    rules: Rules,
    second: Second,
}

impl State {
    /// Whether some node may accept the access token of a holder: one that learns of each end as late as the bound allows.
    fn passes(&self, holder: &Holder) -> bool {
        let is_known = |end: Option<u32>| end.is_some_and(|at| self.now > at + BOUND);
        let is_ended = is_known(self.logged_out_at) || is_known(self.reused_at);
        let is_revoked = is_ended && self.entry.is_some_and(|until| self.now < until);
        self.now < holder.access_until && !is_revoked && !is_known(self.raised_at)
    }

    /// Whether a token passes that must be refused by now.
    fn accepts_too_late(&self) -> bool {
        let ends = [self.logged_out_at, self.reused_at];
        let is_due = ends.into_iter().flatten().any(|at| self.now > at + BOUND);
        is_due && self.holders.iter().any(|holder| self.passes(holder))
    }
}

impl System {
    fn is_honest(&self, holder: usize) -> bool {
        holder == OWNER || self.second == Second::Tab
    }

    /// Whether the holder sends its token now.
    fn sends(&self, state: &State, holder: usize) -> bool {
        let Holder { token, access_until, request, repeats } = state.holders[holder];
        let is_ready = token.is_some() && request == Request::None;
        is_ready && (repeats || !self.is_honest(holder) || state.now >= access_until)
    }

    fn decide(&self, state: &mut State, holder: usize) {
        let Request::Sent { token } = state.holders[holder].request else { return };
        let decision = self.rules.decide(&state.stored, token, state.now, state.raised_at.is_none());
        if self.is_honest(holder) {
            let first = state.first_use[usize::from(token)];
            state.was_late |= first.is_some_and(|at| state.now >= at + LIVES.grace);
        }
        let is_idle = state.now >= state.stored.idle_until;
        if is_idle && matches!(decision, Decision::Rotate | Decision::Repeat { .. }) {
            state.broken = Broken::BeyondItsLife;
        }
        state.holders[holder].request = match decision {
            Decision::Rotate => Request::Decided { token, at: state.now },
            Decision::Repeat { successor, access_until } => {
                let successor = self.repeated(state, successor);
                Self::issued(state, token, successor, state.now, access_until);
                Request::Answered { token: successor, access_until }
            }
            Decision::End => {
                if self.rules.without != Without::ReuseEnds {
                    Self::end(state, self.rules.without != Without::ReuseIsLogged);
                }
                state.reused_at.get_or_insert(state.now);
                self.refused(state, holder)
            }
            Decision::Refuse => self.refused(state, holder),
        };
    }

    /// Answers the predecessor within its grace. Returns the successor.
    fn repeated(&self, state: &mut State, successor: u8) -> u8 {
        match (self.rules.without, &mut state.stored.predecessor) {
            (Without::GraceFromFirstUse, Some(predecessor)) => predecessor.used_at = state.now,
            (Without::SameSuccessor, _) => {
                state.stored.current = state.made;
                state.made += 1;
                return state.stored.current;
            }
            _ => {}
        }
        successor
    }

    fn refused(&self, state: &mut State, holder: usize) -> Request {
        let is_over = state.now >= state.stored.idle_until || state.now >= state.stored.ends_at;
        let was_ended = state.raised_at.is_some() || state.logged_out_at.is_some();
        let is_suspect = state.was_stolen || state.was_late;
        if self.is_honest(holder) && !is_over && !was_ended && !is_suspect {
            state.broken = Broken::HonestLoggedOut;
        }
        Request::Refused
    }

    fn rotate(&self, state: &mut State, holder: usize) {
        let Request::Decided { token, at } = state.holders[holder].request else { return };
        let successor = state.made;
        state.holders[holder].request = match self.rules.rotate(&mut state.stored, token, successor, at) {
            Some(access_until) => {
                state.made += 1;
                Self::issued(state, token, successor, at, access_until);
                Request::Answered { token: successor, access_until }
            }
            None if self.rules.without == Without::LoserLooksAgain => self.refused(state, holder),
            None => Request::Sent { token },
        };
    }

    /// Compares what was issued with the promises.
    fn issued(state: &mut State, used: u8, successor: u8, at: u32, access_until: u32) {
        let used = usize::from(used);
        let first = *state.first_use[used].get_or_insert(at);
        let next = *state.successor[used].get_or_insert(successor);
        let has_follower = state.successor[usize::from(next)].is_some();
        let is_ended = state.logged_out_at.is_some() || state.reused_at.is_some();
        state.broken = if next != successor {
            Broken::SecondChain
        } else if at >= first + LIVES.grace || has_follower {
            Broken::Reused
        } else if is_ended || state.raised_at.is_some_and(|raised| at > raised) {
            Broken::RefreshedAfterEnd
        } else if access_until > LIVES.absolute {
            Broken::BeyondItsLife
        } else {
            state.broken
        };
    }

    /// Ends the session, with an entry of the log.
    fn end(state: &mut State, is_logged: bool) {
        if !state.stored.has_ended {
            state.stored.has_ended = true;
            state.entry = is_logged.then_some(state.stored.access_until);
        }
    }
}

impl Model for System {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let stored = self.rules.open(0);
        let idle = Holder { token: None, access_until: 0, request: Request::None, repeats: false };
        let owner = Holder { token: Some(0), access_until: stored.access_until, ..idle };
        let second = if self.second == Second::Tab { owner } else { idle };
        vec![State {
            now: 0,
            stored,
            made: 1,
            first_use: [None; MOST_TOKENS],
            successor: [None; MOST_TOKENS],
            holders: [owner, second],
            entry: None,
            logged_out_at: None,
            reused_at: None,
            raised_at: None,
            was_stolen: false,
            was_late: false,
            broken: Broken::Nothing,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.broken != Broken::Nothing {
            return;
        }
        if state.now < LAST_TICK {
            steps.push(Step::Tick);
        }
        if self.second == Second::Thief && !state.was_stolen && state.holders[OWNER].token.is_some() {
            steps.push(Step::Steal);
        }
        for holder in [0, 1] {
            match state.holders[holder].request {
                Request::None if self.sends(state, holder) => steps.push(Step::Send(holder)),
                Request::None => {}
                Request::Sent { .. } => {
                    steps.extend([Step::Decide(holder), Step::Lose(holder)]);
                }
                Request::Decided { .. } => steps.push(Step::Rotate(holder)),
                Request::Answered { .. } => steps.extend([Step::Arrive(holder), Step::Lose(holder)]),
                Request::Refused => steps.push(Step::Arrive(holder)),
            }
        }
        if state.logged_out_at.is_none() {
            steps.push(Step::Logout);
        }
        if state.raised_at.is_none() {
            steps.push(Step::RevokeAll);
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = *last;
        match step {
            Step::Tick => state.now += 1,
            Step::Steal => {
                state.was_stolen = true;
                state.holders[1].token = state.holders[OWNER].token;
                state.holders[1].access_until = state.holders[OWNER].access_until;
            }
            Step::Send(holder) => {
                let token = state.holders[holder].token?;
                state.holders[holder].request = Request::Sent { token };
                state.holders[holder].repeats = false;
            }
            Step::Decide(holder) => self.decide(&mut state, holder),
            Step::Rotate(holder) => self.rotate(&mut state, holder),
            Step::Lose(holder) => {
                state.holders[holder].request = Request::None;
                state.holders[holder].repeats = true;
            }
            Step::Arrive(holder) => {
                let request = std::mem::replace(&mut state.holders[holder].request, Request::None);
                match request {
                    Request::Answered { token, access_until } => {
                        // Tabs share their storage.
                        for sharer in [0, 1] {
                            if sharer == holder || self.second == Second::Tab {
                                let Holder { token: kept, access_until: until, .. } = &mut state.holders[sharer];
                                *kept = (*kept).max(Some(token));
                                *until = (*until).max(access_until);
                            }
                        }
                    }
                    Request::Refused => state.holders[holder].token = None,
                    _ => return None,
                }
            }
            Step::Logout => {
                Self::end(&mut state, true);
                state.logged_out_at = Some(state.now);
            }
            Step::RevokeAll => state.raised_at = Some(state.now),
        }
        Some(state)
    }

    fn within_boundary(&self, state: &State) -> bool {
        usize::from(state.made) < MOST_TOKENS
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONE_CHAIN, |_, state: &State| {
                !matches!(state.broken, Broken::SecondChain | Broken::Reused)
            }),
            Property::always(HONEST_STAY, |_, state: &State| state.broken != Broken::HonestLoggedOut),
            Property::always(ENDED_STAYS_ENDED, |_, state: &State| {
                state.broken != Broken::RefreshedAfterEnd && !state.accepts_too_late()
            }),
            Property::always(WITHIN_ITS_LIFE, |_, state: &State| state.broken != Broken::BeyondItsLife),
            // With "always" alone the promises could hold because nothing ever happens.
            Property::sometimes("a session is refreshed twice", |_, state: &State| {
                state.holders[OWNER].token == Some(2)
            }),
            Property::sometimes("both hold the same successor", |_, state: &State| {
                let [owner, second] = &state.holders;
                owner.token == Some(1) && second.token == Some(1) && state.now > 2
            }),
            Property::sometimes("a token is accepted after the answer to a refresh", |_, state: &State| {
                let owner = &state.holders[OWNER];
                owner.token > Some(0) && state.passes(owner)
            }),
            Property::sometimes("a re-use ends the session", |_, state: &State| {
                state.reused_at.is_some() && state.stored.has_ended
            }),
        ]
    }
}

const ONE_CHAIN: &str = "one chain of refresh tokens, each used once but for the grace";
const HONEST_STAY: &str = "an honest holder who repeats within the grace stays logged in";
const ENDED_STAYS_ENDED: &str = "nothing passes after the end, past the bound";
const WITHIN_ITS_LIFE: &str = "nothing is issued after the idle end or beyond the absolute end";
