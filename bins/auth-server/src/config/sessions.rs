//! Settings of sessions.

use std::time::Duration;

use auth_core::SessionOptions;

use super::duration;
use super::profile::Profile;
use super::reader::Reader;
use super::setting::{Declaration, Rule, Section, Setting};

pub(super) static SECTION: Section =
    Section { title: "Sessions", settings: &[&ACCESS_TTL, &IDLE, &ABSOLUTE, &REFRESH_GRACE, &DETAILS] };

static ACCESS_TTL: Setting<Duration> = Setting {
    declaration: Declaration {
        meaning: "lifetime of an access token that can be refreshed",
        values: "whole seconds from `1s` to `1h`, longer than `AUTH_REFRESH_GRACE`",
        details: "A login without a refresh token gets a token that lives for `AUTH_TOKEN_TTL`.",
        ..Declaration::new("AUTH_SESSION_ACCESS_TTL")
    },
    default: |_| SessionOptions::default().access_life,
    parse: |text, _| seconds(text, Duration::from_secs(1), SessionOptions::MAX_RENEWED_TOKEN_LIFE),
    show: |life| duration::format(*life),
};

static IDLE: Setting<Duration> = Setting {
    declaration: Declaration {
        meaning: "time after which a session that is not refreshed ends",
        values: "whole seconds from `AUTH_SESSION_ACCESS_TTL` to `AUTH_SESSION_ABSOLUTE`",
        ..Declaration::new("AUTH_SESSION_IDLE")
    },
    default: |_| SessionOptions::default().idle,
    parse: |text, _| seconds(text, Duration::from_secs(1), SessionOptions::MAX_LIFE),
    show: |life| duration::format(*life),
};

static ABSOLUTE: Setting<Duration> = Setting {
    declaration: Declaration {
        meaning: "time after which a session ends, however often it is refreshed",
        values: "whole seconds from `AUTH_SESSION_IDLE` to `3660d`",
        ..Declaration::new("AUTH_SESSION_ABSOLUTE")
    },
    default: |_| SessionOptions::default().absolute,
    parse: |text, _| seconds(text, Duration::from_secs(1), SessionOptions::MAX_LIFE),
    show: |life| duration::format(*life),
};

static REFRESH_GRACE: Setting<Duration> = Setting {
    declaration: Declaration {
        meaning: "time for which a refresh token is accepted again after its first use, with the same next refresh token",
        values: "whole seconds from `0s` to `5m`, shorter than `AUTH_SESSION_ACCESS_TTL`",
        details: "A client repeats a refresh whose answer was lost, and two tabs refresh at once. A refresh token that is used \
                  again later ends its session. With `0s` every repetition does. The clocks of the nodes must differ by less than this time.",
        ..Declaration::new("AUTH_REFRESH_GRACE")
    },
    default: |_| SessionOptions::default().grace,
    parse: |text, _| seconds(text, Duration::ZERO, SessionOptions::MAX_GRACE),
    show: |grace| duration::format(*grace),
};

static DETAILS: Setting<bool> = Setting::on_or_off(
    Declaration {
        meaning: "whether the user agent and the network of a login are kept with its session",
        details: "They are shown in the list of sessions. Where this is off, sessions that are opened afterwards have neither.",
        ..Declaration::new("AUTH_SESSION_DETAILS")
    },
    |_| SessionOptions::default().details,
);

fn seconds(text: &str, least: Duration, most: Duration) -> Result<Duration, Rule> {
    let life = duration::parse(text).ok_or("must be a duration such as 30s, 15m or 30d")?;
    if life.subsec_nanos() == 0 && (least..=most).contains(&life) {
        Ok(life)
    } else {
        let (least, most) = (duration::format(least), duration::format(most));
        Err(format!("must be whole seconds, from {least} to {most}").into())
    }
}

