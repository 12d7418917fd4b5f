//! [`RevocableAuthBuilder`]: the settings, and their defaults.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::letters::LetterOptions;
use auth_core::purge::PURGE_INTERVAL;
use auth_core::service::DEFAULT_TOKEN_LIFE;
use auth_core::{
    AsyncPasswordHasher, AttemptStore, ClaimsSource, ClientStore, Clock, KeyAlgorithm, Mailer, PasswordHasher,
    PasswordPolicy, PersonalTokenStore, RevocationLog, Scopes, SessionOptions, SessionStore, SystemClock,
    ThrottleLimits, TokenCodec, UserStore,
};
use auth_jwt::{KeyError, MasterKeys, SigningKey, VerifyingKey};
use auth_migrations::Migrations;
use auth_password::PoolOptions;
use auth_storage::{ConnectOptions, Database};

use crate::hashing::{HashFunction, Hashing};

/// Default `iss` of the tokens.
pub const DEFAULT_ISSUER: &str = "revocable-auth";

/// Default `aud` of the tokens.
pub const DEFAULT_AUDIENCE: &str = "revocable-auth";

/// Default bound on how stale the revocations in memory may be: two seconds.
pub const DEFAULT_MAX_STALENESS: Duration = Duration::from_secs(2);

/// Default interval at which the log of revocations is read: a quarter of a second.
pub const DEFAULT_POLL: Duration = Duration::from_millis(250);

/// Builder of a [`RevocableAuth`](crate::RevocableAuth). A database and a key must be given; everything else has a default.
///
/// | setting | default |
/// |---|---|
/// | [`migrate`](Self::migrate) | on |
/// | [`migrations`](Self::migrations) | all tables, with the prefix `auth_` in a database that has none of them yet |
/// | [`connect_options`](Self::connect_options) | 10 connections (4 on SQLite), 2 s for a connection, 5 s for a call |
/// | [`issuer`](Self::issuer), [`audience`](Self::audience) | `revocable-auth` |
/// | [`token_life`](Self::token_life) | one day |
/// | [`sessions`](Self::sessions) | every login is a session in the database |
/// | [`personal_tokens`](Self::personal_tokens) | users can make tokens for their programs, in the database |
/// | [`user_scopes`](Self::user_scopes) | none |
/// | [`letters`](Self::letters) | none: nothing is sent, and what needs a letter is refused |
/// | [`session_options`](Self::session_options) | with a refresh token: access tokens of 15 minutes, 30 days idle, 365 days in all |
/// | [`policy`](Self::policy) | at least 15 characters, none of the commonly used passwords |
/// | [`bcrypt_cost`](Self::bcrypt_cost) | 12 |
/// | [`pool`](Self::pool) | one hashing thread a core, at low priority |
/// | [`throttle`](Self::throttle) | on: 100 wrong guesses an hour for an account, 600 for a network, 100 registrations |
/// | [`max_staleness`](Self::max_staleness) | 2 s |
/// | [`poll`](Self::poll) | 250 ms |
/// | [`purge_interval`](Self::purge_interval) | 10 minutes |
#[derive(Debug)]
#[must_use]
pub struct RevocableAuthBuilder {
    pub(crate) database: Option<Source>,
    pub(crate) connect_options: ConnectOptions,
    pub(crate) migrate: bool,
    pub(crate) migrations: Migrations,
    pub(crate) users: Option<Arc<dyn UserStore>>,
    pub(crate) revocations: Option<Arc<dyn RevocationLog>>,
    pub(crate) attempts: Option<Arc<dyn AttemptStore>>,
    pub(crate) sessions: Option<Arc<dyn SessionStore>>,
    pub(crate) personal_tokens: Option<Arc<dyn PersonalTokenStore>>,
    pub(crate) clients: Option<Arc<dyn ClientStore>>,
    pub(crate) user_scopes: Scopes,
    pub(crate) claims_source: Option<Arc<dyn ClaimsSource>>,
    pub(crate) session_options: SessionOptions,
    pub(crate) letters: Option<(Arc<dyn Mailer>, LetterOptions)>,
    pub(crate) key: Option<Key>,
    pub(crate) verifying: Vec<VerifyingKey>,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) token_life: Duration,
    pub(crate) policy: PasswordPolicy,
    pub(crate) hashing: Hashing,
    pub(crate) throttle: Option<ThrottleLimits>,
    pub(crate) max_staleness: Duration,
    pub(crate) poll: Duration,
    pub(crate) purge_interval: Duration,
    pub(crate) clock: Arc<dyn Clock>,
}

/// How [managed keys](RevocableAuthBuilder::managed_keys) are made and rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyOptions {
    /// Algorithm of new keys. Default: `EdDSA` (Ed25519).
    pub algorithm: KeyAlgorithm,
    /// Time for which a key signs before its successor is published. Default: 30 days.
    pub rotation: Duration,
    /// Time for which others may keep a copy of the public keys, if you publish them. Default: 5 minutes.
    pub jwks_max_age: Duration,
}

