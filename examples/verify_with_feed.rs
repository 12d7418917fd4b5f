//! A service that issues nothing and has no database: it follows the keys and the revocations of an auth server, so that a
//! logout there is a logout here. The auth server needs a key pair and `AUTH_FEED=on`, and
//! `auth-server client create reports --scope revocations` prints the id and the secret.
//! `CLIENT_ID=… CLIENT_SECRET=… cargo run -p auth-examples --bin verify_with_feed https://auth.example`

use std::error::Error;

use auth_core::TokenVerifier;
use auth_follower::{Follower, FollowerOptions};
use auth_tower::AuthLayer;
use auth_tower::axum::Authenticated;
use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("which auth server is followed?")?;
    let follower = follower(&url, &std::env::var("CLIENT_ID")?, &std::env::var("CLIENT_SECRET")?)?;
    follower.ready().await;
    axum::serve(TcpListener::bind("127.0.0.1:3001").await?, app(follower.verifier())).await?;
    Ok(())
}

// readme: verify with the feed
pub(crate) fn follower(url: &str, client_id: &str, client_secret: &str) -> Result<Follower, Box<dyn Error>> {
    // The issuer and the audience are those of the auth server: `AUTH_TOKEN_ISSUER` and `AUTH_TOKEN_AUDIENCE`.
    let options = FollowerOptions::new(url, "auth-api", client_id, client_secret).issuer("auth-server");
    Ok(Follower::connect(options)?)
}

pub(crate) fn app(verifier: &TokenVerifier) -> Router {
    Router::new().route("/reports", get(reports)).layer(AuthLayer::required(verifier))
}
// readme: end

async fn reports(Authenticated(principal): Authenticated) -> String {
    format!("the reports of {}", principal.user_id())
}
