//! [`RecoveryError`].

use std::time::Duration;

use crate::error::{BoxError, StoreError};
use crate::password::policy::BreachedError;
use crate::password::{HashingError, PasswordError};
use crate::random::NoRandomness;
use crate::throttle::AdmissionError;
use crate::user::ChangeUserError;

/// Reason that a letter was not written, or that a one-time token or a code was not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// The service sends no letters.
    #[error("the service sends no letters")]
    MailUnconfigured,
    /// The token or the code is wrong, used, ended or expired, or its account is disabled or does not exist any more: one answer
    /// for all.
    #[error("the code is wrong, was used before or has expired")]
    CodeInvalid,
    /// Another account has the address now.
    #[error("a user with this e-mail address exists already")]
    EmailTaken,
    /// The new password breaks a rule. The token or the code can still be used.
    #[error(transparent)]
    NewPassword(#[from] PasswordError),
    /// The service that knows breached passwords gave no answer, and the policy refuses in this case.
    #[error("nobody can tell whether the password was published in a breach")]
    BreachCheck(#[source] BoxError),
    /// Too many attempts were made, or too many letters were asked for.
    #[error("too many attempts; try again in {} seconds", .retry_after.as_secs())]
    TooManyAttempts {
        /// Time until the next attempt may be made.
        retry_after: Duration,
    },
    /// The attempt could not be counted, so it was refused.
    #[error("the attempt could not be counted")]
    Uncounted(#[source] StoreError),
    /// More password hashes are waiting than can be computed in time.
    #[error("too much work is waiting; try again in {} seconds", .retry_after.as_secs())]
    Overloaded {
        /// Time until the next attempt may be made.
        retry_after: Duration,
    },
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Hashing failed, or there was no randomness.
    #[error("an internal part failed")]
    Internal(#[source] BoxError),
}

impl From<HashingError> for RecoveryError {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            other => Self::Internal(Box::new(other)),
        }
    }
}

impl From<AdmissionError> for RecoveryError {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::TooManyAttempts { retry_after } => Self::TooManyAttempts { retry_after },
            AdmissionError::Store(error) => Self::Uncounted(error),
        }
    }
}

impl From<BreachedError> for RecoveryError {
    fn from(error: BreachedError) -> Self {
        match error {
            BreachedError::Password(rule) => rule.into(),
            BreachedError::Unknown(cause) => Self::BreachCheck(cause),
        }
    }
}

impl From<ChangeUserError> for RecoveryError {
    fn from(error: ChangeUserError) -> Self {
        match error {
            ChangeUserError::EmailTaken => Self::EmailTaken,
            other => Self::Store(other.unexpected()),
        }
    }
}

impl From<NoRandomness> for RecoveryError {
    fn from(error: NoRandomness) -> Self {
        Self::Internal(error.into())
    }
}
