//! Settings of the threads that hash passwords.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

use auth_password::pool::MAX_WIDTH;
use auth_password::{PoolOptions, ThreadPriority};

use super::duration;
use super::profile::Profile;
use super::reader::Reader;
use super::setting::{Context, Declaration, Rule, Section, Setting};

pub(super) static SECTION: Section = Section {
    title: "Hashing threads",
    settings: &[&HASH_THREADS, &HASH_WIDTH, &HASH_QUEUE, &HASH_MAX_WAIT, &HASH_PRIORITY],
};

/// Upper bound; larger values are almost certainly a typo.
const MAX_THREADS: usize = 1_024;

/// Upper bound. A waiting job takes a few hundred bytes of memory.
const MAX_QUEUE: usize = 100_000;

/// Bounds of the longest wait. A request may take 30 seconds altogether, so a login that waits longer would time out.
const MAX_WAIT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(20);

static HASH_THREADS: Setting<NonZeroUsize> = Setting {
    declaration: Declaration {
        meaning: "number of threads that hash passwords",
        values: "1 to 1024",
        default_text: Some("the number of processor cores"),
        ..Declaration::new("AUTH_HASH_THREADS")
    },
    default: |_| PoolOptions::default().threads,
    parse: |text, _| number(text, 1..=MAX_THREADS),
    show: ToString::to_string,
};

static HASH_WIDTH: Setting<NonZeroUsize> = Setting {
    declaration: Declaration {
        meaning: "number of bcrypt hashes of one cost that a thread computes at once, if as many wait",
        values: "1 to 4",
        ..Declaration::new("AUTH_HASH_WIDTH")
    },
    default: |_| PoolOptions::default().width,
    parse: |text, _| number(text, 1..=MAX_WIDTH),
    show: ToString::to_string,
};

static HASH_QUEUE: Setting<usize, ThreadCount> = Setting {
    declaration: Declaration {
        meaning: "number of registrations that may wait for a hashing thread, and number of logins",
        values: "1 to 100000 of each",
        details: "Further ones are answered 503 `overloaded` at once.",
        default_text: Some("64 for each thread"),
        ..Declaration::new("AUTH_HASH_QUEUE")
    },
    default: |ThreadCount(threads)| {
        let default = PoolOptions::default();
        default.queue / default.threads.get() * threads.get()
    },
    parse: |text, _| number(text, 1..=MAX_QUEUE).map(NonZeroUsize::get),
    show: ToString::to_string,
};

/// The number of hashing threads.
#[derive(Clone, Copy)]
struct ThreadCount(NonZeroUsize);

impl Context for ThreadCount {
    fn of(_: Profile) -> Self {
        Self(PoolOptions::default().threads)
    }
}

static HASH_MAX_WAIT: Setting<Duration> = Setting {
    declaration: Declaration {
        meaning: "time after which a waiting login or registration is answered 503 `overloaded`",
        values: "`100ms` to `20s`",
        ..Declaration::new("AUTH_HASH_MAX_WAIT")
    },
    default: |_| PoolOptions::default().max_wait,
    parse: |text, _| {
        let wait = duration::parse(text).filter(|wait| MAX_WAIT.contains(wait));
        wait.ok_or("must be a duration from 100ms to 20s".into())
    },
    show: |wait| duration::format(*wait),
};

pub(crate) static HASH_PRIORITY: Setting<ThreadPriority> = Setting {
    declaration: Declaration {
        meaning: "scheduling priority of the hashing threads against those that answer requests",
        values: "`normal`, `low` (nice 5) or `lowest` (nice 19)",
        details: "It has an effect on Linux and Android only; elsewhere the server warns at start.",
        ..Declaration::new("AUTH_HASH_PRIORITY")
    },
    default: |_| PoolOptions::default().priority,
    parse: |text, _| {
        let named = PRIORITIES.into_iter().find(|priority| priority_name(*priority) == text);
        named.ok_or("must be normal, low or lowest".into())
    },
    show: |priority| priority_name(*priority).to_owned(),
};

const PRIORITIES: [ThreadPriority; 3] = [ThreadPriority::Normal, ThreadPriority::Low, ThreadPriority::Lowest];

fn priority_name(priority: ThreadPriority) -> &'static str {
    match priority {
        ThreadPriority::Normal => "normal",
        ThreadPriority::Low => "low",
        ThreadPriority::Lowest => "lowest",
    }
}

fn number(text: &str, range: RangeInclusive<usize>) -> Result<NonZeroUsize, Rule> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| range.contains(&number.get()));
    number.ok_or_else(|| format!("must be a number from {} to {}", range.start(), range.end()).into())
}

/// The configured part of [`PoolOptions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashingSettings {
    /// Number of threads.
    pub threads: NonZeroUsize,
    /// Number of hashes that a thread computes at once.
    pub width: NonZeroUsize,
    /// Number of registrations that may wait, and number of logins.
    pub queue: usize,
    /// Longest wait.
    pub max_wait: Duration,
    /// Scheduling priority of the threads.
    pub priority: ThreadPriority,
}

impl Reader {
    pub(super) fn hashing(&mut self, profile: Profile) -> HashingSettings {
        let threads = self.read(&HASH_THREADS, profile);
        HashingSettings {
            threads,
            width: self.read(&HASH_WIDTH, profile),
            queue: self.read(&HASH_QUEUE, ThreadCount(threads)),
            max_wait: self.read(&HASH_MAX_WAIT, profile),
            priority: self.read(&HASH_PRIORITY, profile),
        }
    }
}
