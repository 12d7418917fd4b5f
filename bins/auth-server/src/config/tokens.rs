//! Settings of tokens: the keys, and what is written into a token.

use std::path::{Path, PathBuf};
use std::time::Duration;

use auth_core::MAX_TOKEN_LIFE;
use auth_core::service::DEFAULT_CLIENT_TOKEN_LIFE;
use auth_jwt::{DEFAULT_CACHED_TOKENS, KeyError, MAX_CACHED_TOKENS, MasterKeys, SigningKey, VerifyingKey};

use super::duration;
use super::keys::MASTER_KEY;
use super::profile::Profile;
use super::reader::{Reader, items};
use super::secret::{self, Secret};
use super::setting::{Declaration, Form, Rule, Section, Setting};
use super::sources::{Origin, bytes_of};

pub(super) static SECTION: Section = Section {
    title: "Tokens",
    settings: &[
        &TOKEN_SECRET,
        &TOKEN_PRIVATE_KEY_FILE,
        &TOKEN_VERIFY_KEY_FILES,
        &TOKEN_VERIFY_SECRET_FILES,
        &TOKEN_TTL,
        &CLIENT_TOKEN_TTL,
        &TOKEN_ISSUER,
        &TOKEN_AUDIENCE,
        &TOKEN_CACHE,
    ],
};

static TOKEN_SECRET: Declaration = Declaration {
    meaning: "the secret that signs tokens with HS256",
    values: "UTF-8 text of at least 32 bytes; in `prod` with at least 10 different bytes",
    details: "`openssl rand -base64 48` makes one. White space around it is ignored. A key in any format, a path, a URL and a \
              placeholder are refused; see [Secrets and key files](OPERATIONS.md#secrets-and-key-files).",
    default_text: Some(
        "`dev`: random, created once and kept; `test`: random for the process; `prod`: none, must be set",
    ),
    form: Form::Secret { file_variable: "AUTH_TOKEN_SECRET_FILE" },
    ..Declaration::new("AUTH_TOKEN_SECRET")
};

static TOKEN_PRIVATE_KEY_FILE: Declaration = Declaration {
    meaning: "a private key that signs tokens instead of the secret",
    values: "a PEM file: Ed25519 (EdDSA), P-256 (ES256), or RSA of at least 2048 bits (RS256)",
    details: "The formats are PKCS#8, PKCS#1 and SEC 1 without a passphrase. It must not be set together with the secret.",
    ..Declaration::new("AUTH_TOKEN_PRIVATE_KEY_FILE")
};

pub(crate) static TOKEN_VERIFY_KEY_FILES: Declaration = Declaration {
    meaning: "further public keys, whose tokens are accepted",
    values: "comma-separated PEM files with one public key each",
    details: "The formats are SPKI, PKCS#1 and certificates, of which only the key is read. They are never read as secrets.",
    form: Form::List,
    ..Declaration::new("AUTH_TOKEN_VERIFY_KEY_FILES")
};

pub(crate) static TOKEN_VERIFY_SECRET_FILES: Declaration = Declaration {
    meaning: "secrets that signed tokens before, whose tokens are accepted",
    values: "comma-separated files with one secret each",
    details: "The rules of `AUTH_TOKEN_SECRET` apply. They are never read as public keys.",
    form: Form::List,
    ..Declaration::new("AUTH_TOKEN_VERIFY_SECRET_FILES")
};

pub(super) static TOKEN_TTL: Setting<Duration> = Setting {
    declaration: Declaration {
        meaning: "lifetime of a token that cannot be refreshed",
        values: "whole seconds from `1s` to `90d`, as `15m`, `2h`, `1h30m`",
        ..Declaration::new("AUTH_TOKEN_TTL")
    },
    default: |_| Duration::from_secs(86_400),
    parse: |text, _| life(text),
    show: |life| duration::format(*life),
};

pub(super) static CLIENT_TOKEN_TTL: Setting<Duration> = Setting {
    declaration: Declaration {
        meaning: "lifetime of a token that a client gets with its secret",
        values: "whole seconds from `1s` to `90d`, as `15m`, `2h`, `1h30m`",
        details: "A client asks for another token when its token has expired. See [Clients](OPERATIONS.md#clients).",
        ..Declaration::new("AUTH_CLIENT_TOKEN_TTL")
    },
    default: |_| DEFAULT_CLIENT_TOKEN_LIFE,
    parse: |text, _| life(text),
    show: |life| duration::format(*life),
};

pub(super) static TOKEN_ISSUER: Setting<String> = Setting {
    declaration: Declaration {
        meaning: "the issuer (`iss`) of the tokens; tokens of another issuer are invalid",
        values: "1 to 200 characters",
        ..Declaration::new("AUTH_TOKEN_ISSUER")
    },
    default: |_| "auth-server".to_owned(),
    parse: |text, _| name(text),
    show: Clone::clone,
};

