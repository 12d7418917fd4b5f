//! Login and logout.

mod client;
mod error;
mod grants;
mod revocation;
mod session;
mod signing;

use std::time::Duration;

use crate::blacklist::{Revocation, RevocationReason};
use crate::context::Context;
use crate::error::StoreError;
use crate::events;
use crate::grants::TokenKind;
use crate::password::{HashError, HashingError, Password, Verdict};
use crate::principal::Principal;
use crate::service::AuthService;
use crate::session::{RefreshToken, Session, SessionEnd};
use crate::throttle::Attempt;
use crate::token::AccessToken;
use crate::user::{Credentials, StoredCredentials, User};

pub use self::client::{AuthenticatedClient, ClientAuthError, ClientToken, ClientTokenError};
pub use self::error::LoginError;
pub use self::revocation::RevokeTokenError;
pub(crate) use self::session::OpenError;
pub use self::session::RefreshError;

/// Outcome of a login whose password was right.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoginOutcome {
    /// The user is signed in.
    SignedIn(Box<SignedIn>),
    /// The login needs another factor. No token was issued.
    ///
    /// No factor but the password exists today, so this outcome does not occur. It is here so that second factors can be
    /// added without breaking a caller.
    FactorRequired(FactorChallenge),
}

impl LoginOutcome {
    /// Returns the signed-in user and the token, if no other factor is needed.
    #[must_use]
    pub fn signed_in(self) -> Option<SignedIn> {
        match self {
            Self::SignedIn(signed_in) => Some(*signed_in),
            Self::FactorRequired(_) => None,
        }
    }
}

/// Challenge to prove a second factor.
#[derive(Debug)]
#[non_exhaustive]
pub struct FactorChallenge {}

/// A user who has just proved who they are, with the token that was issued for it.
#[derive(Debug)]
#[non_exhaustive]
pub struct SignedIn {
    /// The user.
    pub user: User,
    /// The access token.
    pub token: IssuedToken,
    /// The session, if sessions are kept.
    pub session: Option<Session>,
    /// The refresh token, if the session is renewable.
    pub refresh: Option<IssuedRefreshToken>,
}

/// A refresh token that was just made.
#[derive(Debug)]
#[non_exhaustive]
pub struct IssuedRefreshToken {
    /// The token, which is a secret.
    pub token: RefreshToken,
    /// Time until the session ends if it is not refreshed, in whole seconds.
    pub expires_in: Duration,
}

/// An access token that was just signed.
#[derive(Debug)]
#[non_exhaustive]
pub struct IssuedToken {
    /// The signed text, which is a secret.
    pub access: AccessToken,
    /// Life of the token, in whole seconds.
    pub expires_in: Duration,
}

impl IssuedToken {
    /// Returns the text of the token, for the one client that it belongs to.
    #[must_use]
    pub fn expose_token(&self) -> &str {
        self.access.expose_token()
    }
}

