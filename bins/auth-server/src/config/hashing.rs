//! The settings of the threads that hash passwords.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

use auth_password::pool::MAX_WIDTH;
use auth_password::{PoolOptions, ThreadPriority};

use super::parse::Reader;
use super::{Setting, duration};

/// More threads than this are a mistake of a zero.
const MAX_THREADS: usize = 1_024;

/// Each job that waits costs some hundred bytes.
const MAX_QUEUE: usize = 100_000;

/// A login that waits longer is answered too late for whoever asked: a request may take 30 seconds altogether.
const MAX_WAIT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(20);

/// How passwords are hashed: the part of the configuration that [`PoolOptions`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashing {
    /// How many threads hash.
    pub threads: NonZeroUsize,
    /// How many hashes a thread computes at once.
    pub width: NonZeroUsize,
    /// How many registrations may wait, and how many logins.
    pub queue: usize,
    /// How long one may wait.
    pub max_wait: Duration,
    /// How the threads stand behind those that answer requests.
    pub priority: ThreadPriority,
}

impl Reader {
    pub(super) fn hashing(&mut self) -> Hashing {
        let default = PoolOptions::default();
        let threads = self.take(Setting::HashThreads, default.threads, |text| number(text, 1..=MAX_THREADS));
        let width = self.take(Setting::HashWidth, default.width, |text| number(text, 1..=MAX_WIDTH));
        let room = default.queue / default.threads.get() * threads.get();
        let queue = self.take(Setting::HashQueue, room, |text| number(text, 1..=MAX_QUEUE).map(NonZeroUsize::get));
        let max_wait = self.take_shown(
            Setting::HashMaxWait,
            default.max_wait,
            |wait| duration::format(*wait),
            |text| {
                let wait = duration::parse(text).filter(|wait| MAX_WAIT.contains(wait));
                wait.ok_or("must be a duration from 100ms to 20s")
            },
        );
        let priority = self.take_shown(
            Setting::HashPriority,
            default.priority,
            |priority| word(*priority).to_owned(),
            |text| {
                let named = PRIORITIES.into_iter().find(|priority| word(*priority) == text);
                named.ok_or("must be normal, low or lowest")
            },
        );
        Hashing { threads, width, queue, max_wait, priority }
    }
}

const PRIORITIES: [ThreadPriority; 3] = [ThreadPriority::Normal, ThreadPriority::Low, ThreadPriority::Lowest];

fn word(priority: ThreadPriority) -> &'static str {
    match priority {
        ThreadPriority::Normal => "normal",
        ThreadPriority::Low => "low",
        ThreadPriority::Lowest => "lowest",
    }
}

fn number(text: &str, range: RangeInclusive<usize>) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| range.contains(&number.get()));
    number.ok_or_else(|| format!("must be a number from {} to {}", range.start(), range.end()))
}
