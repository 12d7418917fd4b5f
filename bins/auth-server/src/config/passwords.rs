//! Settings of passwords: how they are hashed, and which are accepted.

use std::fmt;

use auth_password::argon2::Argon2ParamsError::{Lanes, Memory, Passes};
use auth_password::bcrypt::{MAX_COST, MAX_VERIFIED_COST, MIN_COST};
use auth_password::{Argon2Params, HashWork};

use super::profile::Profile;
use super::reader::{Reader, items};
use super::setting::{Context, Declaration, Form, Rule, Section, Setting};

pub(super) static SECTION: Section = Section {
    title: "Passwords",
    settings: &[
        &SCHEME,
        &BCRYPT_COST,
        &ARGON2_MEMORY_KIB,
        &ARGON2_PASSES,
        &ARGON2_LANES,
        &PASSWORD_LEGACY,
        &COMMON_LIST,
        &MIN_LENGTH,
    ],
};

/// Lowest bcrypt cost in production.
const MIN_PROD_COST: u32 = 10;

/// Least number of characters of a password in production, if commonly used passwords are refused.
const MIN_PROD_LENGTH: usize = 8;

/// The same if they are not (NIST SP 800-63B-4 §3.1.1.2).
const MIN_PROD_LENGTH_WITHOUT_LIST: usize = 15;

/// Largest number of characters that a password may be required to have: bcrypt reads 72 bytes.
const MAX_MIN_LENGTH: usize = 64;

/// Least memory, in KiB, of an Argon2id hash in production.
const MIN_PROD_MEMORY_KIB: u32 = 7 * 1024;

/// Least memory, in KiB, that all passes together fill in production: the smallest parameters that OWASP recommends.
const MIN_PROD_FILLED_KIB: u32 = 5 * MIN_PROD_MEMORY_KIB;

/// A hash function for passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordScheme {
    /// bcrypt.
    Bcrypt,
    /// Argon2id.
    Argon2id,
}

impl fmt::Display for PasswordScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bcrypt => "bcrypt",
            Self::Argon2id => "argon2id",
        })
    }
}

static SCHEME: Setting<PasswordScheme> = Setting {
    declaration: Declaration {
        meaning: "the hash function of new passwords",
        values: "`bcrypt` or `argon2id`",
        details: "Hashes of both are verified. A login with a hash of the other function or of another cost upgrades the hash \
                  after the answer.",
        ..Declaration::new("AUTH_PASSWORD_SCHEME")
    },
    default: |_| PasswordScheme::Bcrypt,
    parse: |text, _| match text {
        "bcrypt" => Ok(PasswordScheme::Bcrypt),
        "argon2id" => Ok(PasswordScheme::Argon2id),
        _ => Err("must be bcrypt or argon2id".into()),
    },
    show: ToString::to_string,
};

static BCRYPT_COST: Setting<u32> = Setting {
    declaration: Declaration {
        meaning: "cost of new bcrypt hashes",
        values: "4 to 31; in `prod` 10 to 31",
        details: "Each step doubles the time of a login.",
        ..Declaration::new("AUTH_BCRYPT_COST")
    },
    default: |profile| if profile == Profile::Test { MIN_COST } else { 12 },
    parse: |text, profile| {
        let min = if profile == Profile::Prod { MIN_PROD_COST } else { MIN_COST };
        let cost = text.parse().ok().filter(|cost| (min..=MAX_COST).contains(cost));
        cost.ok_or_else(|| format!("must be a number from {min} to {MAX_COST} in the {profile} profile").into())
    },
    show: ToString::to_string,
};

static ARGON2_MEMORY_KIB: Setting<u32> = Setting {
    declaration: Declaration {
        meaning: "memory of new Argon2id hashes, in KiB",
        values: "8 for each lane to 262144",
        details: "Each hashing thread takes as much. With `argon2id` in `prod` it is at least 7168, and at least 35840 when \
                  multiplied by the passes.",
        ..Declaration::new("AUTH_ARGON2_MEMORY_KIB")
    },
    default: |profile| if profile == Profile::Test { 64 } else { 19 * 1024 },
    parse: |text, _| number(text),
    show: ToString::to_string,
};

