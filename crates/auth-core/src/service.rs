//! [`AuthService`]: the parts of revocable authentication, put together.
//!
//! Its operations are in the modules of their topics: `login`, `account` and `recovery`.

mod builder;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::blacklist::Blacklist;
use crate::claims_source::GrantOptions;
use crate::clients::ClientStore;
use crate::clock::Clock;
use crate::letters::{LetterOptions, Outbox};
use crate::one_time_store::OneTimeTokenStore;
use crate::password::{AsyncPasswordHasher, PasswordHash, PasswordPolicy};
use crate::personal::{PersonalTokenStats, PersonalTokens};
use crate::principal::Principal;
use crate::rehash::HashUpgrades;
use crate::session::{SessionCounts, SessionOptions, SessionStats, SessionStore};
use crate::throttle::Admission;
use crate::token::TokenCodec;
use crate::user::UserStore;
use crate::verifier::{AuthenticateError, TokenVerifier};

pub use self::builder::{AuthServiceBuilder, BuildError, DEFAULT_CLIENT_TOKEN_LIFE, DEFAULT_TOKEN_LIFE};
pub use crate::rehash::UpgradeStats;

/// Revocable authentication: registers users, logs them in, checks their tokens and revokes them. Cheap to clone;
/// clones share everything.
#[derive(Clone)]
pub struct AuthService {
    pub(crate) parts: Arc<Parts>,
}

/// The parts of an [`AuthService`].
pub(crate) struct Parts {
    pub(crate) users: Arc<dyn UserStore>,
    pub(crate) blacklist: Arc<dyn Blacklist>,
    pub(crate) codec: Arc<dyn TokenCodec>,
    pub(crate) passwords: Arc<dyn AsyncPasswordHasher>,
    pub(crate) policy: PasswordPolicy,
    pub(crate) token_life: Duration,
    /// The hash that the password of an unknown user is compared with, so that it costs what a known user's costs.
    pub(crate) dummy_hash: PasswordHash,
    pub(crate) upgrades: Arc<HashUpgrades>,
    pub(crate) throttle: Admission,
    pub(crate) sessions: Option<Sessions>,
    pub(crate) letters: Option<Letters>,
    pub(crate) personal_tokens: Option<Arc<PersonalTokens>>,
    pub(crate) clients: Option<Arc<dyn ClientStore>>,
    pub(crate) client_token_life: Duration,
    pub(crate) grants: GrantOptions,
    clock: Arc<dyn Clock>,
    verifier: TokenVerifier,
}

/// The store of sessions, their lives, and counts of what happened to them.
#[derive(Debug)]
pub(crate) struct Sessions {
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) options: SessionOptions,
    pub(crate) counts: SessionCounts,
}

/// The stores of one-time tokens and letters, and the settings of both.
#[derive(Debug)]
pub(crate) struct Letters {
    pub(crate) tokens: Arc<dyn OneTimeTokenStore>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) options: LetterOptions,
}

impl AuthService {
    /// Returns an empty builder.
    pub fn builder() -> AuthServiceBuilder {
        AuthServiceBuilder::default()
    }

    /// Checks the signature, the times and the blacklist of a token. It reads no user.
    ///
    /// # Errors
    ///
    /// When the token is not good, or the blacklist has no answer at the moment.
    pub async fn authenticate(&self, unverified_token: &str) -> Result<Principal, AuthenticateError> {
        self.parts.verifier.authenticate(unverified_token).await
    }

    /// Returns the part that checks tokens, for code that needs nothing else.
    #[must_use]
    pub fn verifier(&self) -> &TokenVerifier {
        &self.parts.verifier
    }

    /// Returns the counts of the hashes that were to be replaced after a login.
    #[must_use]
    pub fn upgrade_stats(&self) -> UpgradeStats {
        self.parts.upgrades.stats()
    }

    /// Returns whether the builder was given a store of sessions.
    #[must_use]
    pub fn keeps_sessions(&self) -> bool {
        self.parts.sessions.is_some()
    }

    /// Returns whether the builder was given a store of personal access tokens.
    #[must_use]
    pub fn keeps_personal_tokens(&self) -> bool {
        self.parts.personal_tokens.is_some()
    }

    /// Returns the counts of the look-ups of personal access tokens. All are zero where none are kept.
    #[must_use]
    pub fn personal_token_stats(&self) -> PersonalTokenStats {
        self.parts.personal_tokens.as_ref().map_or_else(PersonalTokenStats::default, |tokens| tokens.stats())
    }

    /// Returns whether the builder was given what letters need.
    #[must_use]
    pub fn sends_letters(&self) -> bool {
        self.parts.letters.is_some()
    }

    /// Returns whether a user whose address is not verified is refused at login.
    #[must_use]
    pub fn requires_verified_email(&self) -> bool {
        self.parts.letters.as_ref().is_some_and(|letters| letters.options.require_verified)
    }

    /// Returns the counts of what happened to sessions. All are zero where no sessions are kept.
    #[must_use]
    pub fn session_stats(&self) -> SessionStats {
        self.parts.sessions.as_ref().map_or_else(SessionStats::default, |sessions| sessions.counts.stats())
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        self.parts.clock.now()
    }
}

impl From<&AuthService> for TokenVerifier {
    fn from(service: &AuthService) -> Self {
        service.verifier().clone()
    }
}

impl From<AuthService> for TokenVerifier {
    fn from(service: AuthService) -> Self {
        Self::from(&service)
    }
}

impl fmt::Debug for AuthService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthService")
            .field("users", &self.parts.users)
            .field("blacklist", &self.parts.blacklist)
            .field("codec", &self.parts.codec)
            .field("passwords", &self.parts.passwords)
            .finish_non_exhaustive()
    }
}
