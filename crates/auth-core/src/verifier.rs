//! Checks of tokens, for services that issue tokens and for those that only check them.

use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::blacklist::{Blacklist, Standing};
use crate::clock::Clock;
use crate::error::StoreError;
use crate::principal::Principal;
use crate::token::{AccessToken, Claims, InvalidToken, TokenCodec};

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
    /// The blacklist has no answer at the moment, or the key of the token cannot be read. The token is refused without a verdict. The
    /// client keeps the token and tries again.
    #[error("the token cannot be checked right now")]
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
    /// When the token is not good, or the blacklist or the store of the keys has no answer at the moment.
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
        match self.parts.codec.decode(unverified_token) {
            Ok(claims) => self.check_claims(claims),
            Err(InvalidToken) if self.parts.codec.awaits_key(unverified_token) => {
                let unverified_token = AccessToken::new(unverified_token.to_owned());
                Ok(TokenCheck::Unsettled(UnsettledCheck(Open::Key { verifier: self.clone(), unverified_token })))
            }
            Err(InvalidToken) => Err(AuthenticateError::Invalid),
        }
    }

    /// Checks a token whose signature was found good.
    fn check_claims(&self, claims: Claims) -> Result<TokenCheck, AuthenticateError> {
        if claims.expired_at(self.now()) {
            return Err(AuthenticateError::Expired);
        }
        match self.parts.blacklist.peek(&claims) {
            Standing::Revoked => Err(AuthenticateError::Revoked),
            Standing::Good => Ok(TokenCheck::Good(Principal::from_checked(claims))),
            Standing::Unknown => Ok(TokenCheck::Unsettled(UnsettledCheck(Open::Revocation {
                claims,
                blacklist: Arc::clone(&self.parts.blacklist),
            }))),
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
    /// Memory cannot decide: only the log knows whether the token was revoked, or the key of the token may not have been read yet.
    Unsettled(UnsettledCheck),
}

/// Check that memory alone could not complete.
#[must_use]
pub struct UnsettledCheck(Open);

/// What is not known yet.
enum Open {
    /// Whether the token was revoked. Everything else about it is good.
    Revocation { claims: Claims, blacklist: Arc<dyn Blacklist> },
    /// The key that signed the token. Nothing about it was found good.
    Key { verifier: TokenVerifier, unverified_token: AccessToken },
}

impl UnsettledCheck {
    /// Reads what is missing, and completes the check.
    ///
    /// # Errors
    ///
    /// When the token is not good, or what is missing cannot be read.
    pub async fn settle(self) -> Result<Principal, AuthenticateError> {
        let (verifier, unverified_token) = match self.0 {
            Open::Revocation { claims, blacklist } => return settle_revocation(claims, &*blacklist).await,
            Open::Key { verifier, unverified_token } => (verifier, unverified_token),
        };
        let Parts { codec, blacklist, .. } = &*verifier.parts;
        codec.learn_keys().await.map_err(AuthenticateError::Unknown)?;
        let claims = codec.decode(unverified_token.expose_token()).map_err(|_| AuthenticateError::Invalid)?;
        match verifier.check_claims(claims)? {
            TokenCheck::Good(principal) => Ok(principal),
            TokenCheck::Unsettled(Self(Open::Revocation { claims, .. })) => {
                settle_revocation(claims, &**blacklist).await
            }
            TokenCheck::Unsettled(Self(Open::Key { .. })) => Err(AuthenticateError::Invalid),
        }
    }
}

/// Looks up in the log whether a token was revoked that is good otherwise.
async fn settle_revocation(claims: Claims, blacklist: &dyn Blacklist) -> Result<Principal, AuthenticateError> {
    match blacklist.look_up(&claims).await {
        Ok(false) => Ok(Principal::from_checked(claims)),
        Ok(true) => Err(AuthenticateError::Revoked),
        Err(error) => Err(AuthenticateError::Unknown(error)),
    }
}

impl fmt::Debug for UnsettledCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Open::Revocation { claims, .. } => {
                f.debug_struct("UnsettledCheck").field("claims", claims).finish_non_exhaustive()
            }
            Open::Key { .. } => f.write_str("UnsettledCheck(<key not read yet>)"),
        }
    }
}
