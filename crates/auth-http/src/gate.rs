//! The decision whether a request may pass.

use crate::browser::CookieAuth;
use crate::demand::Demand;
use crate::header::unverified_token;
use crate::refusal::{Refusal, RefusalKind};
use crate::request::RequestHead;

use auth_core::{Principal, TokenCheck, TokenVerifier, UnsettledCheck};

/// Lets requests pass or refuses them, by their `Authorization` header. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gate {
    verifier: TokenVerifier,
    demand: Demand,
    /// Whether a request without a token may pass.
    is_optional: bool,
    cookies: Option<CookieAuth>,
}

/// What a gate says, without waiting, of a request that it does not refuse.
#[derive(Debug)]
#[must_use]
pub enum Passage {
    /// The request carries a good token, of whom the gate lets pass.
    Admitted(Principal),
    /// The request carries no token, and the gate asks for none.
    Anonymous,
    /// Memory cannot tell whether the token was revoked; the log must be asked.
    Unsettled(UnsettledPassage),
}

impl Gate {
    /// Returns a gate for holders of a good token of a user. [`Demand::user`] says whose tokens are refused all the same.
    pub fn required(verifier: impl Into<TokenVerifier>) -> Self {
        Self::demanding(verifier, Demand::user())
    }

    /// Returns a gate for everybody. Who sends a token must send a good one all the same: a token that has expired, or that nobody
    /// can judge right now, does not turn its holder into a guest.
    pub fn optional(verifier: impl Into<TokenVerifier>) -> Self {
        Self { is_optional: true, ..Self::required(verifier) }
    }

    /// Returns a gate for admins.
    pub fn admin(verifier: impl Into<TokenVerifier>) -> Self {
        Self::demanding(verifier, Demand::user().admin())
    }

    /// Returns a gate for holders of a good token that meets `demand`.
    pub fn demanding(verifier: impl Into<TokenVerifier>, demand: Demand) -> Self {
        Self { verifier: verifier.into(), demand, is_optional: false, cookies: None }
    }

    /// Lets only tokens pass that carry this role ([`Demand::role`]).
    #[must_use]
    pub fn role(self, name: impl Into<Box<str>>) -> Self {
        Self { demand: self.demand.role(name), ..self }
    }

    /// Lets only tokens pass that carry this scope, those of clients too ([`Demand::scope`]).
    #[must_use]
    pub fn scope(self, name: impl Into<Box<str>>) -> Self {
        Self { demand: self.demand.scope(name), ..self }
    }

    /// Lets only the tokens of logins pass ([`Demand::login`]).
    #[must_use]
    pub fn login_only(self) -> Self {
        Self { demand: self.demand.login_only(), ..self }
    }

    /// Accepts the cookie of a session as well, from requests without an `Authorization` header.
    #[must_use]
    pub fn with_cookies(self, cookies: CookieAuth) -> Self {
        Self { cookies: Some(cookies), ..self }
    }

    /// Judges a request as far as that is possible without waiting.
    ///
    /// A request with an `Authorization` header is judged by that alone: a bad token is not replaced by a good cookie.
    ///
    /// # Errors
    ///
    /// When the request must not pass.
    pub fn check_request(&self, request: &impl RequestHead) -> Result<Passage, Refusal> {
        match (unverified_token(request.authorization()), &self.cookies) {
            (Err(RefusalKind::TokenMissing), Some(cookies)) if request.authorization().next().is_none() => {
                self.judge(cookies.tokens(request).map(|tokens| tokens.unverified_access))
            }
            (token, _) => self.judge(token),
        }
    }

    /// Judges a request by the values of its `Authorization` headers, as far as that is possible without waiting.
    ///
    /// # Errors
    ///
    /// When the request must not pass.
    pub fn check<'h>(&self, authorization: impl IntoIterator<Item = &'h [u8]>) -> Result<Passage, Refusal> {
        self.judge(unverified_token(authorization))
    }

    fn judge(&self, unverified_token: Result<&str, RefusalKind>) -> Result<Passage, Refusal> {
        let unverified_token = match unverified_token {
            Err(RefusalKind::TokenMissing) if self.is_optional => return Ok(Passage::Anonymous),
            token => token?,
        };
        match self.verifier.check(unverified_token)? {
            TokenCheck::Good(principal) => {
                self.demand.check(&principal)?;
                Ok(Passage::Admitted(principal))
            }
            TokenCheck::Unsettled(check) => {
                Ok(Passage::Unsettled(UnsettledPassage { check, demand: self.demand.clone() }))
            }
        }
    }

    /// Judges a request by the values of its `Authorization` headers. `None` is somebody without a token, whom only an
    /// [`optional`](Self::optional) gate lets pass.
    ///
    /// # Errors
    ///
    /// When the request must not pass.
    pub async fn admit<'h>(
        &self,
        authorization: impl IntoIterator<Item = &'h [u8]>,
    ) -> Result<Option<Principal>, Refusal> {
        match self.check(authorization)? {
            Passage::Admitted(principal) => Ok(Some(principal)),
            Passage::Anonymous => Ok(None),
            Passage::Unsettled(unsettled) => unsettled.settle().await.map(Some),
        }
    }
}

/// The principal, if they are an admin.
///
/// # Errors
///
/// [`RefusalKind::AdminRequired`] if they are not.
pub fn admin(principal: Principal) -> Result<Principal, Refusal> {
    if principal.is_admin() { Ok(principal) } else { Err(RefusalKind::AdminRequired.into()) }
}

/// A request whose token is good unless it was revoked.
#[derive(Debug)]
#[must_use]
pub struct UnsettledPassage {
    check: UnsettledCheck,
    demand: Demand,
}

impl UnsettledPassage {
    /// Asks the log.
    ///
    /// # Errors
    ///
    /// When the request must not pass.
    pub async fn settle(self) -> Result<Principal, Refusal> {
        let principal = self.check.settle().await?;
        self.demand.check(&principal)?;
        Ok(principal)
    }
}
