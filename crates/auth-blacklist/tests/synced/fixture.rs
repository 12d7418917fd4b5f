//! Fixture: a log that can fail, nodes over it, and tokens.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::blacklist::{LogPage, Position, RevocationReason, RevocationTarget, Standing};
use auth_core::memory::MemoryStore;
use auth_core::{
    Blacklist as _, Claims, Clock as _, Generation, ManualClock, Revocation, RevocationLog, RevocationSource,
    StoreError, TokenId, UserId,
};
use time::OffsetDateTime;
use tokio::sync::Notify;

pub(crate) const BOUND: Duration = Duration::from_secs(2);

/// Log in memory that can fail, be replaced or be slow.
#[derive(Debug)]
pub(crate) struct FaultyLog {
    inner: Mutex<Arc<dyn RevocationLog>>,
    down: AtomicBool,
    /// Whether writes fail.
    pub(crate) read_only: AtomicBool,
    pub(crate) appends: AtomicU64,
    pub(crate) look_ups: AtomicU64,
    pub(crate) hold: Mutex<Option<Arc<Notify>>>,
    /// Duration of a read, and the clock that it passes on.
    pub(crate) slow: Mutex<Option<(Duration, Arc<ManualClock>)>>,
    pub(crate) corrupt_after: AtomicU64,
    /// Age that a read says.
    pub(crate) age: Mutex<Duration>,
    pub(crate) store_clock: Mutex<Option<OffsetDateTime>>,
}

impl FaultyLog {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Arc::new(MemoryStore::new().unwrap())),
            down: AtomicBool::new(false),
            read_only: AtomicBool::new(false),
            appends: AtomicU64::new(0),
            look_ups: AtomicU64::new(0),
            hold: Mutex::new(None),
            slow: Mutex::new(None),
            corrupt_after: AtomicU64::new(u64::MAX),
            age: Mutex::default(),
            store_clock: Mutex::new(None),
        })
    }

    fn inner(&self) -> Result<Arc<dyn RevocationLog>, StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("the database is down"));
        }
        Ok(self.inner.lock().unwrap().clone())
    }

    fn writable(&self) -> Result<Arc<dyn RevocationLog>, StoreError> {
        if self.read_only.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("the database is read-only"));
        }
        self.inner()
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Puts another database in the place of the old one.
    pub(crate) fn replace(&self, other: Arc<dyn RevocationLog>) {
        *self.inner.lock().unwrap() = other;
    }
}

#[async_trait]
impl RevocationSource for FaultyLog {
    async fn read_after(&self, after: Position, limit: u32) -> Result<LogPage, StoreError> {
        let page = self.inner()?.read_after(after, limit).await?;
        let page = LogPage { age: *self.age.lock().unwrap(), ..page };
        if let Some((takes, clock)) = &*self.slow.lock().unwrap() {
            clock.advance(*takes);
        }
        if page.entries.iter().any(|entry| entry.position.0 > self.corrupt_after.load(Ordering::SeqCst)) {
            return Err(StoreError::corrupt("an entry makes no sense"));
        }
        Ok(page)
    }

    async fn covers(&self, claims: &Claims) -> Result<bool, StoreError> {
        self.look_ups.fetch_add(1, Ordering::SeqCst);
        self.inner()?.covers(claims).await
    }
}

#[async_trait]
impl RevocationLog for FaultyLog {
    async fn append(&self, batch: &[Revocation]) -> Result<u64, StoreError> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        let hold = self.hold.lock().unwrap().clone();
        if let Some(hold) = hold {
            hold.notified().await;
        }
        self.writable()?.append(batch).await
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.inner()?.purge(before, limit).await
    }

    async fn mark_loss(&self, at: Option<OffsetDateTime>) -> Result<(), StoreError> {
        self.writable()?.mark_loss(at).await
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(*self.store_clock.lock().unwrap())
    }
}

pub(crate) fn clock() -> Arc<ManualClock> {
    let clock = ManualClock::new(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    clock.advance(Duration::from_secs(5));
    Arc::new(clock)
}

pub(crate) fn node(log: &Arc<FaultyLog>, clock: &Arc<ManualClock>) -> SyncedBlacklist {
    SyncedBlacklist::new(log.clone(), clock.clone(), SyncOptions { max_staleness: BOUND, page: 3 })
}

pub(crate) async fn sync(node: &SyncedBlacklist) {
    while !node.sync_step().await.unwrap().complete {}
}

pub(crate) fn token(clock: &ManualClock) -> Claims {
    Claims {
        user_id: UserId::generate(clock.now()).unwrap(),
        token_id: TokenId::generate().unwrap(),
        session_id: None,
        issued_at: clock.now(),
        expires_at: clock.now() + Duration::from_secs(3600),
        generation: Generation::default(),
        admin: false,
        key_id: None,
        grants: None,
    }
}

pub(crate) fn logout(claims: &Claims) -> Revocation {
    Revocation {
        target: RevocationTarget::Token(claims.token_id),
        expires_at: claims.expires_at,
        revoked_at: claims.issued_at,
        reason: RevocationReason::Logout,
    }
}

pub(crate) fn everywhere(id: UserId, below: Generation, expires_at: OffsetDateTime) -> Revocation {
    let (target, reason) = (RevocationTarget::User { id, below }, RevocationReason::LogoutEverywhere);
    Revocation { target, expires_at, revoked_at: expires_at - Duration::from_secs(3600), reason }
}

/// Returns the result of a check: revoked, good or unknown.
pub(crate) async fn verdict(node: &SyncedBlacklist, claims: &Claims) -> &'static str {
    match node.peek(claims) {
        Standing::Revoked => "revoked",
        Standing::Good => "good",
        Standing::Unknown => match node.look_up(claims).await {
            Ok(true) => "revoked",
            Ok(false) => "good",
            Err(_) => "unknown",
        },
    }
}