pub(super) static TOKEN_AUDIENCE: Setting<String> = Setting {
    declaration: Declaration {
        meaning: "the audience (`aud`) of the tokens; tokens for another audience are invalid",
        values: "1 to 200 characters",
        ..Declaration::new("AUTH_TOKEN_AUDIENCE")
    },
    default: |_| "auth-api".to_owned(),
    parse: |text, _| name(text),
    show: Clone::clone,
};

pub(super) static TOKEN_CACHE: Setting<usize> = Setting {
    declaration: Declaration {
        meaning: "number of tokens whose valid signature is remembered",
        values: "0 to 1048576",
        details: "The next check of a remembered token verifies no signature; expiry and blacklist are checked all the same. With 0 \
                  every check verifies the signature. A token takes at most 1 KiB of memory.",
        ..Declaration::new("AUTH_TOKEN_CACHE")
    },
    default: |_| DEFAULT_CACHED_TOKENS,
    parse: |text, _| {
        let tokens = text.parse().ok().filter(|tokens| *tokens <= MAX_CACHED_TOKENS);
        tokens
            .ok_or_else(|| format!("must be a number of tokens from 0 to {MAX_CACHED_TOKENS}; 0 remembers none").into())
    },
    show: ToString::to_string,
};

/// Least number of different bytes of a secret in production. A random secret of 32 bytes has more in every encoding; a phrase or
/// a key held down has fewer.
const MIN_DISTINCT_SECRET_BYTES: usize = 10;

/// Parses the lifetime of a token.
fn life(text: &str) -> Result<Duration, Rule> {
    let life = duration::parse(text).ok_or("must be a duration such as 15m, 2h or 1d")?;
    let usable = life.subsec_nanos() == 0 && !life.is_zero() && life <= MAX_TOKEN_LIFE;
    if usable { Ok(life) } else { Err("must be whole seconds, from 1s to 90d".into()) }
}

/// The key that signs tokens.
#[derive(Debug, Clone)]
pub enum SigningSource {
    /// A configured key.
    Key {
        /// The key.
        key: Box<SigningKey>,
        /// The variable, or the key of the configuration file, that holds it or names its file.
        set_in: String,
    },
    /// Keys that the server makes and keeps in its database, encrypted with these.
    Managed(MasterKeys),
    /// A random secret in this file, which is created if it is absent.
    CreatedAt(PathBuf),
    /// A random secret that ends with the process.
    Random,
}

impl Reader {
    /// Reads the key that signs tokens.
    pub(super) fn signing(&mut self, profile: Profile, data_dir: &Path) -> SigningSource {
        let secret = self.text(&TOKEN_SECRET);
        let key_file = self.text(&TOKEN_PRIVATE_KEY_FILE);
        let (secret_variable, key_variable) = (TOKEN_SECRET.variable, TOKEN_PRIVATE_KEY_FILE.variable);
        let unset = match profile {
            Profile::Dev => SigningSource::CreatedAt(data_dir.join("token-secret")),
            Profile::Test | Profile::Prod => SigningSource::Random,
        };
        let masters = self.master_keys();
        match (secret, key_file) {
            (None, None) if masters.is_some() => masters.and_then(Result::ok).map_or(unset, SigningSource::Managed),
            (secret, key_file) if masters.is_some() => {
                let given = [secret.map(|_| secret_variable), key_file.map(|_| key_variable)];
                for other in given.into_iter().flatten() {
                    self.problem(MASTER_KEY.variable, format!("must not be set together with {other}"));
                }
                unset
            }
            (Some(_), Some(_)) => {
                self.problem(secret_variable, format!("set either {secret_variable} or {key_variable}, not both"));
                unset
            }
            (Some((text, origin)), None) => {
                self.show(secret_variable, "<redacted>", origin);
                let name = self.sources.name_of_value(&TOKEN_SECRET, origin);
                if text.trim_ascii() != text {
                    self.problems.warn(format!("{name}: blanks and line breaks around the secret are not part of it"));
                }
                let key = signing_secret(profile, text.as_bytes());
                self.signing_key(&TOKEN_SECRET, origin, key).unwrap_or(unset)
            }
            (None, Some((path, origin))) => {
                self.show(key_variable, path.as_str(), origin);
                let key = file(&path)
                    .and_then(|pem| SigningKey::from_pem(pem.expose_secret()).map_err(|error| error.to_string()));
                self.signing_key(&TOKEN_PRIVATE_KEY_FILE, origin, key).unwrap_or(unset)
            }
            (None, None) => {
                if profile == Profile::Prod {
                    let rule = "must be set in the prod profile, or AUTH_TOKEN_SECRET_FILE, or \
                                AUTH_TOKEN_PRIVATE_KEY_FILE, or AUTH_MASTER_KEY";
                    self.problem(secret_variable, rule);
                }
                let shown = match &unset {
                    SigningSource::CreatedAt(path) => format!("<random, kept in {}>", path.display()),
                    _ => "<random, for this process>".to_owned(),
                };
                self.show(secret_variable, shown, Origin::Default);
                unset
            }
        }
    }

