//! The keys: the one that signs, and those whose tokens are accepted besides.

use std::path::Path;

use auth_jwt::KeyError;
use auth_jwt::{SigningKey, VerifyingKey};

use super::super::secret::{self, Secret};
use super::super::sources::bytes_of;
use super::super::{Origin, Profile, Setting, SigningSource};
use super::{Reader, items};

/// The fewest different bytes of a secret in production. A random secret of 32 bytes has more in any spelling; a phrase
/// or a key held down has not.
const MIN_DISTINCT_SECRET_BYTES: usize = 10;

impl Reader {
    pub(super) fn signing(&mut self, profile: Profile, data_dir: &Path) -> SigningSource {
        let secret = self.raw(Setting::TokenSecret);
        let key_file = self.raw(Setting::TokenPrivateKeyFile);
        let unset = match profile {
            Profile::Dev => SigningSource::CreatedAt(data_dir.join("token-secret")),
            Profile::Test | Profile::Prod => SigningSource::Random,
        };
        match (secret, key_file) {
            (Some(_), Some(_)) => {
                let (one, other) = (Setting::TokenSecret.variable(), Setting::TokenPrivateKeyFile.variable());
                self.problem(Setting::TokenSecret, format!("set either {one} or {other}, not both"));
                unset
            }
            (Some((text, origin)), None) => {
                self.show(Setting::TokenSecret, "<redacted>", origin);
                let name = self.layers.name_of_value(Setting::TokenSecret, origin);
                if text.trim_ascii() != text {
                    self.problems.warn(format!("{name}: blanks and line breaks around the secret are not part of it"));
                }
                let key = signing_secret(profile, text.as_bytes());
                self.key(Setting::TokenSecret, origin, key).unwrap_or(unset)
            }
            (None, Some((path, origin))) => {
                self.show(Setting::TokenPrivateKeyFile, path.as_str(), origin);
                let key = file(&path)
                    .and_then(|pem| SigningKey::from_pem(pem.expose_secret()).map_err(|error| error.to_string()));
                self.key(Setting::TokenPrivateKeyFile, origin, key).unwrap_or(unset)
            }
            (None, None) => {
                if profile == Profile::Prod {
                    let rule =
                        "must be set in the prod profile, or AUTH_TOKEN_SECRET_FILE, or AUTH_TOKEN_PRIVATE_KEY_FILE";
                    self.problem(Setting::TokenSecret, rule);
                }
                let shown = match &unset {
                    SigningSource::CreatedAt(path) => format!("<random, kept in {}>", path.display()),
                    _ => "<random, for this process>".to_owned(),
                };
                self.show(Setting::TokenSecret, shown, Origin::Default);
                unset
            }
        }
    }

    /// The further keys: public keys from one setting, secrets from another. No file is tried as both.
    pub(super) fn verifying(&mut self, profile: Profile) -> Vec<VerifyingKey> {
        let mut keys = self.listed(Setting::TokenVerifyKeyFiles, |path| public_key(&file(path)?));
        keys.extend(
            self.listed(Setting::TokenVerifySecretFiles, |path| verifying_secret(profile, file(path)?.expose_secret())),
        );
        keys
    }

    /// The keys in the files that `setting` lists.
    fn listed(&mut self, setting: Setting, read: impl Fn(&str) -> Result<VerifyingKey, String>) -> Vec<VerifyingKey> {
        let Some((paths, origin)) = self.raw(setting) else {
            self.show(setting, "", Origin::Default);
            return Vec::new();
        };
        self.show(setting, paths.as_str(), origin);
        let mut keys = Vec::new();
        for path in items(&paths) {
            match read(path) {
                Ok(key) => keys.push(key),
                Err(rule) => self.problem(setting, format!("{}: {rule}", secret::shown_path(path))),
            }
        }
        keys
    }

    fn key(&mut self, setting: Setting, origin: Origin, key: Result<SigningKey, String>) -> Option<SigningSource> {
        match key {
            Ok(key) => {
                Some(SigningSource::Key { key: Box::new(key), set_in: self.layers.name_of_value(setting, origin) })
            }
            Err(rule) => {
                self.problem(setting, rule);
                None
            }
        }
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
            format!(
                "{error}; this setting reads secrets, {} reads public keys",
                Setting::TokenVerifyKeyFiles.variable()
            )
        }
        _ => error.to_string(),
    })
}

fn public_key(file: &Secret) -> Result<VerifyingKey, String> {
    let pem = file.expose_secret();
    VerifyingKey::from_pem(pem).map_err(|error| match Secret::parse(pem) {
        Ok(secret) if VerifyingKey::from_secret(secret.expose_secret()).is_ok() => format!(
            "{error}; this setting reads public keys only: list a file with a secret that signed before in {}",
            Setting::TokenVerifySecretFiles.variable()
        ),
        _ => error.to_string(),
    })
}

/// The secret in `text`, if it is none that somebody made up. The rule is the same for the secret that signs and for
/// those that signed before: a token made with either is accepted.
fn strong_secret(profile: Profile, text: &[u8]) -> Result<Secret, String> {
    let secret = Secret::parse(text).map_err(|error| error.to_string())?;
    if secret::is_path(secret.expose_secret()) {
        return Err(format!(
            "is the path of a file and not a secret; {} names a file that holds the secret",
            Setting::TokenSecret.file_variable().unwrap_or_default()
        ));
    }
    if secret::is_reference(secret.expose_secret()) {
        return Err("is a URL or a placeholder and not a secret".to_owned());
    }
    if profile == Profile::Prod && looks_made_up(secret.expose_secret()) {
        return Err("looks made up, not random; make one with: openssl rand -base64 48".to_owned());
    }
    Ok(secret)
}

fn file(path: &str) -> Result<Secret, String> {
    bytes_of(path).map(Secret::new).map_err(|error| format!("cannot read the file: {error}"))
}

fn looks_made_up(secret: &[u8]) -> bool {
    let mut seen = [false; 256];
    for byte in secret {
        seen[usize::from(*byte)] = true;
    }
    seen.into_iter().filter(|seen| *seen).count() < MIN_DISTINCT_SECRET_BYTES
}
