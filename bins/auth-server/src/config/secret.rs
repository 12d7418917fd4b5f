//! Values that are not to be shown.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret of the configuration. Not shown by `Debug`, erased when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The secret, for what needs it.
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

/// The URL of a database. `Debug` and `Display` show neither the password nor the query, where drivers take passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Wraps a URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The whole URL, password included, for the driver.
    #[must_use]
    pub fn expose_url(&self) -> &str {
        &self.0
    }

    /// The part before the first colon.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.0.split_once(':').map_or("", |(scheme, _)| scheme)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme() == "sqlite" {
            return f.write_str(self.0.split('?').next().unwrap_or_default());
        }
        let Ok(mut url) = url::Url::parse(&self.0) else {
            return write!(f, "{}:<redacted>", self.scheme());
        };
        url.set_query(None);
        url.set_fragment(None);
        if url.password().is_some() && url.set_password(Some("***")).is_err() {
            return write!(f, "{}:<redacted>", self.scheme());
        }
        f.write_str(url.as_str())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_url_is_shown_without_password_and_query() {
        let shown = |url: &str| format!("{0} {0:?}", DatabaseUrl::new(url));
        for url in [
            "postgres://auth:hunter2@db.example:5432/auth?sslmode=require&password=hunter2",
            "mysql://auth:hunter2@db.example/auth",
            "postgres://auth:hunter2@db.example:port/auth",
            "hunter2",
        ] {
            assert!(!shown(url).contains("hunter2"), "{}", shown(url));
        }
        assert_eq!(DatabaseUrl::new("postgres://a:b@h/d?x=y").to_string(), "postgres://a:***@h/d");
        assert_eq!(DatabaseUrl::new("sqlite://data/auth.db?mode=rwc").to_string(), "sqlite://data/auth.db");
        assert_eq!(DatabaseUrl::new("sqlite::memory:").to_string(), "sqlite::memory:");
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(<redacted>)");
    }
}
