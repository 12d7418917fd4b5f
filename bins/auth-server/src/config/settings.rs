//! Every setting there is: its variable, its key in the file, and what it is for.

/// One setting. In the environment it is called `AUTH_…`; in the file the same word in lower case without the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Setting {
    /// The profile.
    Env,
    /// Where to listen.
    Listen,
    /// Where to listen for health checks besides.
    HealthListen,
    /// Where the development profile keeps its database and its secret.
    DataDir,
    /// The database.
    DatabaseUrl,
    /// The prefix of the table names.
    DatabaseTablePrefix,
    /// The schema of the tables on PostgreSQL.
    DatabaseSchema,
    /// The HMAC secret that signs tokens.
    TokenSecret,
    /// The private key that signs tokens, in place of the secret.
    TokenPrivateKeyFile,
    /// Public keys whose tokens are accepted besides.
    TokenVerifyKeyFiles,
    /// Secrets that signed before, whose tokens are accepted besides.
    TokenVerifySecretFiles,
    /// How long a token is good.
    TokenTtl,
    /// The issuer of the tokens.
    TokenIssuer,
    /// The audience of the tokens.
    TokenAudience,
    /// How many verified tokens are remembered.
    TokenCache,
    /// The hash function of new passwords.
    PasswordScheme,
    /// The cost of new bcrypt hashes.
    BcryptCost,
    /// The memory of new Argon2id hashes.
    Argon2MemoryKib,
    /// The passes of new Argon2id hashes.
    Argon2Passes,
    /// The lanes of new Argon2id hashes.
    Argon2Lanes,
    /// What other kinds of hashes are stored.
    PasswordLegacy,
    /// The fewest characters of a new password.
    PasswordMinLength,
    /// Whether commonly used passwords are refused.
    PasswordCommonList,
    /// How many threads hash passwords.
    HashThreads,
    /// How many hashes each computes at once.
    HashWidth,
    /// How many hashes of each kind may wait.
    HashQueue,
    /// How long one may wait.
    HashMaxWait,
    /// How the threads stand behind others.
    HashPriority,
    /// Whether the API documents and the page to try them out are served.
    Docs,
    /// Whether pending migrations are applied at start.
    Migrate,
    /// What is logged.
    Log,
    /// How it is written.
    LogFormat,
    /// Whose `X-Forwarded-For` is believed.
    TrustedProxies,
    /// Whether guessing is limited.
    Throttle,
    /// Wrong guesses in an hour against one account.
    ThrottleAccount,
    /// Wrong guesses in an hour from one network.
    ThrottleNetwork,
    /// Registrations in an hour from one network.
    ThrottleRegistrations,
    /// Wrong guesses in a row before the first wait.
    ThrottleFree,
    /// The longest wait.
    ThrottleMaxDelay,
    /// How long a network stays known to an account.
    ThrottleKnownFor,
    /// How often the log of revocations is read.
    BlacklistPoll,
    /// How old what was read may be.
    BlacklistMaxStaleness,
}

impl Setting {
    /// All settings, in the order in which they are explained.
    pub const ALL: [Self; 42] = [
        Self::Env,
        Self::Listen,
        Self::HealthListen,
        Self::DataDir,
        Self::DatabaseUrl,
        Self::DatabaseTablePrefix,
        Self::DatabaseSchema,
        Self::TokenSecret,
        Self::TokenPrivateKeyFile,
        Self::TokenVerifyKeyFiles,
        Self::TokenVerifySecretFiles,
        Self::TokenTtl,
        Self::TokenIssuer,
        Self::TokenAudience,
        Self::TokenCache,
        Self::PasswordScheme,
        Self::BcryptCost,
        Self::Argon2MemoryKib,
        Self::Argon2Passes,
        Self::Argon2Lanes,
        Self::PasswordLegacy,
        Self::PasswordMinLength,
        Self::PasswordCommonList,
        Self::HashThreads,
        Self::HashWidth,
        Self::HashQueue,
        Self::HashMaxWait,
        Self::HashPriority,
        Self::Docs,
        Self::Migrate,
        Self::Log,
        Self::LogFormat,
        Self::TrustedProxies,
        Self::Throttle,
        Self::ThrottleAccount,
        Self::ThrottleNetwork,
        Self::ThrottleRegistrations,
        Self::ThrottleFree,
        Self::ThrottleMaxDelay,
        Self::ThrottleKnownFor,
        Self::BlacklistPoll,
        Self::BlacklistMaxStaleness,
    ];

    /// The settings that are lists: their items are separated by commas, and in the file they may be a list.
    pub const LISTS: [Self; 4] =
        [Self::TokenVerifyKeyFiles, Self::TokenVerifySecretFiles, Self::PasswordLegacy, Self::TrustedProxies];

