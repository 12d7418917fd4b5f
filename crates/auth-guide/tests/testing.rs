//! Section 6 of the guide: a test of an application that uses the crates.

use std::time::Duration;

use auth_testing::TestAuth;
use auth_tower::AuthLayer;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use tower::ServiceExt as _;

#[tokio::test]
async fn only_a_good_token_opens_the_door() {
    let auth = TestAuth::new().unwrap();
    let ada = auth.user("ada").await.unwrap();
    let app = Router::new().route("/", get(async || "hello")).layer(AuthLayer::required(auth.service()));
    let ask = async |token: &str| {
        let request = Request::get("/").header("Authorization", format!("Bearer {token}")).body(Body::empty());
        app.clone().oneshot(request.unwrap()).await.unwrap().status()
    };

    let token = auth.token(&ada).unwrap();
    assert_eq!(ask(token.expose_token()).await, 200);
    assert_eq!(ask(auth.expired_token(&ada).unwrap().expose_token()).await, 401);
    assert_eq!(ask(auth.revoked_token(&ada).await.unwrap().expose_token()).await, 401);
    assert_eq!(ask(auth.forged_token(&ada).unwrap().expose_token()).await, 401);

    auth.clock().advance(Duration::from_secs(2 * 24 * 60 * 60));
    assert_eq!(ask(token.expose_token()).await, 401);
}
