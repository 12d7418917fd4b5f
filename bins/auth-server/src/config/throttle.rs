//! Settings of the rate limits on guesses, registrations and letters.

use std::time::Duration;

use auth_core::ThrottleLimits;

use super::duration;
use super::profile::Profile;
use super::reader::Reader;
use super::setting::{Declaration, Rule, Section, Setting};

pub(super) static SECTION: Section = Section {
    title: "Rate limits",
    settings: &[
        &THROTTLE,
        &ACCOUNT,
        &NETWORK,
        &REGISTRATIONS,
        &LETTERS,
        &LETTERS_NETWORK,
        &FREE,
        &MAX_DELAY,
        &KNOWN_FOR,
    ],
};

static THROTTLE: Setting<bool> = Setting::on_or_off(
    Declaration {
        meaning: "whether guesses of passwords, registrations, letters and new personal access tokens are limited",
        details: "The rules of the other settings hold even where this is off. See [Limits on \
                  guessing](OPERATIONS.md#limits-on-guessing).",
        ..Declaration::new("AUTH_THROTTLE")
    },
    |profile| !matches!(profile, Profile::Test),
);

static ACCOUNT: Setting<u32> = Setting {
    declaration: Declaration {
        meaning: "wrong guesses in any hour against one account, from all networks together",
        values: "20 to 100",
        details: "The least value is another one if the longest wait is not 15 minutes.",
        ..Declaration::new("AUTH_THROTTLE_ACCOUNT")
    },
    default: |_| ThrottleLimits::default().account,
    parse: |text, _| number(text),
    show: ToString::to_string,
};

static NETWORK: Setting<u32> = Setting {
    declaration: Declaration {
        meaning: "wrong guesses in any hour from one network, against accounts that never logged in from it",
        values: "at least 7",
        ..Declaration::new("AUTH_THROTTLE_NETWORK")
    },
    default: |_| ThrottleLimits::default().network,
    parse: |text, _| number(text),
    show: ToString::to_string,
};

static REGISTRATIONS: Setting<u32> = Setting {
    declaration: Declaration {
        meaning: "registrations in any hour from one network, refused ones included",
        values: "at least 7",
        ..Declaration::new("AUTH_THROTTLE_REGISTRATIONS")
    },
    default: |_| ThrottleLimits::default().registrations,
    parse: |text, _| number(text),
    show: ToString::to_string,
};

static LETTERS: Setting<u32> = Setting {
    declaration: Declaration {
        meaning: "letters of one purpose in any hour to one address",
        values: "at least 2",
        details: "Further ones are not written, and whoever asks is not told.",
        ..Declaration::new("AUTH_THROTTLE_LETTERS")
    },
    default: |_| ThrottleLimits::default().letters,
    parse: |text, _| number(text),
    show: ToString::to_string,
};

static LETTERS_NETWORK: Setting<u32> = Setting {
    declaration: Declaration {
        meaning: "requests for letters in any hour from one network",
        values: "at least 7",
        ..Declaration::new("AUTH_THROTTLE_LETTERS_NETWORK")
    },
    default: |_| ThrottleLimits::default().letters_network,
    parse: |text, _| number(text),
    show: ToString::to_string,
};

static FREE: Setting<u32> = Setting {
    declaration: Declaration {
        meaning: "wrong guesses in a row against one account from one network before the first wait",
        values: "at least 1",
        ..Declaration::new("AUTH_THROTTLE_FREE")
    },
    default: |_| ThrottleLimits::default().free,
    parse: |text, _| number(text),
    show: ToString::to_string,
};

static MAX_DELAY: Setting<Duration> = Setting {
    declaration: Declaration {
        meaning: "the longest wait",
        values: "`1s` to `1h`",
        ..Declaration::new("AUTH_THROTTLE_MAX_DELAY")
    },
    default: |_| ThrottleLimits::default().max_delay,
    parse: |text, _| span(text),
    show: |span| duration::format(*span),
};

static KNOWN_FOR: Setting<Duration> = Setting {
    declaration: Declaration {
        meaning: "time for which a network stays known to an account after a login from it",
        values: "`1h` to `400d`",
        ..Declaration::new("AUTH_THROTTLE_KNOWN_FOR")
    },
    default: |_| ThrottleLimits::default().known_for,
    parse: |text, _| span(text),
    show: |span| duration::format(*span),
};

fn number(text: &str) -> Result<u32, Rule> {
    text.parse().map_err(|_| "must be a whole number".into())
}

fn span(text: &str) -> Result<Duration, Rule> {
    duration::parse(text).ok_or("must be a duration such as 15m or 30d".into())
}

impl Reader {
    /// Reads the limits; `None` if they are off.
    pub(super) fn throttle(&mut self, profile: Profile) -> Option<ThrottleLimits> {
        let on = self.read(&THROTTLE, profile);
        let mut limits = ThrottleLimits::default();
        limits.account = self.read(&ACCOUNT, profile);
        limits.network = self.read(&NETWORK, profile);
        limits.registrations = self.read(&REGISTRATIONS, profile);
        limits.letters = self.read(&LETTERS, profile);
        limits.letters_network = self.read(&LETTERS_NETWORK, profile);
        limits.free = self.read(&FREE, profile);
        limits.max_delay = self.read(&MAX_DELAY, profile);
        limits.known_for = self.read(&KNOWN_FOR, profile);
        for problem in limits.problems() {
            let variable = match problem.field {
                "account" => ACCOUNT.variable(),
                "network" => NETWORK.variable(),
                "registrations" => REGISTRATIONS.variable(),
                "letters" => LETTERS.variable(),
                "letters_network" => LETTERS_NETWORK.variable(),
                "free" => FREE.variable(),
                "max_delay" => MAX_DELAY.variable(),
                "known_for" => KNOWN_FOR.variable(),
                _ => THROTTLE.variable(),
            };
            self.problem(variable, problem.rule);
        }
        on.then_some(limits)
    }
}
