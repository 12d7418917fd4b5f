//! [`LoginError`].

use std::time::Duration;

use super::session::OpenError;
use crate::error::{BoxError, StoreError};
use crate::ids::UserId;
use crate::password::{HashError, HashingError};
use crate::random::NoRandomness;
use crate::throttle::AdmissionError;

/// Reason that a login was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The e-mail address is unknown, the password is wrong or the account is disabled: one answer at one cost.
    #[error("e-mail address or password does not match")]
    InvalidCredentials,
    /// The stored hash has an unknown scheme, is malformed or asks for too much work. The client must get the answer of
    /// [`InvalidCredentials`](Self::InvalidCredentials). An operator has to repair the row.
    #[error("the password hash of user {user} cannot be used")]
    UnusableHash {
        /// The user whose hash it is.
        user: UserId,
        /// The fault of the hash.
        #[source]
        source: HashError,
    },
    /// The password is right, and the address of the account is not verified, which the service requires.
    #[error("the e-mail address is not verified")]
    EmailUnverified,
    /// Too many attempts were made. No password was compared.
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
    /// The user store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Hashing or signing failed.
    #[error("an internal part failed")]
    Internal(#[source] BoxError),
}

impl From<HashingError> for LoginError {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            other => Self::Internal(Box::new(other)),
        }
    }
}

impl From<NoRandomness> for LoginError {
    fn from(error: NoRandomness) -> Self {
        Self::Internal(error.into())
    }
}

impl From<OpenError> for LoginError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => Self::Store(error),
            OpenError::Internal(error) => Self::Internal(error),
        }
    }
}

impl From<AdmissionError> for LoginError {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::TooManyAttempts { retry_after } => Self::TooManyAttempts { retry_after },
            AdmissionError::Store(error) => Self::Uncounted(error),
        }
    }
}
