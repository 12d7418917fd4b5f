//! The configuration: defaults of the profile < TOML file < environment < flags.
//!
//! Every value is checked before anything starts, and every problem is reported at once, each with the name of its
//! variable. A problem never shows the value: it may be a secret.

mod database;
mod duration;
mod hashing;
mod parse;
mod passwords;
mod secret;
mod settings;
mod sources;
mod tables;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use auth_core::ThrottleLimits;
use auth_jwt::{SigningKey, VerifyingKey};
use auth_migrations::Migrations;
use auth_storage::DatabaseUrl;
use ipnet::IpNet;

pub use hashing::Hashing;
pub(crate) use passwords::shown_work;
pub use passwords::{PasswordScheme, PasswordSettings};
pub use secret::{Secret, SecretError};
pub use settings::{CONFIG_VARIABLE, Setting};
pub(crate) use sources::bytes_of;
pub use sources::{Origin, Sources};

/// For whom the server runs; it decides the defaults and how strict the checks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Trying it out: everything works without a setting.
    Dev,
    /// Tests: nothing is kept, hashing is cheap.
    Test,
    /// Real users: nothing that matters has a default.
    Prod,
}

impl Profile {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Test => "test",
            Self::Prod => "prod",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The key that signs tokens.
#[derive(Debug, Clone)]
pub enum SigningSource {
    /// A configured one.
    Key {
        /// The key.
        key: Box<SigningKey>,
        /// The variable, or the key of the configuration file, that holds it or names its file.
        set_in: String,
    },
    /// A random secret in this file, made when it is not there yet.
    CreatedAt(PathBuf),
    /// A random secret that ends with the process.
    Random,
}

/// A configuration without problems.
#[derive(Debug, Clone)]
pub struct Config {
    /// The profile.
    pub profile: Profile,
    /// Where to listen. Port 0 takes any free port.
    pub listen: SocketAddr,
    /// Where to listen for `/livez`, `/readyz` and `/metrics` besides, if anywhere. Port 0 takes any free port.
    pub health_listen: Option<SocketAddr>,
    /// Where the development profile keeps its database and its secret.
    pub data_dir: PathBuf,
    /// The database.
    pub database_url: DatabaseUrl,
    /// The migrations of its tables, which know where the tables are.
    pub tables: Migrations,
    /// What signs tokens.
    pub signing: SigningSource,
    /// Further keys whose tokens are accepted.
    pub verifying: Vec<VerifyingKey>,
    /// How long a token is good.
    pub token_ttl: Duration,
    /// The issuer of the tokens.
    pub token_issuer: String,
    /// The audience of the tokens.
    pub token_audience: String,
    /// How many tokens whose signature was found good are remembered; zero verifies every signature at every check.
    pub token_cache: usize,
    /// How passwords are hashed, and which are accepted.
    pub passwords: PasswordSettings,
    /// The threads that hash passwords.
    pub hashing: Hashing,
    /// Whether the API documents are served.
    pub docs: bool,
    /// Whether pending migrations are applied at start.
    pub migrate: bool,
    /// What is logged: directives as of `tracing`.
    pub log: String,
    /// How it is written.
    pub log_format: LogFormat,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How far guessing is let go; not at all limited if there is nothing here.
    pub throttle: Option<ThrottleLimits>,
    /// How often the log of revocations is read.
    pub blacklist_poll: Duration,
    /// How old what was read of it may be for memory to answer alone; zero asks the database at every check.
    pub blacklist_max_staleness: Duration,
    /// Things that are no mistake but look like one.
    pub warnings: Vec<String>,
    shown: Vec<Shown>,
    database_in_data_dir: bool,
}

/// A setting as it may be shown: secrets redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The setting.
    pub setting: Setting,
    /// Its value, or what may be said of it.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

impl Config {
    /// Reads and checks everything.
    ///
    /// # Errors
    ///
    /// All problems there are.
    pub fn load(sources: Sources) -> Result<Self, Problems> {
        parse::config(sources)
    }

    /// Whether the database is kept in the data directory, which then has to be there.
    #[must_use]
    pub fn needs_data_dir(&self) -> bool {
        self.database_in_data_dir
    }

    /// The effective settings, secrets redacted.
    #[must_use]
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable to look at.
    pub variable: &'static str,
    /// The rule that it breaks.
    pub rule: String,
}

impl Problem {
    pub(crate) fn new(variable: &'static str, rule: impl Into<String>) -> Self {
        Self { variable, rule: rule.into() }
    }
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Adds something that may be the cause of a problem, such as a misspelt variable. It is no problem by itself.
    pub(crate) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// The problems.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// The value that `make` makes of the warnings, if there are no problems.
    pub(crate) fn into_result<T>(self, make: impl FnOnce(Vec<String>) -> T) -> Result<T, Self> {
        if self.problems.is_empty() { Ok(make(self.warnings)) } else { Err(self) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {}: {}", problem.variable, problem.rule))?;
        self.warnings.iter().try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests;
