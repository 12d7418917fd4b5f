//! Errors of the operations on accounts.

use std::time::Duration;

use crate::error::{BoxError, StoreError};
use crate::grants::MAX_NAMES;
use crate::login::{LoginError, OpenError};
use crate::password::policy::BreachedError;
use crate::password::{HashingError, PasswordError};
use crate::random::NoRandomness;
use crate::throttle::AdmissionError;
use crate::user::InsertUserError;

/// Reason that a role was not given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GiveRoleError {
    /// The user has [`MAX_NAMES`] roles already.
    #[error("a user has at most {MAX_NAMES} roles")]
    TooManyRoles,
    /// There is no such user, or the store failed.
    #[error(transparent)]
    Account(#[from] AccountError),
}

/// Reason that a registration was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The password breaks a rule.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The service that knows breached passwords gave no answer, and the policy refuses in this case.
    #[error("nobody can tell whether the password was published in a breach")]
    BreachCheck(#[source] BoxError),
    /// A user with this e-mail address exists.
    #[error("a user with this e-mail address exists already")]
    EmailTaken,
    /// A user with this name exists.
    #[error("a user with this username exists already")]
    UsernameTaken,
    /// Too many attempts were made. No password was hashed.
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

/// Reason that a password was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangePasswordError {
    /// The new password breaks a rule.
    #[error(transparent)]
    NewPassword(#[from] PasswordError),
    /// The service that knows breached passwords gave no answer, and the policy refuses in this case.
    #[error("nobody can tell whether the password was published in a breach")]
    BreachCheck(#[source] BoxError),
    /// There is no such user.
    #[error("there is no such user")]
    UserNotFound,
    /// The current password was refused, for the reason for which a login with it would have been refused.
    #[error(transparent)]
    Login(#[from] LoginError),
}

/// Reason that another address was not asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeEmailError {
    /// The service sends no letters.
    #[error("the service sends no letters")]
    MailUnconfigured,
    /// The account has this address.
    #[error("must not be the present address of the account")]
    SameEmail,
    /// There is no such user, or the user's tokens were ended meanwhile.
    #[error("there is no such user")]
    UserNotFound,
    /// The current password was refused, for the reason for which a login with it would have been refused, or a part failed.
    #[error(transparent)]
    Login(#[from] LoginError),
}

/// Reason that an account was not deleted by its user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteAccountError {
    /// There is no such user.
    #[error("there is no such user")]
    UserNotFound,
    /// The current password was refused, for the reason for which a login with it would have been refused, or a part failed.
    #[error(transparent)]
    Login(#[from] LoginError),
}

/// Reason that a user did not get another name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenameError {
    /// A user with this name exists.
    #[error("a user with this username exists already")]
    UsernameTaken,
    /// There is no such user.
    #[error("there is no such user")]
    UserNotFound,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reason that an operation on an account failed.
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

impl From<HashingError> for RegisterError {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            other => Self::Internal(Box::new(other)),
        }
    }
}

impl From<OpenError> for RegisterError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => Self::Store(error),
            OpenError::Internal(error) => Self::Internal(error),
        }
    }
}

impl From<AdmissionError> for RegisterError {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::TooManyAttempts { retry_after } => Self::TooManyAttempts { retry_after },
            AdmissionError::Store(error) => Self::Uncounted(error),
        }
    }
}

impl From<NoRandomness> for RegisterError {
    fn from(error: NoRandomness) -> Self {
        Self::Internal(error.into())
    }
}

impl From<InsertUserError> for RegisterError {
    fn from(error: InsertUserError) -> Self {
        match error {
            InsertUserError::EmailTaken => Self::EmailTaken,
            InsertUserError::UsernameTaken => Self::UsernameTaken,
            InsertUserError::Store(error) => Self::Store(error),
        }
    }
}

macro_rules! from_parts_of_a_login {
    ($operation:ident: $($part:ident),+) => {$(
        impl From<$part> for $operation {
            fn from(error: $part) -> Self {
                Self::Login(error.into())
            }
        }
    )+};
}

from_parts_of_a_login!(ChangePasswordError: HashingError, OpenError, AdmissionError, StoreError, NoRandomness);
from_parts_of_a_login!(ChangeEmailError: HashingError, AdmissionError, StoreError, NoRandomness);
from_parts_of_a_login!(DeleteAccountError: StoreError);

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
