//! The examples that speak HTTP.

use std::net::SocketAddr;

use auth_testing::databases::TestDatabase;
use serde_json::json;
use tokio::net::TcpListener;

use crate::client::send;
use crate::{PASSWORD, actix_postgres, axum_sqlite, poem_memory, register, verify_with_database, verify_with_feed};

const SECRET: [u8; 32] = [7; 32];

mod sqlite {
    auth_testing::on_database!(Sqlite: axum_with_sqlite, a_service_that_only_verifies);
}

mod postgres {
    auth_testing::on_database!(Postgres: actix_web_with_postgres);
}

async fn serve(app: axum::Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    address
}

/// The token in the answer to a registration or a login.
fn token(answer: &str) -> String {
    let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
    answer["Authorization"].as_str().unwrap().to_owned()
}

async fn axum_with_sqlite(database: TestDatabase) {
    let auth = axum_sqlite::start(database.url(), &SECRET).await.unwrap();
    let address = serve(axum_sqlite::app(&auth)).await;

    let account = json!({ "email": "ada@example.org", "username": "ada", "password": PASSWORD });
    assert_eq!(send(address, "POST", "/auth/register", None, Some(&account)).await.0, 201);
    assert_eq!(send(address, "POST", "/auth/register", None, Some(&account)).await.0, 409);
    let wrong = json!({ "email": "ada@example.org", "password": "another password" });
    assert_eq!(send(address, "POST", "/auth/login", None, Some(&wrong)).await.0, 401);
    assert_eq!(send(address, "POST", "/auth/login", None, Some(&json!({}))).await.0, 400);
    let (status, answer) = send(address, "POST", "/auth/login", None, Some(&account)).await;
    assert_eq!(status, 200, "{answer}");
    let token = token(&answer);

    let (status, body) = send(address, "GET", "/profile", Some(&token), None).await;
    assert_eq!((status.as_u16(), body.as_str()), (200, "you are ada"));
    assert_eq!(send(address, "GET", "/profile", None, None).await.0, 401);

    assert_eq!(send(address, "POST", "/auth/logout", Some(&token), None).await.0, 200);
    let (status, body) = send(address, "GET", "/profile", Some(&token), None).await;
    assert_eq!((status.as_u16(), body.contains("token_revoked")), (401, true), "{body}");
    auth.stop().await.unwrap();
}

async fn actix_web_with_postgres(database: TestDatabase) {
    let auth = actix_postgres::start(database.url(), &SECRET).await.unwrap();
    let service = auth.service().clone();
    let root = register(&service, "root").await;
    service.promote(root.user.id).await.unwrap();
    let ada = register(&service, "ada").await;
    let server = actix_web::HttpServer::new(move || actix_web::App::new().configure(actix_postgres::routes(&service)));
    let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    let address = server.addrs()[0];
    tokio::spawn(server.run());

    let credentials = json!({ "email": "root@example.org", "password": PASSWORD });
    let (status, answer) = send(address, "POST", "/auth/login", None, Some(&credentials)).await;
    assert_eq!(status, 200, "{answer}");
    let token = token(&answer);
    let wrong = json!({ "email": "root@example.org", "password": "another password" });
    assert_eq!(send(address, "POST", "/auth/login", None, Some(&wrong)).await.0, 401);

    assert_eq!(send(address, "GET", "/profile", Some(&token), None).await.1, "you are root");
    assert_eq!(send(address, "GET", "/members", Some(&token), None).await.1, "root\nada");
    let (status, body) = send(address, "GET", "/members", Some(ada.token.expose_token()), None).await;
    assert_eq!((status.as_u16(), body.contains("admin_required")), (403, true), "{body}");

    assert_eq!(send(address, "POST", "/auth/logout", Some(&token), None).await.0, 200);
    assert_eq!(send(address, "GET", "/members", Some(&token), None).await.0, 401);
    auth.stop().await.unwrap();
}

