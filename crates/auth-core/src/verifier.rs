//! Checks of tokens, for services that issue tokens and for those that only check them.

use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::blacklist::{Blacklist, Standing};
use crate::clock::Clock;
use crate::error::StoreError;
use crate::personal::{LookUpResult, PersonalTokenDigest, PersonalTokenSecret, PersonalTokens};
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
    /// The blacklist has no answer at the moment, or the key of the token or the personal token cannot be read. The token is refused
    /// without a verdict. The client keeps the token and tries again.
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
    personal_tokens: Option<Arc<PersonalTokens>>,
}

impl TokenVerifier {
    /// Returns a verifier. `codec` reads the tokens, `blacklist` knows the revoked ones and `clock` tells the time.
    #[must_use]
    pub fn new(codec: Arc<dyn TokenCodec>, blacklist: Arc<dyn Blacklist>, clock: Arc<dyn Clock>) -> Self {
        Self { parts: Arc::new(Parts { codec, blacklist, clock, personal_tokens: None }) }
    }

    /// Returns a verifier that checks personal access tokens too. A text with [their prefix](crate::personal::PERSONAL_TOKEN_PREFIX)
    /// is then never given to the codec.
    #[must_use]
    pub fn with_personal_tokens(self, personal_tokens: Arc<PersonalTokens>) -> Self {
        let Parts { codec, blacklist, clock, .. } = &*self.parts;
        let (codec, blacklist, clock) = (Arc::clone(codec), Arc::clone(blacklist), Arc::clone(clock));
        Self { parts: Arc::new(Parts { codec, blacklist, clock, personal_tokens: Some(personal_tokens) }) }
    }

    /// Checks the signature, the times and the blacklist of a token. It reads no user, except for a personal access token that was
    /// not used in the last 15 minutes. No other function makes a [`Principal`].
    ///
    /// # Errors
    ///
    /// When the token is not good, or the blacklist or the store of the keys has no answer at the moment.
    pub async fn authenticate(&self, unverified_token: &str) -> Result<Principal, AuthenticateError> {
        match self.check(unverified_token)? {
            TokenCheck::Good(principal) => Ok(principal),
            // On the heap, so that the future of a check that need not wait stays small.
            TokenCheck::Unsettled(unsettled) => Box::pin(unsettled.settle()).await,
        }
    }

    /// Checks a token as far as possible without waiting, for callers that would have to allocate in order to wait.
    /// [`authenticate`](Self::authenticate) is the complete check.
    ///
    /// # Errors
    ///
    /// When the token is not good.
    pub fn check(&self, unverified_token: &str) -> Result<TokenCheck, AuthenticateError> {
        if let Some(tokens) = &self.parts.personal_tokens
            && PersonalTokenSecret::has_prefix(unverified_token)
        {
            return self.check_personal_token(tokens, unverified_token);
        }
        match self.parts.codec.decode(unverified_token) {
            Ok(claims) => self.check_claims(claims),
            Err(InvalidToken) if self.parts.codec.awaits_key(unverified_token) => {
                let unverified_token = AccessToken::new(unverified_token.to_owned());
                Ok(TokenCheck::Unsettled(UnsettledCheck(Open::Key { verifier: self.clone(), unverified_token })))
            }
            Err(InvalidToken) => Err(AuthenticateError::Invalid),
        }
    }

    /// Checks a personal token. One that memory does not know has to be looked up.
    fn check_personal_token(
        &self,
        tokens: &Arc<PersonalTokens>,
        unverified_token: &str,
    ) -> Result<TokenCheck, AuthenticateError> {
        let secret = PersonalTokenSecret::parse(unverified_token).map_err(|_| AuthenticateError::Invalid)?;
        let digest = secret.digest();
        match tokens.remembered(&digest) {
            Some(claims) => self.check_claims(claims),
            None => Ok(TokenCheck::Unsettled(UnsettledCheck(Open::PersonalToken {
                verifier: self.clone(),
                tokens: Arc::clone(tokens),
                digest,
            }))),
        }
    }

    /// Checks the times and the blacklist in memory, for a token whose signature was found good.
    #[inline]
    fn check_claims(&self, claims: Claims) -> Result<TokenCheck, AuthenticateError> {
        if claims.expired_at(self.now()) {
            return Err(AuthenticateError::Expired);
        }
        match self.parts.blacklist.peek(&claims) {
            Standing::Revoked => Err(AuthenticateError::Revoked),
            Standing::Good => Ok(TokenCheck::Good(Principal::from_checked(claims))),
            Standing::Unknown => {
                let blacklist = Arc::clone(&self.parts.blacklist);
                Ok(TokenCheck::Unsettled(UnsettledCheck(Open::Revocation { claims, blacklist })))
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
    /// Memory cannot decide: only the log knows whether the token was revoked, the key of the token may not have been read yet, or it
    /// is a personal access token that was not used lately.
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
    /// What the personal token with this digest allows, if there is one.
    PersonalToken { verifier: TokenVerifier, tokens: Arc<PersonalTokens>, digest: PersonalTokenDigest },
}

impl UnsettledCheck {
    /// Reads what is missing, and completes the check.
    ///
    /// # Errors
    ///
    /// When the token is not good, or what is missing cannot be read.
    pub async fn settle(self) -> Result<Principal, AuthenticateError> {
        let (verifier, claims) = match self.0 {
            Open::Revocation { claims, blacklist } => return settle_revocation(claims, &*blacklist).await,
            Open::Key { verifier, unverified_token } => {
                let codec = &verifier.parts.codec;
                codec.learn_keys().await.map_err(AuthenticateError::Unknown)?;
                let claims = codec.decode(unverified_token.expose_token()).map_err(|_| AuthenticateError::Invalid)?;
                (verifier, claims)
            }
            Open::PersonalToken { verifier, tokens, digest } => {
                match tokens.look_up(digest).await.map_err(AuthenticateError::Unknown)? {
                    LookUpResult::Unknown => return Err(AuthenticateError::Invalid),
                    LookUpResult::Expired => return Err(AuthenticateError::Expired),
                    LookUpResult::Ended => return Err(AuthenticateError::Revoked),
                    LookUpResult::Usable(claims) => (verifier, claims),
                }
            }
        };
        match verifier.check_claims(claims)? {
            TokenCheck::Good(principal) => Ok(principal),
            // Only the revocation is open now, so this calls itself once at most.
            TokenCheck::Unsettled(unsettled) => Box::pin(unsettled.settle()).await,
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
            Open::PersonalToken { .. } => f.write_str("UnsettledCheck(<personal token not looked up yet>)"),
        }
    }
}
