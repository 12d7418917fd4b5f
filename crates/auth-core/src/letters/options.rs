//! Lives of one-time tokens, and whether an address must be verified.

use std::time::Duration;

use crate::one_time::OneTimeTokenPurpose;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Settings of the flows that send letters. All lives are whole seconds, from [`MIN_LIFE`](Self::MIN_LIFE) to
/// [`MAX_LIFE`](Self::MAX_LIFE).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LetterOptions {
    /// Time for which a letter confirms the address of an account. Default: 24 hours.
    pub verify_life: Duration,
    /// Time for which a letter sets a new password. Default: 1 hour.
    pub reset_life: Duration,
    /// Time for which a letter confirms a new address. Default: 24 hours.
    pub change_life: Duration,
    /// Time for which a change of the address can be undone. Nobody else can use the former address before. Default: 7 days.
    pub undo_life: Duration,
    /// Refuses the login of a user whose address is not verified. Default: false.
    pub require_verified: bool,
}

impl LetterOptions {
    /// Shortest life. A letter may take some minutes.
    pub const MIN_LIFE: Duration = Duration::from_secs(5 * 60);

    /// Longest life.
    pub const MAX_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

    /// Returns the life of a one-time token.
    #[must_use]
    pub fn life(&self, purpose: OneTimeTokenPurpose) -> Duration {
        match purpose {
            OneTimeTokenPurpose::VerifyEmail => self.verify_life,
            OneTimeTokenPurpose::ResetPassword => self.reset_life,
            OneTimeTokenPurpose::ChangeEmail => self.change_life,
            OneTimeTokenPurpose::UndoEmailChange => self.undo_life,
        }
    }

    /// Returns the first rule that the options break.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let fits = |life: Duration| life.subsec_nanos() == 0 && (Self::MIN_LIFE..=Self::MAX_LIFE).contains(&life);
        let rules = [
            (fits(self.verify_life), "verify_life must be whole seconds, from 5 minutes to 90 days"),
            (fits(self.reset_life), "reset_life must be whole seconds, from 5 minutes to 90 days"),
            (fits(self.change_life), "change_life must be whole seconds, from 5 minutes to 90 days"),
            (fits(self.undo_life), "undo_life must be whole seconds, from 5 minutes to 90 days"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map(|(_, rule)| rule)
    }
}

impl Default for LetterOptions {
    fn default() -> Self {
        Self { verify_life: DAY, reset_life: HOUR, change_life: DAY, undo_life: DAY * 7, require_verified: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_checked() {
        assert_eq!(LetterOptions::default().problem(), None);
        let lives: [fn(&mut LetterOptions) -> &mut Duration; 4] = [
            |options| &mut options.verify_life,
            |options| &mut options.reset_life,
            |options| &mut options.change_life,
            |options| &mut options.undo_life,
        ];
        for life in lives {
            for wrong in [Duration::from_secs(299), Duration::from_millis(600_500), DAY * 91] {
                let mut options = LetterOptions::default();
                *life(&mut options) = wrong;
                assert!(options.problem().is_some(), "{options:?}");
            }
        }
    }
}
