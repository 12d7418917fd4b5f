//! The public API of the service, over the stores in memory and a clock that the test moves.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::memory::MemoryStore;
use auth_core::service::BuildError;
use auth_core::{
    AccountError, AuthService, AuthServiceBuilder, AuthenticateError, Clock, Context, Credentials, Email, HashError,
    LEEWAY, LoginError, MAX_CLOCK_SKEW, MAX_TOKEN_LIFE, ManualClock, NewAccount, Password, PasswordError, PasswordHash,
    PasswordHasher, PasswordPolicy, RegisterError, SignedIn, UserStore, Username, Verdict,
};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use time::OffsetDateTime;

/// Hasher that counts the hashes and the comparisons that it computes.
#[derive(Debug)]
struct CountingHasher {
    inner: BcryptHasher,
    hashed: AtomicUsize,
    verified: AtomicUsize,
}

impl PasswordHasher for CountingHasher {
    fn max_bytes(&self) -> usize {
        self.inner.max_bytes()
    }
    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError> {
        self.hashed.fetch_add(1, Ordering::SeqCst);
        self.inner.hash(password)
    }
    fn verify(&self, password: &Password, hash: &PasswordHash) -> Result<Verdict, HashError> {
        self.verified.fetch_add(1, Ordering::SeqCst);
        self.inner.verify(password, hash)
    }
    fn dummy_hash(&self) -> Result<PasswordHash, HashError> {
        self.inner.dummy_hash()
    }
}

struct ServiceFixture {
    auth: AuthService,
    clock: Arc<ManualClock>,
    hasher: Arc<CountingHasher>,
    store: Arc<MemoryStore>,
}

fn builder(store: &Arc<MemoryStore>, hasher: &Arc<CountingHasher>, clock: &Arc<ManualClock>) -> AuthServiceBuilder {
    let key = SigningKey::from_secret(&[7; 32]).unwrap();
    AuthService::builder()
        .users(store.clone())
        .blacklist(Arc::new(UnsyncedBlacklist::new(store.clone())))
        .codec(Arc::new(JwtCodec::new(key, "issuer", "audience")))
        .passwords(PasswordPool::new(hasher.clone(), PoolOptions::default()).unwrap())
        .policy(PasswordPolicy::new(6))
        .clock(clock.clone())
}

fn fixture() -> ServiceFixture {
    let inner = BcryptHasher::new(4).unwrap();
    let hasher = Arc::new(CountingHasher { inner, hashed: AtomicUsize::default(), verified: AtomicUsize::default() });
    let clock = Arc::new(ManualClock::new(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)));
    let store = Arc::new(MemoryStore::new().unwrap());
    let auth = builder(&store, &hasher, &clock).build().unwrap();
    ServiceFixture { auth, clock, hasher, store }
}

fn account(name: &str) -> NewAccount {
    NewAccount {
        email: Email::parse(&format!("{name}@example.org")).unwrap(),
        username: Username::parse(name).unwrap(),
        password: Password::parse("123456").unwrap(),
    }
}

fn credentials(name: &str, password: &str) -> Credentials {
    Credentials {
        email: Email::parse(&format!("{name}@example.org")).unwrap(),
        password: Password::parse(password).unwrap(),
    }
}

async fn refusal(auth: &AuthService, session: &SignedIn) -> &'static str {
    match auth.authenticate(session.token.expose_token()).await {
        Ok(_) => "none",
        Err(AuthenticateError::Invalid) => "invalid",
        Err(AuthenticateError::Expired) => "expired",
        Err(AuthenticateError::Revoked) => "revoked",
        Err(_) => "unknown",
    }
}

#[tokio::test]
async fn a_registered_user_logs_in_and_out_and_the_token_stays_refused() {
    let ServiceFixture { auth, .. } = fixture();
    let registered = auth.register(account("ada"), &Context::default()).await.unwrap().signed_in().unwrap();
    let session = auth.login(credentials("ada", "123456"), &Context::default()).await.unwrap().signed_in().unwrap();
    let principal = auth.authenticate(session.token.expose_token()).await.unwrap();
    assert_eq!((principal.user_id(), principal.is_admin()), (registered.user.id, false));
    auth.logout(&principal).await.unwrap();
    assert_eq!(refusal(&auth, &session).await, "revoked");
    auth.logout(&principal).await.unwrap();
    assert_eq!(refusal(&auth, &session).await, "revoked", "a second logout changes nothing");
    assert_eq!(refusal(&auth, &registered).await, "none", "the other token is another token");
}

