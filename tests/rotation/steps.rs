//! Steps of a schedule, and how they are drawn.

use proptest::prelude::*;

/// One step of a schedule. A refresh token is chosen among those that were given out.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Wait(u32),
    Refresh {
        choice: Choice,
        node: usize,
    },
    /// A refresh, with a step on the other node between its decision and its update.
    Race {
        choice: Choice,
        node: usize,
        between: Between,
    },
    Logout {
        node: usize,
    },
    RevokeAll {
        node: usize,
    },
    /// The user logs in again.
    Login,
}

/// What another node does while a refresh is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Between {
    Refresh(Choice),
    Logout,
    RevokeAll,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Choice {
    Newest,
    Previous,
    Any(usize),
}

impl Choice {
    pub(crate) fn of(self, count: usize) -> usize {
        match self {
            Self::Newest => count - 1,
            Self::Previous => count.saturating_sub(2),
            Self::Any(number) => number % count,
        }
    }
}

fn choices() -> impl Strategy<Value = Choice> {
    prop_oneof![4 => Just(Choice::Newest), 3 => Just(Choice::Previous), 1 => (0..64_usize).prop_map(Choice::Any)]
}

pub(crate) fn steps() -> impl Strategy<Value = Step> {
    let waits = prop_oneof![4 => 0..30_u32, 2 => 30..900_u32, 1 => 900..7_200_u32, 1 => Just(7_200_u32)];
    let between = prop_oneof![
        4 => choices().prop_map(Between::Refresh),
        1 => Just(Between::Logout),
        1 => Just(Between::RevokeAll),
    ];
    prop_oneof![
        6 => waits.prop_map(Step::Wait),
        8 => (choices(), 0..2_usize).prop_map(|(choice, node)| Step::Refresh { choice, node }),
        4 => (choices(), 0..2_usize, between).prop_map(|(choice, node, between)| Step::Race { choice, node, between }),
        1 => (0..2_usize).prop_map(|node| Step::Logout { node }),
        1 => (0..2_usize).prop_map(|node| Step::RevokeAll { node }),
        3 => Just(Step::Login),
    ]
}
