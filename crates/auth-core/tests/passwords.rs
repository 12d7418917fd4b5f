//! Stored hashes of several kinds: what a login with each costs, what becomes of the hash, and changing a password.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::memory::MemoryStore;
use auth_core::service::UpgradeStats;
use auth_core::{
    Argon2Hasher, Argon2Params, AuthService, AuthenticateError, Batch, BatchKey, BatchResults, BcryptHasher,
    ChangePasswordError, Credentials, Email, HashError, JwtCodec, LoginError, NewAccount, NewUser, Password,
    PasswordHash, PasswordHasher, PasswordPolicy, PasswordPool, PasswordSchemes, PoolOptions, Scheme, Session,
    SigningKey, UserId, UserStore, Username, Verdict, Work,
};
use futures_util::future::BoxFuture;
use proptest::prelude::*;
use time::OffsetDateTime;

/// What was computed since it was last asked: how often each work.
type Counts = BTreeMap<Work, usize>;
type Tally = Arc<Mutex<Counts>>;

/// Counts every hash that a scheme computes, by its work.
#[derive(Debug)]
struct Counting<S> {
    inner: S,
    tally: Tally,
}

impl<S: Scheme> Counting<S> {
    fn count(&self, work: Work) {
        *self.tally.lock().unwrap().entry(work).or_default() += 1;
    }
}

impl<S: Scheme> PasswordHasher for Counting<S> {
    fn max_bytes(&self) -> usize {
        self.inner.max_bytes()
    }
    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError> {
        self.inner.hash(password)
    }
    fn verify(&self, password: &Password, hash: &PasswordHash) -> Result<Verdict, HashError> {
        assert!(password.expose_secret().len() <= self.max_bytes(), "no work would be done");
        self.count(self.inner.work(hash).unwrap().unwrap());
        self.inner.verify(password, hash)
    }
    fn decoy(&self) -> Result<PasswordHash, HashError> {
        self.inner.decoy()
    }
    fn batch_key(&self, stored: Option<&PasswordHash>) -> Option<BatchKey> {
        self.inner.batch_key(stored)
    }
    fn run_batch(&self, jobs: Batch<'_>) -> BatchResults {
        for (password, hash) in jobs.verify {
            assert!(password.expose_secret().len() <= self.max_bytes(), "no work would be done");
            self.count(self.inner.work(hash).unwrap().unwrap());
        }
        self.inner.run_batch(jobs)
    }
}

impl<S: Scheme> Scheme for Counting<S> {
    fn configured(&self) -> Work {
        self.inner.configured()
    }
    fn work(&self, hash: &PasswordHash) -> Option<Result<Work, HashError>> {
        self.inner.work(hash)
    }
    fn decoy_of(&self, work: Work) -> Option<Result<PasswordHash, HashError>> {
        self.inner.decoy_of(work)
    }
}

fn bcrypt(cost: u32) -> BcryptHasher {
    BcryptHasher::new(cost).unwrap()
}

fn argon2(memory_kib: u32, passes: u32) -> Argon2Hasher {
    Argon2Hasher::new(Argon2Params::new(memory_kib, passes, 1).unwrap())
}

fn password(text: &str) -> Password {
    Password::parse(text).unwrap()
}

/// Work in all, by hash function.
fn totals(counts: &Counts) -> (u64, u64) {
    let sum = |bcrypt: bool| {
        let of_function = counts.iter().filter(|(work, _)| matches!(work, Work::Bcrypt { .. }) == bcrypt);
        of_function.map(|(work, times)| work.units() * *times as u64).sum()
    };
    (sum(true), sum(false))
}

struct World {
    auth: AuthService,
    store: Arc<MemoryStore>,
    tally: Tally,
    later: Arc<Mutex<Vec<BoxFuture<'static, ()>>>>,
}

impl World {
    /// A service that writes bcrypt of cost 6 and reads Argon2 too.
    fn new(levels: &[Work]) -> Self {
        let tally = Tally::default();
        let schemes = PasswordSchemes::new(Counting { inner: bcrypt(6), tally: tally.clone() })
            .reading(Counting { inner: argon2(64, 2), tally: tally.clone() });
        let schemes = levels.iter().copied().fold(schemes, PasswordSchemes::with_level);
        Self::over(schemes, tally)
    }