impl Default for KeyOptions {
    fn default() -> Self {
        Self {
            algorithm: KeyAlgorithm::default(),
            rotation: Duration::from_secs(30 * 24 * 60 * 60),
            jwks_max_age: Duration::from_secs(300),
        }
    }
}

/// The database that was chosen.
pub(crate) enum Source {
    Url(String),
    Opened(Database),
}

/// What signs tokens.
#[derive(Debug)]
pub(crate) enum Key {
    Secret(Result<SigningKey, KeyError>),
    Signing(SigningKey),
    Managed(MasterKeys, KeyOptions),
    Codec(Arc<dyn TokenCodec>),
}

impl Default for RevocableAuthBuilder {
    fn default() -> Self {
        Self {
            database: None,
            connect_options: ConnectOptions::default(),
            migrate: true,
            migrations: Migrations::new(),
            users: None,
            revocations: None,
            attempts: None,
            sessions: None,
            personal_tokens: None,
            clients: None,
            user_scopes: Scopes::default(),
            claims_source: None,
            session_options: SessionOptions::default(),
            letters: None,
            key: None,
            verifying: Vec::new(),
            issuer: DEFAULT_ISSUER.to_owned(),
            audience: DEFAULT_AUDIENCE.to_owned(),
            token_life: DEFAULT_TOKEN_LIFE,
            policy: PasswordPolicy::default(),
            hashing: Hashing::default(),
            throttle: Some(ThrottleLimits::default()),
            max_staleness: DEFAULT_MAX_STALENESS,
            poll: DEFAULT_POLL,
            purge_interval: PURGE_INTERVAL,
            clock: Arc::new(SystemClock),
        }
    }
}

/// The database and its tables.
impl RevocableAuthBuilder {
    /// Opens the database of this URL: `sqlite://path`, `sqlite::memory:`, `postgres://…` or `mysql://…`. A SQLite file that
    /// is absent is created. [`RevocableAuth::stop`](crate::RevocableAuth::stop) closes the database.
    pub fn database_url(mut self, url: impl Into<String>) -> Self {
        self.database = Some(Source::Url(url.into()));
        self
    }

    /// Uses a database that was opened with `auth_storage`, and leaves it open at the end.
    pub fn database(mut self, database: Database) -> Self {
        self.database = Some(Source::Opened(database));
        self
    }

    /// Sets the limits of the connections that [`database_url`](Self::database_url) opens.
    pub fn connect_options(mut self, options: ConnectOptions) -> Self {
        self.connect_options = options;
        self
    }

    /// Chooses whether missing tables are created, and older ones brought up to date, at the start. Processes that start
    /// together wait for each other. If this is off, the start fails with [`StartError::NotMigrated`](crate::StartError::NotMigrated) where something is
    /// missing. Default: on.
    pub fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// Chooses the names of the tables, and which of them there are. Default: [`Migrations::new`].
    pub fn migrations(mut self, migrations: Migrations) -> Self {
        self.migrations = migrations;
        self
    }

    /// Keeps users in a store of the application's own. The log must be given too, with
    /// [`revocations`](Self::revocations), because it has to know where the generations of the users are.
    pub fn users(mut self, users: Arc<dyn UserStore>) -> Self {
        self.users = Some(users);
        self
    }

    /// Keeps revocations in this log. Default: a table in the database.
    pub fn revocations(mut self, log: Arc<dyn RevocationLog>) -> Self {
        self.revocations = Some(log);
        self
    }

    /// Keeps the counters of the throttle in this store. Default: a table in the database.
    pub fn attempts(mut self, attempts: Arc<dyn AttemptStore>) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// Keeps sessions in this store, which must write the end of a session to the same log. Default: a table in the database, where the
    /// log is in the database too; none where the application gave a log of its own.
    pub fn sessions(mut self, sessions: Arc<dyn SessionStore>) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// Keeps personal access tokens in this store, which must write the end of a token to the same log. Default: a table in the
    /// database, where the log is in the database too; none where the application gave a log of its own.
    pub fn personal_tokens(mut self, tokens: Arc<dyn PersonalTokenStore>) -> Self {
        self.personal_tokens = Some(tokens);
        self
    }
}

/// Tokens.
impl RevocableAuthBuilder {
    /// Signs tokens with HS256 and this secret: at least 32 random bytes, as `openssl rand -base64 48` makes them. Keep it: with
    /// another secret every token is invalid.
    pub fn secret(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.key = Some(Key::Secret(SigningKey::from_secret(secret.as_ref())));
        self
    }

    /// Signs tokens with this key, for example a private key read with [`SigningKey::from_pem`].
    pub fn signing_key(mut self, key: SigningKey) -> Self {
        self.key = Some(Key::Signing(key));
        self
    }

