//! Settings of keys that the server makes and keeps in its database.

use std::time::Duration;

use auth_core::keys::KeyAlgorithm;
use auth_jwt::{MasterKey, MasterKeys};

use super::duration;
use super::profile::Profile;
use super::reader::Reader;
use super::secret;
use super::setting::{Declaration, Form, Rule, Section, Setting};

pub(super) static SECTION: Section = Section {
    title: "Managed keys",
    settings: &[&MASTER_KEY, &MASTER_KEY_PREVIOUS, &KEY_ALGORITHM, &KEY_ROTATION, &JWKS_MAX_AGE],
};

pub(crate) static MASTER_KEY: Declaration = Declaration {
    meaning: "the key that encrypts the private keys in the database; where it is set, the server makes and rotates the keys that \
              sign tokens",
    values: "32 random bytes in base64",
    details: "`openssl rand -base64 32` makes one. All servers of a database have the same one. It must not be set together with \
              `AUTH_TOKEN_SECRET` or `AUTH_TOKEN_PRIVATE_KEY_FILE`. Whoever loses it loses the keys, and every token ends; see \
              [Keys](OPERATIONS.md#keys).",
    default_text: Some("not set: the key is that of the section Tokens"),
    form: Form::Secret { file_variable: "AUTH_MASTER_KEY_FILE" },
    ..Declaration::new("AUTH_MASTER_KEY")
};

static MASTER_KEY_PREVIOUS: Declaration = Declaration {
    meaning: "the master key before `AUTH_MASTER_KEY`, while it is being changed",
    values: "32 random bytes in base64",
    details: "It decrypts what it has encrypted. A server encrypts that with `AUTH_MASTER_KEY` when it starts.",
    default_text: Some("not set"),
    form: Form::Secret { file_variable: "AUTH_MASTER_KEY_PREVIOUS_FILE" },
    ..Declaration::new("AUTH_MASTER_KEY_PREVIOUS")
};

static KEY_ALGORITHM: Setting<KeyAlgorithm> = Setting {
    declaration: Declaration {
        meaning: "the algorithm of new managed keys",
        values: "`EdDSA` (Ed25519), `ES256` or `RS256` (2048 bits)",
        details: "A change takes effect with the next key. `auth-server key rotate` publishes it at once.",
        ..Declaration::new("AUTH_KEY_ALGORITHM")
    },
    default: |_| KeyAlgorithm::default(),
    parse: |text, _| text.parse().map_err(|_| "must be EdDSA, ES256 or RS256".into()),
    show: ToString::to_string,
};

static KEY_ROTATION: Setting<Duration> = Setting {
    declaration: Declaration {
        meaning: "time for which a managed key signs before the next one is published",
        values: "whole seconds from `1h` to `3650d`",
        details: "The next key signs `AUTH_JWKS_MAX_AGE` and two hours later, and the old one verifies until its last token has expired.",
        ..Declaration::new("AUTH_KEY_ROTATION")
    },
    default: |_| Duration::from_secs(30 * 86_400),
    parse: |text, _| seconds(text, MIN_ROTATION, MAX_ROTATION),
    show: |period| duration::format(*period),
};

static JWKS_MAX_AGE: Setting<Duration> = Setting {
    declaration: Declaration {
        meaning: "time for which others may keep a copy of the public keys (`GET /.well-known/jwks.json`)",
        values: "whole seconds from `0s` to `1d`",
        details: "A new key is published for at least this long before it signs.",
        ..Declaration::new("AUTH_JWKS_MAX_AGE")
    },
    default: |_| Duration::from_secs(300),
    parse: |text, _| seconds(text, Duration::ZERO, Duration::from_secs(86_400)),
    show: |age| duration::format(*age),
};

/// Shortest rotation. A shorter one would publish keys faster than the waits between their states let them sign.
const MIN_ROTATION: Duration = Duration::from_secs(3_600);

/// Longest rotation: ten years.
const MAX_ROTATION: Duration = Duration::from_secs(3_650 * 86_400);

/// Settings of managed keys, and of the publication of keys of any kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySettings {
    /// Algorithm of new keys.
    pub algorithm: KeyAlgorithm,
    /// Time for which a key signs before its successor is published.
    pub rotation: Duration,
    /// Time for which others may keep a copy of the public keys.
    pub jwks_max_age: Duration,
}

fn seconds(text: &str, least: Duration, most: Duration) -> Result<Duration, Rule> {
    let time = duration::parse(text).ok_or("must be a duration such as 5m, 12h or 30d")?;
    if time.subsec_nanos() == 0 && (least..=most).contains(&time) {
        Ok(time)
    } else {
        let (least, most) = (duration::format(least), duration::format(most));
        Err(format!("must be whole seconds, from {least} to {most}").into())
    }
}

impl Reader {
    /// Reads the settings of managed keys that are no secrets.
    pub(super) fn keys(&mut self, profile: Profile) -> KeySettings {
        KeySettings {
            algorithm: self.read(&KEY_ALGORITHM, profile),
            rotation: self.read(&KEY_ROTATION, profile),
            jwks_max_age: self.read(&JWKS_MAX_AGE, profile),
        }
    }