    fn signing_key(
        &mut self,
        declaration: &Declaration,
        origin: Origin,
        key: Result<SigningKey, String>,
    ) -> Option<SigningSource> {
        match key {
            Ok(key) => {
                let set_in = self.sources.name_of_value(declaration, origin);
                Some(SigningSource::Key { key: Box::new(key), set_in })
            }
            Err(rule) => {
                self.problem(declaration.variable, rule);
                None
            }
        }
    }

    /// Reads the further keys: public keys from one setting and secrets from another. No file is tried as both.
    pub(super) fn verifying(&mut self, profile: Profile) -> Vec<VerifyingKey> {
        let mut keys = self.keys_in(&TOKEN_VERIFY_KEY_FILES, |path| public_key(&file(path)?));
        keys.extend(
            self.keys_in(&TOKEN_VERIFY_SECRET_FILES, |path| verifying_secret(profile, file(path)?.expose_secret())),
        );
        keys
    }

    /// Reads the keys in the files that a setting lists.
    fn keys_in(
        &mut self,
        declaration: &Declaration,
        read: impl Fn(&str) -> Result<VerifyingKey, String>,
    ) -> Vec<VerifyingKey> {
        let Some((paths, origin)) = self.text(declaration) else {
            self.show(declaration.variable, "", Origin::Default);
            return Vec::new();
        };
        self.show(declaration.variable, paths.as_str(), origin);
        let mut keys = Vec::new();
        for path in items(&paths) {
            match read(path) {
                Ok(key) => keys.push(key),
                Err(rule) => self.problem(declaration.variable, format!("{}: {rule}", secret::shown_path(path))),
            }
        }
        keys
    }
}

fn signing_secret(profile: Profile, text: &[u8]) -> Result<SigningKey, String> {
    let secret = strong_secret(profile, text)?;
    SigningKey::from_secret(secret.expose_secret()).map_err(|error| error.to_string())
}

fn verifying_secret(profile: Profile, text: &[u8]) -> Result<VerifyingKey, String> {
    let secret = strong_secret(profile, text)?;
    VerifyingKey::from_secret(secret.expose_secret()).map_err(|error| match error {
        KeyError::SecretIsKey(_) => {
            format!("{error}; this setting reads secrets, {} reads public keys", TOKEN_VERIFY_KEY_FILES.variable)
        }
        _ => error.to_string(),
    })
}

fn public_key(file: &Secret) -> Result<VerifyingKey, String> {
    let pem = file.expose_secret();
    VerifyingKey::from_pem(pem).map_err(|error| match Secret::parse(pem) {
        Ok(secret) if VerifyingKey::from_secret(secret.expose_secret()).is_ok() => format!(
            "{error}; this setting reads public keys only: list a file with a secret that signed before in {}",
            TOKEN_VERIFY_SECRET_FILES.variable
        ),
        _ => error.to_string(),
    })
}

/// Parses a secret and refuses one that cannot be random. The rule is the same for the secret that signs and for earlier ones,
/// because a token made with any of them is accepted.
fn strong_secret(profile: Profile, text: &[u8]) -> Result<Secret, String> {
    let secret = Secret::parse(text).map_err(|error| error.to_string())?;
    if secret::is_path(secret.expose_secret()) {
        return Err(format!(
            "is the path of a file and not a secret; {} names a file that holds the secret",
            TOKEN_SECRET.file_variable().unwrap_or_default()
        ));
    }
    if secret::is_reference(secret.expose_secret()) {
        return Err("is a URL or a placeholder and not a secret".to_owned());
    }
    if profile == Profile::Prod && has_few_distinct_bytes(secret.expose_secret()) {
        return Err("looks made up, not random; make one with: openssl rand -base64 48".to_owned());
    }
    Ok(secret)
}

fn has_few_distinct_bytes(secret: &[u8]) -> bool {
    let mut seen = [false; 256];
    for byte in secret {
        seen[usize::from(*byte)] = true;
    }
    seen.into_iter().filter(|seen| *seen).count() < MIN_DISTINCT_SECRET_BYTES
}

fn file(path: &str) -> Result<Secret, String> {
    bytes_of(path).map(Secret::new).map_err(|error| format!("cannot read the file: {error}"))
}

/// Parses an issuer or an audience.
fn name(text: &str) -> Result<String, Rule> {
    if !text.is_empty() && text.len() <= 200 && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err("must have 1 to 200 characters".into())
    }
}
