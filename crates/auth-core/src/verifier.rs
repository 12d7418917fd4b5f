//! The one way a token is checked, for who issues tokens and for who only checks them.

use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::blacklist::{Blacklist, Standing};
use crate::clock::Clock;
use crate::error::StoreError;
use crate::principal::Principal;
use crate::token::{Claims, TokenCodec};

/// Reason that a token was refused.
///
/// The enum is exhaustive, so that code that maps it to an answer has to decide about each case.
#[derive(Debug, thiserror::Error)]
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

/// Checks tokens and knows no users: what a service needs that protects its routes and issues nothing. An
/// [`AuthService`] holds one and checks with it. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct TokenVerifier {
    parts: Arc<Parts>,
}

struct Parts {
    codec: Arc<dyn TokenCodec>,
    blacklist: Arc<dyn Blacklist>,
    clock: Arc<dyn Clock>,
}

impl TokenVerifier {
    /// A verifier of what `codec` reads, refusing what `blacklist` knows to be revoked, with the time of `clock`.
    #[must_use]
    pub fn new(codec: Arc<dyn TokenCodec>, blacklist: Arc<dyn Blacklist>, clock: Arc<dyn Clock>) -> Self {
        Self { parts: Arc::new(Parts { codec, blacklist, clock }) }
    }

    /// Checks a token: signature, time, blacklist. The only maker of a [`Principal`], and it reads no user.
    ///
    /// # Errors
    ///
    /// When the token is not good, or nobody can tell right now.
    pub async fn authenticate(&self, unverified_token: &str) -> Result<Principal, AuthenticateError> {
        match self.check(unverified_token)? {
            Check::Good(principal) => Ok(principal),
            Check::AskTheLog(unsettled) => unsettled.settle().await,
        }
    }

    /// As much of [`authenticate`](Self::authenticate) as needs no waiting, for callers that would have to allocate in
    /// order to wait.
    ///
    /// # Errors
    ///
    /// When the token is not good.
    pub fn check(&self, unverified_token: &str) -> Result<Check, AuthenticateError> {
        let claims = self.parts.codec.decode(unverified_token).map_err(|_| AuthenticateError::Invalid)?;
        if claims.expired_at(self.now()) {
            return Err(AuthenticateError::Expired);
        }
        match self.parts.blacklist.peek(&claims) {
            Standing::Revoked => Err(AuthenticateError::Revoked),
            Standing::Good => Ok(Check::Good(Principal::from_checked(claims))),
            Standing::AskTheLog => {
                Ok(Check::AskTheLog(UnsettledCheck { claims, blacklist: Arc::clone(&self.parts.blacklist) }))
            }
        }
    }

    fn now(&self) -> OffsetDateTime {
        self.parts.clock.now()
    }
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVerifier")
            .field("codec", &self.parts.codec)
            .field("blacklist", &self.parts.blacklist)
            .finish_non_exhaustive()
    }
}

impl From<&Self> for TokenVerifier {
    fn from(verifier: &Self) -> Self {
        verifier.clone()
    }
}

/// What memory says of a token that is not known to be bad.
#[derive(Debug)]
#[must_use]
pub enum Check {
    /// It is good.
    Good(Principal),
    /// Memory cannot tell whether it was revoked; the log must be asked.
    AskTheLog(UnsettledCheck),
}

/// A check of which only the question is left whether the token was revoked.
#[derive(Debug)]
#[must_use]
pub struct UnsettledCheck {
    claims: Claims,
    blacklist: Arc<dyn Blacklist>,
}

impl UnsettledCheck {
    /// Asks the log.
    ///
    /// # Errors
    ///
    /// When the token was revoked, or the log cannot be asked.
    pub async fn settle(self) -> Result<Principal, AuthenticateError> {
        let revoked = self.blacklist.look_up(&self.claims).await.map_err(AuthenticateError::Unknown)?;
        if revoked { Err(AuthenticateError::Revoked) } else { Ok(Principal::from_checked(self.claims)) }
    }
}
