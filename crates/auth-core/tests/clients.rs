//! Clients through the service: their limits, their secrets, their ends, and a store that fails.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::clients::SecretRotation;
use auth_core::memory::MemoryStore;
use auth_core::throttle::{AttemptKey, Change, Counter};
use auth_core::{
    AttemptStore, AuthService, AuthenticateError, Client, ClientAuthError, ClientError, ClientId, ClientSecret,
    ClientStore, ClientTokenError, Clock as _, Context, CreatedClient, MAX_CLIENT_LIFE, MAX_SECRET_OVERLAP,
    ManualClock, NewClient, Revocation, StoreError, Throttle, ThrottleLimits, UserRevocation,
};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use time::OffsetDateTime;

const MINUTE: Duration = Duration::from_secs(60);

/// A store of clients that fails at one kind of write or after some reads, and that another caller can overtake.
#[derive(Debug)]
struct Clients {
    store: Arc<MemoryStore>,
    /// Number of reads that succeed.
    reads_left: AtomicUsize,
    records_uses: AtomicBool,
    uses: AtomicUsize,
    overtaken: AtomicBool,
}

#[async_trait]
impl ClientStore for Clients {
    async fn insert(&self, new: Client) -> Result<(), StoreError> {
        ClientStore::insert(&*self.store, new).await
    }

    async fn find(&self, id: ClientId) -> Result<Option<Client>, StoreError> {
        let read = |left: usize| left.checked_sub(1);
        if self.reads_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, read).is_err() {
            return Err(StoreError::unavailable("it is gone"));
        }
        ClientStore::find(&*self.store, id).await
    }

    async fn list(&self, after: Option<ClientId>, limit: u32) -> Result<Vec<Client>, StoreError> {
        ClientStore::list(&*self.store, after, limit).await
    }

    async fn rotate_secret(&self, id: ClientId, rotation: SecretRotation) -> Result<bool, StoreError> {
        if self.overtaken.swap(false, Ordering::SeqCst) {
            let replacement = ClientSecret::generate().unwrap().digest();
            assert!(self.store.rotate_secret(id, SecretRotation { replacement, ..rotation }).await?);
        }
        self.store.rotate_secret(id, rotation).await
    }

    async fn disable(
        &self,
        id: ClientId,
        at: OffsetDateTime,
        revocation: UserRevocation,
    ) -> Result<Option<(Client, Revocation)>, StoreError> {
        self.store.disable(id, at, revocation).await
    }

    async fn enable(&self, id: ClientId) -> Result<Option<Client>, StoreError> {
        self.store.enable(id).await
    }

    async fn record_use(&self, id: ClientId, at: OffsetDateTime) -> Result<(), StoreError> {
        if !self.records_uses.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("it is gone"));
        }
        self.uses.fetch_add(1, Ordering::SeqCst);
        ClientStore::record_use(&*self.store, id, at).await
    }
}

/// A store of attempts that is gone.
#[derive(Debug)]
struct NoAttempts;

#[async_trait]
impl AttemptStore for NoAttempts {
    async fn read(&self, _: &[AttemptKey]) -> Result<Vec<Counter>, StoreError> {
        Err(StoreError::unavailable("it is gone"))
    }
    async fn update(&self, _: &[AttemptKey], _: Change) -> Result<Vec<Counter>, StoreError> {
        Err(StoreError::unavailable("it is gone"))
    }
    async fn purge(&self, _: OffsetDateTime, _: u32) -> Result<u64, StoreError> {
        Err(StoreError::unavailable("it is gone"))
    }
    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Err(StoreError::unavailable("it is gone"))
    }
}

struct Fixture {
    service: AuthService,
    clients: Arc<Clients>,
    clock: Arc<ManualClock>,
}

impl Fixture {
    fn new() -> Self {
        Self::with(None, true, "audience")
    }

