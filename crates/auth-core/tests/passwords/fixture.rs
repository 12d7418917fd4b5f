//! A service over schemes that count, with users whose hashes are of every scheme.

use std::sync::{Arc, Mutex};

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::memory::MemoryStore;
use auth_core::{
    AuthService, Context, Credentials, Email, LoginError, NewUser, PasswordHash, PasswordHasher as _, PasswordPolicy,
    SideEffects, SignedIn, UserId, UserStore as _, Username,
};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{HashWork, PasswordPool, PasswordSchemes, PoolOptions};
use futures_util::future::BoxFuture;
use time::OffsetDateTime;

use crate::counting::{Counting, Counts, Tally, argon2, bcrypt, password};

pub(crate) struct PasswordFixture {
    pub(crate) auth: AuthService,
    pub(crate) store: Arc<MemoryStore>,
    tally: Tally,
    pub(crate) later: Arc<Mutex<Vec<BoxFuture<'static, ()>>>>,
}

impl PasswordFixture {
    /// Returns a service that writes bcrypt of cost 6 and reads Argon2 too.
    pub(crate) fn new(levels: &[HashWork]) -> Self {
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
    pub(crate) async fn import(&self, name: &str, password_hash: PasswordHash) -> UserId {
        let registered_on = OffsetDateTime::UNIX_EPOCH;
        let id = UserId::generate(registered_on).unwrap();
        let (email, username) = (email(name), Username::parse(name).unwrap());
        let new = NewUser { id, email, username, email_verified: false, password_hash, admin: false, registered_on };
        self.store.insert(new, SideEffects::default()).await.unwrap().id
    }

    pub(crate) async fn login(&self, name: &str, text: &str) -> Result<SignedIn, LoginError> {
        let credentials = Credentials { email: email(name), password: password(text) };
        self.auth.login(credentials, &Context::default()).await.map(|outcome| outcome.signed_in().unwrap())
    }

    /// Returns the hashes that a login computed, which must fail.
    pub(crate) async fn cost(&self, name: &str, text: &str) -> Counts {
        self.tally.lock().unwrap().clear();
        let result = self.login(name, text).await;
        assert!(
            matches!(result, Err(LoginError::InvalidCredentials | LoginError::UnusableHash { .. })),
            "{name} got {result:?}"
        );
        self.tally.lock().unwrap().clone()
    }

    pub(crate) async fn hash_of(&self, name: &str) -> PasswordHash {
        self.store.find_credentials(&email(name)).await.unwrap().unwrap().password_hash
    }

    pub(crate) async fn run_later(&self) {
        let tasks = std::mem::take(&mut *self.later.lock().unwrap());
        for task in tasks {
            task.await;
        }
    }
}

pub(crate) fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.org")).unwrap()
}

/// Imports one user for each kind of hash: the default, a cheaper one, a dearer one, one of another scheme in three
/// sizes, and one that cannot be used.
pub(crate) async fn one_of_each(fixture: &PasswordFixture) -> Vec<&'static str> {
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
        fixture.import(name, hash.unwrap()).await;
        names.push(name);
    }
    names
}
