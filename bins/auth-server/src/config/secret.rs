//! Secret values of the configuration.

use std::fmt;
use std::path::Path;

use auth_jwt::KeyForm;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret. `Debug` does not show it, and it is zeroized on drop.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Parses the secret that a variable or a file holds: UTF-8 text without the ASCII white space around it. Every setting and
    /// command uses this, so that a secret has the same bytes everywhere.
    ///
    /// # Errors
    ///
    /// `text` is not UTF-8, or only white space.
    pub fn parse(text: &[u8]) -> Result<Self, SecretError> {
        let secret = std::str::from_utf8(text).map_err(|_| SecretError::NotText)?.trim_ascii();
        if secret.is_empty() { Err(SecretError::Empty) } else { Ok(Self::new(secret)) }
    }

    /// Returns the secret.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(<redacted>)")
    }
}

/// The reason why bytes cannot be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Not UTF-8.
    #[error("the secret is not UTF-8 text; encode random bytes as base64 or hexadecimal digits")]
    NotText,
    /// Only white space.
    #[error("the secret is empty")]
    Empty,
}

/// First components of absolute paths under which secrets are commonly kept.
const ROOTS: [&str; 22] = [
    "app", "config", "data", "dev", "etc", "home", "keys", "media", "mnt", "opt", "private", "proc", "root", "run",
    "secrets", "srv", "sys", "tmp", "usr", "Users", "var", "vault",
];

/// Returns whether `secret` is the path of a file that exists, or looks like a path. A secret in base64 may begin with `/`, too.
pub(super) fn is_path(secret: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(secret) else { return false };
    let drive = || matches!(text.as_bytes(), [b'A'..=b'Z' | b'a'..=b'z', b':', b'\\' | b'/', ..]);
    if drive() || ["./", "../", "~/", "file:"].iter().any(|prefix| text.starts_with(prefix)) {
        return true;
    }
    if let Some(path) = text.strip_prefix('/') {
        let base64 = path.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='));
        let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "+/=.-_@ ".contains(c));
        let lower = !path.contains(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit());
        let root = path.split('/').next().unwrap_or_default();
        // Base64 has no dots and no dashes, and a long text of it almost always has capitals or digits.
        if plain && (!base64 || lower || ROOTS.contains(&root)) {
            return true;
        }
    }
    Path::new(text).is_file()
}

/// Returns whether `secret` is a URL, or a placeholder that was not filled in.
pub(super) fn is_reference(secret: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(secret) else { return false };
    let placeholder = [("${", "}"), ("$(", ")"), ("{{", "}}")];
    text.contains("://")
        || text.starts_with("arn:")
        || placeholder.iter().any(|(begin, end)| text.starts_with(begin) && text.ends_with(end))
}

/// Returns `path` as an error may show it. It may be the secret itself, given by mistake, which an error must not show.
pub(super) fn shown_path(path: &str) -> &str {
    let long = path.len() >= 24 && !is_path(path.as_bytes());
    if long || is_reference(path.as_bytes()) || KeyForm::recognize(path.as_bytes()).is_some() {
        "<not shown: not written like a path, it may be a secret>"
    } else {
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_the_same_bytes_whatever_stands_around_it() {
        let secret = Secret::new("q7Vd 0J2p");
        for text in ["q7Vd 0J2p", "q7Vd 0J2p\n", "q7Vd 0J2p\r\n", " q7Vd 0J2p \n\n", "\tq7Vd 0J2p\n \n"] {
            assert_eq!(Secret::parse(text.as_bytes()), Ok(secret.clone()), "{text:?}");
        }
        assert_eq!(Secret::parse(b" \r\n"), Err(SecretError::Empty));
        assert_eq!(Secret::parse(b"\xff"), Err(SecretError::NotText));
    }

    #[test]
    fn a_path_is_told_from_a_secret_that_begins_with_a_slash() {
        for path in [
            "/run/secrets/auth",
            "/run/secrets/AUTH/Token9",
            "/somewhere/else/entirely/with/a/long/name",
            "/q7Vd0J2p/token-secret.txt",
            "./secret",
            "../secret",
            "~/secret",
            "C:\\secrets\\auth",
            "file:///run/secrets/auth",
        ] {
            assert!(is_path(path.as_bytes()), "{path}");
        }
        for secret in ["/q7Vd0J2pXw9Zt4Lr8Nc1Yb6Hs3Km5Fg0Ua2Ei7Qo4Tx=", "q7Vd0J2p/Xw9Zt4Lr8Nc1/b6Hs3Km5Fg0Ua2Ei7Qo4Tx="]
        {
            assert!(!is_path(secret.as_bytes()), "{secret}");
        }
    }

    #[test]
    fn what_was_given_as_a_path_is_not_repeated_when_it_may_be_a_secret() {
        for path in ["/run/secrets/a-rather-long-name-of-a-file", "old-secret", "keys/old.pem"] {
            assert_eq!(shown_path(path), path);
        }
        for secret in
            ["q7Vd0J2pXw9Zt4Lr8Nc1Yb6Hs3Km5Fg0Ua2Ei7Qo4Tx=", "postgres://a:b@c/d", "-----BEGIN PRIVATE KEY-----"]
        {
            assert!(!shown_path(secret).contains(secret), "{}", shown_path(secret));
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(<redacted>)");
    }
}
