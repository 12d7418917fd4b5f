//! Settings of the blacklist of tokens.

use std::time::Duration;

use super::duration;
use super::keys::MASTER_KEY;
use super::profile::Profile;
use super::reader::Reader;
use super::setting::{Declaration, Rule, Section, Setting};
use super::tokens::SigningSource;

pub(super) static SECTION: Section = Section { title: "Blacklist", settings: &[&POLL, &MAX_STALENESS, &FEED] };

/// Lower bound of the poll interval; shorter ones only burden the database.
const MIN_POLL: Duration = Duration::from_millis(10);

/// Upper bound of both settings. A logout that takes longer to reach other nodes is of little use.
const MAX_INTERVAL: Duration = Duration::from_secs(3_600);

static POLL: Setting<Duration> = Setting {
    declaration: Declaration {
        meaning: "interval at which this node reads what other nodes revoked",
        values: "`10ms` to `1h`",
        ..Declaration::new("AUTH_BLACKLIST_POLL")
    },
    // A poll is one small read.
    default: |_| Duration::from_millis(250),
    parse: |text, _| interval(text, MIN_POLL),
    show: |interval| duration::format(*interval),
};

static MAX_STALENESS: Setting<Duration> = Setting {
    declaration: Declaration {
        meaning: "age of the last read up to which memory alone answers a check",
        values: "`0s`, or twice the poll interval to `1h`",
        details: "It bounds the time after which *another* node refuses a token that was logged out. Past it every check reads \
                  the database. With `0s` every check always does.",
        ..Declaration::new("AUTH_BLACKLIST_MAX_STALENESS")
    },
    // Eight polls.
    default: |_| Duration::from_secs(2),
    parse: |text, _| interval(text, Duration::ZERO),
    show: |interval| duration::format(*interval),
};

static FEED: Setting<bool> = Setting::on_or_off(
    Declaration {
        meaning: "whether clients with the scope `revocations` may follow what is revoked, to check tokens without the database",
        details: "The feed takes another 16 bytes of memory, or a few more, for each revoked token. See `docs/FOLLOWERS.md`.",
        ..Declaration::new("AUTH_FEED")
    },
    |_| false,
);

fn interval(text: &str, least: Duration) -> Result<Duration, Rule> {
    let interval = duration::parse(text).ok_or("must be a duration such as 250ms or 2s")?;
    let usable = (least..=MAX_INTERVAL).contains(&interval);
    usable.then_some(interval).ok_or("must be at most 1h, and at least 10ms (the bound may be 0s)".into())
}

impl Reader {
    /// Reads the poll interval and the bound on staleness.
    pub(super) fn blacklist(&mut self, profile: Profile) -> (Duration, Duration) {
        let poll = self.read(&POLL, profile);
        let bound = self.read(&MAX_STALENESS, profile);
        // With a lower bound a poll that is slightly late would send every check to the database.
        if !bound.is_zero() && bound < 2 * poll {
            self.problem(MAX_STALENESS.variable(), format!("must be 0s or at least twice {}", POLL.variable()));
        }
        (poll, bound)
    }

    /// Reads whether clients may follow what is revoked, which is of use where they can check tokens.
    pub(super) fn feed(&mut self, profile: Profile, signing: &SigningSource) -> bool {
        let is_on = self.read(&FEED, profile);
        let signs_with_secret = match signing {
            SigningSource::Key { key, .. } => key.algorithm() == "HS256",
            SigningSource::Managed(_) => false,
            SigningSource::CreatedAt(_) | SigningSource::Random => true,
        };
        if is_on && signs_with_secret {
            self.problems.note(format!(
                "{} is on, and tokens are signed with a secret, so that no follower can check them; set {}",
                FEED.variable(),
                MASTER_KEY.variable
            ));
        }
        is_on
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Sources};

    #[test]
    fn a_feed_beside_a_secret_is_noticed() {
        let notices = |settings: &[(&str, &str)]| {
            let env = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let config = Config::load(Sources { env, ..Sources::default() }).unwrap();
            config.notices.iter().filter(|notice| notice.contains("AUTH_FEED")).count()
        };
        let managed = ("AUTH_MASTER_KEY", "q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80=");
        assert_eq!(
            (notices(&[("AUTH_FEED", "on")]), notices(&[]), notices(&[("AUTH_FEED", "on"), managed])),
            (1, 0, 0)
        );
    }
}
