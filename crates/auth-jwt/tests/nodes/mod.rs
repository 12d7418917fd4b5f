//! Nodes over one store of keys, with a clock that a test moves.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::keys::{KeySchedule, KeySet, KeyStore, ManagedKey};
use auth_core::memory::MemoryStore;
use auth_core::{
    AuthenticateError, Claims, Clock as _, Generation, ManualClock, Revocation, StoreError, TokenCodec as _, TokenId,
    TokenVerifier, UserId,
};
use auth_jwt::{ManagedKeys, ManagedKeysOptions, MasterKey, MasterKeys};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use time::OffsetDateTime;

pub(crate) const HOUR: Duration = Duration::from_hours(1);

pub(crate) const SCHEDULE: KeySchedule = KeySchedule {
    rotation: Duration::from_hours(24),
    jwks_max_age: Duration::from_mins(5),
    poll: Duration::from_millis(250),
    token_life: HOUR,
};

/// Keys in memory that can fail, and that count their reads.
#[derive(Debug)]
pub(crate) struct Store {
    keys: MemoryStore,
    fails: AtomicBool,
    loads: AtomicU64,
}

impl Store {
    fn check(&self) -> Result<(), StoreError> {
        if self.fails.load(Ordering::SeqCst) { Err(StoreError::unavailable("cut off")) } else { Ok(()) }
    }
}

#[async_trait]
impl KeyStore for Store {
    async fn load(&self) -> Result<KeySet, StoreError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.check()?;
        // Lets others begin to wait while this read is under way.
        tokio::task::yield_now().await;
        self.keys.load().await
    }

    async fn replace(&self, set: &KeySet) -> Result<bool, StoreError> {
        self.check()?;
        self.keys.replace(set).await
    }

    async fn revoke(
        &self,
        kid: &str,
        at: OffsetDateTime,
        replacement: Option<ManagedKey>,
    ) -> Result<Option<Revocation>, StoreError> {
        self.check()?;
        self.keys.revoke(kid, at, replacement).await
    }
}

/// Nodes over one store.
pub(crate) struct System {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<ManualClock>,
}

impl System {
    pub(crate) fn new() -> Self {
        let keys = MemoryStore::new().unwrap();
        let store = Store { keys, fails: AtomicBool::new(false), loads: AtomicU64::new(0) };
        let now = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Self { store: Arc::new(store), clock: Arc::new(ManualClock::new(now)) }
    }

    /// A node with these master keys. Its timer moves the clock.
    pub(crate) fn node_with(&self, masters: MasterKeys) -> Arc<ManagedKeys> {
        let clock = Arc::clone(&self.clock);
        let sleep = move |time| -> Pin<Box<dyn Future<Output = ()> + Send>> {
            clock.advance(time);
            Box::pin(tokio::task::yield_now())
        };
        let options = ManagedKeysOptions::new(SCHEDULE, "issuer", "audience");
        Arc::new(ManagedKeys::new(self.store.clone(), masters, options, self.clock.clone(), Arc::new(sleep)))
    }

    /// A node that has read the keys.
    pub(crate) async fn node(&self) -> Arc<ManagedKeys> {
        let node = self.node_with(MasterKeys::new(master(1), None));
        node.sync().await.unwrap();
        node
    }

    pub(crate) fn verifier(&self, node: &Arc<ManagedKeys>) -> TokenVerifier {
        let blacklist = UnsyncedBlacklist::new(Arc::new(MemoryStore::new().unwrap()));
        TokenVerifier::new(node.clone(), Arc::new(blacklist), self.clock.clone())
    }

    /// Returns what a node answers to a token.
    pub(crate) async fn check(&self, node: &Arc<ManagedKeys>, token: &str) -> &'static str {
        match self.verifier(node).authenticate(token).await {
            Ok(_) => "good",
            Err(AuthenticateError::Invalid) => "invalid",
            Err(AuthenticateError::Expired) => "expired",
            Err(AuthenticateError::Revoked) => "revoked",
            Err(AuthenticateError::Unknown(_)) => "unknown",
        }
    }

    pub(crate) fn sign(&self, node: &ManagedKeys) -> String {
        node.encode(&self.claims()).unwrap().expose_token().to_owned()
    }

    pub(crate) fn claims(&self) -> Claims {
        let now = self.clock.now();
        Claims {
            user_id: UserId::generate(now).unwrap(),
            token_id: TokenId::generate().unwrap(),
            session_id: None,
            issued_at: now,
            expires_at: now + HOUR,
            generation: Generation::default(),
            admin: false,
            key_id: None,
            grants: None,
        }
    }

    /// Cuts the store off, or mends it.
    pub(crate) fn cut_off(&self, is_cut_off: bool) {
        self.store.fails.store(is_cut_off, Ordering::SeqCst);
    }

    pub(crate) fn loads(&self) -> u64 {
        self.store.loads.load(Ordering::SeqCst)
    }
}

pub(crate) fn master(byte: u8) -> MasterKey {
    let mut bytes = [byte; 32];
    bytes[0] ^= 1;
    MasterKey::from_base64(&STANDARD.encode(bytes)).unwrap()
}

pub(crate) fn kid_of(token: &str) -> String {
    let header = token.split('.').next().unwrap();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}
