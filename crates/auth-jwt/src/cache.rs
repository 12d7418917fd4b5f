//! Tokens whose signature was found good, so that the next sight of one costs a look-up and no cryptography.
//!
//! What is remembered is that *this text says these claims*, which never changes. Whether the token is still good
//! does change, and is asked at every use: of the clock and of the blacklist, by
//! [`AuthService::authenticate`](auth_core::AuthService::authenticate), whether the claims came from here or not.
//!
//! - **No two tokens are confused.** An entry answers only for the very bytes that were verified: they are kept, and
//!   compared in full. The hash only finds the place.
//! - **A stranger cannot fill it.** Only what carries our signature comes in, so pushing out one honest token takes
//!   many tokens of ours, and each of those took a login. A newcomer is also the first to leave again: what was used
//!   since the last look round stays (second chance).
//! - **A stranger cannot aim at it.** The hash is keyed with a secret of the process. It reads the end of the token
//!   alone, which is the end of a signature: 192 bits that nobody without our key chooses.
//! - **The comparison tells nothing.** It begins only when the keyed hash of the end of the signature is equal, which
//!   is to say when the caller has the signature already.
//! - **Nobody waits.** Each place has its own lock; a reader that finds it taken verifies the signature instead.
//! - **It forgets with its keys.** A codec owns its cache, and the keys of a codec never change.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use zeroize::Zeroizing;

use auth_core::Claims;

/// How many tokens share a place.
const WAYS: usize = 8;

/// How many bytes of text a place holds at most: a kibibyte a token, twice what a token of ours has.
const PLACE_BYTES: usize = WAYS * 1024;

/// How much of the end of a token is hashed, in bytes.
const HASHED_BYTES: usize = 32;

/// The most entries a cache can have: beyond it the texts alone are a gibibyte or more.
pub const MAX_CACHED_TOKENS: usize = 1 << 20;

/// What a cache has done so far, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Tokens that were found.
    pub hits: u64,
    /// Tokens that were not found, good or not.
    pub misses: u64,
    /// Tokens in memory.
    pub entries: usize,
    /// Bytes of their texts.
    pub bytes: usize,
}

/// At most so many verified tokens, and at most a kibibyte of text for each.
pub(super) struct VerifiedTokens {
    hasher: RandomState,
    places: Box<[Place]>,
}

/// A cache line of its own, so that two places are never in each other's way.
#[derive(Default)]
#[repr(align(64))]
struct Place {
    ways: RwLock<Ways>,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Default)]
struct Ways {
    /// The hash of each entry; zero and no entry past the last.
    hashes: [u64; WAYS],
    entries: Vec<Entry>,
    bytes: usize,
    /// Who is looked at first when somebody has to leave.
    hand: usize,
}

struct Entry {
    token: Zeroizing<Box<[u8]>>,
    claims: Claims,
    /// Whether it was found since the hand last passed.
    used: AtomicBool,
}

impl VerifiedTokens {
    /// Room for `entries` tokens, rounded up to a power of two of places of [`WAYS`].
    pub(super) fn new(entries: usize) -> Self {
        let places = match entries.min(MAX_CACHED_TOKENS) {
            0 => 0,
            entries => entries.div_ceil(WAYS).next_power_of_two(),
        };
        Self { hasher: RandomState::new(), places: (0..places).map(|_| Place::default()).collect() }
    }

    /// What `token` says, if its signature was found good before.
    pub(super) fn find(&self, token: &str) -> Option<Claims> {
        let (hash, place) = self.place(token)?;
        let found = place.ways.try_read().ok().and_then(|ways| ways.find(hash, token.as_bytes()));
        let counter = if found.is_some() { &place.hits } else { &place.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Remembers what `token` says. Its signature must have been found good.
    pub(super) fn remember(&self, token: &str, claims: Claims) {
        if token.len() > PLACE_BYTES {
            return;
        }
        let Some((hash, place)) = self.place(token) else { return };
        // Whoever holds the lock is about to be done; not being remembered once costs one more verification.
        if let Ok(mut ways) = place.ways.try_write() {
            ways.insert(hash, token.as_bytes(), claims);
        }
    }

    pub(super) fn stats(&self) -> CacheStats {
        self.places.iter().fold(CacheStats::default(), |sum, place| {
            let ways = place.ways.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            CacheStats {
                hits: sum.hits + place.hits.load(Ordering::Relaxed),
                misses: sum.misses + place.misses.load(Ordering::Relaxed),
                entries: sum.entries + ways.entries.len(),
                bytes: sum.bytes + ways.bytes,
            }
        })
    }

    /// The hash of `token` and its place; `None` if there are no places.
    fn place(&self, token: &str) -> Option<(u64, &Place)> {
        let last = self.places.len().checked_sub(1)?;
        let bytes = token.as_bytes();
        let hash = self.hasher.hash_one(&bytes[bytes.len().saturating_sub(HASHED_BYTES)..]);
        #[expect(clippy::cast_possible_truncation, reason = "the number of places is what bounds it")]
        let place = self.places.get(hash as usize & last)?;
        Some((hash, place))
    }
}

impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifiedTokens").field(&self.stats()).finish()
    }
}

