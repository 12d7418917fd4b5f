//! [`CreatePersonalTokenError`].

use super::{MAX_PERSONAL_TOKEN_LIFE, MAX_PERSONAL_TOKENS};
use crate::account::AccountError;
use crate::error::StoreError;
use crate::grants::{Scope};
use crate::random::NoRandomness;

/// Reason that a personal token was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreatePersonalTokenError {
    /// The service keeps no personal tokens.
    #[error("the service keeps no personal tokens")]
    Unconfigured,
    /// The token that asks was not issued by a login. A personal token makes no personal tokens.
    #[error("a personal token is made with the token of a login")]
    NotALogin,
    /// The token that asks was revoked meanwhile.
    #[error("the token was revoked")]
    Revoked,
    /// The user has neither a scope nor a role of this name.
    #[error("must not name {0:?}, which the user does not have")]
    NotGranted(Scope),
    /// The life is out of its bounds.
    #[error("must be from 1 to {} seconds", MAX_PERSONAL_TOKEN_LIFE.as_secs())]
    Life,
    /// The user has as many personal tokens as a user may have.
    #[error("a user has at most {MAX_PERSONAL_TOKENS} personal tokens; delete one first")]
    TooMany,
    /// There is no such user.
    #[error("there is no such user")]
    UserNotFound,
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system has no randomness to give.
    #[error("an internal part failed")]
    Internal(#[from] NoRandomness),
}

impl From<AccountError> for CreatePersonalTokenError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::UserNotFound => Self::UserNotFound,
            AccountError::Store(error) => Self::Store(error),
        }
    }
}
