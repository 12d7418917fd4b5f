//! Every setting of the table is read, and every setting that is read is in the table.

use std::collections::BTreeSet;

use tempfile::TempDir;

use super::*;

/// A valid value of every setting that is not its default. The settings of what signs exclude each other, so all but one are apart.
const SAMPLES: [(&str, &str); 70] = [
    ("AUTH_ENV", "test"),
    ("AUTH_LISTEN", "127.0.0.2:1"),
    ("AUTH_HEALTH_LISTEN", "127.0.0.1:2"),
    ("AUTH_TRUSTED_PROXIES", "10.0.0.0/8"),
    ("AUTH_CORS_ORIGINS", "https://app.example.com"),
    ("AUTH_DOCS", "off"),
    ("AUTH_DATA_DIR", "elsewhere"),
    ("AUTH_DATABASE_URL", "postgres://u@h/d"),
    ("AUTH_DATABASE_TABLE_PREFIX", "none"),
    ("AUTH_DATABASE_SCHEMA", "login"),
    ("AUTH_MIGRATE", "off"),
    ("AUTH_TOKEN_SECRET", STRONG),
    ("AUTH_TOKEN_VERIFY_KEY_FILES", PUBLIC_KEY),
    ("AUTH_TOKEN_VERIFY_SECRET_FILES", SECRET),
    ("AUTH_TOKEN_TTL", "2h"),
    ("AUTH_CLIENT_TOKEN_TTL", "30m"),
    ("AUTH_TOKEN_ISSUER", "issuer"),
    ("AUTH_TOKEN_AUDIENCE", "audience"),
    ("AUTH_TOKEN_CACHE", "7"),
    ("AUTH_USER_SCOPES", "orders:read orders:write"),
    ("AUTH_PERSONAL_TOKEN_CACHE", "8"),
    ("AUTH_KEY_ALGORITHM", "ES256"),
    ("AUTH_KEY_ROTATION", "7d"),
    ("AUTH_JWKS_MAX_AGE", "10m"),
    ("AUTH_SESSION_ACCESS_TTL", "10m"),
    ("AUTH_SESSION_IDLE", "7d"),
    ("AUTH_SESSION_ABSOLUTE", "90d"),
    ("AUTH_REFRESH_GRACE", "10s"),
    ("AUTH_SESSION_DETAILS", "off"),
    ("AUTH_PASSWORD_SCHEME", "argon2id"),
    ("AUTH_BCRYPT_COST", "5"),
    ("AUTH_ARGON2_MEMORY_KIB", "128"),
    ("AUTH_ARGON2_PASSES", "3"),
    ("AUTH_ARGON2_LANES", "2"),
    ("AUTH_PASSWORD_LEGACY", "bcrypt:10"),
    ("AUTH_PASSWORD_COMMON_LIST", "on"),
    ("AUTH_PASSWORD_MIN_LENGTH", "9"),
    ("AUTH_HASH_THREADS", "1023"),
    ("AUTH_HASH_WIDTH", "1"),
    ("AUTH_HASH_QUEUE", "7"),
    ("AUTH_HASH_MAX_WAIT", "3s"),
    ("AUTH_HASH_PRIORITY", "lowest"),
    ("AUTH_BLACKLIST_POLL", "100ms"),
    ("AUTH_BLACKLIST_MAX_STALENESS", "1s"),
    ("AUTH_FEED", "on"),
    ("AUTH_FOLLOW_ISSUER", "https://auth.example.org"),
    ("AUTH_FOLLOW_CLIENT_ID", "rac_x"),
    ("AUTH_FOLLOW_CLIENT_SECRET", "ras_x"),
    ("AUTH_FOLLOW_MAX_STALENESS", "6s"),
    ("AUTH_FOLLOW_STATE_FILE", "revocations"),
    ("AUTH_FOLLOW_CA_FILE", "ca.pem"),
    ("AUTH_FOLLOW_PLAIN_HTTP", "on"),
    ("AUTH_THROTTLE", "on"),
    ("AUTH_THROTTLE_ACCOUNT", "99"),
    ("AUTH_THROTTLE_NETWORK", "599"),
    ("AUTH_THROTTLE_REGISTRATIONS", "99"),
    ("AUTH_THROTTLE_LETTERS", "4"),
    ("AUTH_THROTTLE_LETTERS_NETWORK", "59"),
    ("AUTH_THROTTLE_FREE", "9"),
    ("AUTH_THROTTLE_MAX_DELAY", "15m1s"),
    ("AUTH_THROTTLE_KNOWN_FOR", "31d"),
    ("AUTH_MAIL", "smtps://smtp.example.org:4650"),
    ("AUTH_MAIL_FROM", "Orchard <no-reply@example.org>"),
    ("AUTH_MAIL_NAME", "Orchard"),
    ("AUTH_MAIL_TEMPLATES", TEMPLATES),
    ("AUTH_PUBLIC_URL", "https://auth.example.org"),
    ("AUTH_LINK_BASE", "https://www.example.org/account"),
    ("AUTH_REQUIRE_VERIFIED_EMAIL", "login"),
    ("AUTH_LOG", "warn"),
    ("AUTH_LOG_FORMAT", "json"),
];

