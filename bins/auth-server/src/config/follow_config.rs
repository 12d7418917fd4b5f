//! The configuration of `auth-server follow`: the few settings that it uses.

use std::net::SocketAddr;

use auth_follower::FollowerOptions;

use super::problems::Problems;
use super::reader::Reader;
use super::sources::Sources;
use super::{ENV, LOG, LOG_FORMAT, LogFormat, table, tokens};

/// The configuration of `auth-server follow`.
#[derive(Debug)]
pub struct FollowConfig {
    /// The address that it listens on. Port 0 takes any free port.
    pub listen: SocketAddr,
    /// Whom it follows.
    pub follower: FollowerOptions,
    /// Filter of the log, as directives of `tracing`.
    pub log: String,
    /// Format of log lines.
    pub log_format: LogFormat,
    /// Values that are valid but probably not intended.
    pub warnings: Vec<String>,
}

impl FollowConfig {
    /// Reads and checks the settings that `follow` uses. The others may be set and are not looked at.
    ///
    /// # Errors
    ///
    /// Every error of these settings.
    pub fn load(sources: Sources) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let sources = sources.open(&table::declarations(), &mut problems);
        let mut reader = Reader::new(sources, problems);
        let profile = reader.read(&ENV, ());
        let (listen, _) = reader.listen(profile);
        let issuer = reader.read(&tokens::TOKEN_ISSUER, profile);
        let audience = reader.read(&tokens::TOKEN_AUDIENCE, profile);
        let cached_tokens = reader.read(&tokens::TOKEN_CACHE, profile);
        let log = reader.read(&LOG, profile);
        let log_format = reader.read(&LOG_FORMAT, profile);
        let settings = reader.following(profile);
        let options = reader.follower_options(settings, issuer, audience, cached_tokens);
        let made = reader
            .problems
            .into_result(|warnings, _| options.map(|follower| Self { listen, follower, log, log_format, warnings }));
        // Options that are missing were reported.
        made?.ok_or_else(Problems::default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: [(&str, &str); 3] = [
        ("AUTH_FOLLOW_ISSUER", "https://auth.example"),
        ("AUTH_FOLLOW_CLIENT_ID", "rac_x"),
        ("AUTH_FOLLOW_CLIENT_SECRET", "ras_secret"),
    ];

    fn load(settings: &[(&str, &str)]) -> Result<FollowConfig, String> {
        let env = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        FollowConfig::load(Sources { env, ..Sources::default() }).map_err(|problems| problems.to_string())
    }

    #[test]
    fn no_database_and_no_key_is_needed_and_the_secret_is_not_shown() {
        let config = load(&[&SET[..], &[("AUTH_ENV", "prod")]].concat()).unwrap();
        assert!(!format!("{config:?}").contains("ras_secret"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let problems = load(&[]).unwrap_err();
        for (variable, _) in SET {
            assert!(problems.contains(&format!("{variable}: must be set")), "{problems}");
        }
        for (variable, value) in [
            ("AUTH_FOLLOW_MAX_STALENESS", "2s"),
            ("AUTH_FOLLOW_CA_FILE", "/nowhere/ca.pem"),
            ("AUTH_FOLLOW_PLAIN_HTTP", "maybe"),
        ] {
            let problems = load(&[&SET[..], &[(variable, value)]].concat()).unwrap_err();
            assert!(problems.contains(&format!("{variable}: ")), "{problems}");
        }
    }
}
