//! Checks of tokens, for services that issue tokens and for those that only check them.

use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::blacklist::{Blacklist, Standing};
use crate::clock::Clock;
use crate::error::StoreError;
use crate::personal::{LookUpResult, PersonalTokenDigest, PersonalTokenSecret, PersonalTokens};
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
    /// The blacklist, or the store of personal access tokens, has no answer at the moment, so the token is refused without a verdict. The client keeps the token
    /// and tries again.
    #[error("whether the token is good cannot be told right now")]
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
        if let Some(tokens) = &self.parts.personal_tokens
            && PersonalTokenSecret::has_prefix(unverified_token)
        {
            let secret = PersonalTokenSecret::parse(unverified_token).map_err(|_| AuthenticateError::Invalid)?;
            let digest = secret.digest();
            return match tokens.remembered(&digest) {
                Some(claims) => self.check_claims(claims),
                None => Ok(self.unsettled(Question::PersonalToken(Arc::clone(tokens), digest))),
            };
        }
        self.check_claims(self.parts.codec.decode(unverified_token).map_err(|_| AuthenticateError::Invalid)?)
    }

    fn check_claims(&self, claims: Claims) -> Result<TokenCheck, AuthenticateError> {
        Ok(match self.standing(claims)? {
            Ok(principal) => TokenCheck::Good(principal),
            Err(claims) => self.unsettled(Question::Blacklist(claims)),
        })
    }

    /// Checks the times and the blacklist in memory. The inner error holds the claims of a token of which memory cannot tell.
    fn standing(&self, claims: Claims) -> Result<Result<Principal, Claims>, AuthenticateError> {
        if claims.expired_at(self.now()) {
            return Err(AuthenticateError::Expired);
        }
        match self.parts.blacklist.peek(&claims) {
            Standing::Revoked => Err(AuthenticateError::Revoked),
            Standing::Good => Ok(Ok(Principal::from_checked(claims))),
            Standing::Unknown => Ok(Err(claims)),
        }
    }

    fn unsettled(&self, question: Question) -> TokenCheck {
        TokenCheck::Unsettled(UnsettledCheck { verifier: self.clone(), question })
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
    /// The token is good unless it was revoked, which only the log knows, or it is a personal access token that memory does not
    /// know.
    Unsettled(UnsettledCheck),
}

/// Check that is complete except for a question to a store.
#[must_use]
pub struct UnsettledCheck {
    verifier: TokenVerifier,
    question: Question,
}

/// What only a store can answer.
enum Question {
    /// Whether the token with these claims was revoked.
    Blacklist(Claims),
    /// What the personal token with this digest allows.
    PersonalToken(Arc<PersonalTokens>, PersonalTokenDigest),
}

impl UnsettledCheck {
    /// Asks the store, and completes the check.
    ///
    /// # Errors
    ///
    /// When the token is not good, or the store cannot be read.
    pub async fn settle(self) -> Result<Principal, AuthenticateError> {
        let Self { verifier, question } = self;
        let claims = match question {
            Question::Blacklist(claims) => claims,
            Question::PersonalToken(tokens, digest) => {
                let claims = match tokens.look_up(digest).await.map_err(AuthenticateError::Unknown)? {
                    LookUpResult::Unknown => return Err(AuthenticateError::Invalid),
                    LookUpResult::Expired => return Err(AuthenticateError::Expired),
                    LookUpResult::Ended => return Err(AuthenticateError::Revoked),
                    LookUpResult::Usable(claims) => claims,
                };
                match verifier.standing(claims)? {
                    Ok(principal) => return Ok(principal),
                    Err(claims) => claims,
                }
            }
        };
        match verifier.parts.blacklist.look_up(&claims).await {
            Ok(false) => Ok(Principal::from_checked(claims)),
            Ok(true) => Err(AuthenticateError::Revoked),
            Err(error) => Err(AuthenticateError::Unknown(error)),
        }
    }
}

impl fmt::Debug for UnsettledCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let question = match &self.question {
            Question::Blacklist(_) => "blacklist",
            Question::PersonalToken(..) => "personal token",
        };
        f.debug_struct("UnsettledCheck").field("question", &question).finish_non_exhaustive()
    }
}