#[tokio::test]
async fn two_logins_in_one_instant_are_two_tokens() {
    let ServiceFixture { auth, .. } = fixture();
    auth.register(account("ada"), &Context::default()).await.unwrap();
    let one = auth.login(credentials("ada", "123456"), &Context::default()).await.unwrap().signed_in().unwrap();
    let two = auth.login(credentials("ada", "123456"), &Context::default()).await.unwrap().signed_in().unwrap();
    assert_ne!(one.token.access, two.token.access);
    auth.logout(&auth.authenticate(one.token.expose_token()).await.unwrap()).await.unwrap();
    assert_eq!((refusal(&auth, &one).await, refusal(&auth, &two).await), ("revoked", "none"));
}

#[tokio::test]
async fn a_token_is_good_until_its_expiry_plus_the_leeway_and_not_at_it() {
    let ServiceFixture { auth, clock, .. } = fixture();
    let session = auth.register(account("ada"), &Context::default()).await.unwrap().signed_in().unwrap();
    clock.advance(session.token.expires_in);
    clock.set(clock.now() + LEEWAY - Duration::from_nanos(1));
    assert_eq!(refusal(&auth, &session).await, "none");
    clock.advance(Duration::from_nanos(1));
    assert_eq!(refusal(&auth, &session).await, "expired");
}

#[tokio::test]
async fn unknown_user_wrong_password_and_disabled_user_cost_and_answer_the_same() {
    let ServiceFixture { auth, hasher, .. } = fixture();
    let registered = auth.register(account("ada"), &Context::default()).await.unwrap().signed_in().unwrap();
    auth.register(account("off"), &Context::default()).await.unwrap();
    let off = auth.find_by_email(&Email::parse("off@example.org").unwrap()).await.unwrap();
    auth.disable(off.id).await.unwrap();
    for (name, password) in [("nobody", "123456"), ("ada", "wrong!"), ("off", "123456")] {
        let before = hasher.verified.load(Ordering::SeqCst);
        let result = auth.login(credentials(name, password), &Context::default()).await;
        assert!(matches!(result, Err(LoginError::InvalidCredentials)), "{name} got {result:?}");
        assert_eq!(hasher.verified.load(Ordering::SeqCst) - before, 1, "{name} cost another amount of work");
    }
    assert_eq!(refusal(&auth, &registered).await, "none");
}

#[tokio::test]
async fn a_conflict_names_the_field_and_a_short_password_costs_no_hash() {
    let ServiceFixture { auth, hasher, .. } = fixture();
    auth.register(account("ada"), &Context::default()).await.unwrap();
    let twin = NewAccount { username: Username::parse("other").unwrap(), ..account("ADA") };
    assert!(matches!(auth.register(twin, &Context::default()).await, Err(RegisterError::EmailTaken)));
    let twin = NewAccount { email: Email::parse("other@example.org").unwrap(), ..account("Ada") };
    assert!(matches!(auth.register(twin, &Context::default()).await, Err(RegisterError::UsernameTaken)));
    let before = hasher.hashed.load(Ordering::SeqCst);
    for (text, rule) in [
        ("12345".to_owned(), PasswordError::TooShort { min: 6 }),
        ("x".repeat(73), PasswordError::TooManyBytes { max: 72 }),
        ("ü".repeat(37), PasswordError::TooManyBytes { max: 72 }),
    ] {
        let weak = NewAccount { password: Password::parse(&text).unwrap(), ..account("bob") };
        let result = auth.register(weak, &Context::default()).await;
        assert!(matches!(&result, Err(RegisterError::Password(broken)) if *broken == rule), "{text}: {result:?}");
    }
    assert_eq!(hasher.hashed.load(Ordering::SeqCst), before);
}

#[tokio::test]
async fn every_change_that_must_end_tokens_ends_those_from_before_and_none_from_after() {
    let ServiceFixture { auth, .. } = fixture();
    let user = auth.register(account("ada"), &Context::default()).await.unwrap().signed_in().unwrap().user;
    auth.promote(user.id).await.unwrap();
    for change in ["logout everywhere", "demote", "disable"] {
        let before = auth.login(credentials("ada", "123456"), &Context::default()).await.unwrap().signed_in().unwrap();
        assert_eq!(refusal(&auth, &before).await, "none");
        match change {
            "logout everywhere" => auth.logout_everywhere(user.id).await,
            "demote" => auth.demote(user.id).await,
            _ => auth.disable(user.id).await,
        }
        .unwrap();
        assert_eq!(refusal(&auth, &before).await, "revoked", "{change}");
        auth.enable(user.id).await.unwrap();
        assert_eq!(refusal(&auth, &before).await, "revoked", "enabling brings no token back");
        let after = auth.login(credentials("ada", "123456"), &Context::default()).await.unwrap().signed_in().unwrap();
        assert_eq!(refusal(&auth, &after).await, "none", "a login after {change}");
    }
}