    /// Reads the master key and the one before it, if one is set.
    pub(super) fn master_keys(&mut self) -> Option<Result<MasterKeys, Refused>> {
        let current = self.master_key(&MASTER_KEY);
        let previous = self.master_key(&MASTER_KEY_PREVIOUS);
        if current.is_none() && previous.is_some() {
            self.problem(MASTER_KEY_PREVIOUS.variable, format!("must not be set without {}", MASTER_KEY.variable));
        }
        let current = match current? {
            Ok(current) => current,
            Err(refused) => return Some(Err(refused)),
        };
        let previous = previous.and_then(Result::ok);
        if previous.as_ref().is_some_and(|previous| previous.id() == current.id()) {
            self.problem(MASTER_KEY_PREVIOUS.variable, format!("must differ from {}", MASTER_KEY.variable));
        }
        Some(Ok(MasterKeys::new(current, previous)))
    }

    /// Reads a master key, if it is set.
    fn master_key(&mut self, declaration: &'static Declaration) -> Option<Result<MasterKey, Refused>> {
        let (text, origin) = self.text(declaration)?;
        self.show(declaration.variable, "<redacted>", origin);
        let key = MasterKey::from_base64(&text).map_err(|error| match declaration.file_variable() {
            Some(file) if secret::is_path(text.trim().as_bytes()) => {
                format!("is the path of a file and not a key; {file} names a file that holds the key")
            }
            _ => error.to_string(),
        });
        Some(key.map_err(|rule| {
            self.problem(declaration.variable, rule);
            Refused
        }))
    }
}

/// What is set cannot be used, and the problem was noted.
pub(super) struct Refused;

#[cfg(test)]
mod tests {
    use super::super::{Config, SigningSource, Sources};

    const MASTER: &str = "q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80=";
    const OTHER: &str = "ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8=";
    const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

    fn load(settings: &[(&str, &str)]) -> Result<Config, String> {
        let env = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Config::load(Sources { env, ..Sources::default() }).map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_master_key_makes_the_keys_managed_in_every_profile() {
        for env in ["dev", "test", "prod"] {
            let config = load(&[
                ("AUTH_ENV", env),
                ("AUTH_DATABASE_URL", "sqlite://a.db"),
                ("AUTH_MASTER_KEY", MASTER),
                ("AUTH_MASTER_KEY_PREVIOUS", OTHER),
            ]);
            let config = config.unwrap();
            assert!(matches!(config.signing, SigningSource::Managed(_)), "{env}");
            let shown = format!("{config:?}");
            assert!(!shown.contains(MASTER) && !shown.contains(OTHER), "{shown}");
        }
        assert!(matches!(load(&[]).unwrap().signing, SigningSource::CreatedAt(_)));
    }

    #[test]
    fn an_error_names_the_variable_and_the_rule_and_shows_no_key() {
        for (settings, expected) in [
            (&[("AUTH_MASTER_KEY", "short")][..], "AUTH_MASTER_KEY: a master key is 32 random bytes in base64"),
            (&[("AUTH_MASTER_KEY", SECRET)], "AUTH_MASTER_KEY: a master key is 32 random bytes in base64"),
            (&[("AUTH_MASTER_KEY", "/run/secrets/master")], "AUTH_MASTER_KEY: is the path of a file"),
            (
                &[("AUTH_MASTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")],
                "AUTH_MASTER_KEY: a master key must be random",
            ),
            (
                &[("AUTH_MASTER_KEY", MASTER), ("AUTH_TOKEN_SECRET", SECRET)],
                "AUTH_MASTER_KEY: must not be set together with AUTH_TOKEN_SECRET",
            ),
            (
                &[("AUTH_MASTER_KEY", MASTER), ("AUTH_TOKEN_PRIVATE_KEY_FILE", "key.pem")],
                "AUTH_MASTER_KEY: must not be set together with AUTH_TOKEN_PRIVATE_KEY_FILE",
            ),
            (
                &[("AUTH_MASTER_KEY_PREVIOUS", MASTER)],
                "AUTH_MASTER_KEY_PREVIOUS: must not be set without AUTH_MASTER_KEY",
            ),
            (
                &[("AUTH_MASTER_KEY", MASTER), ("AUTH_MASTER_KEY_PREVIOUS", MASTER)],
                "AUTH_MASTER_KEY_PREVIOUS: must differ from AUTH_MASTER_KEY",
            ),
            (
                &[("AUTH_MASTER_KEY", MASTER), ("AUTH_MASTER_KEY_PREVIOUS", "x")],
                "AUTH_MASTER_KEY_PREVIOUS: a master key is 32 random bytes",
            ),
            (&[("AUTH_KEY_ALGORITHM", "HS256")], "AUTH_KEY_ALGORITHM: must be EdDSA, ES256 or RS256"),
            (&[("AUTH_KEY_ROTATION", "59m")], "AUTH_KEY_ROTATION: must be whole seconds, from 1h to 3650d"),
            (&[("AUTH_KEY_ROTATION", "30")], "AUTH_KEY_ROTATION: must be a duration"),
            (&[("AUTH_JWKS_MAX_AGE", "25h")], "AUTH_JWKS_MAX_AGE: must be whole seconds, from 0s to 1d"),
            (&[("AUTH_JWKS_MAX_AGE", "1500ms")], "AUTH_JWKS_MAX_AGE: must be whole seconds"),
        ] {
            let problems = load(settings).unwrap_err();
            assert!(problems.contains(expected), "{settings:?}: {problems}");
            for (_, value) in settings.iter().filter(|(_, value)| value.len() > 5) {
                assert!(!problems.contains(value), "{problems}");
            }
        }
    }
}
