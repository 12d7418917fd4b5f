//! axum with SQLite: the ready routes, which register, log in and log out, and a protected route of the application's own.
//! `cargo run -p auth-examples --bin axum_sqlite`

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use revocable_auth::axum::{CurrentUser, routes};
use revocable_auth::{AuthLayer, RevocableAuth, StartError};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut secret = [0; 32]; // Keep yours: with another secret every token is invalid.
    getrandom::fill(&mut secret)?;
    let auth = start("sqlite://example.db", &secret).await?;
    let app = app(&auth).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(TcpListener::bind("127.0.0.1:3000").await?, app).await?;
    Ok(auth.stop().await?)
}

pub(crate) async fn start(url: &str, secret: &[u8]) -> Result<RevocableAuth, StartError> {
    RevocableAuth::builder().database_url(url).secret(secret).start().await
}

// readme: axum
pub(crate) fn app(auth: &RevocableAuth) -> Router {
    Router::new()
        .route("/profile", get(profile))
        .layer(AuthLayer::required(auth))
        .merge(routes(auth)) // POST /auth/register, /auth/login, /auth/logout, …
        .with_state(auth.service().clone())
}

async fn profile(CurrentUser(user): CurrentUser) -> String {
    format!("you are {}", user.username)
}
// readme: end