    fn with(attempts: Option<Arc<dyn AttemptStore>>, keeps_clients: bool, audience: &str) -> Self {
        // Not at the beginning of a second.
        let clock = Arc::new(ManualClock::new(OffsetDateTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_300)));
        let store = Arc::new(MemoryStore::new().unwrap());
        let clients = Arc::new(Clients {
            store: store.clone(),
            reads_left: AtomicUsize::new(usize::MAX),
            records_uses: AtomicBool::new(true),
            uses: AtomicUsize::new(0),
            overtaken: AtomicBool::new(false),
        });
        let passwords = PasswordPool::new(Arc::new(BcryptHasher::new(4).unwrap()), PoolOptions::default()).unwrap();
        let mut builder = AuthService::builder()
            .users(store.clone())
            .blacklist(Arc::new(SyncedBlacklist::new(store, clock.clone(), SyncOptions::default())))
            .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(&[7; 32]).unwrap(), "issuer", audience)))
            .passwords(passwords)
            .client_token_life(10 * MINUTE)
            .clock(clock.clone());
        if keeps_clients {
            builder = builder.clients(clients.clone());
        }
        if let Some(attempts) = attempts {
            let throttle = Throttle::new(attempts, &ThrottleLimits::default(), clock.clone()).unwrap();
            builder = builder.throttle(Arc::new(throttle));
        }
        Self { service: builder.build().unwrap(), clients, clock }
    }

    async fn create(&self, life: Option<Duration>) -> Result<CreatedClient, ClientError> {
        let (name, scopes) = ("orders".parse().unwrap(), "orders:read orders:write".parse().unwrap());
        self.service.create_client(NewClient { name, scopes, life }).await
    }

    async fn authenticate(&self, client: ClientId, secret: &ClientSecret) -> Result<Client, ClientAuthError> {
        let (id, secret) = (client.to_string(), secret.expose_text(str::to_owned));
        let authenticated = self.service.authenticate_client(&id, &secret, &Context::default()).await?;
        Ok(authenticated.client().clone())
    }

    /// The life of a token that the client gets now, in seconds, or `None` if it is not authenticated.
    async fn token_life(&self, created: &CreatedClient) -> Option<u64> {
        let (id, secret) = (created.client.id.to_string(), created.secret.expose_text(str::to_owned));
        let client = self.service.authenticate_client(&id, &secret, &Context::default()).await.ok()?;
        Some(self.service.client_token(&client, None).unwrap().token.expires_in.as_secs())
    }
}

#[tokio::test]
async fn a_service_without_a_store_keeps_no_clients() {
    let fixture = Fixture::with(None, false, "audience");
    assert!(!fixture.service.keeps_clients());
    let id = ClientId::generate().unwrap();
    assert!(matches!(fixture.create(None).await, Err(ClientError::NotKept)));
    assert!(matches!(fixture.service.find_client(id).await, Err(ClientError::NotKept)));
    assert!(matches!(fixture.service.list_clients(None, 1).await, Err(ClientError::NotKept)));
    assert!(matches!(fixture.service.disable_client(id).await, Err(ClientError::NotKept)));
    let secret = ClientSecret::generate().unwrap();
    assert!(matches!(fixture.authenticate(id, &secret).await, Err(ClientAuthError::InvalidClient)));
}

#[tokio::test]
async fn lives_and_overlaps_have_bounds() {
    let fixture = Fixture::new();
    for life in [Duration::ZERO, Duration::from_millis(999), MAX_CLIENT_LIFE + Duration::from_nanos(1), Duration::MAX] {
        assert!(matches!(fixture.create(Some(life)).await, Err(ClientError::Life)), "{life:?}");
    }
    let created = fixture.create(Some(MAX_CLIENT_LIFE)).await.unwrap();
    assert!(fixture.create(Some(Duration::from_secs(1))).await.is_ok());
    let rotate = |overlap| fixture.service.rotate_client_secret(created.client.id, overlap);
    for overlap in [MAX_SECRET_OVERLAP + Duration::from_nanos(1), Duration::MAX] {
        assert!(matches!(rotate(overlap).await, Err(ClientError::Overlap)), "{overlap:?}");
    }
    assert!(rotate(MAX_SECRET_OVERLAP).await.is_ok());
}

