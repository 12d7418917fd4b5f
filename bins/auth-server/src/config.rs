//! The configuration of the server: every setting, read from its sources and checked before anything starts.
//!
//! Defaults of the profile are overridden by the TOML file, that by the environment, and that by flags. All errors are reported
//! at once, each with its variable. No error shows a value, because it may be a secret.
//!
//! Each section is a module that declares its settings and reads them. To add a setting: declare a `Setting` in its section,
//! name it in the `SECTION` there, and read it in the function of that section. `docs/SETTINGS.md` is generated from the
//! declarations.

mod blacklist;
mod database;
mod docs;
mod duration;
mod follow_config;
mod following;
mod general;
mod hashing;
mod http;
mod keys;
mod logging;
mod mail;
mod passwords;
mod problems;
mod profile;
mod reader;
mod scopes;
mod secret;
mod sessions;
mod setting;
mod sources;
mod table;
mod throttle;
mod tokens;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use auth_core::{Language, Scopes, SessionOptions, ThrottleLimits};
use auth_http::AllowedOrigins;
use auth_jwt::VerifyingKey;
use auth_mail::LinkBase;
use auth_migrations::Migrations;
use auth_storage::DatabaseUrl;
use ipnet::IpNet;

pub(crate) use self::database::{DATA_DIR, MIGRATE};
pub use self::docs::settings_page;
pub(crate) use self::duration::of_flag as parse_duration;
pub use self::follow_config::FollowConfig;
pub(crate) use self::following::ISSUER as FOLLOW_ISSUER;
pub(crate) use self::general::ENV;
pub(crate) use self::hashing::HASH_PRIORITY;
pub use self::hashing::HashingSettings;
pub(crate) use self::http::{DOCS, HEALTH_LISTEN, LISTEN};
pub use self::keys::KeySettings;
pub(crate) use self::keys::MASTER_KEY;
pub use self::logging::LogFormat;
pub(crate) use self::logging::{LOG, LOG_FORMAT};
use self::mail::LetterSettings;
pub(crate) use self::mail::MAIL;
pub use self::mail::MailSettings;
pub(crate) use self::passwords::{PASSWORD_LEGACY, work_label};
pub use self::passwords::{PasswordScheme, PasswordSettings};
pub use self::problems::{Problem, Problems};
pub use self::profile::Profile;
pub use self::reader::EffectiveSetting;
use self::reader::Reader;
pub use self::secret::{Secret, SecretError};
pub(crate) use self::sources::bytes_of;
pub use self::sources::{CONFIG_VARIABLE, Origin, Sources};
pub use self::tokens::SigningSource;
pub(crate) use self::tokens::{TOKEN_VERIFY_KEY_FILES, TOKEN_VERIFY_SECRET_FILES};

/// A configuration without errors.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
#[derive(Debug, Clone)]
pub struct Config {
    /// The profile.
    pub profile: Profile,
    /// The address that the server listens on. Port 0 takes any free port.
    pub listen: SocketAddr,
    /// The address that answers `/livez`, `/readyz` and `/metrics` alone, if there is one. Port 0 takes any free port.
    pub health_listen: Option<SocketAddr>,
    /// The folder where the development profile keeps its database and its secret.
    pub data_dir: PathBuf,
    /// The database.
    pub database_url: DatabaseUrl,
    /// The migrations of the tables, which know where the tables are.
    pub tables: Migrations,
    /// The key that signs tokens.
    pub signing: SigningSource,
    /// Further keys whose tokens are accepted.
    pub verifying: Vec<VerifyingKey>,
    /// Settings of managed keys, and of the publication of keys.
    pub keys: KeySettings,
    /// Lifetime of a token.
    pub token_ttl: Duration,
    /// Lifetime of a token of a client.
    pub client_token_ttl: Duration,
    /// The issuer of the tokens.
    pub token_issuer: String,
    /// The audience of the tokens.
    pub token_audience: String,
    /// Number of tokens whose valid signature is remembered; zero verifies the signature at every check.
    pub token_cache: usize,
    /// Scopes that every token of a login carries.
    pub user_scopes: Scopes,
    /// Number of personal access tokens whose last look-up is remembered.
    pub personal_token_cache: usize,
    /// Lifetimes of sessions and of what they issue.
    pub sessions: SessionOptions,
    /// The settings of passwords.
    pub passwords: PasswordSettings,
    /// The threads that hash passwords.
    pub hashing: HashingSettings,
    /// True if the OpenAPI document is served.
    pub docs: bool,
    /// True if pending migrations are applied at start.
    pub migrate: bool,
    /// Filter of the log, as directives of `tracing`.
    pub log: String,
    /// Format of log lines.
    pub log_format: LogFormat,
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins whose pages may use the API from a browser.
    pub cors_origins: AllowedOrigins,
    /// The rate limits, unless they are off.
    pub throttle: Option<ThrottleLimits>,
    /// Settings of the mailer. `None` if no letters are sent.
    pub mail: Option<MailSettings>,
    /// The URL under which users reach this server, if it is known.
    pub public_url: Option<LinkBase>,
    /// The languages of letters. The first is the default.
    pub languages: Vec<Language>,
    /// True if a login needs a verified e-mail address.
    pub require_verified_email: bool,
    /// Interval at which the log of revocations is read.
    pub blacklist_poll: Duration,
    /// Maximum age of the last successful log read; zero reads the database at every check.
    pub blacklist_max_staleness: Duration,
    /// True if clients may follow what is revoked.
    pub feed: bool,
    /// Values that are valid but probably not intended.
    pub warnings: Vec<String>,
    /// Features that are off because a setting is absent.
    pub notices: Vec<String>,
    effective: Vec<EffectiveSetting>,
    database_in_data_dir: bool,
}