static ARGON2_PASSES: Setting<u32> = Setting {
    declaration: Declaration {
        meaning: "passes of new Argon2id hashes",
        values: "1 to 16",
        ..Declaration::new("AUTH_ARGON2_PASSES")
    },
    default: |profile| if profile == Profile::Test { 1 } else { 2 },
    parse: |text, _| number(text),
    show: ToString::to_string,
};

static ARGON2_LANES: Setting<u32> = Setting {
    declaration: Declaration {
        meaning: "lanes of new Argon2id hashes",
        values: "1 to 16",
        ..Declaration::new("AUTH_ARGON2_LANES")
    },
    default: |_| 1,
    parse: |text, _| number(text),
    show: ToString::to_string,
};

pub(crate) static PASSWORD_LEGACY: Setting<Vec<HashWork>> = Setting {
    declaration: Declaration {
        meaning: "parameters of hashes that are stored besides those that the settings describe",
        values: "comma-separated, as `bcrypt:14,argon2id:65536:3:4` (KiB, passes, lanes)",
        details: "Hashes that cost more than new ones, or use the other function, make *every* login cost more, so that its time \
                  does not show whose hash was verified. If they are named here that is so from the start, and otherwise from the \
                  first login that meets one. See [0018](adr/0018-every-login-does-the-same-work.md).",
        form: Form::List,
        ..Declaration::new("AUTH_PASSWORD_LEGACY")
    },
    default: |_| Vec::new(),
    parse: |text, _| items(text).map(work).collect(),
    show: |works| works.iter().map(|work| work_label(*work)).collect::<Vec<_>>().join(","),
};

static COMMON_LIST: Setting<bool> = Setting::on_or_off(
    Declaration {
        meaning: "whether the 42,692 commonly used passwords of the compiled-in list are refused",
        ..Declaration::new("AUTH_PASSWORD_COMMON_LIST")
    },
    |profile| matches!(profile, Profile::Prod),
);

static MIN_LENGTH: Setting<usize, LengthRule> = Setting {
    declaration: Declaration {
        meaning: "least number of characters of a new password",
        values: "1 to 64; in `prod` the default to 64",
        details: "In `prod` the default is 15 if the list of common passwords is off.",
        ..Declaration::new("AUTH_PASSWORD_MIN_LENGTH")
    },
    default: |rule| rule.default(),
    parse: |text, rule| {
        let (min, profile) = (rule.min(), rule.profile);
        let length = text.parse().ok().filter(|length| (min..=MAX_MIN_LENGTH).contains(length));
        length.ok_or_else(|| format!("must be a number from {min} to {MAX_MIN_LENGTH} in the {profile} profile").into())
    },
    show: ToString::to_string,
};

/// The settings that the bounds of [`MIN_LENGTH`] depend on.
#[derive(Clone, Copy)]
struct LengthRule {
    profile: Profile,
    common_list: bool,
}

impl LengthRule {
    fn default(self) -> usize {
        if self.profile == Profile::Prod { self.min() } else { 6 }
    }

    fn min(self) -> usize {
        match (self.profile, self.common_list) {
            (Profile::Prod, true) => MIN_PROD_LENGTH,
            (Profile::Prod, false) => MIN_PROD_LENGTH_WITHOUT_LIST,
            (Profile::Dev | Profile::Test, _) => 1,
        }
    }
}

impl Context for LengthRule {
    fn of(profile: Profile) -> Self {
        Self { profile, common_list: (COMMON_LIST.default)(profile) }
    }
}

fn number(text: &str) -> Result<u32, Rule> {
    text.parse().map_err(|_| "must be a number".into())
}

