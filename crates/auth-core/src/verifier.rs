//! Checks of tokens, for services that issue tokens and for those that only check them.

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
    /// The token is not one of ours: its shape, algorithm, key, signature, type, issuer or audience is wrong.
    #[error("the token is invalid")]
    Invalid,
    /// The token is one of ours and is past its expiry (RFC 7519 §4.1.4).
    #[error("the token has expired")]
    Expired,
    /// The token is one of ours and was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// The blacklist has no answer at the moment, so the token is refused without a verdict. The client keeps the token
    /// and tries again.
    #[error("the blacklist cannot be asked right now")]
    Unknown(#[source] StoreError),
}

/// Checker of tokens that knows no users. It is all that a service needs that protects its routes and issues no tokens.
///
/// An [`AuthService`](crate::AuthService) holds one and checks with it. Cheap to clone; clones share everything.
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
    /// Returns a verifier. `codec` reads the tokens, `blacklist` knows the revoked ones and `clock` tells the time.
    #[must_use]
    pub fn new(codec: Arc<dyn TokenCodec>, blacklist: Arc<dyn Blacklist>, clock: Arc<dyn Clock>) -> Self {
        Self { parts: Arc::new(Parts { codec, blacklist, clock }) }
    }

    /// Checks the signature, the times and the blacklist of a token. It reads no user. No other function makes a
    /// [`Principal`].
    ///
    /// # Errors
    ///
    /// When the token is not good, or the blacklist has no answer at the moment.
    pub async fn authenticate(&self, unverified_token: &str) -> Result<Principal, AuthenticateError> {
        match self.check(unverified_token)? {
            TokenCheck::Good(principal) => Ok(principal),
            TokenCheck::Unsettled(unsettled) => unsettled.settle().await,
        }
    }

    /// Checks a token as far as possible without waiting, for callers that would have to allocate in order to wait.
    /// [`authenticate`](Self::authenticate) is the complete check.
    ///
    /// # Errors
    ///
    /// When the token is not good.
    pub fn check(&self, unverified_token: &str) -> Result<TokenCheck, AuthenticateError> {
        let claims = self.parts.codec.decode(unverified_token).map_err(|_| AuthenticateError::Invalid)?;
        if claims.expired_at(self.now()) {
            return Err(AuthenticateError::Expired);
        }
        match self.parts.blacklist.peek(&claims) {
            Standing::Revoked => Err(AuthenticateError::Revoked),
            Standing::Good => Ok(TokenCheck::Good(Principal::from_checked(claims))),
            Standing::Unknown => {
                Ok(TokenCheck::Unsettled(UnsettledCheck { claims, blacklist: Arc::clone(&self.parts.blacklist) }))
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

/// Result of a check in memory, for a token that was not found bad.
#[derive(Debug)]
#[must_use]
pub enum TokenCheck {
    /// The token is good.
    Good(Principal),
    /// The token is good unless it was revoked, which only the log knows.
    Unsettled(UnsettledCheck),
}

/// Check that is complete except for the look-up of the token in the log.
#[must_use]
pub struct UnsettledCheck {
    claims: Claims,
    blacklist: Arc<dyn Blacklist>,
}

impl UnsettledCheck {
    /// Looks up in the log whether the token was revoked, and completes the check.
    ///
    /// # Errors
    ///
    /// When the token was revoked, or the log cannot be read.
    pub async fn settle(self) -> Result<Principal, AuthenticateError> {
        match self.blacklist.look_up(&self.claims).await {
            Ok(false) => Ok(Principal::from_checked(self.claims)),
            Ok(true) => Err(AuthenticateError::Revoked),
            Err(error) => Err(AuthenticateError::Unknown(error)),
        }
    }
}

impl fmt::Debug for UnsettledCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsettledCheck").field("claims", &self.claims).finish_non_exhaustive()
    }
}
