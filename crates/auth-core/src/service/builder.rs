//! [`AuthServiceBuilder`].

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{AuthService, Letters, Parts, Sessions};
use crate::blacklist::Blacklist;
use crate::claims_source::{ClaimsSource, GrantOptions};
use crate::clients::ClientStore;
use crate::clock::{Clock, SystemClock};
use crate::error::BoxError;
use crate::grants::Scopes;
use crate::letters::{LetterOptions, Outbox};
use crate::one_time_store::OneTimeTokenStore;
use crate::password::{AsyncPasswordHasher, PasswordPolicy};
use crate::personal::{PersonalTokenOptions, PersonalTokenStore, PersonalTokens};
use crate::rehash::{HashUpgrades, Spawner};
use crate::session::{SessionCounts, SessionOptions, SessionStore};
use crate::throttle::{Admission, Throttle};
use crate::token::{MAX_TOKEN_LIFE, TokenCodec};
use crate::user::UserStore;
use crate::verifier::TokenVerifier;

/// Builder of an [`AuthService`]. Users, blacklist, codec and passwords must be given.
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
    background: Option<Spawner>,
    throttle: Option<Arc<Throttle>>,
    sessions: Option<Sessions>,
    letters: Option<Letters>,
    personal_tokens: Option<(Arc<dyn PersonalTokenStore>, usize)>,
    clients: Option<Arc<dyn ClientStore>>,
    client_token_life: Option<Duration>,
    grants: GrantOptions,
}

/// Default life of a token: one day.
pub const DEFAULT_TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Default life of a token of a client: one hour.
pub const DEFAULT_CLIENT_TOKEN_LIFE: Duration = Duration::from_secs(60 * 60);

impl AuthServiceBuilder {
    /// Sets the store of users.
    pub fn users(mut self, users: Arc<dyn UserStore>) -> Self {
        self.users = Some(users);
        self
    }

    /// Sets the blacklist, which knows the revoked tokens.
    pub fn blacklist(mut self, blacklist: Arc<dyn Blacklist>) -> Self {
        self.blacklist = Some(blacklist);
        self
    }

    /// Sets the codec, which signs and reads tokens.
    pub fn codec(mut self, codec: Arc<dyn TokenCodec>) -> Self {
        self.codec = Some(codec);
        self
    }

    /// Sets the component that computes password hashes, for example the pool of `auth-password`.
    pub fn passwords(mut self, passwords: impl AsyncPasswordHasher + 'static) -> Self {
        self.passwords = Some(Arc::new(passwords));
        self
    }

