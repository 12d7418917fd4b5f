//! Codec whose keys change while it is in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use auth_core::{AccessToken, BoxError, Claims, InvalidToken, TokenCodec};

use crate::cache::CacheStats;
use crate::codec::JwtCodec;
use crate::jwks::Jwks;

/// Codec that can get other keys while it is in use.
///
/// Its ring is an immutable [`JwtCodec`], which [`replace`](Self::replace) exchanges as a whole. So a call sees all old keys or
/// all new ones, no call waits, and the verified tokens of a removed key go with its ring.
///
/// ```
/// use auth_core::TokenCodec as _;
/// use auth_jwt::{JwtCodec, RotatingCodec, SigningKey};
///
/// let of = |byte| SigningKey::from_secret(&[byte; 32]).map(|key| JwtCodec::new(key, "https://auth.example", "api"));
/// let codec = RotatingCodec::new(of(1)?);
/// codec.replace(of(2)?);
/// assert!(codec.decode("no token").is_err());
/// # Ok::<(), auth_jwt::KeyError>(())
/// ```
#[derive(Debug)]
pub struct RotatingCodec {
    ring: ArcSwap<JwtCodec>,
    /// Look-ups in the caches of earlier rings.
    past_hits: AtomicU64,
    past_misses: AtomicU64,
}

impl RotatingCodec {
    /// Returns a codec with this ring.
    #[must_use]
    pub fn new(ring: JwtCodec) -> Self {
        Self { ring: ArcSwap::from_pointee(ring), past_hits: AtomicU64::new(0), past_misses: AtomicU64::new(0) }
    }

    /// Replaces the ring. A call that has begun finishes with the ring that it began with.
    pub fn replace(&self, ring: JwtCodec) {
        let past = self.ring.swap(Arc::new(ring)).cache_stats();
        self.past_hits.fetch_add(past.hits, Ordering::Relaxed);
        self.past_misses.fetch_add(past.misses, Ordering::Relaxed);
    }

    /// Returns the public keys of the ring, as [`JwtCodec::jwks`].
    #[must_use]
    pub fn jwks(&self) -> Jwks {
        self.ring.load().jwks()
    }

    /// Returns the `kid` of a token of which the ring has no key, as [`JwtCodec::unknown_kid`].
    #[must_use]
    pub fn unknown_kid(&self, unverified_token: &str) -> Option<String> {
        self.ring.load().unknown_kid(unverified_token)
    }

    /// Returns the counts of all rings so far, and the size of the cache of the present one.
    #[must_use]
    pub fn cache_stats(&self) -> CacheStats {
        let mut stats = self.ring.load().cache_stats();
        stats.hits += self.past_hits.load(Ordering::Relaxed);
        stats.misses += self.past_misses.load(Ordering::Relaxed);
        stats
    }
}

impl TokenCodec for RotatingCodec {
    fn encode(&self, claims: &Claims) -> Result<AccessToken, BoxError> {
        self.ring.load().encode(claims)
    }

    fn decode(&self, unverified_token: &str) -> Result<Claims, InvalidToken> {
        self.ring.load().decode(unverified_token)
    }
}
