//! Sections 2 and 3 of the guide: routes of your own, and the parts without the builder.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::purge::Purge;
use auth_core::{AuthService, SystemClock, Throttle, ThrottleLimits};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use auth_storage::{ConnectOptions, SeaAttemptStore, SeaRevocationLog, SeaUserStore, Tables, connect};

async fn auth(database_url: &str, secret: &[u8]) -> Result<AuthService, Box<dyn Error>> {
    let clock = Arc::new(SystemClock);
    let database = connect(database_url, ConnectOptions::default()).await?;
    let layout = auth_migrations::up(database.connection()).await?;
    let database = database.with_tables(Tables::new(layout.prefix(), layout.schema()));
    let log = Arc::new(SeaRevocationLog::new(database.clone()));
    let attempts = Arc::new(SeaAttemptStore::new(database.clone()));
    let blacklist = Arc::new(SyncedBlacklist::new(log.clone(), clock.clone(), SyncOptions::default()));

    // Read what other nodes revoke. While this task is late, every check asks the database.
    let follower = blacklist.clone();
    tokio::spawn(async move { follower.follow(Duration::from_millis(250), tokio::time::sleep, |_| {}).await });
    // Remove expired revocations and counters, so that the tables do not grow without bound.
    let purge = Purge::new(clock.clone()).revocations(log).attempts(attempts.clone());
    tokio::spawn(async move { purge.run(tokio::time::sleep, |_| {}).await });

    let codec = JwtCodec::new(SigningKey::from_secret(secret)?, "https://auth.example", "api");
    let passwords = PasswordPool::new(Arc::new(BcryptHasher::new(12)?), PoolOptions::default())?;
    let throttle = Throttle::new(attempts, &ThrottleLimits::default(), clock)?;
    Ok(AuthService::builder()
        .users(Arc::new(SeaUserStore::new(database)))
        .blacklist(blacklist)
        .codec(Arc::new(codec))
        .passwords(passwords)
        .throttle(Arc::new(throttle))
        .background(|task| drop(tokio::spawn(task)))
        .build()?)
}

mod routes {
    use std::net::SocketAddr;

    use auth_core::{AuthService, Context, Email, LoginError, NewAccount, Password, Username};
    use auth_tower::AuthLayer;
    use auth_tower::axum::Authenticated;
    use axum::Router;
    use axum::routing::get;

    pub(super) fn app(auth: &AuthService) -> Router {
        Router::new().route("/profile", get(profile)).layer(AuthLayer::required(auth))
    }

    async fn profile(Authenticated(principal): Authenticated) -> String {
        format!("you are {}", principal.user_id())
    }

    pub(super) async fn accounts(auth: &AuthService, peer: SocketAddr) -> Result<String, Box<dyn std::error::Error>> {
        let context = Context::default().with_address(peer.ip());
        let account = NewAccount {
            email: Email::parse("ada@example.org")?,
            username: Username::parse("ada")?,
            password: Password::parse("correct horse battery staple")?,
        };
        let registered = auth.register(account, &context).await?;
        let registered = registered.signed_in().ok_or("the address must be verified first")?;

        let principal = auth.authenticate(registered.token.expose_token()).await?;
        auth.logout(&principal).await?; // durable, and refused here, when it returns

        let credentials = auth_core::Credentials {
            email: Email::parse("ada@example.org")?,
            password: Password::parse("correct horse battery staple")?,
        };
        let token = match auth.login(credentials, &context).await {
            Ok(outcome) => outcome.signed_in().ok_or("another factor is needed")?.token,
            Err(LoginError::InvalidCredentials) => return Err("401".into()),
            Err(LoginError::TooManyAttempts { retry_after }) => return Err(format!("429 after {retry_after:?}").into()),
            Err(error) => return Err(error.into()),
        };
        Ok(token.expose_token().to_owned())
    }
}

#[tokio::test]
async fn a_protected_route_lets_in_whoever_has_a_good_token() {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    let auth = auth("sqlite::memory:", &[7; 32]).await.unwrap();
    let token = routes::accounts(&auth, ([192, 0, 2, 1], 4000).into()).await.unwrap();
    let ask = async |authorization: &str| {
        let request = Request::get("/profile").header("Authorization", authorization).body(Body::empty());
        routes::app(&auth).oneshot(request.unwrap()).await.unwrap().status()
    };
    assert_eq!(ask("").await, 401);
    assert_eq!(ask(&format!("Bearer {token}")).await, 200);
    let principal = auth.authenticate(&token).await.unwrap();
    auth.logout(&principal).await.unwrap();
    assert_eq!(ask(&format!("Bearer {token}")).await, 401);
}