/// Names of files and folders that [`Files`] creates and that replace these values.
const PUBLIC_KEY: &str = "<public key>";
const SECRET: &str = "<secret>";
const TEMPLATES: &str = "<templates>";

struct Files {
    folder: TempDir,
}

impl Files {
    fn create() -> Self {
        let folder = TempDir::new().unwrap();
        let keys = [
            ("public", include_str!("../../../../../crates/auth-jwt/tests/keys/rsa.pub")),
            ("private", include_str!("../../../../../crates/auth-jwt/tests/keys/p256.pem")),
            ("secret", "an-earlier-secret-0123456789-abcdefghijklmnopqrstuvwxyz"),
        ];
        for (name, text) in keys {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        std::fs::create_dir(folder.path().join("templates")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Returns the samples with the paths of the files in their places.
    fn samples(&self) -> Vec<(&'static str, String)> {
        let value = |sample: &str| match sample {
            PUBLIC_KEY => self.path("public"),
            SECRET => self.path("secret"),
            TEMPLATES => self.path("templates"),
            other => other.to_owned(),
        };
        SAMPLES.iter().map(|(variable, sample)| (*variable, value(sample))).collect()
    }
}

/// Checks that every sample is in force and comes from `origin`, and that nothing is reported.
fn assert_in_force(sources: Sources, samples: &[(&str, String)], origin: Origin) {
    let config = Config::load(sources).unwrap();
    assert_eq!(config.warnings, Vec::<String>::new());
    let in_force: BTreeSet<_> = config.effective().iter().map(|setting| setting.variable).collect();
    assert_eq!(in_force, samples.iter().map(|(variable, _)| *variable).collect(), "each is read once");
    for setting in config.effective() {
        let (_, sample) = samples.iter().find(|(variable, _)| *variable == setting.variable).unwrap();
        let expected = if ["AUTH_TOKEN_SECRET", "AUTH_FOLLOW_CLIENT_SECRET"].contains(&setting.variable) {
            "<redacted>"
        } else {
            sample
        };
        assert_eq!((setting.value.as_str(), setting.origin), (expected, origin), "{}", setting.variable);
    }
}

#[test]
fn every_setting_of_the_table_is_read_from_every_source() {
    let files = Files::create();
    let samples = files.samples();
    let env = samples.iter().map(|(variable, value)| ((*variable).to_owned(), value.clone())).collect();
    assert_in_force(Sources { env, ..Sources::default() }, &samples, Origin::Environment);

    let flags = samples.iter().map(|(variable, value)| (*variable, value.clone())).collect();
    assert_in_force(Sources { flags, ..Sources::default() }, &samples, Origin::Flag);

    let line = |(variable, value): &(&str, String)| {
        format!("{} = {value:?}\n", variable.strip_prefix("AUTH_").unwrap().to_ascii_lowercase())
    };
    let file = files.folder.path().join("auth.toml");
    std::fs::write(&file, samples.iter().map(line).collect::<String>()).unwrap();
    assert_in_force(Sources { config_file: Some(file), ..Sources::default() }, &samples, Origin::File);
}

#[test]
fn every_setting_that_is_read_is_in_the_table() {
    let in_table: BTreeSet<_> = table::declarations().iter().map(|declaration| declaration.variable).collect();
    let mut read: BTreeSet<_> = SAMPLES.iter().map(|(variable, _)| *variable).collect();
    for variable in ["AUTH_TOKEN_PRIVATE_KEY_FILE", "AUTH_MASTER_KEY", "AUTH_MASTER_KEY_PREVIOUS"] {
        assert!(read.insert(variable));
    }
    assert_eq!(in_table, read);

    let files = Files::create();
    let path = files.path("private");
    let config = load(&[("AUTH_TOKEN_PRIVATE_KEY_FILE", &path)]).unwrap();
    let signing = config.effective().iter().find(|setting| setting.variable == "AUTH_TOKEN_PRIVATE_KEY_FILE").unwrap();
    assert_eq!((&signing.value, signing.origin), (&path, Origin::Environment));
    assert!(config.effective().iter().all(|setting| in_table.contains(setting.variable)));
}

#[test]
fn every_setting_says_what_it_means_and_which_values_it_accepts() {
    for declaration in table::declarations() {
        assert!(!declaration.meaning.is_empty(), "{}", declaration.variable);
        assert!(!declaration.values.is_empty(), "{}", declaration.variable);
    }
}
