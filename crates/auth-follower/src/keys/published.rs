//! What the fetches of the key set have brought, and when the next one is due. It does no I/O and reads no clock.

use std::cmp::Reverse;
use std::time::Duration;

use auth_core::token::MAX_TOKEN_LIFE;
use auth_jwt::{Jwks, KeyError, VerifyingKey};

/// Largest number of keys that are kept. Those that were published last stay.
const MAX_KEYS: usize = 64;

/// Time for which a set is good if the server does not say.
const DEFAULT_LIFE: Duration = Duration::from_secs(300);

/// Longest time for which a set is good, whatever the server says.
const MAX_LIFE: Duration = Duration::from_secs(3_600);

/// Answer of the server to a request for the key set.
#[derive(Debug, Clone, Default)]
pub struct KeysAnswer {
    /// The status: 200, or 304 if the set is still the one whose tag was sent.
    pub status: u16,
    /// The `ETag` header.
    pub etag: Option<String>,
    /// The `Cache-Control` header.
    pub cache_control: Option<String>,
    /// The `Age` header, as [`auth_feed::client::age`] reads it.
    pub age: Duration,
    /// The body.
    pub body: Vec<u8>,
}

/// Reason that an answer is no key set that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// No answer came.
    #[error("the key set could not be fetched")]
    NoAnswer,
    /// The status is not 200, or it is 304 and no set was read yet.
    #[error("the auth server answered a request for its keys with status {0}")]
    Status(u16),
    /// The body is not a key set.
    #[error("the auth server answered with something that is no key set")]
    NotASet(#[from] KeyError),
    /// The set has no key that can be used. The server signs with a secret, or the answer is of something else.
    #[error("the set has no public key that can be used, or too many; does the auth server sign with a key pair?")]
    NoKey,
}

/// Counts of the fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeysStats {
    /// Number of keys.
    pub keys: usize,
    /// Number of fetches.
    pub fetches: u64,
    /// Number of fetches that brought no set.
    pub failures: u64,
    /// Time since the last fetch that brought the set began. `None` before there was one.
    pub age: Option<Duration>,
}

#[derive(Debug)]
struct Known {
    key: VerifyingKey,
    /// When a set had it last.
    seen: Duration,
}

/// State of the keys. All times are monotonic.
#[derive(Debug)]
pub(super) struct Published {
    cool_down: Duration,
    known: Vec<Known>,
    etag: Option<String>,
    /// When the last fetch began.
    tried: Option<Duration>,
    /// When the last fetch began that brought the set, less the time that a cache had kept it.
    succeeded: Option<Duration>,
    /// When the set is old.
    refresh_at: Duration,
    /// When the latest token came whose key is not decided.
    asked: Option<Duration>,
    fetches: u64,
    failures: u64,
}

