//! "Roles, scopes and claims of your own".

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use revocable_auth::{
    AuthLayer, AuthService, BoxError, ClaimsSource, Context, Credentials, Email, ExtraClaims, NewAccount, Password,
    RevocableAuth, User, Username,
};
use serde::{Deserialize, Serialize};
use tower::ServiceExt as _;

const PASSWORD: &str = "correct horse battery staple";

fn routes(auth: &AuthService) -> Router {
    Router::new()
        .route("/articles", get(async || "articles").layer(AuthLayer::required(auth).role("editor")))
        .route("/orders", get(async || "orders").layer(AuthLayer::required(auth).scope("orders:read")))
        .route("/account", get(async || "account").layer(AuthLayer::required(auth).login_only()))
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Member {
    tenant: String,
}

#[derive(Debug)]
struct Tenants;

#[async_trait]
impl ClaimsSource for Tenants {
    async fn claims(&self, user: &User) -> Result<Option<ExtraClaims>, BoxError> {
        let (_, domain) = user.email.as_str().rsplit_once('@').unwrap_or_default();
        Ok(Some(ExtraClaims::new(&Member { tenant: domain.to_owned() })?))
    }
}

async fn login(auth: &AuthService) -> Result<String, Box<dyn Error>> {
    let credentials = Credentials { email: Email::parse("ada@example.org")?, password: Password::parse(PASSWORD)? };
    let outcome = auth.login(credentials, &Context::default()).await?;
    let token = outcome.signed_in().ok_or("another factor is needed")?.token;
    Ok(token.expose_token().to_owned())
}

async fn status(auth: &AuthService, path: &str, token: &str) -> Result<StatusCode, Box<dyn Error>> {
    let request = Request::get(path).header("Authorization", format!("Bearer {token}")).body(Body::empty())?;
    Ok(routes(auth).oneshot(request).await?.status())
}

#[tokio::test]
async fn a_role_opens_a_route_until_it_is_taken_away() -> Result<(), Box<dyn Error>> {
    let builder = RevocableAuth::builder().database_url("sqlite::memory:").secret([7; 32]).bcrypt_cost(4);
    let running = builder.user_scopes("orders:read".parse()?).claims_source(Arc::new(Tenants)).start().await?;
    let auth = running.service();
    let (username, password) = (Username::parse("ada")?, Password::parse(PASSWORD)?);
    let account = NewAccount { email: Email::parse("ada@example.org")?, username, password };
    let user_id = auth.register(account, &Context::default()).await?.signed_in().ok_or("unverified")?.user.id;

    let token = login(auth).await?;
    assert_eq!(status(auth, "/articles", &token).await?, StatusCode::FORBIDDEN);
    assert_eq!(status(auth, "/orders", &token).await?, StatusCode::OK);
    assert_eq!(status(auth, "/account", &token).await?, StatusCode::OK);

    auth.give_role(user_id, "editor".parse()?).await?; // counts from the next token
    assert_eq!(status(auth, "/articles", &token).await?, StatusCode::FORBIDDEN);
    let token = login(auth).await?;
    assert_eq!(status(auth, "/articles", &token).await?, StatusCode::OK);

    let principal = auth.authenticate(&token).await?;
    assert_eq!(principal.extra::<Member>()?, Some(Member { tenant: "example.org".to_owned() }));

    auth.take_role(user_id, "editor".parse()?).await?; // ends the tokens of the user
    assert_eq!(status(auth, "/articles", &token).await?, StatusCode::UNAUTHORIZED);
    running.stop().await?;
    Ok(())
}