    /// The environment variable.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Env => "AUTH_ENV",
            Self::Listen => "AUTH_LISTEN",
            Self::HealthListen => "AUTH_HEALTH_LISTEN",
            Self::DataDir => "AUTH_DATA_DIR",
            Self::DatabaseUrl => "AUTH_DATABASE_URL",
            Self::DatabaseTablePrefix => "AUTH_DATABASE_TABLE_PREFIX",
            Self::DatabaseSchema => "AUTH_DATABASE_SCHEMA",
            Self::TokenSecret => "AUTH_TOKEN_SECRET",
            Self::TokenPrivateKeyFile => "AUTH_TOKEN_PRIVATE_KEY_FILE",
            Self::TokenVerifyKeyFiles => "AUTH_TOKEN_VERIFY_KEY_FILES",
            Self::TokenVerifySecretFiles => "AUTH_TOKEN_VERIFY_SECRET_FILES",
            Self::TokenTtl => "AUTH_TOKEN_TTL",
            Self::TokenIssuer => "AUTH_TOKEN_ISSUER",
            Self::TokenAudience => "AUTH_TOKEN_AUDIENCE",
            Self::TokenCache => "AUTH_TOKEN_CACHE",
            Self::PasswordScheme => "AUTH_PASSWORD_SCHEME",
            Self::BcryptCost => "AUTH_BCRYPT_COST",
            Self::Argon2MemoryKib => "AUTH_ARGON2_MEMORY_KIB",
            Self::Argon2Passes => "AUTH_ARGON2_PASSES",
            Self::Argon2Lanes => "AUTH_ARGON2_LANES",
            Self::PasswordLegacy => "AUTH_PASSWORD_LEGACY",
            Self::PasswordMinLength => "AUTH_PASSWORD_MIN_LENGTH",
            Self::PasswordCommonList => "AUTH_PASSWORD_COMMON_LIST",
            Self::HashThreads => "AUTH_HASH_THREADS",
            Self::HashWidth => "AUTH_HASH_WIDTH",
            Self::HashQueue => "AUTH_HASH_QUEUE",
            Self::HashMaxWait => "AUTH_HASH_MAX_WAIT",
            Self::HashPriority => "AUTH_HASH_PRIORITY",
            Self::Docs => "AUTH_DOCS",
            Self::Migrate => "AUTH_MIGRATE",
            Self::Log => "AUTH_LOG",
            Self::LogFormat => "AUTH_LOG_FORMAT",
            Self::TrustedProxies => "AUTH_TRUSTED_PROXIES",
            Self::Throttle => "AUTH_THROTTLE",
            Self::ThrottleAccount => "AUTH_THROTTLE_ACCOUNT",
            Self::ThrottleNetwork => "AUTH_THROTTLE_NETWORK",
            Self::ThrottleRegistrations => "AUTH_THROTTLE_REGISTRATIONS",
            Self::ThrottleFree => "AUTH_THROTTLE_FREE",
            Self::ThrottleMaxDelay => "AUTH_THROTTLE_MAX_DELAY",
            Self::ThrottleKnownFor => "AUTH_THROTTLE_KNOWN_FOR",
            Self::BlacklistPoll => "AUTH_BLACKLIST_POLL",
            Self::BlacklistMaxStaleness => "AUTH_BLACKLIST_MAX_STALENESS",
        }
    }

    /// The variable that names a file with the value, for the settings that are secrets.
    #[must_use]
    pub fn file_variable(self) -> Option<&'static str> {
        match self {
            Self::DatabaseUrl => Some("AUTH_DATABASE_URL_FILE"),
            Self::TokenSecret => Some("AUTH_TOKEN_SECRET_FILE"),
            _ => None,
        }
    }
}

/// The variable that names the configuration file. It is no setting: it says where settings are.
pub const CONFIG_VARIABLE: &str = "AUTH_CONFIG";

/// Variables of this prefix belong to the tests of this repository and are no mistakes.
pub(super) const TEST_PREFIX: &str = "AUTH_TEST_";

/// The names of all variables that mean something.
pub(super) fn known_variables() -> impl Iterator<Item = &'static str> {
    Setting::ALL
        .into_iter()
        .flat_map(|setting| std::iter::once(setting.variable()).chain(setting.file_variable()))
        .chain(std::iter::once(CONFIG_VARIABLE))
}

/// The key in the configuration file that stands for `variable`.
pub(super) fn file_key(variable: &str) -> String {
    variable.strip_prefix("AUTH_").unwrap_or(variable).to_ascii_lowercase()
}

/// The known name that `name` is most likely a misspelling of.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.85)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, candidate)| candidate)
}