impl Config {
    /// Reads and checks every setting.
    ///
    /// # Errors
    ///
    /// Every error of the configuration.
    pub fn load(sources: Sources) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let sources = sources.open(&table::declarations(), &mut problems);
        let mut reader = Reader::new(sources, problems);
        let profile = reader.read(&ENV, ());
        let (listen, health_listen) = reader.listen(profile);
        let data_dir = reader.data_dir();
        let (database_url, database_in_data_dir) = reader.database(profile, &data_dir);
        let tables = reader.tables(profile, &database_url);
        let signing = reader.signing(profile, &data_dir);
        let verifying = reader.verifying(profile);
        let keys = reader.keys(profile);
        let token_ttl = reader.read(&tokens::TOKEN_TTL, profile);
        let client_token_ttl = reader.read(&tokens::CLIENT_TOKEN_TTL, profile);
        let token_issuer = reader.read(&tokens::TOKEN_ISSUER, profile);
        let token_audience = reader.read(&tokens::TOKEN_AUDIENCE, profile);
        let token_cache = reader.read(&tokens::TOKEN_CACHE, profile);
        let user_scopes = reader.read(&scopes::USER_SCOPES, profile);
        let personal_token_cache = reader.read(&scopes::PERSONAL_TOKEN_CACHE, profile);
        let sessions = reader.sessions(profile);
        let passwords = reader.passwords(profile);
        let hashing = reader.hashing(profile);
        let docs = reader.read(&DOCS, profile);
        let migrate = reader.read(&MIGRATE, profile);
        let log = reader.read(&LOG, profile);
        let log_format = reader.read(&LOG_FORMAT, profile);
        let trusted_proxies = reader.read(&http::TRUSTED_PROXIES, profile);
        let cors_origins = reader.read(&http::CORS_ORIGINS, profile);
        let throttle = reader.throttle(profile);
        let letters = reader.letters(profile, listen, &data_dir);
        let LetterSettings { mail, public_url, languages, require_verified_email } = letters;
        let (blacklist_poll, blacklist_max_staleness) = reader.blacklist(profile);
        let feed = reader.feed(profile, &signing);
        // `serve` does not use them. They are read so that `config show` names them and errors are found early.
        let _ = reader.following(profile);

        let Reader { problems, effective, .. } = reader;
        problems.into_result(|warnings, notices| Self {
            profile,
            listen,
            health_listen,
            data_dir,
            database_url,
            tables,
            signing,
            verifying,
            keys,
            token_ttl,
            client_token_ttl,
            token_issuer,
            token_audience,
            token_cache,
            user_scopes,
            personal_token_cache,
            sessions,
            passwords,
            hashing,
            docs,
            migrate,
            log,
            log_format,
            trusted_proxies,
            cors_origins,
            throttle,
            mail,
            public_url,
            languages,
            require_verified_email,
            blacklist_poll,
            blacklist_max_staleness,
            feed,
            warnings,
            notices,
            effective,
            database_in_data_dir,
        })
    }

    /// Returns the longest life of an access token that this server signs.
    #[must_use]
    pub fn longest_token_life(&self) -> Duration {
        self.token_ttl.max(self.client_token_ttl).max(self.sessions.access_life)
    }

    /// Returns whether the database is in the data directory, which then has to exist.
    #[must_use]
    pub fn needs_data_dir(&self) -> bool {
        self.database_in_data_dir
    }

    /// Returns the settings in force, with secrets redacted.
    #[must_use]
    pub fn effective(&self) -> &[EffectiveSetting] {
        &self.effective
    }
}

#[cfg(test)]
mod tests;