impl Ways {
    fn find(&self, hash: u64, token: &[u8]) -> Option<Claims> {
        let way = self.hashes.iter().position(|known| *known == hash)?;
        let entry = self.entries.get(way).filter(|entry| **entry.token == *token)?;
        // Only the first to use it writes: the others read a line that they all share.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(entry.claims)
    }

    fn insert(&mut self, hash: u64, token: &[u8], claims: Claims) {
        let known = self.hashes[..self.entries.len()].iter().position(|known| *known == hash);
        if let Some(way) = known {
            self.remove(way);
        }
        while self.entries.len() == WAYS || self.bytes + token.len() > PLACE_BYTES {
            self.evict();
        }
        self.hashes[self.entries.len()] = hash;
        self.bytes += token.len();
        let token = Zeroizing::new(Box::from(token));
        self.entries.push(Entry { token, claims, used: AtomicBool::new(false) });
    }

    /// Removes the first entry from the hand on that was not used since the hand passed it.
    fn evict(&mut self) {
        loop {
            self.hand %= self.entries.len();
            let used = self.entries[self.hand].used.get_mut();
            if !std::mem::take(used) {
                break;
            }
            self.hand += 1;
        }
        self.remove(self.hand);
    }

    fn remove(&mut self, way: usize) {
        self.bytes -= self.entries.swap_remove(way).token.len();
        let last = self.entries.len();
        self.hashes.swap(way, last);
        self.hashes[last] = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;
    use auth_core::Generation;

    fn claims(number: u128) -> Claims {
        let issued_at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Claims {
            user_id: Uuid::from_u128(number).into(),
            token_id: Uuid::from_u128(number).into(),
            session_id: None,
            issued_at,
            expires_at: issued_at + Duration::from_secs(60),
            generation: Generation::default(),
            admin: false,
        }
    }

    fn token(number: u128) -> String {
        format!("head.body.{number:043}")
    }

    #[test]
    fn what_was_remembered_is_found_and_nothing_else_is() {
        let cache = VerifiedTokens::new(64);
        cache.remember(&token(1), claims(1));
        assert_eq!(cache.find(&token(1)), Some(claims(1)));
        assert_eq!(cache.find(&token(2)), None);
        assert_eq!(cache.find(""), None);
        let stats = cache.stats();
        assert_eq!((stats.hits, stats.misses, stats.entries, stats.bytes), (1, 2, 1, token(1).len()));
    }

    #[test]
    fn a_token_with_the_same_end_is_another_token() {
        let cache = VerifiedTokens::new(64);
        cache.remember(&token(1), claims(1));
        let other = token(1).replace("body", "bodY");
        assert_eq!(
            cache.place(&other).unwrap().0,
            cache.place(&token(1)).unwrap().0,
            "the hash cannot tell them apart"
        );
        assert_eq!(cache.find(&other), None);
        cache.remember(&other, claims(2));
        assert_eq!((cache.find(&other), cache.find(&token(1))), (Some(claims(2)), None));
        assert_eq!(cache.stats().entries, 1);
    }

    #[test]
    fn it_never_holds_more_than_it_may() {
        let cache = VerifiedTokens::new(64);
        for number in 0..10_000 {
            cache.remember(&token(number), claims(number));
        }
        let stats = cache.stats();
        assert!((WAYS..=64).contains(&stats.entries), "{stats:?}");
        assert_eq!(stats.bytes, stats.entries * token(0).len());
        for number in 0..1_000 {
            cache.remember(&format!("{}{}", "x".repeat(3_000), token(number)), claims(number));
        }
        let stats = cache.stats();
        assert!(stats.bytes <= 64 * 1024 && stats.entries >= 2, "{stats:?}");
        cache.remember(&"x".repeat(PLACE_BYTES + 1), claims(1));
        assert_eq!(cache.find(&"x".repeat(PLACE_BYTES + 1)), None);
    }

    #[test]
    fn a_token_in_use_outlives_any_number_that_are_seen_once() {
        let cache = VerifiedTokens::new(WAYS);
        cache.remember(&token(0), claims(0));
        for number in 1..1_000 {
            assert_eq!(cache.find(&token(0)), Some(claims(0)), "pushed out by {number}");
            cache.remember(&token(number), claims(number));
        }
    }

    #[test]
    fn no_entries_means_no_cache() {
        let cache = VerifiedTokens::new(0);
        cache.remember(&token(1), claims(1));
        assert_eq!(cache.find(&token(1)), None);
        assert_eq!(cache.stats(), CacheStats::default());
    }

    #[test]
    fn nobody_waits_for_a_place_that_is_taken() {
        let cache = VerifiedTokens::new(WAYS);
        cache.remember(&token(1), claims(1));
        let taken = cache.places[0].ways.write().unwrap();
        assert_eq!(cache.find(&token(1)), None);
        cache.remember(&token(2), claims(2));
        drop(taken);
        assert_eq!((cache.find(&token(1)), cache.find(&token(2))), (Some(claims(1)), None));
    }

    #[test]
    fn debug_shows_no_token() {
        let cache = VerifiedTokens::new(WAYS);
        cache.remember(&token(1), claims(1));
        let shown = format!("{cache:?}");
        assert!(!shown.contains("head") && shown.contains("entries: 1"), "{shown}");
    }
}