#[tokio::test]
async fn poem_with_users_in_memory() {
    use poem::listener::{Acceptor as _, Listener as _, TcpListener};

    let auth = poem_memory::service().unwrap();
    let session = register(&auth, "ada").await;
    let token = session.token.expose_token();
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
    let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
    let app = poem_memory::app(&auth);
    tokio::spawn(async { poem::Server::new_with_acceptor(acceptor).run(app).await.unwrap() });

    let (status, body) = send(address, "GET", "/profile", Some(token), None).await;
    assert_eq!((status.as_u16(), body), (200, format!("you are {}", session.user.id)));
    assert_eq!(send(address, "GET", "/", Some(token), None).await.1, "welcome back");
    assert_eq!(send(address, "GET", "/", None, None).await.1, "welcome");
    assert_eq!(send(address, "POST", "/logout", Some(token), None).await.0, 200);
    for path in ["/profile", "/"] {
        assert_eq!(send(address, "GET", path, Some(token), None).await.0, 401, "{path}");
    }
}

async fn a_service_that_only_verifies(database: TestDatabase) {
    use std::sync::Arc;

    use auth_core::AuthService;
    use auth_core::blacklist::UnsyncedBlacklist;
    use auth_jwt::{JwtCodec, SigningKey};
    use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
    use auth_storage::{ConnectOptions, SeaRevocationLog, SeaUserStore, connect};

    const PRIVATE_KEY: &[u8] = include_bytes!("keys/ed.pem");
    const PUBLIC_KEY: &[u8] = include_bytes!("keys/ed.pub");

    // The issuer, which alone holds the private key.
    let database_of_issuer = connect(database.url(), ConnectOptions::default()).await.unwrap();
    auth_migrations::up(database_of_issuer.connection()).await.unwrap();
    let log = Arc::new(SeaRevocationLog::new(database_of_issuer.clone()));
    let issuer = AuthService::builder()
        .users(Arc::new(SeaUserStore::new(database_of_issuer)))
        .blacklist(Arc::new(UnsyncedBlacklist::new(log)))
        .codec(Arc::new(JwtCodec::new(SigningKey::from_pem(PRIVATE_KEY).unwrap(), "https://auth.example", "api")))
        .passwords(PasswordPool::new(Arc::new(BcryptHasher::new(4).unwrap()), PoolOptions::default()).unwrap())
        .build()
        .unwrap();
    let session = register(&issuer, "ada").await;
    let token = session.token.expose_token();

    let verifier = verify_with_database::verifier(database.url(), PUBLIC_KEY).await.unwrap();
    let address = serve(verify_with_database::app(&verifier)).await;
    let (status, body) = send(address, "GET", "/reports", Some(token), None).await;
    assert_eq!((status.as_u16(), body), (200, format!("the reports of {}", session.user.id)));
    assert_eq!(send(address, "GET", "/reports", None, None).await.0, 401);

    issuer.logout(&issuer.authenticate(token).await.unwrap()).await.unwrap();
    // The bound is two seconds; a service that starts now knows at once.
    let verifier = verify_with_database::verifier(database.url(), PUBLIC_KEY).await.unwrap();
    let address = serve(verify_with_database::app(&verifier)).await;
    assert_eq!(send(address, "GET", "/reports", Some(token), None).await.0, 401);
}

#[tokio::test]
async fn a_service_that_follows_a_feed_neither_accepts_nor_refuses_before_the_server_answers() {
    use std::sync::Arc;

    use auth_core::AuthService;
    use auth_core::blacklist::UnsyncedBlacklist;
    use auth_core::memory::MemoryStore;
    use auth_jwt::{JwtCodec, SigningKey};
    use auth_password::{BcryptHasher, PasswordPool, PoolOptions};

    const PRIVATE_KEY: &[u8] = include_bytes!("keys/ed.pem");

    let store = Arc::new(MemoryStore::new().unwrap());
    let issuer = AuthService::builder()
        .users(store.clone())
        .blacklist(Arc::new(UnsyncedBlacklist::new(store)))
        .codec(Arc::new(JwtCodec::new(SigningKey::from_pem(PRIVATE_KEY).unwrap(), "auth-server", "auth-api")))
        .passwords(PasswordPool::new(Arc::new(BcryptHasher::new(4).unwrap()), PoolOptions::default()).unwrap())
        .build()
        .unwrap();
    let session = register(&issuer, "ada").await;
    // Nobody listens at this port.
    let follower = verify_with_feed::follower("http://127.0.0.1:9", "rac_x", "ras_x").unwrap();
    let address = serve(verify_with_feed::app(follower.verifier())).await;
    assert_eq!(send(address, "GET", "/reports", Some(session.token.expose_token()), None).await.0, 503);
    assert_eq!(send(address, "GET", "/reports", Some("no token"), None).await.0, 401);
    assert_eq!(send(address, "GET", "/reports", None, None).await.0, 401);
}