    fn over(schemes: PasswordSchemes, tally: Tally) -> Self {
        let store = Arc::new(MemoryStore::new().unwrap());
        let later = Arc::new(Mutex::new(Vec::new()));
        let key = SigningKey::from_secret(&[7; 32]).unwrap();
        let tasks = Arc::clone(&later);
        let auth = AuthService::builder()
            .users(store.clone())
            .blacklist(Arc::new(UnsyncedBlacklist::new(store.clone())))
            .codec(Arc::new(JwtCodec::new(key, "issuer", "audience")))
            .passwords(PasswordPool::new(Arc::new(schemes), PoolOptions::default()).unwrap())
            .policy(PasswordPolicy::new(6))
            .background(move |task| tasks.lock().unwrap().push(task))
            .build()
            .unwrap();
        Self { auth, store, tally, later }
    }

    /// Stores a user with this hash, as an import would.
    async fn import(&self, name: &str, password_hash: PasswordHash) -> UserId {
        let registered_on = OffsetDateTime::UNIX_EPOCH;
        let id = UserId::generate(registered_on).unwrap();
        let (email, username) = (email(name), Username::parse(name).unwrap());
        let new = NewUser { id, email, username, password_hash, admin: false, registered_on };
        self.store.insert(new).await.unwrap().id
    }

    async fn login(&self, name: &str, text: &str) -> Result<Session, LoginError> {
        self.auth.login(Credentials { email: email(name), password: password(text) }).await
    }

    /// What a login that must fail has computed.
    async fn cost(&self, name: &str, text: &str) -> Counts {
        self.tally.lock().unwrap().clear();
        let result = self.login(name, text).await;
        assert!(
            matches!(result, Err(LoginError::InvalidCredentials | LoginError::UnusableHash { .. })),
            "{name} got {result:?}"
        );
        self.tally.lock().unwrap().clone()
    }

    async fn hash_of(&self, name: &str) -> PasswordHash {
        self.store.find_credentials(&email(name)).await.unwrap().unwrap().password_hash
    }

    async fn run_later(&self) {
        let tasks = std::mem::take(&mut *self.later.lock().unwrap());
        for task in tasks {
            task.await;
        }
    }
}

fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.org")).unwrap()
}

/// A user of every kind: whose hash is the default's, a cheaper one, a dearer one, one of another scheme in three sizes, and
/// one that cannot be used.
async fn one_of_each(world: &World) -> Vec<&'static str> {
    let right = password("right password");
    let hashes = [
        ("default", bcrypt(6).hash(&right)),
        ("cheaper", bcrypt(4).hash(&right)),
        ("dearer", bcrypt(7).hash(&right)),
        ("other", argon2(64, 2).hash(&right)),
        ("otherless", argon2(24, 1).hash(&right)),
        ("othermore", argon2(96, 3).hash(&right)),
        ("unusable", Ok(PasswordHash::new("$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".into()))),
        ("malformed", Ok(PasswordHash::new("$argon2id$v=19$m=4294967295,t=9,p=9$c29tZXNhbHQ$AAAA".into()))),
        ("foreign", Ok(PasswordHash::new("{SSHA}whatever".into()))),
    ];
    let mut names = Vec::new();
    for (name, hash) in hashes {
        world.import(name, hash.unwrap()).await;
        names.push(name);
    }
    names
}

#[tokio::test]
async fn every_login_costs_the_same_whatever_is_stored() {
    let legacy = [Work::Bcrypt { cost: 7 }, Work::Argon2 { memory_kib: 96, passes: 3, lanes: 1 }];
    let world = World::new(&legacy);
    let names = one_of_each(&world).await;
    let long = "x".repeat(100);
    let mut costs = BTreeMap::new();
    for text in ["wrong password", long.as_str()] {
        costs.insert(format!("nobody, {} characters", text.len()), world.cost("nobody", text).await);
        for name in &names {
            costs.insert(format!("{name}, {} characters", text.len()), world.cost(name, text).await);
        }
    }
    for name in &names {
        let id = world.auth.find_by_email(&email(name)).await.unwrap().id;
        world.auth.disable(id).await.unwrap();
        costs.insert(format!("{name}, disabled"), world.cost(name, "right password").await);
    }
    for (who, counts) in &costs {
        assert_eq!(totals(counts), (1 << 7, 96 * 3), "{who}: {counts:?}");
    }
    assert_eq!(costs.len(), 2 * 10 + 9);
}

