//! Keys that a store keeps for all nodes, as the codec of one node.

mod commands;
mod error;
mod following;
mod ring;

use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_lock::Mutex as AsyncMutex;
use async_trait::async_trait;
use auth_core::keys::{KeyAlgorithm, KeyDue, KeySchedule, KeySet, KeyState, KeyStore, NewKey};
use auth_core::{AccessToken, BoxError, Claims, Clock, InvalidToken, StoreError, TokenCodec};

pub use self::error::ManagedKeysError;
pub use self::following::{KeyChange, KeyEvent, KeyStats};
use self::ring::{Reader, Ring};
use crate::cache::CacheStats;
use crate::codec::DEFAULT_CACHED_TOKENS;
use crate::jwks::Jwks;
use crate::keys::{PrivateKey, VerifyingKey};
use crate::master_key::MasterKeys;
use crate::rotating::RotatingCodec;

/// Timer of the runtime of the application, for example `Arc::new(|time| Box::pin(tokio::time::sleep(time)))`.
pub type Sleep = Arc<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Longest time between two reads while tokens of unknown keys come in. It is the interval of the schedule if that is shorter.
const MAX_COOL_DOWN: Duration = Duration::from_secs(1);

/// Length of a `kid` that is a thumbprint (RFC 7638), in characters.
const THUMBPRINT_CHARS: usize = 43;

/// Options of [`ManagedKeys`].
#[derive(Debug, Clone)]
pub struct ManagedKeysOptions {
    /// Algorithm of new keys. Keys of other algorithms stay until their time is over.
    pub algorithm: KeyAlgorithm,
    /// When keys are published, sign and go.
    pub schedule: KeySchedule,
    /// Issuer (`iss`) of the tokens.
    pub issuer: String,
    /// Audience (`aud`) of the tokens.
    pub audience: String,
    /// Maximum number of verified tokens that are remembered, as
    /// [`JwtCodec::with_cached_tokens`](crate::JwtCodec::with_cached_tokens).
    pub cached_tokens: usize,
    /// Further keys whose tokens are accepted, as those that signed before the keys were managed.
    pub further: Vec<VerifyingKey>,
}

impl ManagedKeysOptions {
    /// Returns options with new keys of Ed25519 and [`DEFAULT_CACHED_TOKENS`].
    #[must_use]
    pub fn new(schedule: KeySchedule, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            algorithm: KeyAlgorithm::default(),
            schedule,
            issuer: issuer.into(),
            audience: audience.into(),
            cached_tokens: DEFAULT_CACHED_TOKENS,
            further: Vec::new(),
        }
    }
}

/// Keys in a [`KeyStore`], as the codec of one node. The nodes of a system share the store and the master key.
///
/// [`sync`](Self::sync) reads the keys, makes a new one when the [schedule](KeySchedule) wants it, and exchanges the ring of the
/// codec. It must be called regularly, or [`follow`](Self::follow) be polled. Until the first `sync` no token can be signed.
///
/// - One node makes a new key: the store accepts one of many replacements.
/// - The ring is made of private keys that were decrypted, never of public keys in the store, which could be forged.
/// - A failing read keeps the ring. Its keys go on by the clock.
/// - A key that was revoked leaves the ring of a node with the next read, and its verified tokens with it.
/// - A token whose key is unknown is decided by a read that began after the token came, and is *unknown*, not invalid, while the
///   keys cannot be read.
pub struct ManagedKeys {
    store: Arc<dyn KeyStore>,
    masters: MasterKeys,
    options: ManagedKeysOptions,
    clock: Arc<dyn Clock>,
    sleep: Sleep,
    codec: RotatingCodec,
    /// What was read last.
    set: ArcSwap<KeySet>,
    /// Held while keys are read or changed, so that one read serves all who wait for it.
    reader: AsyncMutex<Reader>,
    /// Keys of which no token is good any more, so that nobody has to wait for a read because of them.
    dismissed: Mutex<HashSet<String>>,
    reads: AtomicU64,
    failures: AtomicU64,
    /// Keys that are needed and could not be decrypted, and one more before the first read.
    missing: AtomicU64,
}

impl ManagedKeys {
    /// Returns the keys of `store`, of which nothing was read yet.
    #[must_use]
    pub fn new(
        store: Arc<dyn KeyStore>,
        masters: MasterKeys,
        options: ManagedKeysOptions,
        clock: Arc<dyn Clock>,
        sleep: Sleep,
    ) -> Self {
        let codec = RotatingCodec::new(Ring::default().codec(&Reader::default(), &options));
        Self {
            store,
            masters,
            options,
            clock,
            sleep,
            codec,
            set: ArcSwap::default(),
            reader: AsyncMutex::default(),
            dismissed: Mutex::default(),
            reads: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            missing: AtomicU64::new(1),
        }
    }

