//! Lives of sessions.

use std::time::Duration;

use crate::token::MAX_TOKEN_LIFE;

/// Lives of sessions and of what they issue. All are whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionOptions {
    /// Life of an access token of a renewable session: from 1 second to [`MAX_RENEWED_TOKEN_LIFE`](Self::MAX_RENEWED_TOKEN_LIFE).
    /// Default: 15 minutes.
    pub access_life: Duration,
    /// Time after which a renewable session ends if it is not refreshed. Default: 30 days.
    pub idle: Duration,
    /// Time after which a renewable session ends in any case. Default: 365 days.
    pub absolute: Duration,
    /// Time for which the predecessor of the current refresh token is still accepted, from its first use: at most
    /// [`MAX_GRACE`](Self::MAX_GRACE). Default: 30 seconds (RFC 9700 §4.14.2 leaves this to the server).
    pub grace: Duration,
    /// Keeps the user agent and the network of a login with its session. Default: true.
    pub details: bool,
}

impl SessionOptions {
    /// Longest life of an access token of a renewable session.
    pub const MAX_RENEWED_TOKEN_LIFE: Duration = Duration::from_secs(60 * 60);

    /// Longest grace.
    pub const MAX_GRACE: Duration = Duration::from_secs(5 * 60);

    /// Longest idle and absolute end.
    pub const MAX_LIFE: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

    /// Returns the first rule that the options break.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let Self { access_life, idle, absolute, grace, details: _ } = *self;
        let whole = [access_life, idle, absolute, grace].iter().all(|life| life.subsec_nanos() == 0);
        let rules = [
            (whole, "the lives of sessions must be whole seconds"),
            (!access_life.is_zero(), "access_life must be at least 1 second"),
            (access_life <= Self::MAX_RENEWED_TOKEN_LIFE.min(MAX_TOKEN_LIFE), "access_life must be at most 1 hour"),
            (access_life <= idle, "idle must not be shorter than access_life"),
            (idle <= absolute, "absolute must not be shorter than idle"),
            (absolute <= Self::MAX_LIFE, "absolute must be at most 10 years"),
            (grace <= Self::MAX_GRACE, "grace must be at most 5 minutes"),
            // The answer within the grace carries an access token that ends no later than the first one.
            (grace < access_life, "grace must be shorter than access_life"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map(|(_, rule)| rule)
    }
}

impl Default for SessionOptions {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            access_life: Duration::from_secs(15 * 60),
            idle: Duration::from_secs(30 * DAY),
            absolute: Duration::from_secs(365 * DAY),
            grace: Duration::from_secs(30),
            details: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_checked() {
        assert_eq!(SessionOptions::default().problem(), None);
        let broken = |change: fn(&mut SessionOptions)| {
            let mut options = SessionOptions::default();
            change(&mut options);
            options.problem().is_some()
        };
        assert!(broken(|options| options.grace = Duration::from_millis(1)));
        assert!(broken(|options| options.access_life = Duration::ZERO));
        assert!(broken(|options| options.access_life = Duration::from_secs(3_601)));
        assert!(broken(|options| options.idle = Duration::from_secs(899)));
        assert!(broken(|options| options.idle = options.absolute + Duration::from_secs(1)));
        assert!(broken(|options| options.absolute = SessionOptions::MAX_LIFE + Duration::from_secs(1)));
        assert!(broken(|options| options.grace = Duration::from_secs(301)));
        assert!(broken(|options| options.access_life = options.grace));
    }
}
