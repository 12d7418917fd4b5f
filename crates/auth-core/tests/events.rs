//! The events that the feature `tracing` adds.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::io;
use std::sync::{Arc, Mutex};

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::memory::MemoryStore;
use auth_core::{AuthService, Context, Credentials, Email, NewAccount, Password, PasswordPolicy, Username};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use tracing_subscriber::fmt::MakeWriter;

const SECRET: &str = "a secret of ada";

/// What was written, as text.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[test]
fn a_login_a_refusal_and_a_logout_are_told_without_a_secret() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tracing::subscriber::with_default(subscriber, || runtime.block_on(register_log_in_and_log_out()));

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for told in [
        "registration user=",
        "login user=",
        "login refused error=",
        "revoked user=",
        "reason=\"logout\"",
        "request_id=\"7f\"",
    ] {
        assert!(text.contains(told), "{told} is not in\n{text}");
    }
    for secret in ["ada@example.org", SECRET, "not the secret", "$2b$"] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
}

async fn register_log_in_and_log_out() {
    let store = Arc::new(MemoryStore::new().unwrap());
    let service = AuthService::builder()
        .users(store.clone())
        .blacklist(Arc::new(UnsyncedBlacklist::new(store)))
        .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(&[7; 32]).unwrap(), "issuer", "audience")))
        .passwords(PasswordPool::new(Arc::new(BcryptHasher::new(4).unwrap()), PoolOptions::default()).unwrap())
        .policy(PasswordPolicy::new(6))
        .build()
        .unwrap();
    let context = Context::default().with_request_id("7f");
    let email = Email::parse("ada@example.org").unwrap();
    let credentials = |text: &str| Credentials { email: email.clone(), password: Password::parse(text).unwrap() };
    let account = NewAccount {
        email: email.clone(),
        username: Username::parse("ada").unwrap(),
        password: Password::parse(SECRET).unwrap(),
    };
    service.register(account, &context).await.unwrap();
    assert!(service.login(credentials("not the secret"), &context).await.is_err());
    let signed_in = service.login(credentials(SECRET), &context).await.unwrap().signed_in().unwrap();
    let principal = service.authenticate(signed_in.token.expose_token()).await.unwrap();
    service.logout(&principal).await.unwrap();
}
