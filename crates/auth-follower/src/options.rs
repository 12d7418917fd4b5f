//! Options of a follower.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use auth_jwt::DEFAULT_CACHED_TOKENS;
use zeroize::Zeroizing;

use crate::error::FollowError;
use crate::http::Tls;
use crate::server_url::ServerUrl;

/// Longest wait for news that a follower may ask for, in seconds.
const MAX_WAIT: u64 = 20;

/// Whom to follow, and how closely.
///
/// ```
/// use std::time::Duration;
/// use auth_follower::FollowerOptions;
///
/// let options = FollowerOptions::new("https://auth.example", "api", "rac_…", "ras_…").max_staleness(Duration::from_secs(10));
/// ```
#[derive(Clone)]
#[must_use]
pub struct FollowerOptions {
    pub(crate) url: String,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Zeroizing<String>,
    pub(crate) max_staleness: Duration,
    pub(crate) wait: Duration,
    pub(crate) key_cool_down: Duration,
    pub(crate) cached_tokens: usize,
    pub(crate) state_file: Option<PathBuf>,
    roots: Option<Vec<u8>>,
    plain_http: bool,
}

impl FollowerOptions {
    /// Follows the auth server at `url`, for tokens of `audience`. The client needs the scope `revocations`:
    /// `auth-server client create NAME --scope revocations`.
    pub fn new(
        url: impl Into<String>,
        audience: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
    ) -> Self {
        Self {
            url: url.into(),
            issuer: None,
            audience: audience.into(),
            client_id: client_id.into(),
            client_secret: Zeroizing::new(client_secret.into()),
            max_staleness: Duration::from_secs(5),
            wait: Duration::from_secs(1),
            key_cool_down: Duration::from_secs(2),
            cached_tokens: DEFAULT_CACHED_TOKENS,
            state_file: None,
            roots: None,
            plain_http: false,
        }
    }

    /// Sets the issuer (`iss`) of the tokens. Without this it is the URL.
    pub fn issuer(self, issuer: impl Into<String>) -> Self {
        Self { issuer: Some(issuer.into()), ..self }
    }

    /// Sets the bound: no token is accepted longer than this after its logout was acknowledged. It is five seconds without this, and
    /// at least twice the [wait](Self::wait) and a second.
    pub fn max_staleness(self, max_staleness: Duration) -> Self {
        Self { max_staleness, ..self }
    }

    /// Sets the time for which the server waits for news before it says that there are none, in whole seconds. It is one second
    /// without this. News are answered at once.
    pub fn wait(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    /// Sets the number of tokens whose valid signature is remembered.
    pub fn cached_tokens(self, cached_tokens: usize) -> Self {
        Self { cached_tokens, ..self }
    }

    /// Keeps the last snapshot in this file, which only its owner can read. A follower that starts refuses at once what is revoked
    /// in it, and accepts nothing before the server has answered.
    pub fn state_file(self, path: impl Into<PathBuf>) -> Self {
        Self { state_file: Some(path.into()), ..self }
    }

    /// Trusts the servers with a certificate of these roots, in PEM, and no others. Without this the roots of Mozilla are trusted.
    pub fn root_certificates(self, pem: impl Into<Vec<u8>>) -> Self {
        Self { roots: Some(pem.into()), ..self }
    }

    /// Allows an URL that begins with `http` and leads to another machine.
    pub fn allow_plain_http(self) -> Self {
        Self { plain_http: true, ..self }
    }

    /// Checks the options.
    pub(crate) fn check(&self) -> Result<(ServerUrl, Tls), FollowError> {
        let url = ServerUrl::parse(&self.url, self.plain_http)?;
        let tls = Tls::new(self.roots.as_deref())?;
        if self.client_id.is_empty() || self.client_secret.is_empty() {
            return Err(FollowError::Client);
        }
        if self.wait.subsec_nanos() != 0 || !(1..=MAX_WAIT).contains(&self.wait.as_secs()) {
            return Err(FollowError::Wait);
        }
        if self.max_staleness < 2 * self.wait + Duration::from_secs(1) {
            return Err(FollowError::Bound);
        }
        Ok((url, tls))
    }
}

impl fmt::Debug for FollowerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FollowerOptions")
            .field("url", &self.url)
            .field("audience", &self.audience)
            .field("client_id", &self.client_id)
            .field("max_staleness", &self.max_staleness)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> FollowerOptions {
        FollowerOptions::new("https://auth.example", "api", "rac_x", "ras_y")
    }

    #[test]
    fn options_that_cannot_work_are_refused_and_no_secret_is_shown() {
        assert!(options().check().is_ok());
        assert!(!format!("{:?}", options()).contains("ras_y"));
        let seconds = Duration::from_secs;
        let error = |options: FollowerOptions| options.check().err();
        assert!(matches!(error(options().wait(seconds(0))), Some(FollowError::Wait)));
        assert!(matches!(error(options().wait(Duration::from_millis(1_500))), Some(FollowError::Wait)));
        assert!(matches!(error(options().wait(seconds(21)).max_staleness(seconds(60))), Some(FollowError::Wait)));
        assert!(matches!(error(options().max_staleness(Duration::from_millis(2_999))), Some(FollowError::Bound)));
        assert!(matches!(error(options().root_certificates("no PEM")), Some(FollowError::Certificates)));
        let without = FollowerOptions::new("https://auth.example", "api", "rac_x", "");
        assert!(matches!(error(without), Some(FollowError::Client)));
    }
}