#[tokio::test]
async fn with_one_scheme_and_one_cost_a_login_is_one_hash() {
    let world = World::new(&[]);
    world.import("ada", bcrypt(6).hash(&password("right password")).unwrap()).await;
    for name in ["ada", "nobody"] {
        assert_eq!(world.cost(name, "wrong password").await, Counts::from([(Work::Bcrypt { cost: 6 }, 1)]), "{name}");
    }
}

#[tokio::test]
async fn what_is_met_raises_the_price_of_every_login_after_it() {
    let world = World::new(&[]);
    one_of_each(&world).await;
    assert_eq!(totals(&world.cost("nobody", "wrong password").await), (1 << 6, 0));
    assert_eq!(totals(&world.cost("dearer", "wrong password").await), (1 << 7, 0));
    assert_eq!(totals(&world.cost("nobody", "wrong password").await), (1 << 7, 0));
    assert_eq!(totals(&world.cost("othermore", "wrong password").await), (1 << 7, 96 * 3));
    for name in ["nobody", "default", "other", "unusable"] {
        assert_eq!(totals(&world.cost(name, "wrong password").await), (1 << 7, 96 * 3), "{name}");
    }
}

#[test]
fn each_new_level_is_told_of_once() {
    let told = Arc::<Mutex<Vec<Work>>>::default();
    let teller = Arc::clone(&told);
    let schemes = PasswordSchemes::new(bcrypt(6))
        .reading(argon2(64, 2))
        .with_level(Work::Bcrypt { cost: 7 })
        .on_new_level(move |level| teller.lock().unwrap().push(level));
    let (dearer, other, more) = (bcrypt(8).decoy(), argon2(64, 2).decoy(), argon2(64, 3).decoy());
    let met = [bcrypt(6).decoy(), bcrypt(7).decoy(), dearer, other, more];
    let met = met.map(Result::unwrap);
    for hash in met.iter().chain(&met) {
        schemes.verify(&password("wrong password"), hash).unwrap();
    }
    let argon2 = |passes| Work::Argon2 { memory_kib: 64, passes, lanes: 1 };
    assert_eq!(*told.lock().unwrap(), [Work::Bcrypt { cost: 8 }, argon2(2), argon2(3)]);
}

#[tokio::test]
async fn a_hash_that_cannot_be_used_is_named_and_no_login() {
    let world = World::new(&[]);
    one_of_each(&world).await;
    for name in ["unusable", "malformed", "foreign"] {
        let error = world.login(name, "right password").await.unwrap_err();
        assert!(matches!(error, LoginError::UnusableHash { .. }), "{name} got {error:?}");
    }
}

#[tokio::test]
async fn a_login_upgrades_a_hash_of_another_scheme_or_cost_after_the_answer() {
    let world = World::new(&[]);
    one_of_each(&world).await;
    for (number, name) in (1..).zip(["cheaper", "dearer", "other", "otherless", "othermore"]) {
        let before = world.hash_of(name).await;
        world.login(name, "right password").await.unwrap();
        assert!(world.hash_of(name).await == before, "{name}: the answer did not wait for the upgrade");
        world.run_later().await;
        let after = world.hash_of(name).await;
        assert!(after.expose_hash().starts_with("$2b$06$"), "{name} was not upgraded");
        world.login(name, "right password").await.unwrap();
        assert_eq!(world.auth.upgrade_stats().upgraded, number);
        assert!(world.later.lock().unwrap().is_empty(), "{name} is upgraded once");
    }
}

