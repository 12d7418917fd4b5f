//! Section 1 of the guide: the first program.

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use revocable_auth::axum::{CurrentUser, routes};
use revocable_auth::{AuthLayer, RevocableAuth};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let secret = std::env::var("AUTH_SECRET")?; // openssl rand -base64 48
    let auth = RevocableAuth::builder().database_url("sqlite://app.db").secret(secret).start().await?;
    let app = app(&auth).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(TcpListener::bind("127.0.0.1:3000").await?, app).await?;
    Ok(auth.stop().await?)
}

fn app(auth: &RevocableAuth) -> Router {
    Router::new()
        .route("/profile", get(profile))
        .layer(AuthLayer::required(auth))
        .merge(routes(auth))
        .with_state(auth.service().clone())
}

async fn profile(CurrentUser(user): CurrentUser) -> String {
    format!("you are {}", user.username)
}

#[tokio::test]
async fn the_program_registers_protects_and_logs_out() {
    use axum::body::{Body, to_bytes};
    use axum::extract::connect_info::MockConnectInfo;
    use axum::http::Request;
    use tower::ServiceExt as _;

    let auth = RevocableAuth::builder().database_url("sqlite::memory:").secret([7; 32]).bcrypt_cost(4).start().await;
    let auth = auth.unwrap();
    let app = app(&auth).layer(MockConnectInfo(SocketAddr::from(([192, 0, 2, 1], 4000))));
    let ask = async |request: axum::http::request::Builder, body: &str| {
        let request = request.header("Content-Type", "application/json").body(Body::from(body.to_owned())).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.into()).unwrap())
    };

    let account = r#"{"email": "ada@example.org", "username": "ada", "password": "correct horse battery staple"}"#;
    let (status, answer) = ask(Request::post("/auth/register"), account).await;
    assert_eq!(status, 201, "{answer}");
    let token = answer.split("\"Authorization\":\"").nth(1).unwrap().split('"').next().unwrap();
    let bearer = format!("Bearer {token}");

    assert_eq!(ask(Request::get("/profile"), "").await.0, 401);
    let profile = ask(Request::get("/profile").header("Authorization", &bearer), "").await;
    assert_eq!(profile, (200, "you are ada".to_owned()));
    assert_eq!(ask(Request::post("/auth/logout").header("Authorization", &bearer), "").await.0, 200);
    assert_eq!(ask(Request::get("/profile").header("Authorization", &bearer), "").await.0, 401);
    auth.stop().await.unwrap();
}