    /// Sets the rules for new passwords. Default: at least 15 characters, and none of the commonly used ones.
    pub fn policy(mut self, policy: PasswordPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets the clock. Default: [`SystemClock`].
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Sets the life of a token: whole seconds, from one second to [`MAX_TOKEN_LIFE`]. Default: [`DEFAULT_TOKEN_LIFE`].
    pub fn token_life(mut self, life: Duration) -> Self {
        self.token_life = Some(life);
        self
    }

    /// Sets the function that starts a task in the background, for example `|task| drop(tokio::spawn(task))`. Such a task
    /// replaces a password hash of an older scheme or cost after a login, or records the use of a personal token. Default: none.
    /// Such hashes then stay, and a check waits for the record once in 15 minutes.
    pub fn background(
        mut self,
        spawn: impl Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync + 'static,
    ) -> Self {
        self.background = Some(Spawner::new(spawn));
        self
    }

    /// Sets the limits on guesses at passwords and codes, on registrations and on letters. Default: none.
    pub fn throttle(mut self, throttle: Arc<Throttle>) -> Self {
        self.throttle = Some(throttle);
        self
    }

    /// Sets the store of sessions, and their lives. Every login then opens a session. Default: none, and no sessions are kept.
    pub fn sessions(mut self, store: Arc<dyn SessionStore>, options: SessionOptions) -> Self {
        self.sessions = Some(Sessions { store, options, counts: SessionCounts::default() });
        self
    }

    /// Sets the stores of one-time tokens and of letters, and the settings of both. They share the database of the store of users.
    /// A [`Delivery`](crate::letters::Delivery) sends the letters. Default: none, and every operation that needs a letter fails.
    pub fn letters(
        mut self,
        tokens: Arc<dyn OneTimeTokenStore>,
        outbox: Arc<dyn Outbox>,
        options: LetterOptions,
    ) -> Self {
        self.letters = Some(Letters { tokens, outbox, options });
        self
    }

    /// Sets the store of personal access tokens, over the database of the log, and the maximum number of them that a node keeps in
    /// memory ([`PersonalTokenOptions::memory`]). Default: none, and no text is a personal access token.
    pub fn personal_tokens(mut self, store: Arc<dyn PersonalTokenStore>, memory: usize) -> Self {
        self.personal_tokens = Some((store, memory));
        self
    }

    /// Sets the store of clients, over the database of the log. Default: none, and no client is authenticated.
    pub fn clients(mut self, store: Arc<dyn ClientStore>) -> Self {
        self.clients = Some(store);
        self
    }

    /// Sets the life of a token of a client: whole seconds, from one second to [`MAX_TOKEN_LIFE`]. Default:
    /// [`DEFAULT_CLIENT_TOKEN_LIFE`].
    pub fn client_token_life(mut self, life: Duration) -> Self {
        self.client_token_life = Some(life);
        self
    }

    /// Sets the scopes that every token of a user carries. Default: none, and then a route that demands a scope admits no user.
    pub fn user_scopes(mut self, scopes: Scopes) -> Self {
        self.grants.user_scopes = scopes;
        self
    }

    /// Sets the source of the claims that the application adds to the tokens of users. It is asked at every login and at every
    /// refresh. Default: none.
    pub fn claims_source(mut self, source: Arc<dyn ClaimsSource>) -> Self {
        self.grants.claims_source = Some(source);
        self
    }

    /// Builds the service.
    ///
    /// # Errors
    ///
    /// When a part is missing or the token life is out of its bounds.
    pub fn build(self) -> Result<AuthService, BuildError> {
        let token_life = self.token_life.unwrap_or(DEFAULT_TOKEN_LIFE);
        if !is_token_life(token_life) {
            return Err(BuildError::TokenLife);
        }
        let client_token_life = self.client_token_life.unwrap_or(DEFAULT_CLIENT_TOKEN_LIFE);
        if !is_token_life(client_token_life) {
            return Err(BuildError::ClientTokenLife);
        }
        if let Some(problem) = self.sessions.as_ref().and_then(|sessions| sessions.options.problem()) {
            return Err(BuildError::Sessions(problem));
        }
        if let Some(problem) = self.letters.as_ref().and_then(|letters| letters.options.problem()) {
            return Err(BuildError::Letters(problem));
        }
        let passwords = self.passwords.ok_or(BuildError::Missing("passwords"))?;
        let max_bytes = passwords.hasher().max_bytes();
        let dummy_hash = passwords.hasher().dummy_hash().map_err(|error| BuildError::DummyHash(error.into()))?;
        let users = self.users.ok_or(BuildError::Missing("users"))?;
        let blacklist = self.blacklist.ok_or(BuildError::Missing("blacklist"))?;
        let codec = self.codec.ok_or(BuildError::Missing("codec"))?;
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let mut verifier = TokenVerifier::new(Arc::clone(&codec), Arc::clone(&blacklist), Arc::clone(&clock));
        let personal_tokens = self.personal_tokens.map(|(store, memory)| {
            let GrantOptions { user_scopes, claims_source } = self.grants.clone();
            let options = PersonalTokenOptions { memory, user_scopes, claims_source };
            let tokens = PersonalTokens::new(store, Arc::clone(&users), Arc::clone(&clock), options);
            Arc::new(tokens.with_background(self.background.clone()))
        });
        if let Some(tokens) = &personal_tokens {
            verifier = verifier.with_personal_tokens(Arc::clone(tokens));
        }
        let policy = self.policy.at_most_bytes(max_bytes);
        let upgrades = HashUpgrades::new(Arc::clone(&users), Arc::clone(&passwords), self.background);
        let parts = Parts {
            users,
            blacklist,
            codec,
            passwords,
            policy,
            token_life,
            dummy_hash,
            upgrades: Arc::new(upgrades),
            throttle: Admission::new(self.throttle),
            sessions: self.sessions,
            letters: self.letters,
            personal_tokens,
            clients: self.clients,
            client_token_life,
            grants: self.grants,
            clock,
            verifier,
        };
        Ok(AuthService { parts: Arc::new(parts) })
    }
}

fn is_token_life(life: Duration) -> bool {
    life.subsec_nanos() == 0 && !life.is_zero() && life <= MAX_TOKEN_LIFE
}

/// Reason that a service could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A part was not given.
    #[error("the builder was given no {0}")]
    Missing(&'static str),
    /// The token life is out of its bounds.
    #[error("the token life must be whole seconds, from 1 to {}", MAX_TOKEN_LIFE.as_secs())]
    TokenLife,
    /// The life of tokens of clients is out of its bounds.
    #[error("the life of tokens of clients must be whole seconds, from 1 to {}", MAX_TOKEN_LIFE.as_secs())]
    ClientTokenLife,
    /// The options of sessions break a rule.
    #[error("{0}")]
    Sessions(&'static str),
    /// The options of letters break a rule.
    #[error("{0}")]
    Letters(&'static str),
    /// The hash function could not make the dummy hash that the passwords of unknown users are compared with.
    #[error("the dummy hash could not be made")]
    DummyHash(#[source] BoxError),
}
