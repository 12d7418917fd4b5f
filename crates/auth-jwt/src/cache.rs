//! Cache of tokens whose signature was found good. A cache hit costs one look-up and no cryptography.
//!
//! An entry maps *the text of a token* to *its claims*, which never changes. Whether the token is still good does
//! change. [`AuthService::authenticate`](auth_core::AuthService::authenticate) compares the claims with the clock and
//! the blacklist at every use, cached or not.
//!
//! The cache is set-associative: the hash of a token chooses a set, and a set holds up to 8 tokens.
//!
//! - **No two tokens are confused.** An entry keeps the bytes that were verified, and a look-up compares all of them.
//!   The hash only finds the set.
//! - **A stranger cannot fill it.** Only a token with our signature enters the cache. To evict one honest token takes
//!   many tokens of ours, and each of those took a login. A new token is also the first to be evicted, because a used
//!   one gets a second chance.
//! - **A stranger cannot choose a set.** The hash is keyed with a secret of the process. It covers only the end of the
//!   token, which is the end of a signature: 192 bits that nobody without our key chooses.
//! - **The comparison leaks nothing by its duration.** It begins only when the keyed hash of the end of the signature
//!   is equal. Then the caller has the signature already.
//! - **No reader waits.** Each set has its own lock. A reader that finds it locked verifies the signature instead.
//! - **Removed keys leave no entries.** A codec owns its cache, and the keys of a codec never change.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use zeroize::Zeroizing;

use auth_core::Claims;

/// Maximum number of tokens in a set.
const WAYS: usize = 8;

/// Maximum size of the texts in a set: one kibibyte a token, which is twice the length of a token of ours.
const SET_BYTES: usize = WAYS * 1024;

/// Length of the end of a token that is hashed, in bytes.
const HASHED_BYTES: usize = 32;

/// Maximum number of entries of a cache. With more the texts alone would take a gibibyte or more.
pub const MAX_CACHED_TOKENS: usize = 1 << 20;

/// Counts and size of the cache of a codec.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Tokens that were found.
    pub hits: u64,
    /// Tokens that were not found, good or not.
    pub misses: u64,
    /// Tokens in memory.
    pub entries: usize,
    /// Length of their texts, in bytes.
    pub bytes: usize,
}

/// Cache of a limited number of verified tokens, with at most a kibibyte of text for each.
pub(super) struct VerifiedTokens {
    hasher: RandomState,
    sets: Box<[CacheSet]>,
}

/// Set of the cache, with counters of its look-ups. It has a cache line of its own, so that two sets do not slow each
/// other down.
#[derive(Default)]
#[repr(align(64))]
struct CacheSet {
    ways: RwLock<Ways>,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Default)]
struct Ways {
    /// Hash of each entry, and zero past the last entry.
    hashes: [u64; WAYS],
    entries: Vec<Entry>,
    bytes: usize,
    /// Index of the next candidate for eviction.
    hand: usize,
}

struct Entry {
    token: Zeroizing<Box<[u8]>>,
    claims: Claims,
    /// Whether the entry was found since the hand last passed it.
    used: AtomicBool,
}

impl VerifiedTokens {
    /// Returns a cache for `entries` tokens. The number of sets of [`WAYS`] tokens is rounded up to a power of two.
    pub(super) fn new(entries: usize) -> Self {
        let sets = match entries.min(MAX_CACHED_TOKENS) {
            0 => 0,
            entries => entries.div_ceil(WAYS).next_power_of_two(),
        };
        Self { hasher: RandomState::new(), sets: (0..sets).map(|_| CacheSet::default()).collect() }
    }

    /// Returns the claims of `token`, if its signature was found good before.
    pub(super) fn find(&self, token: &str) -> Option<Claims> {
        let (hash, set) = self.set_of(token)?;
        let found = set.ways.try_read().ok().and_then(|ways| ways.find(hash, token.as_bytes()));
        let counter = if found.is_some() { &set.hits } else { &set.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Adds a token, whose signature must have been found good.
    pub(super) fn remember(&self, token: &str, claims: Claims) {
        if token.len() > SET_BYTES {
            return;
        }
        let Some((hash, set)) = self.set_of(token) else { return };
        // If the set is locked, the token is not added. That costs one more verification.
        if let Ok(mut ways) = set.ways.try_write() {
            ways.insert(hash, token.as_bytes(), claims);
        }
    }

    pub(super) fn stats(&self) -> CacheStats {
        self.sets.iter().fold(CacheStats::default(), |sum, set| {
            let ways = set.ways.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            CacheStats {
                hits: sum.hits + set.hits.load(Ordering::Relaxed),
                misses: sum.misses + set.misses.load(Ordering::Relaxed),
                entries: sum.entries + ways.entries.len(),
                bytes: sum.bytes + ways.bytes,
            }
        })
    }

    /// Returns the hash of `token` and its set, or `None` if there are no sets.
    fn set_of(&self, token: &str) -> Option<(u64, &CacheSet)> {
        let last = self.sets.len().checked_sub(1)?;
        let bytes = token.as_bytes();
        let hash = self.hasher.hash_one(&bytes[bytes.len().saturating_sub(HASHED_BYTES)..]);
        #[expect(clippy::cast_possible_truncation, reason = "the number of sets is what bounds it")]
        let set = self.sets.get(hash as usize & last)?;
        Some((hash, set))
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
        // Only the first use writes. Later uses only read, because all cores share this cache line.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(entry.claims.clone())
    }

    fn insert(&mut self, hash: u64, token: &[u8], claims: Claims) {
        let known = self.hashes[..self.entries.len()].iter().position(|known| *known == hash);
        if let Some(way) = known {
            self.remove(way);
        }
        while self.entries.len() == WAYS || self.bytes + token.len() > SET_BYTES {
            self.evict();
        }
        self.hashes[self.entries.len()] = hash;
        self.bytes += token.len();
        let token = Zeroizing::new(Box::from(token));
        self.entries.push(Entry { token, claims, used: AtomicBool::new(false) });
    }

    /// Removes the first entry, counted from the hand, that was not used since the hand passed it.
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
            key_id: None,
            grants: None,
        }
    }

    fn token(number: u128) -> String {
        format!("head.body.{number:043}")
    }

    #[test]
    fn a_cached_token_is_found_and_no_other() {
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
            cache.set_of(&other).unwrap().0,
            cache.set_of(&token(1)).unwrap().0,
            "the hash cannot tell them apart"
        );
        assert_eq!(cache.find(&other), None);
        cache.remember(&other, claims(2));
        assert_eq!((cache.find(&other), cache.find(&token(1))), (Some(claims(2)), None));
        assert_eq!(cache.stats().entries, 1);
    }

    #[test]
    fn a_cache_never_exceeds_its_capacity() {
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
        cache.remember(&"x".repeat(SET_BYTES + 1), claims(1));
        assert_eq!(cache.find(&"x".repeat(SET_BYTES + 1)), None);
    }

    #[test]
    fn a_token_in_use_outlives_any_number_that_are_used_once() {
        let cache = VerifiedTokens::new(WAYS);
        cache.remember(&token(0), claims(0));
        for number in 1..1_000 {
            assert_eq!(cache.find(&token(0)), Some(claims(0)), "evicted by {number}");
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
    fn a_reader_does_not_wait_for_a_locked_set() {
        let cache = VerifiedTokens::new(WAYS);
        cache.remember(&token(1), claims(1));
        let taken = cache.sets[0].ways.write().unwrap();
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
