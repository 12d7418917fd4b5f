//! Settings of the rate limits.

use std::time::Duration;

use super::counter::{Backoff, HOUR, Quota};

/// Maximum that may be configured for the tries in an hour against one account (NIST SP 800-63B-4 §3.2.2).
pub const MAX_ACCOUNT_TRIES: u32 = 100;

/// Length of the first wait. Each further one is twice as long.
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// Numbers of attempts that are admitted. "In an hour" means in any period of 60 minutes, not from one full hour to the
/// next.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ThrottleLimits {
    /// Wrong guesses in an hour against one account, from all networks together: at most [`MAX_ACCOUNT_TRIES`]. Three
    /// fifths of them are for networks from which the account never logged in, two fifths for those from which it did.
    /// Default: 100.
    pub account: u32,
    /// Wrong guesses in an hour from one network, against accounts that never logged in from it. Default: 600.
    pub network: u32,
    /// Registrations in an hour from one network, successful or not. Default: 100.
    pub registrations: u32,
    /// Letters of one purpose in an hour to one address, at least 2: to confirm it, to reset a password, or to make it the address
    /// of an account. Further ones are not written, and nobody is told. Half of them, rounded up, may be written at once.
    /// Default: 5.
    pub letters: u32,
    /// Requests for letters in an hour from one network. Default: 60.
    pub letters_network: u32,
    /// Personal tokens that one user makes in an hour, also those that are deleted meanwhile. So it bounds the entries that their
    /// deletions append to the log. Default: 60.
    pub personal_tokens: u32,
    /// Wrong guesses in a row against one account from one network before the first wait. Default: 10.
    pub free: u32,
    /// The longest wait. Default: 15 minutes.
    pub max_delay: Duration,
    /// Time for which a network stays known to an account after a login from it. Default: 30 days.
    pub known_for: Duration,
}

impl Default for ThrottleLimits {
    fn default() -> Self {
        Self {
            account: MAX_ACCOUNT_TRIES,
            network: 600,
            registrations: 100,
            letters: 5,
            letters_network: 60,
            personal_tokens: 60,
            free: 10,
            max_delay: Duration::from_secs(15 * 60),
            known_for: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

/// Error of a limit that is out of its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {rule}")]
#[non_exhaustive]
pub struct LimitsError {
    /// The field of [`ThrottleLimits`].
    pub field: &'static str,
    /// The rule that it breaks.
    pub rule: String,
}

/// The limits in the form in which they are applied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) streak: Backoff,
    pub(super) strangers: Quota,
    pub(super) known: Quota,
    pub(super) network: Quota,
    pub(super) registrations: Quota,
    pub(super) letters: Quota,
    pub(super) letters_network: Quota,
    pub(super) personal_tokens: Quota,
    pub(super) known_for: Duration,
}

impl ThrottleLimits {
    /// Returns an error for every limit that is out of its bounds.
    #[must_use]
    pub fn problems(&self) -> Vec<LimitsError> {
        let day = Duration::from_secs(24 * 60 * 60);
        let mut problems = Vec::new();
        let mut rule = |field, holds: bool, rule: String| {
            if !holds {
                problems.push(LimitsError { field, rule });
            }
        };
        let delay_fits = (FIRST_DELAY..=HOUR).contains(&self.max_delay);
        rule("max_delay", delay_fits, "must be from 1 second to 1 hour".to_owned());
        rule("free", self.free >= 1, "must be at least 1".to_owned());
        rule("letters", self.letters >= 2, "must be at least 2".to_owned());
        rule("known_for", (HOUR..=day * 400).contains(&self.known_for), "must be from 1 hour to 400 days".to_owned());
        let max = MAX_ACCOUNT_TRIES;
        rule("account", self.account <= max, format!("must be at most {max} (NIST SP 800-63B-4)"));
        if delay_fits {
            let least = |share: fn(u32) -> u32| {
                let fits = |limit: u32| limit >= 2 && Quota::per_hour(limit).interval() <= self.max_delay;
                (1..=1_000_000).find(|limit| fits(share(*limit))).unwrap_or(u32::MAX)
            };
            let accounts = least(|account| shares(account).0);
            let any = least(|limit| limit);
            for (field, limit, least) in [
                ("account", self.account, accounts),
                ("network", self.network, any),
                ("registrations", self.registrations, any),
                ("letters_network", self.letters_network, any),
                ("personal_tokens", self.personal_tokens, any),
            ] {
                let why = "fewer would mean waits longer than the longest delay";
                rule(field, limit >= least, format!("must be at least {least}: {why}"));
            }
        }
        problems
    }

    pub(super) fn rules(&self) -> Result<Rules, LimitsError> {
        if let Some(problem) = self.problems().into_iter().next() {
            return Err(problem);
        }
        let (known, strangers) = shares(self.account);
        Ok(Rules {
            streak: Backoff { free: self.free, first: FIRST_DELAY, ceiling: self.max_delay },
            strangers: Quota::per_hour(strangers),
            known: Quota::per_hour(known),
            network: Quota::per_hour(self.network),
            registrations: Quota::per_hour(self.registrations),
            letters: Quota::with_burst(self.letters, self.letters.div_ceil(2)),
            letters_network: Quota::per_hour(self.letters_network),
            personal_tokens: Quota::per_hour(self.personal_tokens),
            known_for: self.known_for,
        })
    }
}

/// Splits the tries against one account into those for known networks and those for strangers. Their sum is at most
/// `account`.
fn shares(account: u32) -> (u32, u32) {
    let known = account / 5 * 2;
    (known, account - known)
}