#[tokio::test]
async fn an_unknown_client_is_not_found() {
    let (fixture, id) = (Fixture::new(), ClientId::generate().unwrap());
    assert!(matches!(fixture.service.find_client(id).await, Err(ClientError::NotFound)));
    assert!(matches!(fixture.service.disable_client(id).await, Err(ClientError::NotFound)));
    assert!(matches!(fixture.service.enable_client(id).await, Err(ClientError::NotFound)));
    assert!(matches!(fixture.service.rotate_client_secret(id, MINUTE).await, Err(ClientError::NotFound)));
}

#[tokio::test]
async fn of_two_rotations_at_once_one_says_that_it_lost() {
    let fixture = Fixture::new();
    let created = fixture.create(None).await.unwrap();
    fixture.clients.overtaken.store(true, Ordering::SeqCst);
    let lost = fixture.service.rotate_client_secret(created.client.id, MINUTE).await;
    assert!(matches!(lost, Err(ClientError::Raced)), "{lost:?}");
}

#[tokio::test]
async fn a_replaced_secret_stays_good_for_the_overlap() {
    let fixture = Fixture::new();
    let created = fixture.create(None).await.unwrap();
    let id = created.client.id;
    let next = fixture.service.rotate_client_secret(id, MINUTE).await.unwrap();
    assert!(
        fixture.authenticate(id, &created.secret).await.is_ok() && fixture.authenticate(id, &next.secret).await.is_ok()
    );
    fixture.clock.advance(MINUTE);
    assert!(matches!(fixture.authenticate(id, &created.secret).await, Err(ClientAuthError::InvalidClient)));
    let last = fixture.service.rotate_client_secret(id, Duration::ZERO).await.unwrap();
    assert!(matches!(fixture.authenticate(id, &next.secret).await, Err(ClientAuthError::InvalidClient)));
    assert!(fixture.authenticate(id, &last.secret).await.is_ok());
}

#[tokio::test]
async fn a_secret_that_was_rotated_is_shown_even_if_nothing_can_be_read_any_more() {
    let fixture = Fixture::new();
    let created = fixture.create(None).await.unwrap();
    for overlap in [MINUTE, Duration::ZERO] {
        fixture.clients.reads_left.store(1, Ordering::SeqCst);
        let rotated = fixture.service.rotate_client_secret(created.client.id, overlap).await.unwrap();
        fixture.clients.reads_left.store(usize::MAX, Ordering::SeqCst);
        assert_eq!(rotated.client, fixture.service.find_client(created.client.id).await.unwrap());
        assert!(fixture.authenticate(created.client.id, &rotated.secret).await.is_ok());
    }
}

#[tokio::test]
async fn a_token_that_no_check_would_accept_is_not_issued() {
    // An audience of this length leaves room for a few scopes, and not for all that a client may have.
    let fixture = Fixture::with(None, true, &"a".repeat(2_000));
    let names: Vec<_> = (0..32).map(|number| format!("{number:0>64}")).collect();
    let new = NewClient { name: "orders".parse().unwrap(), scopes: names.join(" ").parse().unwrap(), life: None };
    let CreatedClient { client, secret, .. } = fixture.service.create_client(new).await.unwrap();
    let (id, secret) = (client.id.to_string(), secret.expose_text(str::to_owned));
    let client = fixture.service.authenticate_client(&id, &secret, &Context::default()).await.unwrap();
    let Err(ClientTokenError::Internal(error)) = fixture.service.client_token(&client, None) else {
        panic!("a token of more than 4096 bytes")
    };
    assert!(error.to_string().starts_with(&format!("the token of client {id} would have more than")), "{error}");
    let token = fixture.service.client_token(&client, names[0].parse().ok()).unwrap().token;
    assert!(fixture.service.authenticate(token.expose_token()).await.is_ok());
}