/// Parses the parameters of a hash: `bcrypt:10`, `argon2id:65536:3:4`.
fn work(text: &str) -> Result<HashWork, Rule> {
    let rule = || {
        format!(
            "must be a list of kinds such as bcrypt:10 (a cost from {MIN_COST} to {MAX_VERIFIED_COST}) and \
             argon2id:65536:3:4 (KiB, passes and lanes within the bounds of a hash that is computed)"
        )
    };
    let (scheme, numbers) = text.split_once(':').ok_or_else(rule)?;
    let numbers: Vec<u32> = numbers.split(':').map(str::parse).collect::<Result<_, _>>().map_err(|_| rule())?;
    match (scheme, &numbers[..]) {
        ("bcrypt", &[cost]) if (MIN_COST..=MAX_VERIFIED_COST).contains(&cost) => Ok(HashWork::Bcrypt { cost }),
        ("argon2id", &[memory_kib, passes, lanes]) if Argon2Params::new(memory_kib, passes, lanes).is_ok() => {
            Ok(HashWork::Argon2 { memory_kib, passes, lanes })
        }
        _ => Err(rule().into()),
    }
}

/// Returns the parameters of a hash as the setting writes them.
pub(crate) fn work_label(work: HashWork) -> String {
    match work {
        HashWork::Bcrypt { cost } => format!("bcrypt:{cost}"),
        HashWork::Argon2 { memory_kib, passes, lanes } => format!("argon2id:{memory_kib}:{passes}:{lanes}"),
    }
}

/// The settings of passwords.
#[derive(Debug, Clone)]
pub struct PasswordSettings {
    /// The hash function of new passwords.
    pub scheme: PasswordScheme,
    /// Cost of new bcrypt hashes.
    pub bcrypt_cost: u32,
    /// Parameters of new Argon2id hashes.
    pub argon2: Argon2Params,
    /// Parameters of other hashes that are stored.
    pub legacy: Vec<HashWork>,
    /// Least number of characters of a new password.
    pub min_length: usize,
    /// True if commonly used passwords are refused.
    pub common_list: bool,
}

impl Reader {
    pub(super) fn passwords(&mut self, profile: Profile) -> PasswordSettings {
        let scheme = self.read(&SCHEME, profile);
        let bcrypt_cost = self.read(&BCRYPT_COST, profile);
        let argon2 = self.argon2(profile, scheme);
        let legacy = self.read(&PASSWORD_LEGACY, profile);
        let common_list = self.read(&COMMON_LIST, profile);
        let min_length = self.read(&MIN_LENGTH, LengthRule { profile, common_list });
        PasswordSettings { scheme, bcrypt_cost, argon2, legacy, min_length, common_list }
    }

    fn argon2(&mut self, profile: Profile, scheme: PasswordScheme) -> Argon2Params {
        let memory = self.read(&ARGON2_MEMORY_KIB, profile);
        let passes = self.read(&ARGON2_PASSES, profile);
        let lanes = self.read(&ARGON2_LANES, profile);
        let params = Argon2Params::new(memory, passes, lanes).unwrap_or_else(|bound| {
            let variable = match bound {
                Memory => ARGON2_MEMORY_KIB.variable(),
                Passes => ARGON2_PASSES.variable(),
                Lanes => ARGON2_LANES.variable(),
            };
            self.problem(variable, bound.to_string());
            Argon2Params::RECOMMENDED
        });
        let weak = memory < MIN_PROD_MEMORY_KIB || memory.saturating_mul(passes) < MIN_PROD_FILLED_KIB;
        if weak && profile == Profile::Prod && scheme == PasswordScheme::Argon2id {
            let rule = format!(
                "must be at least {MIN_PROD_MEMORY_KIB} and, times {}, at least {MIN_PROD_FILLED_KIB} in the prod profile",
                ARGON2_PASSES.variable()
            );
            self.problem(ARGON2_MEMORY_KIB.variable(), rule);
        }
        params
    }
}