impl AuthService {
    /// Logs a user in: one read, one comparison, one write of the time and one signature.
    ///
    /// An unknown user, a wrong password and a disabled user cost the same and get the same error.
    ///
    /// # Errors
    ///
    /// When the credentials are wrong, the address of the account must be verified first, too many attempts were made, too much work is waiting, or a part failed.
    pub async fn login(&self, credentials: Credentials, context: &Context) -> Result<LoginOutcome, LoginError> {
        let Credentials { email, password } = credentials;
        // Admit: the attempt is counted before any work is done for it.
        let attempt = self.parts.throttle.admit_guess(&email, context.network()).await?;
        // Find.
        let compared = match self.parts.users.find_credentials(&email).await {
            // Compare.
            Ok(found) => self.compare(found, password.clone()).await,
            Err(error) => Err(error.into()),
        };
        // Settle: a right guess is not counted.
        settle_guess(attempt, &compared).await;
        let admitted = compared.and_then(|(proven, verdict)| {
            // Only who knows the password learns that the address is not verified.
            let is_admitted = proven.user.email_verified || !self.requires_verified_email();
            if is_admitted { Ok((proven, verdict)) } else { Err(LoginError::EmailUnverified) }
        });
        events::login(admitted.as_ref().map(|(proven, _)| proven.user.id), context.request_id());
        let (mut proven, verdict) = admitted?;
        if verdict == Verdict::MatchRehash {
            self.parts.upgrades.offer(&proven, password);
        }
        // Factor: the password is the only one that exists.
        // Record: a login whose time cannot be recorded is a login all the same.
        let now = self.now();
        match self.parts.users.record_login(proven.user.id, now).await {
            Ok(()) => proven.user.last_login_at = proven.user.last_login_at.max(Some(now)),
            Err(error) => events::login_unrecorded(proven.user.id, &error),
        }
        // Open a session and sign its token.
        let signed_in = self.open_session(proven.user, context).await?;
        Ok(LoginOutcome::SignedIn(Box::new(signed_in)))
    }

    /// Logs out: ends the session of the principal, or revokes its token where no sessions are kept. A personal token is deleted. When this has returned, the
    /// end is durable and this node refuses every access token of the session.
    ///
    /// # Errors
    ///
    /// When the end could not be written. The token may still be accepted then.
    pub async fn logout(&self, principal: &Principal) -> Result<(), StoreError> {
        if principal.kind() == TokenKind::Personal {
            return self.end_own_personal_token(principal).await;
        }
        let (revoked_at, reason) = (self.now(), RevocationReason::Logout);
        if let Some(id) = principal.session_id()
            && self.end_session(id, SessionEnd { at: revoked_at, reason }).await?
        {
            events::revoked(principal.user_id(), reason.as_str());
            return Ok(());
        }
        let revocation = Revocation {
            target: principal.revocation_target(),
            expires_at: principal.expires_at(),
            revoked_at,
            reason,
        };
        self.parts.blacklist.revoke(revocation).await?;
        events::revoked(principal.user_id(), reason.as_str());
        Ok(())
    }

    /// Deletes the personal token of the principal.
    async fn end_own_personal_token(&self, principal: &Principal) -> Result<(), StoreError> {
        if let Some(session) = principal.session_id() {
            self.delete_personal_token(principal.user_id(), session.into()).await?;
        }
        Ok(())
    }

    /// Compares a password with the stored hash, or with the dummy hash where there is no user.
    pub(crate) async fn compare(
        &self,
        found: Option<StoredCredentials>,
        password: Password,
    ) -> Result<(StoredCredentials, Verdict), LoginError> {
        let hash = found.as_ref().map_or(&self.parts.dummy_hash, |stored| &stored.password_hash).clone();
        let verdict = match self.parts.passwords.verify(password, hash).await {
            Ok(verdict) => verdict,
            Err(HashingError::Hash(source @ HashError::UnusableHash(_))) => {
                let user = found.ok_or(LoginError::InvalidCredentials)?.user.id;
                return Err(LoginError::UnusableHash { user, source });
            }
            Err(error) => return Err(error.into()),
        };
        match (found, verdict) {
            (Some(stored), Verdict::Match | Verdict::MatchRehash) if stored.user.disabled_at.is_none() => {
                Ok((stored, verdict))
            }
            _ => Err(LoginError::InvalidCredentials),
        }
    }
}

/// Takes a guess back that was right, or that was never compared. A wrong guess stays counted, and so does one whose caller
/// goes away.
pub(crate) async fn settle_guess<T>(attempt: Attempt, compared: &Result<T, LoginError>) {
    match compared {
        Ok(_) => attempt.succeeded().await,
        // A hash that cannot be used must look like a wrong password in the counters as well.
        Err(LoginError::InvalidCredentials | LoginError::UnusableHash { .. }) => {}
        Err(_) => attempt.withdrawn().await,
    }
}
