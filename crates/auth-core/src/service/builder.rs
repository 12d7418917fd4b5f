//! Putting a service together.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::upgrade::{Background, Upgrades};
use super::{AuthService, Parts};
use crate::blacklist::Blacklist;
use crate::clock::{Clock, SystemClock};
use crate::error::BoxError;
use crate::password::{AsyncPasswordHasher, PasswordPolicy};
use crate::throttle::Throttle;
use crate::token::{MAX_TOKEN_LIFE, TokenCodec};
use crate::user::UserStore;
use crate::verifier::TokenVerifier;

/// Puts an [`AuthService`] together. Users, blacklist, codec and passwords must be given.
#[derive(Debug, Default)]
#[must_use]
pub struct AuthServiceBuilder {
    users: Option<Arc<dyn UserStore>>,
    blacklist: Option<Arc<dyn Blacklist>>,
    codec: Option<Arc<dyn TokenCodec>>,
    passwords: Option<Arc<dyn AsyncPasswordHasher>>,
    clock: Option<Arc<dyn Clock>>,
    policy: PasswordPolicy,
    token_life: Option<Duration>,
    background: Option<Background>,
    throttle: Option<Arc<Throttle>>,
}

/// How long a token is good unless the builder is told otherwise: one day.
pub const DEFAULT_TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

impl AuthServiceBuilder {
    /// Who keeps the users.
    pub fn users(mut self, users: Arc<dyn UserStore>) -> Self {
        self.users = Some(users);
        self
    }

    /// Who knows what is revoked.
    pub fn blacklist(mut self, blacklist: Arc<dyn Blacklist>) -> Self {
        self.blacklist = Some(blacklist);
        self
    }

    /// Who signs and reads tokens.
    pub fn codec(mut self, codec: Arc<dyn TokenCodec>) -> Self {
        self.codec = Some(codec);
        self
    }

    /// The threads that hash passwords.
    pub fn passwords(mut self, passwords: impl AsyncPasswordHasher + 'static) -> Self {
        self.passwords = Some(Arc::new(passwords));
        self
    }

    /// The rules for new passwords. Default: at least 15 characters, and none of the commonly used ones.
    pub fn policy(mut self, policy: PasswordPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Where the time comes from. Default: the operating system.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// How long a token is good: whole seconds, from one second to [`MAX_TOKEN_LIFE`]. Default: one day.
    pub fn token_life(mut self, life: Duration) -> Self {
        self.token_life = Some(life);
        self
    }

    /// Who runs what the service leaves for after an answer: the upgrade of a password hash that is of an older scheme
    /// or cost. Give the `spawn` of your runtime, as in `|task| drop(tokio::spawn(task))`. Default: nobody, and hashes
    /// stay as they are.
    pub fn background(
        mut self,
        spawn: impl Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync + 'static,
    ) -> Self {
        self.background = Some(Background::new(spawn));
        self
    }

    /// Who limits guessing, see [`for_client`](AuthService::for_client). Default: nobody.
    pub fn throttle(mut self, throttle: Arc<Throttle>) -> Self {
        self.throttle = Some(throttle);
        self
    }

    /// Builds the service.
    ///
    /// # Errors
    ///
    /// When a part is missing or the token life is out of its bounds.
    pub fn build(self) -> Result<AuthService, BuildError> {
        let token_life = self.token_life.unwrap_or(DEFAULT_TOKEN_LIFE);
        if token_life.subsec_nanos() != 0 || token_life.is_zero() || token_life > MAX_TOKEN_LIFE {
            return Err(BuildError::TokenLife);
        }
        let passwords = self.passwords.ok_or(BuildError::Missing("passwords"))?;
        let max_bytes = passwords.hasher().max_bytes();
        let decoy = passwords.hasher().decoy().map_err(|error| BuildError::Decoy(error.into()))?;
        let users = self.users.ok_or(BuildError::Missing("users"))?;
        let blacklist = self.blacklist.ok_or(BuildError::Missing("blacklist"))?;
        let codec = self.codec.ok_or(BuildError::Missing("codec"))?;
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let verifier = TokenVerifier::new(Arc::clone(&codec), Arc::clone(&blacklist), Arc::clone(&clock));
        let policy = self.policy.at_most_bytes(max_bytes);
        let upgrades = Upgrades::new(self.background);
        let throttle = self.throttle;
        let parts = Parts {
            users,
            blacklist,
            codec,
            clock,
            verifier,
            passwords,
            policy,
            token_life,
            decoy,
            upgrades,
            throttle,
        };
        Ok(AuthService { parts: Arc::new(parts), client: None })
    }
}

/// Why a service could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A part was not given.
    #[error("the builder was given no {0}")]
    Missing(&'static str),
    /// The token life is out of its bounds.
    #[error("the token life must be whole seconds, from 1 to {}", MAX_TOKEN_LIFE.as_secs())]
    TokenLife,
    /// The hasher could not make the hash that unknown users are compared with.
    #[error("the decoy hash could not be made")]
    Decoy(#[source] BoxError),
}