#[tokio::test]
async fn an_admin_is_one_from_the_login_after_the_promotion_on() {
    let ServiceFixture { auth, .. } = fixture();
    let user = auth.register(account("ada"), &Context::default()).await.unwrap().signed_in().unwrap().user;
    auth.promote(user.id).await.unwrap();
    let session = auth.login(credentials("ada", "123456"), &Context::default()).await.unwrap().signed_in().unwrap();
    assert!(auth.authenticate(session.token.expose_token()).await.unwrap().is_admin());
    assert!(!auth.demote(user.id).await.unwrap().admin);
}

#[tokio::test]
async fn an_unknown_user_is_reported_as_not_found() {
    let ServiceFixture { auth, clock, .. } = fixture();
    let nobody = auth_core::UserId::generate(clock.now()).unwrap();
    assert!(matches!(auth.find_user(nobody).await, Err(AccountError::UserNotFound)));
    assert!(matches!(auth.promote(nobody).await, Err(AccountError::UserNotFound)));
    assert!(matches!(auth.logout_everywhere(nobody).await, Err(AccountError::UserNotFound)));
    assert!(auth.list_users(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_revocation_outlives_a_token_that_was_issued_when_lives_were_longer() {
    let fixture = fixture();
    let long = builder(&fixture.store, &fixture.hasher, &fixture.clock).token_life(MAX_TOKEN_LIFE).build().unwrap();
    let short =
        builder(&fixture.store, &fixture.hasher, &fixture.clock).token_life(Duration::from_secs(60)).build().unwrap();
    let session = long.register(account("ada"), &Context::default()).await.unwrap().signed_in().unwrap();
    short.logout_everywhere(session.user.id).await.unwrap();
    fixture.clock.set(fixture.clock.now() + MAX_TOKEN_LIFE - Duration::from_secs(1));
    let purged =
        auth_core::blacklist::purge_expired(&*fixture.store, fixture.clock.now(), 100, async |_| {}).await.unwrap();
    assert_eq!(purged, 0);
    assert_eq!(refusal(&long, &session).await, "revoked");
}

#[tokio::test]
async fn a_revocation_by_a_slow_clock_outlives_a_token_that_a_fast_one_issued() {
    let ServiceFixture { store, hasher, clock, .. } = fixture();
    let auth = builder(&store, &hasher, &clock).token_life(MAX_TOKEN_LIFE).build().unwrap();
    let issued_at = clock.now();
    let session = auth.register(account("ada"), &Context::default()).await.unwrap().signed_in().unwrap();
    clock.set(issued_at - MAX_CLOCK_SKEW);
    auth.logout_everywhere(session.user.id).await.unwrap();
    clock.set(issued_at + MAX_TOKEN_LIFE);
    let purge = async |now| auth_core::blacklist::purge_expired(&*store, now, 100, async |_| {}).await.unwrap();
    assert_eq!(purge(clock.now() + MAX_CLOCK_SKEW).await, 0);
    assert_eq!(refusal(&auth, &session).await, "revoked");
    // The purge is much too early. The log remembers what it purged, so the token is refused.
    assert_eq!(purge(clock.now() + MAX_TOKEN_LIFE).await, 1);
    assert_eq!(refusal(&auth, &session).await, "revoked");
}

#[test]
fn a_service_without_a_part_or_with_a_life_out_of_bounds_is_not_built() {
    assert!(matches!(AuthService::builder().build(), Err(BuildError::Missing("passwords"))));
    let fixture = fixture();
    for life in [Duration::ZERO, Duration::from_millis(1500), MAX_TOKEN_LIFE + Duration::from_secs(1)] {
        assert!(
            matches!(
                builder(&fixture.store, &fixture.hasher, &fixture.clock).token_life(life).build(),
                Err(BuildError::TokenLife)
            ),
            "{life:?}"
        );
    }
}

#[tokio::test]
async fn no_public_value_and_no_error_shows_a_secret() {
    let ServiceFixture { auth, store, .. } = fixture();
    let session = auth.register(account("ada"), &Context::default()).await.unwrap().signed_in().unwrap();
    let stored = store.find_credentials(&session.user.email).await.unwrap().unwrap();
    let wrong = auth.login(credentials("ada", "s3cret-guess"), &Context::default()).await.unwrap_err();
    let shown = format!("{auth:?} {session:?} {stored:?} {wrong:?} {:?}", credentials("ada", "s3cret-guess"));
    for secret in ["123456", "s3cret-guess", "$2b$", session.token.expose_token()] {
        assert!(!shown.contains(secret), "{secret} shows in {shown}");
    }
}