    /// Reads the keys, does what the schedule wants, and uses what was read. Returns what changed since the last call.
    ///
    /// The first call that succeeds also encrypts with the present master key what an earlier one encrypted.
    ///
    /// # Errors
    ///
    /// When the store failed, or a key that is needed cannot be decrypted. The keys that were usable before stay usable.
    pub async fn sync(&self) -> Result<Vec<KeyChange>, ManagedKeysError> {
        let mut reader = self.reader.lock().await;
        self.read(&mut reader).await?;
        Ok(std::mem::take(&mut reader.unreported))
    }

    /// Returns whether every key that is needed was read and can be used, and one of them signs.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.missing.load(Ordering::Relaxed) == 0
    }

    /// Returns the public keys, or `None` before the first read.
    #[must_use]
    pub fn jwks(&self) -> Option<Jwks> {
        (self.set.load().version > 0).then(|| self.codec.jwks())
    }

    /// Returns the counts and the size of the cache of verified tokens.
    #[must_use]
    pub fn cache_stats(&self) -> CacheStats {
        self.codec.cache_stats()
    }

    async fn read(&self, reader: &mut Reader) -> Result<(), ManagedKeysError> {
        reader.begun = Some(self.clock.monotonic());
        let number = self.reads.fetch_add(1, Ordering::Relaxed) + 1;
        let outcome = self.read_and_maintain(reader).await;
        // Also after a failure: a key goes on by the clock.
        self.use_keys(reader);
        if outcome.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        reader.last = Some((number, outcome.clone()));
        outcome
    }

    async fn read_and_maintain(&self, reader: &mut Reader) -> Result<(), ManagedKeysError> {
        self.take(reader, self.store.load().await?)?;
        let Some((next, change)) = self.wanted(reader).await? else { return Ok(()) };
        if self.replace(reader, next).await? {
            reader.unreported.extend(change);
        }
        Ok(())
    }

    /// Takes over a set that was read, and decrypts the keys that are needed and were not decrypted before.
    fn take(&self, reader: &mut Reader, set: KeySet) -> Result<(), ManagedKeysError> {
        reader.set = set;
        let now = self.clock.now();
        let mut outcome = Ok(());
        for key in reader.set.keys.iter().filter(|key| key.is_needed(now)) {
            if reader.opened.contains_key(&key.kid) {
                continue;
            }
            match self.masters.open(&key.kid, &key.sealed) {
                Ok((_, signing)) => drop(reader.opened.insert(key.kid.clone(), signing)),
                Err(reason) => outcome = Err(ManagedKeysError::Unusable { kid: key.kid.clone(), reason }),
            }
        }
        outcome
    }

    /// Returns the set that should replace the present one, if one should.
    async fn wanted(&self, reader: &mut Reader) -> Result<Option<(KeySet, Option<KeyChange>)>, ManagedKeysError> {
        let (set, schedule, now) = (&reader.set, &self.options.schedule, self.clock.now());
        if !reader.has_resealed {
            let (resealed, count) = self.resealed(set)?;
            if count > 0 {
                return Ok(Some((resealed, Some(KeyChange::Resealed(count)))));
            }
            reader.has_resealed = true;
        }
        match schedule.due(set, now) {
            None => Ok(None),
            Some(KeyDue::Upkeep) => Ok(Some((schedule.settled(set, now), None))),
            Some(KeyDue::Key) => {
                let new = self.new_key().await?;
                let kid = new.kid.clone();
                let next = schedule.with_new_key(set, new, now);
                let signs_from = next.find(&kid).map_or(now, |key| key.signs_from);
                Ok(Some((next, Some(KeyChange::Published { kid, signs_from }))))
            }
        }
    }

    /// Replaces the set by the next one, or reads the one of the node that was quicker. Returns whether it replaced it.
    async fn replace(&self, reader: &mut Reader, next: KeySet) -> Result<bool, ManagedKeysError> {
        let replaced = self.store.replace(&next).await?;
        let set = if replaced { KeySet { version: next.version + 1, ..next } } else { self.store.load().await? };
        self.take(reader, set)?;
        Ok(replaced)
    }

    /// Returns the set with the keys that an earlier master key encrypted encrypted again, and their number. Keys that nobody needs
    /// stay as they are.
    fn resealed(&self, set: &KeySet) -> Result<(KeySet, usize), ManagedKeysError> {
        let (mut set, mut count, now) = (set.clone(), 0, self.clock.now());
        for key in &mut set.keys {
            if key.is_needed(now) && !self.masters.is_current(&key.sealed) {
                let unusable = |reason| ManagedKeysError::Unusable { kid: key.kid.clone(), reason };
                let (private, _) = self.masters.open(&key.kid, &key.sealed).map_err(unusable)?;
                key.sealed = self.masters.seal(&key.kid, &private).map_err(unusable)?;
                count += 1;
            }
        }
        Ok((set, count))
    }

    async fn new_key(&self) -> Result<NewKey, ManagedKeysError> {
        let algorithm = self.options.algorithm;
        let private = PrivateKey::generate_on_a_thread(algorithm).await?;
        let signing = private.signing_key()?;
        let kid = signing.id().to_owned();
        let sealed = self.masters.seal(&kid, &private);
        let sealed = sealed.map_err(|reason| ManagedKeysError::Unusable { kid: kid.clone(), reason })?;
        let public_jwk = signing.verifying_key().to_jwk_json().unwrap_or_default();
        Ok(NewKey { kid, algorithm, sealed, public_jwk })
    }

    /// Makes the ring of the codec that of the keys that were read, as of now.
    fn use_keys(&self, reader: &mut Reader) {
        let now = self.clock.now();
        let ring = Ring::of(reader, now);
        self.missing.store(ring.missing(&reader.set, now), Ordering::Relaxed);
        self.set.store(Arc::new(reader.set.clone()));
        if reader.ring == ring {
            return;
        }
        if let Some(kid) = ring.signing.as_ref().filter(|kid| reader.ring.signing.as_ref() != Some(kid)) {
            reader.unreported.push(KeyChange::Signing { kid: kid.clone() });
        }
        self.codec.replace(ring.codec(reader, &self.options));
        let known = reader.ring.kids.iter().chain(reader.set.keys.iter().map(|key| &key.kid));
        let is_needed = |kid: &String| reader.set.find(kid).is_some_and(|key| key.is_needed(now));
        let dismissed = known.filter(|kid| !is_needed(kid)).cloned().collect::<Vec<_>>();
        reader.opened.retain(|kid, _| is_needed(kid));
        self.dismissed.lock().unwrap_or_else(PoisonError::into_inner).extend(dismissed);
        reader.ring = ring;
    }

    fn cool_down(&self) -> Duration {
        self.options.schedule.poll.min(MAX_COOL_DOWN)
    }
}

