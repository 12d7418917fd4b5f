//! Registers a user and follows one token from login to logout, with stores in memory: `cargo run -p auth-core
//! --example in_memory`.

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::memory::MemoryStore;
use auth_core::{AuthService, AuthenticateError, Context, Credentials, Email, NewAccount, Password, Username};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;

    let store = Arc::new(MemoryStore::new()?);
    let auth = AuthService::builder()
        .users(store.clone())
        .blacklist(Arc::new(UnsyncedBlacklist::new(store)))
        .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(&secret)?, "https://auth.example", "api")))
        .passwords(PasswordPool::new(Arc::new(BcryptHasher::new(12)?), PoolOptions::default())?)
        .build()?;

    let email = Email::parse("ada@example.org")?;
    let password = Password::parse("correct horse battery staple")?;
    let username = Username::parse("ada")?;
    let registered = auth
        .register(NewAccount { email: email.clone(), username, password: password.clone() }, &Context::default())
        .await?
        .signed_in()
        .ok_or("the address must be verified first")?;
    writeln!(out, "registered {} as {}", registered.user.email, registered.user.id)?;

    let session = auth
        .login(Credentials { email, password }, &Context::default())
        .await?
        .signed_in()
        .ok_or("another factor is needed")?;
    let principal = auth.authenticate(session.token.expose_token()).await?;
    writeln!(out, "the token is good until {}", principal.expires_at())?;

    auth.logout(&principal).await?;
    match auth.authenticate(session.token.expose_token()).await {
        Err(AuthenticateError::Revoked) => writeln!(out, "after logout: refused")?,
        other => return Err(format!("after logout: {other:?}").into()),
    }
    auth.authenticate(registered.token.expose_token()).await?;
    writeln!(out, "the token of the registration is another one and is still good")?;
    Ok(())
}
