//! What can go wrong: one enum per operation, and an opaque [`StoreError`] for everything behind a store.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::password::policy::BreachedError;
use crate::password::{HashError, PasswordError, PoolError};
use crate::user::UserId;

/// A boxed cause, kept for the log and never shown to a client.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// The operating system has no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the operating system has no randomness to give")]
pub struct NoRandomness(#[source] getrandom::Error);

/// Random bytes from the operating system.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}

/// What kind of trouble a store had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store could not be reached or did not answer in time; the same call may succeed later.
    Unavailable,
    /// A stored row cannot become a domain value. A human has to look at it.
    Corrupt,
    /// Anything else: a bug, a missing table, a refused statement.
    Internal,
}

/// An error of a store, with its cause.
///
/// `Display` says only what kind of trouble it was; the cause is in [`source`](StdError::source) and belongs into a log.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: BoxError,
}

impl StoreError {
    /// An error of `kind` with its cause.
    pub fn new(kind: StoreErrorKind, source: impl Into<BoxError>) -> Self {
        Self { kind, source: source.into() }
    }

    /// The store could not be reached.
    pub fn unavailable(source: impl Into<BoxError>) -> Self {
        Self::new(StoreErrorKind::Unavailable, source)
    }

    /// A stored row cannot become a domain value.
    pub fn corrupt(source: impl Into<BoxError>) -> Self {
        Self::new(StoreErrorKind::Corrupt, source)
    }

    /// What kind of trouble it was.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Unavailable => "the store is unavailable",
            StoreErrorKind::Corrupt => "the store holds a corrupt row",
            StoreErrorKind::Internal => "the store failed",
        })
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.source.as_ref())
    }
}

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

/// Why a token was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticateError {
    /// Not a token of ours: shape, algorithm, key, signature, type, issuer or audience is wrong.
    #[error("the token is invalid")]
    Invalid,
    /// A token of ours, past its expiry (RFC 7519 §4.1.4).
    #[error("the token has expired")]
    Expired,
    /// A token of ours that was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// Nobody can tell right now whether the token was revoked, so it is refused without a verdict. The client keeps
    /// the token and tries again.
    #[error("the blacklist cannot be asked right now")]
    Unknown(#[source] StoreError),
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
        impl From<PoolError> for $operation {
            fn from(error: PoolError) -> Self {
                match error {
                    PoolError::Overloaded { retry_after } => Self::Overloaded { retry_after },
                    other => Self::Internal(Box::new(other)),
                }
            }
        }
    )+};
}

from_pool_error!(RegisterError, LoginError);

impl From<PoolError> for ChangePasswordError {
    fn from(error: PoolError) -> Self {
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
