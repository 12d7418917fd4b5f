//! Changing a password, and what that means for the tokens of before.

use std::sync::{Arc, Mutex};

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::memory::MemoryStore;
use auth_core::{
    AuthService, AuthenticateError, ChangePasswordError, Context, Credentials, HashError, LoginError, NewAccount,
    Password, PasswordHash, PasswordHasher, PasswordPolicy, SignedIn, UserStore as _, Username, Verdict,
};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use time::OffsetDateTime;

use crate::tally::{bcrypt, password};
use crate::world::{World, email};

async fn session_of_new(world: &World) -> SignedIn {
    let account = NewAccount {
        email: email("ada"),
        username: Username::parse("ada").unwrap(),
        password: password("right password"),
    };
    world.auth.register(account, &Context::default()).await.unwrap()
}

#[tokio::test]
async fn a_change_of_password_leaves_one_good_token() {
    let world = World::new(&[]);
    let old = session_of_new(&world).await;
    let principal = world.auth.authenticate(old.token.expose_token()).await.unwrap();
    let wrong = world
        .auth
        .change_password(&principal, password("wrong password"), password("new password"), &Context::default())
        .await;
    assert!(matches!(wrong, Err(ChangePasswordError::Login(LoginError::InvalidCredentials))), "{wrong:?}");
    let short = world
        .auth
        .change_password(&principal, password("right password"), password("short"), &Context::default())
        .await;
    assert!(matches!(short, Err(ChangePasswordError::NewPassword(_))), "{short:?}");
    assert!(world.auth.authenticate(old.token.expose_token()).await.is_ok(), "a refused change changes nothing");

    let new = world
        .auth
        .change_password(&principal, password("right password"), password("new password"), &Context::default())
        .await
        .unwrap();
    let refused = world.auth.authenticate(old.token.expose_token()).await;
    assert!(matches!(refused, Err(AuthenticateError::Revoked)), "{refused:?}");
    assert!(world.auth.authenticate(new.token.expose_token()).await.is_ok());
    assert!(world.login("ada", "right password").await.is_err());
    assert!(world.login("ada", "new password").await.is_ok());
    let again = world
        .auth
        .change_password(&principal, password("right password"), password("third password"), &Context::default())
        .await;
    assert!(matches!(again, Err(ChangePasswordError::Login(LoginError::InvalidCredentials))), "{again:?}");
}

#[tokio::test]
async fn an_upgrade_under_way_does_not_fail_a_change_of_password() {
    let world = World::new(&[]);
    world.import("ada", bcrypt(4).hash(&password("right password")).unwrap()).await;
    let session = world.login("ada", "right password").await.unwrap();
    let principal = world.auth.authenticate(session.token.expose_token()).await.unwrap();
    let context = Context::default();
    let change = world.auth.change_password(&principal, password("right password"), password("new password"), &context);
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
    let user = auth.register(account, &Context::default()).await.unwrap().user;
    let slow = tokio::spawn({
        let auth = auth.clone();
        async move {
            auth.login(Credentials { email: email("ada"), password: password("right password") }, &Context::default())
                .await
        }
    });
    tokio::task::yield_now().await;
    has_started.recv().unwrap();
    // Not by hashing: with one core there is one thread, and that one waits.
    let new = bcrypt(4).hash(&password("new password")).unwrap();
    let revocation = auth_core::UserRevocation {
        expires_at: OffsetDateTime::UNIX_EPOCH + std::time::Duration::from_secs(10_000_000_000),
        revoked_at: OffsetDateTime::UNIX_EPOCH,
        reason: auth_core::blacklist::RevocationReason::PasswordChange,
    };
    store.change_and_revoke(user.id, auth_core::UserChange::Password(new), revocation).await.unwrap().unwrap();
    go_on.send(()).unwrap();
    let session = slow.await.unwrap().unwrap().signed_in().unwrap();
    let refused = auth.authenticate(session.token.expose_token()).await;
    assert!(matches!(refused, Err(AuthenticateError::Revoked)), "{refused:?}");
}
