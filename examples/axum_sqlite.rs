//! axum with SQLite: register, log in, a protected route, log out. `cargo run -p auth-examples --bin axum_sqlite`

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::{AuthService, Context, Credentials, Email, NewAccount, Password, SystemClock, Username};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use auth_storage::{ConnectOptions, SeaRevocationLog, SeaUserStore, Tables, connect};
use auth_tower::AuthLayer;
use auth_tower::axum::Authenticated;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut secret = [0; 32]; // Keep yours: with another secret every token is void.
    getrandom::fill(&mut secret)?;
    let auth = service("sqlite://example.db", &secret).await?;
    axum::serve(TcpListener::bind("127.0.0.1:3000").await?, app(auth)).await?;
    Ok(())
}

/// Everything on one database; revocations are answered for from memory, at most two seconds behind other nodes.
pub(crate) async fn service(url: &str, secret: &[u8]) -> Result<AuthService, Box<dyn Error>> {
    let database = connect(url, ConnectOptions::default()).await?;
    let layout = auth_migrations::up(database.connection()).await?;
    let database = database.with_tables(Tables::new(layout.prefix(), layout.schema()));
    let log = Arc::new(SeaRevocationLog::new(database.clone()));
    let blacklist = Arc::new(SyncedBlacklist::new(log, Arc::new(SystemClock), SyncOptions::default()));
    let follower = Arc::clone(&blacklist);
    // Where a read of the log failed the next one may succeed; meanwhile checks ask the log themselves.
    tokio::spawn(async move { follower.follow(Duration::from_millis(250), tokio::time::sleep, |_| {}).await });
    Ok(AuthService::builder()
        .users(Arc::new(SeaUserStore::new(database)))
        .blacklist(blacklist)
        .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(secret)?, "https://auth.example", "api")))
        .passwords(PasswordPool::new(Arc::new(BcryptHasher::new(12)?), PoolOptions::default())?)
        .build()?)
}

// readme: axum
pub(crate) fn app(auth: AuthService) -> Router {
    let protected =
        Router::new().route("/profile", get(profile)).route("/logout", post(logout)).layer(AuthLayer::required(&auth));
    Router::new().route("/register", post(register)).route("/login", post(login)).merge(protected).with_state(auth)
}

async fn profile(Authenticated(principal): Authenticated) -> String {
    format!("you are {}", principal.user_id())
}

async fn logout(State(auth): State<AuthService>, Authenticated(principal): Authenticated) -> StatusCode {
    match auth.logout(&principal).await {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
// readme: end

#[derive(Deserialize)]
struct Form {
    email: String,
    #[serde(default)]
    username: String,
    password: String,
}

async fn register(State(auth): State<AuthService>, Json(form): Json<Form>) -> Result<String, StatusCode> {
    let account = NewAccount {
        email: Email::parse(&form.email).map_err(|_| StatusCode::BAD_REQUEST)?,
        username: Username::parse(&form.username).map_err(|_| StatusCode::BAD_REQUEST)?,
        password: Password::parse(&form.password).map_err(|_| StatusCode::BAD_REQUEST)?,
    };
    let session = auth.register(account, &Context::default()).await.map_err(|_| StatusCode::CONFLICT)?;
    Ok(session.token.expose_token().to_owned())
}

async fn login(State(auth): State<AuthService>, Json(form): Json<Form>) -> Result<String, StatusCode> {
    let credentials = Credentials {
        email: Email::parse(&form.email).map_err(|_| StatusCode::BAD_REQUEST)?,
        password: Password::parse(&form.password).map_err(|_| StatusCode::BAD_REQUEST)?,
    };
    let session = auth.login(credentials, &Context::default()).await.map_err(|_| StatusCode::UNAUTHORIZED)?;
    let session = session.signed_in().ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(session.token.expose_token().to_owned())
}
