//! The public keys that the auth server publishes, and the codec that checks tokens with them.

mod published;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::{AccessToken, BoxError, Claims, Clock, InvalidToken, StoreError, TokenCodec};
use auth_jwt::{JwtCodec, RotatingCodec};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use self::published::Published;
pub use self::published::{KeysAnswer, KeysError, KeysStats};

/// Longest time that a check waits for a fetch of the keys: a cool-down and one fetch.
const LEARN_WITHIN: Duration = Duration::from_secs(5);

/// Largest number of checks that wait for a fetch at once. The others are *unavailable* without a wait.
const MAX_WAITING: usize = 1_024;

/// Longest sleep between two looks at the clock, which may jump when the machine wakes up.
const LOOK: Duration = Duration::from_secs(1);

/// Asks for the key set of the auth server.
#[async_trait]
pub(crate) trait KeysTransport: Send + Sync {
    /// Asks for the set, unless it is still the one with this tag.
    async fn keys(&self, known_tag: Option<String>) -> Result<KeysAnswer, BoxError>;
}

/// Keys of an auth server (RFC 7517), and the codec that reads tokens with them. It signs none.
///
/// A token with an unknown key is decided by a fetch that began after the token came. If that fails, nobody knows whether the token
/// is good: the check is *unavailable* and never *invalid*. Between two fetches there is a cool-down that depends on time alone. A set
/// that cannot be read, or has no key that can be used, replaces nothing.
#[derive(Debug)]
pub struct RemoteKeys {
    codec: RotatingCodec,
    clock: Arc<dyn Clock>,
    issuer: String,
    audience: String,
    cached_tokens: usize,
    published: Mutex<Published>,
    /// Woken when a token with an unknown key came.
    wanted: Notify,
    /// Raised after each fetch.
    fetches: watch::Sender<u64>,
    waiting: AtomicUsize,
}

/// Cause of a check that waits for too long, or is one of too many.
#[derive(Debug, thiserror::Error)]
#[error("the key of the token is unknown, and the keys could not be fetched")]
struct NotFetched;

impl RemoteKeys {
    /// Returns a codec without keys for the tokens of `issuer` for `audience`. `cached_tokens` is the number of tokens whose valid
    /// signature is remembered, and `cool_down` the shortest time between two fetches.
    #[must_use]
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        cached_tokens: usize,
        cool_down: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (issuer, audience) = (issuer.into(), audience.into());
        let codec = JwtCodec::verify_only(&*issuer, &*audience).with_cached_tokens(cached_tokens);
        Self {
            codec: RotatingCodec::new(codec),
            clock,
            issuer,
            audience,
            cached_tokens,
            published: Mutex::new(Published::new(cool_down)),
            wanted: Notify::new(),
            fetches: watch::Sender::new(0),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Returns whether to fetch the set at this moment: it is old, or a token with an unknown key came at the monotonic time `asked`.
    #[must_use]
    pub fn is_due(&self, asked: Option<Duration>) -> bool {
        self.published().is_due(self.clock.monotonic(), asked)
    }

    /// Takes the answer to a fetch that was sent at the monotonic time `sent`, or notes that none came.
    ///
    /// # Errors
    ///
    /// When the answer is no set with a key that can be used. Then the keys stay as they are.
    pub fn take(&self, sent: Duration, answer: Option<&KeysAnswer>) -> Result<(), KeysError> {
        let mut published = self.published();
        let taken = published.take(sent, self.clock.monotonic(), answer);
        // The verified tokens go with the ring, so the ring is replaced only if it changes.
        if let Ok(true) = taken {
            let ring = JwtCodec::verify_only(&*self.issuer, &*self.audience).with_cached_tokens(self.cached_tokens);
            self.codec.replace(published.keys().cloned().fold(ring, JwtCodec::with_verifying_key));
        }
        drop(published);
        self.fetches.send_modify(|fetches| *fetches += 1);
        taken.map(|_| ())
    }

    /// Returns what the fetches say of an unknown key of a token that came at `asked`: `None` before a fetch that began afterwards
    /// has ended, then whether that brought the set.
    #[must_use]
    pub fn fetched_since(&self, asked: Duration) -> Option<bool> {
        self.published().fetched_since(asked)
    }

    /// Returns the counts.
    #[must_use]
    pub fn stats(&self) -> KeysStats {
        self.published().stats(self.clock.monotonic())
    }

    /// Fetches the set whenever that is due, for as long as the future is polled.
    pub(crate) async fn follow(&self, transport: &dyn KeysTransport, mut observe: impl FnMut(Result<(), BoxError>)) {
        loop {
            let woken = self.wanted.notified();
            let sent = self.clock.monotonic();
            let (due_in, tag) = self.published().due_in(sent);
            if !due_in.is_zero() {
                tokio::select! {
                    () = sleep(due_in.min(LOOK)) => {}
                    () = woken => {}
                }
                continue;
            }
            match transport.keys(tag).await {
                Ok(answer) => observe(self.take(sent, Some(&answer)).map_err(BoxError::from)),
                Err(error) => {
                    let _ = self.take(sent, None);
                    observe(Err(error));
                }
            }
        }
    }

    fn published(&self) -> MutexGuard<'_, Published> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TokenCodec for RemoteKeys {
    fn encode(&self, claims: &Claims) -> Result<AccessToken, BoxError> {
        self.codec.encode(claims)
    }

    fn decode(&self, unverified_token: &str) -> Result<Claims, InvalidToken> {
        self.codec.decode(unverified_token)
    }

    fn awaits_key(&self, unverified_token: &str) -> bool {
        self.codec.unknown_kid(unverified_token).is_some()
    }

    async fn learn_keys(&self) -> Result<(), StoreError> {
        let asked = self.clock.monotonic();
        let _waiting = Waiting::enter(&self.waiting).ok_or_else(|| StoreError::unavailable(NotFetched))?;
        let mut fetches = self.fetches.subscribe();
        self.published().want(asked);
        self.wanted.notify_one();
        let fetched = timeout(LEARN_WITHIN, async {
            loop {
                fetches.borrow_and_update();
                if let Some(fetched) = self.fetched_since(asked) {
                    return fetched;
                }
                // The sender lives as long as this codec.
                if fetches.changed().await.is_err() {
                    return false;
                }
            }
        });
        if fetched.await == Ok(true) { Ok(()) } else { Err(StoreError::unavailable(NotFetched)) }
    }
}

/// A check that waits for a fetch.
struct Waiting<'k>(&'k AtomicUsize);

impl<'k> Waiting<'k> {
    /// Returns `None` if too many wait already.
    fn enter(waiting: &'k AtomicUsize) -> Option<Self> {
        let entered = Self(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING).then_some(entered)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