#[tokio::test]
async fn a_password_that_was_changed_meanwhile_is_not_overwritten_by_an_upgrade() {
    let world = World::new(&[]);
    let id = world.import("ada", bcrypt(4).hash(&password("right password")).unwrap()).await;
    world.login("ada", "right password").await.unwrap();
    world.auth.set_password(id, password("another password")).await.unwrap();
    world.run_later().await;
    assert_eq!(world.auth.upgrade_stats().superseded, 1);
    assert!(world.login("ada", "right password").await.is_err());
    assert!(world.login("ada", "another password").await.is_ok());
}

#[tokio::test]
async fn one_upgrade_at_a_time_and_the_others_wait_for_another_login() {
    let world = World::new(&[]);
    for name in ["ada", "bob"] {
        world.import(name, bcrypt(4).hash(&password("right password")).unwrap()).await;
        world.login(name, "right password").await.unwrap();
    }
    world.run_later().await;
    let stats = world.auth.upgrade_stats();
    assert_eq!((stats.upgraded, stats.shed), (1, 1));
    world.login("bob", "right password").await.unwrap();
    world.run_later().await;
    assert_eq!(world.auth.upgrade_stats().upgraded, 2);
}

#[tokio::test]
async fn a_password_that_the_configured_scheme_cannot_take_stays_as_it_is() {
    let world = World::new(&[]);
    let long = "x".repeat(100);
    world.import("ada", argon2(64, 2).hash(&password(&long)).unwrap()).await;
    world.login("ada", &long).await.unwrap();
    assert!(world.later.lock().unwrap().is_empty());
    assert_eq!(world.auth.upgrade_stats(), UpgradeStats::default());
}

async fn session_of_new(world: &World) -> Session {
    let account = NewAccount {
        email: email("ada"),
        username: Username::parse("ada").unwrap(),
        password: password("right password"),
    };
    world.auth.register(account).await.unwrap()
}

#[tokio::test]
async fn a_change_of_password_leaves_one_good_token() {
    let world = World::new(&[]);
    let old = session_of_new(&world).await;
    let principal = world.auth.authenticate(old.token.expose_token()).await.unwrap();
    let wrong = world.auth.change_password(&principal, password("wrong password"), password("new password")).await;
    assert!(matches!(wrong, Err(ChangePasswordError::Login(LoginError::InvalidCredentials))), "{wrong:?}");
    let short = world.auth.change_password(&principal, password("right password"), password("short")).await;
    assert!(matches!(short, Err(ChangePasswordError::NewPassword(_))), "{short:?}");
    assert!(world.auth.authenticate(old.token.expose_token()).await.is_ok(), "a refused change changes nothing");

    let new =
        world.auth.change_password(&principal, password("right password"), password("new password")).await.unwrap();
    let refused = world.auth.authenticate(old.token.expose_token()).await;
    assert!(matches!(refused, Err(AuthenticateError::Revoked)), "{refused:?}");
    assert!(world.auth.authenticate(new.token.expose_token()).await.is_ok());
    assert!(world.login("ada", "right password").await.is_err());
    assert!(world.login("ada", "new password").await.is_ok());
    let again = world.auth.change_password(&principal, password("right password"), password("third password")).await;
    assert!(matches!(again, Err(ChangePasswordError::Login(LoginError::InvalidCredentials))), "{again:?}");
}

#[tokio::test]
async fn an_upgrade_under_way_does_not_fail_a_change_of_password() {
    let world = World::new(&[]);
    world.import("ada", bcrypt(4).hash(&password("right password")).unwrap()).await;
    let session = world.login("ada", "right password").await.unwrap();
    let principal = world.auth.authenticate(session.token.expose_token()).await.unwrap();
    let change = world.auth.change_password(&principal, password("right password"), password("new password"));
    let (changed, ()) = tokio::join!(change, world.run_later());
    assert!(changed.is_ok(), "{changed:?}");
    assert!(world.login("ada", "new password").await.is_ok());
}