#[tokio::test]
async fn a_token_ends_with_its_client_and_lives_for_a_second_at_least() {
    let fixture = Fixture::new();
    let created = fixture.create(Some(20 * MINUTE)).await.unwrap();
    assert_eq!(fixture.token_life(&created).await, Some(600), "the life of the tokens of clients");
    fixture.clock.advance(15 * MINUTE);
    assert_eq!(fixture.token_life(&created).await, Some(300), "the rest of the life of the client");
    let mut lives = Vec::new();
    fixture.clock.advance(Duration::from_secs(298));
    for _ in 0..20 {
        lives.push(fixture.token_life(&created).await);
        fixture.clock.advance(Duration::from_millis(100));
    }
    assert!(lives.iter().flatten().all(|life| *life >= 1), "{lives:?}");
    assert_eq!(lives.first(), Some(&Some(2)));
    assert_eq!(lives.last(), Some(&None), "the client has expired");
}

#[tokio::test]
async fn only_scopes_of_the_client_are_given() {
    let fixture = Fixture::new();
    let CreatedClient { client, secret, .. } = fixture.create(None).await.unwrap();
    let (id, secret) = (client.id.to_string(), secret.expose_text(str::to_owned));
    let client = fixture.service.authenticate_client(&id, &secret, &Context::default()).await.unwrap();
    let ask = |scopes: Option<&str>| fixture.service.client_token(&client, scopes.map(|text| text.parse().unwrap()));
    assert_eq!(ask(None).unwrap().scopes.to_string(), "orders:read orders:write");
    assert_eq!(ask(Some("orders:read")).unwrap().scopes.to_string(), "orders:read");
    assert!(matches!(ask(Some("orders:read admin")), Err(ClientTokenError::InvalidScope)));
}

#[tokio::test]
async fn disabling_ends_the_tokens_and_enabling_does_not_bring_them_back() {
    let fixture = Fixture::new();
    let CreatedClient { client, secret, .. } = fixture.create(None).await.unwrap();
    let text = secret.expose_text(str::to_owned);
    let proven = fixture.service.authenticate_client(&client.id.to_string(), &text, &Context::default()).await.unwrap();
    let token = fixture.service.client_token(&proven, None).unwrap().token;
    assert!(fixture.service.authenticate(token.expose_token()).await.is_ok());
    let disabled = fixture.service.disable_client(client.id).await.unwrap();
    assert_eq!(disabled.disabled_at, Some(fixture.clock.now()));
    assert!(matches!(fixture.authenticate(client.id, &secret).await, Err(ClientAuthError::InvalidClient)));
    for enabled in [false, true] {
        let checked = fixture.service.authenticate(token.expose_token()).await;
        assert!(matches!(checked, Err(AuthenticateError::Revoked)), "{checked:?}");
        if !enabled {
            fixture.service.enable_client(client.id).await.unwrap();
        }
    }
    assert!(fixture.authenticate(client.id, &secret).await.is_ok());
}

#[tokio::test]
async fn uses_are_recorded_once_a_minute_and_a_failure_of_that_refuses_nobody() {
    let fixture = Fixture::new();
    let CreatedClient { client, secret, .. } = fixture.create(None).await.unwrap();
    for (after, uses) in [(Duration::ZERO, 1), (Duration::from_millis(59_999), 1), (Duration::from_millis(1), 2)] {
        fixture.clock.advance(after);
        assert!(fixture.authenticate(client.id, &secret).await.is_ok());
        assert_eq!(fixture.clients.uses.load(Ordering::SeqCst), uses, "{after:?}");
    }
    assert_eq!(fixture.service.find_client(client.id).await.unwrap().last_used_at, Some(fixture.clock.now()));
    fixture.clients.records_uses.store(false, Ordering::SeqCst);
    fixture.clock.advance(MINUTE);
    assert!(fixture.authenticate(client.id, &secret).await.is_ok());
}

#[tokio::test]
async fn a_wrong_secret_that_cannot_be_counted_gets_no_verdict_and_a_right_one_needs_no_count() {
    let fixture = Fixture::with(Some(Arc::new(NoAttempts)), true, "audience");
    let CreatedClient { client, secret, .. } = fixture.create(None).await.unwrap();
    let wrong = ClientSecret::generate().unwrap();
    let refused = fixture.authenticate(client.id, &wrong).await;
    assert!(matches!(refused, Err(ClientAuthError::Uncounted(_))), "{refused:?}");
    assert!(fixture.authenticate(client.id, &secret).await.is_ok());
}
