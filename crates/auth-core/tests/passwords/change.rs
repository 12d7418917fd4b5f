//! Changes of a password, and their effect on earlier tokens.

use std::sync::{Arc, Mutex};

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::memory::MemoryStore;
use auth_core::{
    AuthService, AuthenticateError, ChangePasswordError, Context, Credentials, HashError, LoginError, NewAccount,
    Password, PasswordHash, PasswordHasher, PasswordPolicy, SideEffects, SignedIn, UserStore as _, Username, Verdict,
};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use time::OffsetDateTime;

use crate::counting::{bcrypt, password};
use crate::fixture::{PasswordFixture, email};

async fn signed_in_user(fixture: &PasswordFixture) -> SignedIn {
    let account = NewAccount {
        email: email("ada"),
        username: Username::parse("ada").unwrap(),
        password: password("right password"),
    };
    fixture.auth.register(account, &Context::default()).await.unwrap().signed_in().unwrap()
}

#[tokio::test]
async fn a_change_of_password_leaves_one_good_token() {
    let fixture = PasswordFixture::new(&[]);
    let old = signed_in_user(&fixture).await;
    let principal = fixture.auth.authenticate(old.token.expose_token()).await.unwrap();
    let wrong = fixture
        .auth
        .change_password(&principal, password("wrong password"), password("new password"), &Context::default())
        .await;
    assert!(matches!(wrong, Err(ChangePasswordError::Login(LoginError::InvalidCredentials))), "{wrong:?}");
    let short = fixture
        .auth
        .change_password(&principal, password("right password"), password("short"), &Context::default())
        .await;
    assert!(matches!(short, Err(ChangePasswordError::NewPassword(_))), "{short:?}");
    assert!(fixture.auth.authenticate(old.token.expose_token()).await.is_ok(), "a refused change changes nothing");

    let new = fixture
        .auth
        .change_password(&principal, password("right password"), password("new password"), &Context::default())
        .await
        .unwrap();
    let refused = fixture.auth.authenticate(old.token.expose_token()).await;
    assert!(matches!(refused, Err(AuthenticateError::Revoked)), "{refused:?}");
    assert!(fixture.auth.authenticate(new.token.expose_token()).await.is_ok());
    assert!(fixture.login("ada", "right password").await.is_err());
    assert!(fixture.login("ada", "new password").await.is_ok());
    let again = fixture
        .auth
        .change_password(&principal, password("right password"), password("third password"), &Context::default())
        .await;
    assert!(matches!(again, Err(ChangePasswordError::Login(LoginError::InvalidCredentials))), "{again:?}");
}

#[tokio::test]
async fn an_upgrade_under_way_does_not_fail_a_change_of_password() {
    let fixture = PasswordFixture::new(&[]);
    fixture.import("ada", bcrypt(4).hash(&password("right password")).unwrap()).await;
    let session = fixture.login("ada", "right password").await.unwrap();
    let principal = fixture.auth.authenticate(session.token.expose_token()).await.unwrap();
    let context = Context::default();
    let change =
        fixture.auth.change_password(&principal, password("right password"), password("new password"), &context);
    let (changed, ()) = tokio::join!(change, fixture.run_later());
    assert!(changed.is_ok(), "{changed:?}");
    assert!(fixture.login("ada", "new password").await.is_ok());
}

/// Hasher whose first comparison waits for a signal.
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
    fn dummy_hash(&self) -> Result<PasswordHash, HashError> {
        self.inner.dummy_hash()
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
    let user = auth.register(account, &Context::default()).await.unwrap().signed_in().unwrap().user;
    let slow = tokio::spawn({
        let auth = auth.clone();
        async move {
            auth.login(Credentials { email: email("ada"), password: password("right password") }, &Context::default())
                .await
        }
    });
    tokio::task::yield_now().await;
    has_started.recv().unwrap();
    // The new hash is made here and not by the pool: with one core the pool has one thread, and that one waits.
    let new = bcrypt(4).hash(&password("new password")).unwrap();
    let revocation = auth_core::UserRevocation {
        expires_at: OffsetDateTime::UNIX_EPOCH + std::time::Duration::from_secs(10_000_000_000),
        revoked_at: OffsetDateTime::UNIX_EPOCH,
        reason: auth_core::blacklist::RevocationReason::PasswordChange,
    };
    store
        .change_and_revoke(user.id, auth_core::UserChange::Password(new), revocation, SideEffects::default())
        .await
        .unwrap()
        .unwrap();
    go_on.send(()).unwrap();
    let session = slow.await.unwrap().unwrap().signed_in().unwrap();
    let refused = auth.authenticate(session.token.expose_token()).await;
    assert!(matches!(refused, Err(AuthenticateError::Revoked)), "{refused:?}");
}
