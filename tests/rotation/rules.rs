//! What a server does with a session and its refresh tokens.
//!
//! Refresh tokens are numbers, in the order in which they were made. Times are seconds.

/// Rule that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Without {
    Nothing,
    /// A rotation does not look whether the token is still the current one.
    ConditionalRotation,
    /// A rotation does not look whether the session has ended.
    EndStopsRotation,
    /// A caller who loses the race for a rotation is refused.
    LoserLooksAgain,
    /// The predecessor is never accepted.
    Grace,
    /// The grace counts from the last use of the predecessor.
    GraceFromFirstUse,
    /// The predecessor gets a new successor at each use.
    SameSuccessor,
    /// The access token of an answer within the grace lives as long as any other.
    ExpiryWithinStored,
    /// The session does not note the expiry of the access tokens that a rotation issues.
    ExpiryNoted,
    /// A re-use is refused and ends nothing.
    ReuseEnds,
    /// A re-use ends the session and adds no entry to the log.
    ReuseIsLogged,
    /// A refresh does not compare the generation of the session with that of its user.
    Generation,
    /// A refresh does not look at the idle end.
    IdleEnd,
    /// Nothing that a session issues is cut at its absolute end.
    AbsoluteEnd,
}

/// Lives of a session and of what it issues.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lives {
    pub(crate) access: u32,
    pub(crate) idle: u32,
    pub(crate) absolute: u32,
    pub(crate) grace: u32,
}

/// The token that was used last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Predecessor {
    pub(crate) token: u8,
    pub(crate) used_at: u32,
}

/// A session, as the store keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stored {
    pub(crate) current: u8,
    pub(crate) predecessor: Option<Predecessor>,
    pub(crate) idle_until: u32,
    pub(crate) ends_at: u32,
    /// Latest expiry of its access tokens.
    pub(crate) access_until: u32,
    pub(crate) has_ended: bool,
}

/// What a server decides about a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Decision {
    /// The session cannot be refreshed.
    Refuse,
    /// The token is the current one: it is replaced.
    Rotate,
    /// The token is the predecessor within the grace: its successor is the answer, with an access token until then.
    Repeat { successor: u8, access_until: u32 },
    /// The token was used before: the session ends.
    End,
}

/// The rules, with one left out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) lives: Lives,
    pub(crate) without: Without,
}

impl Rules {
    fn apply(self, rule: Without) -> bool {
        self.without != rule
    }

    /// Opens a session, whose first refresh token is number 0.
    pub(crate) fn open(self, now: u32) -> Stored {
        let Lives { access, idle, absolute, .. } = self.lives;
        Stored {
            current: 0,
            predecessor: None,
            idle_until: now + idle,
            ends_at: now + absolute,
            access_until: now + access,
            has_ended: false,
        }
    }

    /// Decides about a refresh token. `is_active` says that the user may log in and has the generation of the session.
    pub(crate) fn decide(self, stored: &Stored, token: u8, now: u32, is_active: bool) -> Decision {
        let is_over = stored.has_ended
            || now >= stored.idle_until && self.apply(Without::IdleEnd)
            || now >= stored.ends_at && self.apply(Without::AbsoluteEnd)
            || !is_active && self.apply(Without::Generation);
        if is_over {
            return Decision::Refuse;
        }
        if token == stored.current {
            return Decision::Rotate;
        }
        match stored.predecessor {
            Some(before)
                if before.token == token && now < before.used_at + self.lives.grace && self.apply(Without::Grace) =>
            {
                let access_until = match self.without {
                    Without::ExpiryWithinStored => now + self.lives.access,
                    _ => stored.access_until,
                };
                Decision::Repeat { successor: stored.current, access_until }
            }
            _ => Decision::End,
        }
    }

    /// Replaces the current refresh token, used at `at`, by `successor`. Returns the expiry of the new access token, or
    /// `None` if somebody was faster.
    pub(crate) fn rotate(self, stored: &mut Stored, used: u8, successor: u8, at: u32) -> Option<u32> {
        let is_lost = stored.current != used && self.apply(Without::ConditionalRotation);
        if is_lost || stored.has_ended && self.apply(Without::EndStopsRotation) {
            return None;
        }
        let idle_until = at + self.lives.idle;
        stored.idle_until = if self.apply(Without::AbsoluteEnd) { idle_until.min(stored.ends_at) } else { idle_until };
        let access_until = (at + self.lives.access).min(stored.idle_until);
        stored.current = successor;
        stored.predecessor = Some(Predecessor { token: used, used_at: at });
        if self.apply(Without::ExpiryNoted) {
            stored.access_until = stored.access_until.max(access_until);
        }
        Some(access_until)
    }
}