impl Published {
    pub(super) fn new(cool_down: Duration) -> Self {
        Self {
            cool_down,
            known: Vec::new(),
            etag: None,
            tried: None,
            succeeded: None,
            refresh_at: Duration::ZERO,
            asked: None,
            fetches: 0,
            failures: 0,
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.known.iter().map(|known| &known.key)
    }

    /// Notes that a token with an unknown key came.
    pub(super) fn want(&mut self, asked: Duration) {
        // The latest one counts: it may have come during a fetch, which decides only those that came before.
        self.asked = self.asked.max(Some(asked));
    }

    pub(super) fn is_due(&self, now: Duration, asked: Option<Duration>) -> bool {
        self.due_at(asked) <= now
    }

    /// Returns the time until the next fetch, and the tag of the set.
    pub(super) fn due_in(&self, now: Duration) -> (Duration, Option<String>) {
        (self.due_at(self.asked).saturating_sub(now), self.etag.clone())
    }

    fn due_at(&self, asked: Option<Duration>) -> Duration {
        let Some(tried) = self.tried else { return Duration::ZERO };
        // Time alone decides, and no property of a token or of the set.
        let wanted = asked.filter(|asked| *asked > tried).map_or(self.refresh_at, |asked| asked.min(self.refresh_at));
        wanted.max(tried + self.cool_down)
    }

    pub(super) fn fetched_since(&self, asked: Duration) -> Option<bool> {
        let is_since = |time: Option<Duration>| time.is_some_and(|time| time >= asked);
        is_since(self.tried).then(|| is_since(self.succeeded))
    }

    /// Takes the answer to a fetch. Returns whether the keys have changed.
    pub(super) fn take(
        &mut self,
        sent: Duration,
        received: Duration,
        answer: Option<&KeysAnswer>,
    ) -> Result<bool, KeysError> {
        self.tried = Some(sent);
        self.refresh_at = received + self.cool_down;
        self.asked = self.asked.filter(|asked| *asked > sent);
        self.fetches += 1;
        let read = answer.ok_or(KeysError::NoAnswer).and_then(|answer| Ok((self.read(received, answer)?, answer)));
        let (changed, answer) = read.inspect_err(|_| self.failures += 1)?;
        // A cache may hold the set of before a key was published: its answer counts as one that was asked for so much earlier.
        self.succeeded = sent.checked_sub(answer.age).max(self.succeeded);
        let life = answer.cache_control.as_deref().and_then(max_age).unwrap_or(DEFAULT_LIFE);
        let left = life.saturating_sub(answer.age);
        self.refresh_at = received + left.clamp(self.cool_down, MAX_LIFE.max(self.cool_down));
        Ok(changed)
    }

    fn read(&mut self, received: Duration, answer: &KeysAnswer) -> Result<bool, KeysError> {
        match answer.status {
            304 if !self.known.is_empty() => return Ok(self.confirm(received)),
            200 => {}
            status => return Err(KeysError::Status(status)),
        }
        let text = str::from_utf8(&answer.body).map_err(|_| KeyError::NotJwks)?;
        let found = Jwks::parse(text)?;
        if !(1..=MAX_KEYS).contains(&found.len()) {
            return Err(KeysError::NoKey);
        }
        let before: Vec<_> = self.keys().map(VerifyingKey::to_jwk_json).collect();
        self.known.retain(|known| {
            received < known.seen + MAX_TOKEN_LIFE && found.iter().all(|found| found.id() != known.key.id())
        });
        self.known.splice(0..0, found.into_iter().map(|key| Known { key, seen: received }));
        self.known.sort_by_key(|known| Reverse(known.seen));
        self.known.truncate(MAX_KEYS);
        self.etag.clone_from(&answer.etag);
        Ok(before != self.keys().map(VerifyingKey::to_jwk_json).collect::<Vec<_>>())
    }

    /// Notes that the last set is still the present one. Returns whether an older key went.
    fn confirm(&mut self, received: Duration) -> bool {
        let (before, last) = (self.known.len(), self.known.iter().map(|known| known.seen).max());
        self.known.iter_mut().filter(|known| Some(known.seen) == last).for_each(|known| known.seen = received);
        self.known.retain(|known| received < known.seen + MAX_TOKEN_LIFE);
        self.known.len() < before
    }

    pub(super) fn stats(&self, now: Duration) -> KeysStats {
        KeysStats {
            keys: self.known.len(),
            fetches: self.fetches,
            failures: self.failures,
            age: self.succeeded.map(|at| now.saturating_sub(at)),
        }
    }
}

/// Returns the `max-age` of a `Cache-Control` header (RFC 9111 §5.2.2.1).
fn max_age(cache_control: &str) -> Option<Duration> {
    let mut directives = cache_control.split(',').map(str::trim);
    let seconds = directives.find_map(|directive| directive.strip_prefix("max-age="))?;
    Some(Duration::from_secs(seconds.parse::<u32>().ok()?.into()))
}

#[cfg(test)]
mod tests;