#[async_trait]
impl TokenCodec for ManagedKeys {
    fn encode(&self, claims: &Claims) -> Result<AccessToken, BoxError> {
        self.codec.encode(claims)
    }

    fn decode(&self, unverified_token: &str) -> Result<Claims, InvalidToken> {
        self.codec.decode(unverified_token)
    }

    fn awaits_key(&self, unverified_token: &str) -> bool {
        let Some(kid) = self.codec.unknown_kid(unverified_token) else { return false };
        kid.len() == THUMBPRINT_CHARS && !self.dismissed.lock().unwrap_or_else(PoisonError::into_inner).contains(&kid)
    }

    async fn learn_keys(&self) -> Result<(), StoreError> {
        let begun_before = self.reads.load(Ordering::Relaxed);
        let mut reader = self.reader.lock().await;
        if let Some((_, outcome)) = reader.last.as_ref().filter(|(number, _)| *number > begun_before) {
            return outcome.clone().map_err(StoreError::from);
        }
        // Everybody else waits for the lock meanwhile, and shares the read.
        let since = reader.begun.map(|begun| self.clock.monotonic().saturating_sub(begun));
        if let Some(rest) = since.and_then(|since| self.cool_down().checked_sub(since)) {
            (self.sleep)(rest).await;
        }
        self.read(&mut reader).await.map_err(StoreError::from)
    }
}

impl fmt::Debug for ManagedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagedKeys")
            .field("store", &self.store)
            .field("set", &self.set.load().version)
            .field("codec", &self.codec)
            .finish_non_exhaustive()
    }
}

/// Returns the number of keys in each state.
fn in_states(set: &KeySet, now: time::OffsetDateTime) -> [(KeyState, usize); KeyState::ALL.len()] {
    KeyState::ALL.map(|state| (state, set.keys.iter().filter(|key| key.state(now) == state).count()))
}
