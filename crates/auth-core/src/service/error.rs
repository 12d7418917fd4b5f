//! Errors of the operations of an [`AuthService`](super::AuthService).

use std::time::Duration;

use crate::error::{BoxError, StoreError};
use crate::ids::UserId;
use crate::password::policy::BreachedError;
use crate::password::{HashError, HashingError, PasswordError};

/// Why a registration was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The password breaks a rule.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The service that knows breached passwords could not tell, and the policy refuses then.
    #[error("nobody can tell whether the password was published in a breach")]
    BreachCheck(#[source] BoxError),
    /// A user with this e-mail address exists.
    #[error("a user with this e-mail address exists already")]
    EmailTaken,
    /// A user with this name exists.
    #[error("a user with this username exists already")]
    UsernameTaken,
    /// There were too many attempts; no password was looked at.
    #[error("too many attempts; try again in {} seconds", .retry_after.as_secs())]
    TooManyAttempts {
        /// When to try again.
        retry_after: Duration,
    },
    /// The attempt could not be counted, so it was not made.
    #[error("the attempt could not be counted")]
    Uncounted(#[source] StoreError),
    /// The hashing threads have more work than they can finish in time.
    #[error("too much work is waiting; try again in {} seconds", .retry_after.as_secs())]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The user store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part that cannot fail on good input failed: hashing or signing.
    #[error("an internal part failed")]
    Internal(#[source] BoxError),
}

/// Why a login was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// Unknown e-mail address, wrong password or disabled account: one answer at one cost.
    #[error("e-mail address or password does not match")]
    InvalidCredentials,
    /// The stored hash is of no scheme we know, malformed, or asks for more work than we do. To the client this must look
    /// like [`InvalidCredentials`](Self::InvalidCredentials); a human has to look at the row.
    #[error("the password hash of user {user} cannot be used")]
    UnusableHash {
        /// Whose hash it is.
        user: UserId,
        /// What is wrong with it.
        #[source]
        source: HashError,
    },
    /// There were too many attempts; no password was looked at.
    #[error("too many attempts; try again in {} seconds", .retry_after.as_secs())]
    TooManyAttempts {
        /// When to try again.
        retry_after: Duration,
    },
    /// The attempt could not be counted, so it was not made.
    #[error("the attempt could not be counted")]
    Uncounted(#[source] StoreError),
    /// The hashing threads have more work than they can finish in time.
    #[error("too much work is waiting; try again in {} seconds", .retry_after.as_secs())]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The user store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part that cannot fail on good input failed: hashing or signing.
    #[error("an internal part failed")]
    Internal(#[source] BoxError),
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangePasswordError {
    /// The new password breaks a rule.
    #[error(transparent)]
    NewPassword(#[from] PasswordError),
    /// The service that knows breached passwords could not tell, and the policy refuses then.
    #[error("nobody can tell whether the password was published in a breach")]
    BreachCheck(#[source] BoxError),
    /// There is no such user.
    #[error("there is no such user")]
    UserNotFound,
    /// The current password was not accepted, or could not be looked at: as a login with it would have been refused.
    #[error(transparent)]
    Login(#[from] LoginError),
}

/// Why an operation on an account failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// There is no such user.
    #[error("there is no such user")]
    UserNotFound,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

macro_rules! from_pool_error {
    ($($operation:ident),+) => {$(
        impl From<HashingError> for $operation {
            fn from(error: HashingError) -> Self {
                match error {
                    HashingError::Overloaded { retry_after } => Self::Overloaded { retry_after },
                    other => Self::Internal(Box::new(other)),
                }
            }
        }
    )+};
}

from_pool_error!(RegisterError, LoginError);

impl From<HashingError> for ChangePasswordError {
    fn from(error: HashingError) -> Self {
        Self::Login(error.into())
    }
}

impl From<StoreError> for ChangePasswordError {
    fn from(error: StoreError) -> Self {
        Self::Login(error.into())
    }
}

macro_rules! from_breached_error {
    ($($operation:ident),+) => {$(
        impl From<BreachedError> for $operation {
            fn from(error: BreachedError) -> Self {
                match error {
                    BreachedError::Password(rule) => rule.into(),
                    BreachedError::Unknown(cause) => Self::BreachCheck(cause),
                }
            }
        }
    )+};
}

from_breached_error!(RegisterError, ChangePasswordError);
