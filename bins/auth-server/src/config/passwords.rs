//! The settings of passwords: how they are hashed, and which are accepted.

use std::fmt;

use auth_password::bcrypt::{MAX_COST, MAX_VERIFIED_COST, MIN_COST};
use auth_password::{Argon2Params, HashWork};

use super::parse::{Reader, items, on_off, switch};
use super::{Profile, Setting};

/// The lowest bcrypt cost that the production profile accepts.
const MIN_PROD_COST: u32 = 10;

/// The fewest characters of a password that the production profile accepts where commonly used ones are refused.
const MIN_PROD_PASSWORD: usize = 8;

/// The fewest that it accepts where they are not (NIST SP 800-63B-4 §3.1.1.2).
const MIN_PROD_PASSWORD_WITHOUT_LIST: usize = 15;

/// The most characters that can be asked of a password: bcrypt reads 72 bytes.
const MAX_PASSWORD_MIN_LENGTH: usize = 64;

/// The least memory, in KiB, of an Argon2id hash that the production profile accepts.
const MIN_PROD_MEMORY_KIB: u32 = 7 * 1024;

/// The least that it accepts to be filled by all passes together: the smallest that OWASP recommends.
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

/// How passwords are hashed, and which are accepted.
#[derive(Debug, Clone)]
pub struct PasswordSettings {
    /// The hash function of new passwords.
    pub scheme: PasswordScheme,
    /// The cost of new bcrypt hashes.
    pub bcrypt_cost: u32,
    /// The parameters of new Argon2id hashes.
    pub argon2: Argon2Params,
    /// What other kinds of hashes are stored.
    pub legacy: Vec<HashWork>,
    /// The fewest characters of a new password.
    pub min_length: usize,
    /// Whether commonly used passwords are refused.
    pub common_list: bool,
}

impl Reader {
    pub(super) fn passwords(&mut self, profile: Profile) -> PasswordSettings {
        let scheme = self.take(Setting::PasswordScheme, PasswordScheme::Bcrypt, |text| match text {
            "bcrypt" => Ok(PasswordScheme::Bcrypt),
            "argon2id" => Ok(PasswordScheme::Argon2id),
            _ => Err("must be bcrypt or argon2id"),
        });
        let bcrypt_cost = self.bcrypt_cost(profile);
        let argon2 = self.argon2(profile, scheme);
        let legacy = self.take_shown(
            Setting::PasswordLegacy,
            Vec::new(),
            |works| works.iter().map(|work| shown_work(*work)).collect::<Vec<_>>().join(","),
            |text| items(text).map(legacy).collect::<Result<Vec<_>, _>>(),
        );
        let common_list =
            self.take_shown(Setting::PasswordCommonList, profile == Profile::Prod, |on| on_off(*on), switch);
        let min_length = self.password_min_length(profile, common_list);
        PasswordSettings { scheme, bcrypt_cost, argon2, legacy, min_length, common_list }
    }

    fn argon2(&mut self, profile: Profile, scheme: PasswordScheme) -> Argon2Params {
        // Tests want the cheapest.
        let (memory, passes) = if profile == Profile::Test { (64, 1) } else { (19 * 1024, 2) };
        let number = |text: &str| text.parse::<u32>().map_err(|_| "must be a number");
        let memory = self.take(Setting::Argon2MemoryKib, memory, number);
        let passes = self.take(Setting::Argon2Passes, passes, number);
        let lanes = self.take(Setting::Argon2Lanes, 1, number);
        let params = Argon2Params::new(memory, passes, lanes).unwrap_or_else(|bound| {
            use auth_password::argon2::Argon2ParamsError::{Lanes, Memory, Passes};
            let setting = match bound {
                Memory => Setting::Argon2MemoryKib,
                Passes => Setting::Argon2Passes,
                Lanes => Setting::Argon2Lanes,
            };
            self.problem(setting, bound.to_string());
            Argon2Params::RECOMMENDED
        });
        let weak = memory < MIN_PROD_MEMORY_KIB || memory.saturating_mul(passes) < MIN_PROD_FILLED_KIB;
        if weak && profile == Profile::Prod && scheme == PasswordScheme::Argon2id {
            let rule = format!(
                "must be at least {MIN_PROD_MEMORY_KIB} and, times {}, at least {MIN_PROD_FILLED_KIB} in the prod profile",
                Setting::Argon2Passes.variable()
            );
            self.problem(Setting::Argon2MemoryKib, rule);
        }
        params
    }

    fn bcrypt_cost(&mut self, profile: Profile) -> u32 {
        let (default, min) = match profile {
            Profile::Dev => (12, MIN_COST),
            Profile::Test => (MIN_COST, MIN_COST),
            Profile::Prod => (12, MIN_PROD_COST),
        };
        self.take(Setting::BcryptCost, default, |text| {
            let cost = text.parse().ok().filter(|cost| (min..=MAX_COST).contains(cost));
            cost.ok_or_else(|| format!("must be a number from {min} to {MAX_COST} in the {profile} profile"))
        })
    }

    fn password_min_length(&mut self, profile: Profile, common_list: bool) -> usize {
        let (default, min) = match (profile, common_list) {
            (Profile::Prod, true) => (MIN_PROD_PASSWORD, MIN_PROD_PASSWORD),
            (Profile::Prod, false) => (MIN_PROD_PASSWORD_WITHOUT_LIST, MIN_PROD_PASSWORD_WITHOUT_LIST),
            (Profile::Dev | Profile::Test, _) => (6, 1),
        };
        self.take(Setting::PasswordMinLength, default, |text| {
            let length = text.parse().ok().filter(|length| (min..=MAX_PASSWORD_MIN_LENGTH).contains(length));
            length.ok_or_else(|| {
                format!("must be a number from {min} to {MAX_PASSWORD_MIN_LENGTH} in the {profile} profile")
            })
        })
    }
}

/// A kind of hash as it is written in the setting: `bcrypt:10`, `argon2id:65536:3:4`.
fn legacy(text: &str) -> Result<HashWork, String> {
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
        _ => Err(rule()),
    }
}

/// The kind of hash that takes this much work, as it is written in the setting.
pub(crate) fn shown_work(work: HashWork) -> String {
    match work {
        HashWork::Bcrypt { cost } => format!("bcrypt:{cost}"),
        HashWork::Argon2 { memory_kib, passes, lanes } => format!("argon2id:{memory_kib}:{passes}:{lanes}"),
    }
}
