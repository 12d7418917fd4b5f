//! A service that issues nothing: it has the issuer's public key and reads the issuer's blacklist, so that a logout there is
//! a logout here. It knows no users, no passwords and no secret.
//! `DATABASE_URL=… cargo run -p auth-examples --bin verify_with_database public.pem`

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::{SystemClock, TokenVerifier};
use auth_jwt::{JwtCodec, VerifyingKey};
use auth_storage::{ConnectOptions, SeaRevocationLog, connect};
use auth_tower::AuthLayer;
use auth_tower::axum::Authenticated;
use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which file holds the public key?")?;
    let verifier = verifier(&std::env::var("DATABASE_URL")?, &std::fs::read(path)?).await?;
    axum::serve(TcpListener::bind("127.0.0.1:3001").await?, app(&verifier)).await?;
    Ok(())
}

// readme: verify with the database
pub(crate) async fn verifier(url: &str, public_key: &[u8]) -> Result<TokenVerifier, Box<dyn Error>> {
    // Give this service a database user that may read four tables and nothing else: `auth_blacklist`, `auth_blacklist_head`, of
    // `auth_users` the columns `id` and `token_generation`, and of `auth_sessions` the columns `id` and `ended_at`.
    let log = Arc::new(SeaRevocationLog::new(connect(url, ConnectOptions::default()).await?));
    let clock = Arc::new(SystemClock);
    let blacklist = Arc::new(SyncedBlacklist::new(log, clock.clone(), SyncOptions::default()));
    let follower = Arc::clone(&blacklist);
    tokio::spawn(async move { follower.follow(Duration::from_millis(250), tokio::time::sleep, |_| {}).await });
    let codec = JwtCodec::verify_only("https://auth.example", "api");
    let codec = codec.with_verifying_key(VerifyingKey::from_pem(public_key)?);
    Ok(TokenVerifier::new(Arc::new(codec), blacklist, clock))
}

pub(crate) fn app(verifier: &TokenVerifier) -> Router {
    Router::new().route("/reports", get(reports)).layer(AuthLayer::required(verifier))
}
// readme: end

async fn reports(Authenticated(principal): Authenticated) -> String {
    format!("the reports of {}", principal.user_id())
}