/// A hasher whose first comparison waits until it is told to go on.
#[derive(Debug)]
struct Gated {
    inner: BcryptHasher,
    started: Mutex<Option<std::sync::mpsc::Sender<()>>>,
    gate: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl PasswordHasher for Gated {
    fn max_bytes(&self) -> usize {
        self.inner.max_bytes()
    }
    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError> {
        self.inner.hash(password)
    }
    fn verify(&self, password: &Password, hash: &PasswordHash) -> Result<Verdict, HashError> {
        let verdict = self.inner.verify(password, hash);
        if let Some(started) = self.started.lock().unwrap().take() {
            started.send(()).unwrap();
            self.gate.lock().unwrap().recv().unwrap();
        }
        verdict
    }
    fn decoy(&self) -> Result<PasswordHash, HashError> {
        self.inner.decoy()
    }
}

#[tokio::test]
async fn a_login_under_way_while_the_password_is_changed_yields_a_token_that_is_refused() {
    let (started, has_started) = std::sync::mpsc::channel();
    let (go_on, gate) = std::sync::mpsc::channel();
    let gated = Gated { inner: bcrypt(4), started: Mutex::new(Some(started)), gate: Mutex::new(gate) };
    let store = Arc::new(MemoryStore::new().unwrap());
    let auth = AuthService::builder()
        .users(store.clone())
        .blacklist(Arc::new(UnsyncedBlacklist::new(store.clone())))
        .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(&[7; 32]).unwrap(), "issuer", "audience")))
        .passwords(PasswordPool::new(Arc::new(gated), PoolOptions::default()).unwrap())
        .policy(PasswordPolicy::new(6))
        .build()
        .unwrap();
    let account = NewAccount {
        email: email("ada"),
        username: Username::parse("ada").unwrap(),
        password: password("right password"),
    };
    let user = auth.register(account).await.unwrap().user;
    let slow = tokio::spawn({
        let auth = auth.clone();
        async move { auth.login(Credentials { email: email("ada"), password: password("right password") }).await }
    });
    tokio::task::yield_now().await;
    has_started.recv().unwrap();
    // Not by hashing: with one core there is one thread, and that one waits.
    let new = bcrypt(4).hash(&password("new password")).unwrap();
    let revocation = |below| auth_core::Revocation {
        target: auth_core::blacklist::RevocationTarget::User { id: user.id, below },
        expires_at: OffsetDateTime::UNIX_EPOCH + std::time::Duration::from_secs(10_000_000_000),
        revoked_at: OffsetDateTime::UNIX_EPOCH,
        reason: auth_core::blacklist::RevocationReason::PasswordChange,
    };
    store.change_and_revoke(user.id, auth_core::UserChange::Password(new), &revocation).await.unwrap().unwrap();
    go_on.send(()).unwrap();
    let session = slow.await.unwrap().unwrap();
    let refused = auth.authenticate(session.token.expose_token()).await;
    assert!(matches!(refused, Err(AuthenticateError::Revoked)), "{refused:?}");
}

proptest! {
    #[test]
    fn no_stored_text_makes_a_comparison_panic(text in "\\PC{0,80}|\\$(2[abxy]|argon2i?d?)\\$[0-9a-zA-Z$=,./+]{0,70}") {
        let schemes = PasswordSchemes::new(bcrypt(4)).reading(argon2(8, 1));
        // Only what is refused is compared, so that the test is not spent on hashing what is not.
        let hash = PasswordHash::new(text);
        if schemes.batch_key(Some(&hash)).is_none() && argon2(8, 1).work(&hash).is_none_or(|work| work.is_err()) {
            prop_assert!(matches!(schemes.verify(&password("x"), &hash), Err(HashError::UnusableHash(_))));
        }
    }

    #[test]
    fn what_is_missing_to_a_level_is_exactly_that(level in 4_u32..=8, cost in 4_u32..=8) {
        let tally = Tally::default();
        let schemes = PasswordSchemes::new(Counting { inner: bcrypt(level), tally: tally.clone() });
        let hash = bcrypt(cost).decoy().unwrap();
        prop_assert_eq!(schemes.verify(&password("x"), &hash).unwrap(), Verdict::Mismatch);
        prop_assert_eq!(totals(&tally.lock().unwrap()), (1 << level.max(cost), 0));
    }
}