impl Reader {
    /// Reads the lives of sessions and of what they issue.
    pub(super) fn sessions(&mut self, profile: Profile) -> SessionOptions {
        let mut options = SessionOptions::default();
        options.access_life = self.read(&ACCESS_TTL, profile);
        options.idle = self.read(&IDLE, profile);
        options.absolute = self.read(&ABSOLUTE, profile);
        options.grace = self.read(&REFRESH_GRACE, profile);
        options.details = self.read(&DETAILS, profile);
        let SessionOptions { access_life, idle, absolute, grace, .. } = options;
        let rules = [
            (access_life <= idle, &IDLE, "must not be shorter than", &ACCESS_TTL),
            (idle <= absolute, &ABSOLUTE, "must not be shorter than", &IDLE),
            (grace < access_life, &REFRESH_GRACE, "must be shorter than", &ACCESS_TTL),
        ];
        for (_, setting, rule, other) in rules.into_iter().filter(|(holds, ..)| !holds) {
            self.problem(setting.variable(), format!("{rule} {}", other.variable()));
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Sources};

    fn load(settings: &[(&str, &str)]) -> Result<Config, String> {
        let env = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Config::load(Sources { env, ..Sources::default() }).map_err(|problems| problems.to_string())
    }

    #[test]
    fn an_error_names_the_variable_and_the_rule() {
        for (settings, expected) in [
            (&[("AUTH_SESSION_ACCESS_TTL", "0s")][..], "AUTH_SESSION_ACCESS_TTL: must be whole seconds, from 1s to 1h"),
            (&[("AUTH_SESSION_ACCESS_TTL", "61m")], "AUTH_SESSION_ACCESS_TTL: must be whole seconds, from 1s to 1h"),
            (&[("AUTH_SESSION_ACCESS_TTL", "1500ms")], "AUTH_SESSION_ACCESS_TTL: must be whole seconds, from 1s to 1h"),
            (&[("AUTH_SESSION_IDLE", "30")], "AUTH_SESSION_IDLE: must be a duration"),
            (&[("AUTH_SESSION_IDLE", "14m")], "AUTH_SESSION_IDLE: must not be shorter than AUTH_SESSION_ACCESS_TTL"),
            (&[("AUTH_SESSION_ABSOLUTE", "29d")], "AUTH_SESSION_ABSOLUTE: must not be shorter than AUTH_SESSION_IDLE"),
            (&[("AUTH_SESSION_ABSOLUTE", "3661d")], "AUTH_SESSION_ABSOLUTE: must be whole seconds, from 1s to 3660d"),
            (&[("AUTH_REFRESH_GRACE", "301s")], "AUTH_REFRESH_GRACE: must be whole seconds, from 0s to 5m"),
            (
                &[("AUTH_SESSION_ACCESS_TTL", "1m"), ("AUTH_REFRESH_GRACE", "60s")],
                "AUTH_REFRESH_GRACE: must be shorter than AUTH_SESSION_ACCESS_TTL",
            ),
            (&[("AUTH_SESSION_DETAILS", "no thanks")], "AUTH_SESSION_DETAILS: must be on or off"),
        ] {
            let problems = load(settings).unwrap_err();
            assert!(problems.contains(expected), "{settings:?}: {problems}");
        }
    }

    #[test]
    fn the_least_and_the_greatest_values_are_accepted() {
        let least = [
            ("AUTH_SESSION_ACCESS_TTL", "1s"),
            ("AUTH_SESSION_IDLE", "1s"),
            ("AUTH_SESSION_ABSOLUTE", "1s"),
            ("AUTH_REFRESH_GRACE", "0s"),
        ];
        let greatest = [
            ("AUTH_SESSION_ACCESS_TTL", "1h"),
            ("AUTH_SESSION_IDLE", "3660d"),
            ("AUTH_SESSION_ABSOLUTE", "3660d"),
            ("AUTH_REFRESH_GRACE", "5m"),
        ];
        for settings in [least, greatest] {
            load(&settings).unwrap();
        }
    }
}
