//! Two nodes over one store, with one clock, and a store of personal tokens that can be made to fail or to wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::blacklist::RevocationReason;
use auth_core::memory::MemoryStore;
use auth_core::personal::{
    IssuedPersonalToken, NewPersonalToken, PersonalTokenDigest, PersonalTokenSecret, StoredPersonalToken,
};
use auth_core::{
    AuthService, AuthenticateError, Context, CreatePersonalTokenError, Credentials, Email, Generation, ManualClock,
    NewAccount, Password, PasswordPolicy, PersonalToken, PersonalTokenId, PersonalTokenStore, Principal, Revocation,
    StoreError, UserId, UserRevocation, UserStore, Username,
};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use time::OffsetDateTime;
use tokio::sync::Semaphore;

pub(crate) const SECRET: &str = "a secret of ada";

/// A store of personal tokens whose reads can fail or wait.
#[derive(Debug)]
pub(crate) struct Gate {
    store: Arc<MemoryStore>,
    pub(crate) is_down: AtomicBool,
    /// Whether the user is deleted just before a token is inserted.
    pub(crate) is_overtaken: AtomicBool,
    /// One permit for each read that may go on.
    pub(crate) permits: Semaphore,
    pub(crate) reading: AtomicUsize,
}

#[async_trait]
impl PersonalTokenStore for Gate {
    async fn insert(&self, new: StoredPersonalToken, limit: u32) -> Result<bool, StoreError> {
        if self.is_overtaken.load(Ordering::SeqCst) {
            let at = new.token.created_at;
            let reason = RevocationReason::Deleted;
            let revocation = UserRevocation { expires_at: at + Duration::from_secs(86_400), revoked_at: at, reason };
            UserStore::delete(&*self.store, new.token.user_id, revocation).await?;
        }
        PersonalTokenStore::insert(&*self.store, new, limit).await
    }

    async fn find(&self, digest: PersonalTokenDigest) -> Result<Option<PersonalToken>, StoreError> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("it is gone"));
        }
        self.reading.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.unwrap().forget();
        self.reading.fetch_sub(1, Ordering::SeqCst);
        PersonalTokenStore::find(&*self.store, digest).await
    }

    async fn record_use(&self, id: PersonalTokenId, at: OffsetDateTime) -> Result<(), StoreError> {
        PersonalTokenStore::record_use(&*self.store, id, at).await
    }

    async fn delete(
        &self,
        user_id: UserId,
        id: PersonalTokenId,
        at: OffsetDateTime,
    ) -> Result<Option<Revocation>, StoreError> {
        PersonalTokenStore::delete(&*self.store, user_id, id, at).await
    }

    async fn list(
        &self,
        user_id: UserId,
        generation: Generation,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<PersonalToken>, StoreError> {
        PersonalTokenStore::list(&*self.store, user_id, generation, now, limit).await
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        PersonalTokenStore::purge(&*self.store, before, limit).await
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(None)
    }
}

pub(crate) struct Fixture {
    pub(crate) near: AuthService,
    pub(crate) far: AuthService,
    pub(crate) far_blacklist: Arc<SyncedBlacklist>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ada: UserId,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)));
        let store = Arc::new(MemoryStore::new().unwrap());
        let gate = Arc::new(Gate {
            store: store.clone(),
            is_down: AtomicBool::new(false),
            is_overtaken: AtomicBool::new(false),
            permits: Semaphore::new(1_000),
            reading: AtomicUsize::new(0),
        });
        let hasher = PasswordPool::new(Arc::new(BcryptHasher::new(4).unwrap()), PoolOptions::default()).unwrap();
        let node = || {
            let blacklist = Arc::new(SyncedBlacklist::new(store.clone(), clock.clone(), SyncOptions::default()));
            let service = AuthService::builder()
                .users(store.clone())
                .blacklist(blacklist.clone())
                .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(&[7; 32]).unwrap(), "issuer", "audience")))
                .passwords(hasher.clone())
                .policy(PasswordPolicy::new(6))
                .user_scopes("editor orders:read orders:write".parse().unwrap())
                .personal_tokens(gate.clone(), 100)
                .clock(clock.clone())
                .build()
                .unwrap();
            (service, blacklist)
        };
        let ((near, _), (far, far_blacklist)) = (node(), node());
        let account = NewAccount {
            email: Email::parse("ada@example.org").unwrap(),
            username: Username::parse("ada").unwrap(),
            password: Password::parse(SECRET).unwrap(),
        };
        let ada = near.create_user(account, false).await.unwrap().id;
        Self { near, far, far_blacklist, gate, clock, ada }
    }

    pub(crate) async fn login(&self) -> Principal {
        let credentials =
            Credentials { email: Email::parse("ada@example.org").unwrap(), password: Password::parse(SECRET).unwrap() };
        let signed_in = self.near.login(credentials, &Context::default()).await.unwrap().signed_in().unwrap();
        self.near.authenticate(signed_in.token.expose_token()).await.unwrap()
    }

    pub(crate) async fn try_create(
        &self,
        scopes: Option<&str>,
        life: Option<Duration>,
    ) -> Result<IssuedPersonalToken, CreatePersonalTokenError> {
        self.near.create_personal_token(&self.login().await, new(scopes, life)).await
    }

    /// Makes a token with the scopes that are the default.
    pub(crate) async fn create(&self) -> IssuedPersonalToken {
        self.try_create(None, None).await.unwrap()
    }

    pub(crate) async fn principal(&self, token: &IssuedPersonalToken) -> Principal {
        self.near.authenticate(&text(token)).await.unwrap()
    }

    /// Lets the far node read the log.
    pub(crate) async fn sync(&self) {
        while !self.far_blacklist.sync_step().await.unwrap().complete {}
    }

    /// The answers of both nodes to a token, after the far one has read the log.
    pub(crate) async fn checks(&self, token: &IssuedPersonalToken) -> [&'static str; 2] {
        self.sync().await;
        [check(&self.near, &text(token)).await, check(&self.far, &text(token)).await]
    }
}

pub(crate) fn new(scopes: Option<&str>, life: Option<Duration>) -> NewPersonalToken {
    NewPersonalToken { name: "backup".parse().unwrap(), scopes: scopes.map(|text| text.parse().unwrap()), life }
}

pub(crate) fn text(token: &IssuedPersonalToken) -> String {
    token.secret.expose_text(str::to_owned)
}

/// A token with a right checksum that nobody has made.
pub(crate) fn made_up() -> String {
    PersonalTokenSecret::generate().unwrap().expose_text(str::to_owned)
}

pub(crate) async fn check(node: &AuthService, text: &str) -> &'static str {
    match node.authenticate(text).await {
        Ok(_) => "good",
        Err(AuthenticateError::Invalid) => "invalid",
        Err(AuthenticateError::Revoked) => "revoked",
        Err(AuthenticateError::Expired) => "expired",
        Err(AuthenticateError::Unknown(_)) => "unknown",
    }
}