    /// Signs tokens with key pairs that are made, encrypted with `masters`, kept in the database and rotated by a background task. All
    /// instances over a database have the same master key. [`RevocableAuth::keys`](crate::RevocableAuth::keys) has the public keys,
    /// and what an operator does with the keys.
    pub fn managed_keys(mut self, masters: MasterKeys, options: KeyOptions) -> Self {
        self.key = Some(Key::Managed(masters, options));
        self
    }

    /// Also accepts tokens signed with the counterpart of this key, as long as keys are being rotated.
    pub fn verifying_key(mut self, key: VerifyingKey) -> Self {
        self.verifying.push(key);
        self
    }

    /// Signs and reads tokens with a codec of the application's own, which then decides on issuer, audience and keys.
    pub fn codec(mut self, codec: Arc<dyn TokenCodec>) -> Self {
        self.key = Some(Key::Codec(codec));
        self
    }

    /// Sets the issuer of the tokens. A token of another issuer is refused. Default: [`DEFAULT_ISSUER`].
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// Sets the audience of the tokens. A token for another audience is refused. Default: [`DEFAULT_AUDIENCE`].
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// Sets the life of a token: whole seconds, from one second to [`MAX_TOKEN_LIFE`](auth_core::MAX_TOKEN_LIFE). Default: one
    /// day.
    pub fn token_life(mut self, life: Duration) -> Self {
        self.token_life = life;
        self
    }

    /// Sets the lives of sessions that have a refresh token. Default: [`SessionOptions::default`].
    pub fn session_options(mut self, options: SessionOptions) -> Self {
        self.session_options = options;
        self
    }

    /// Sets the bound within which a logout on another node is noticed. Memory answers alone while it is fresher than this; a
    /// node that could not read the log for so long reads the database at every check. Zero: every check reads the database.
    /// Otherwise at least twice [`poll`](Self::poll). Default: [`DEFAULT_MAX_STALENESS`].
    pub fn max_staleness(mut self, bound: Duration) -> Self {
        self.max_staleness = bound;
        self
    }

    /// Sets the interval at which the log of revocations is read: at least 10 ms. Default: [`DEFAULT_POLL`].
    pub fn poll(mut self, interval: Duration) -> Self {
        self.poll = interval;
        self
    }

    /// Sets the time between two removals of expired rows. Default: [`PURGE_INTERVAL`].
    pub fn purge_interval(mut self, interval: Duration) -> Self {
        self.purge_interval = interval;
        self
    }
}

/// Letters.
impl RevocableAuthBuilder {
    /// Sends letters with this mailer, for example one of the crate `auth-mail`: to confirm addresses, to reset passwords, and to tell
    /// of changes. They wait in a table of the database, and a background task sends them. Default: none.
    ///
    /// A [store of users](Self::users) of the application's own must write the
    /// [side effects](auth_core::SideEffects) of its changes to the same database.
    pub fn letters(mut self, mailer: Arc<dyn Mailer>, options: LetterOptions) -> Self {
        self.letters = Some((mailer, options));
        self
    }
}

/// Passwords.
impl RevocableAuthBuilder {
    /// Sets the rules for new passwords. Default: at least 15 characters (NIST SP 800-63B-4), and none of the commonly used ones.
    pub fn policy(mut self, policy: PasswordPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Hashes new passwords with bcrypt of this cost. Default: [`DEFAULT_BCRYPT_COST`](crate::DEFAULT_BCRYPT_COST). With the
    /// feature `argon2`, stored Argon2id hashes are read as well, and replaced after a login.
    pub fn bcrypt_cost(mut self, cost: u32) -> Self {
        self.hashing.function = HashFunction::Bcrypt(cost);
        self
    }

    /// Hashes passwords with this function, on the threads of [`pool`](Self::pool).
    pub fn hasher(mut self, hasher: impl PasswordHasher + 'static) -> Self {
        self.hashing.function = HashFunction::Own(Arc::new(hasher));
        self
    }

    /// Sets how many threads hash, and how much work may wait for them. Default: [`PoolOptions::default`].
    pub fn pool(mut self, options: PoolOptions) -> Self {
        self.hashing.pool = Some(options);
        self
    }

    /// Hashes passwords with this, in place of a pool.
    pub fn passwords(mut self, passwords: impl AsyncPasswordHasher + 'static) -> Self {
        self.hashing.function = HashFunction::Elsewhere(Arc::new(passwords));
        self
    }

    /// Limits wrong guesses and registrations to this many. Default: [`ThrottleLimits::default`].
    pub fn throttle(mut self, limits: ThrottleLimits) -> Self {
        self.throttle = Some(limits);
        self
    }

    /// Limits neither guesses nor registrations. Passwords can then be guessed as fast as they can be hashed.
    pub fn without_throttle(mut self) -> Self {
        self.throttle = None;
        self
    }

    /// Sets the clock, for tests. Default: [`SystemClock`].
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The URL may hold a password.
            Self::Url(_) => f.write_str("Url"),
            Self::Opened(database) => database.fmt(f),
        }
    }
}
