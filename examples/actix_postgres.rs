//! actix-web with PostgreSQL: log in, a protected route, an admin's route, log out.
//! `DATABASE_URL=postgres://… cargo run -p auth-examples --bin actix_postgres`

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use actix_web::error::{ErrorServiceUnavailable, ErrorUnauthorized};
use actix_web::web::{self, Data, Json, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer};
use auth_actix::{Admin, Auth, Authenticated};
use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::{AuthService, Context, Credentials, Email, LoginError, Password, SystemClock};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use auth_storage::{ConnectOptions, SeaRevocationLog, SeaUserStore, Tables, connect};
use serde::Deserialize;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut secret = [0; 32]; // Keep yours: with another secret every token is void.
    getrandom::fill(&mut secret)?;
    let auth = service(&std::env::var("DATABASE_URL")?, &secret).await?;
    HttpServer::new(move || App::new().configure(routes(&auth))).bind("127.0.0.1:3000")?.run().await?;
    Ok(())
}

pub(crate) async fn service(url: &str, secret: &[u8]) -> Result<AuthService, Box<dyn Error>> {
    let database = connect(url, ConnectOptions::default()).await?;
    let layout = auth_migrations::up(database.connection()).await?;
    let database = database.with_tables(Tables::new(layout.prefix(), layout.schema()));
    let log = Arc::new(SeaRevocationLog::new(database.clone()));
    let blacklist = Arc::new(SyncedBlacklist::new(log, Arc::new(SystemClock), SyncOptions::default()));
    let follower = Arc::clone(&blacklist);
    tokio::spawn(async move { follower.follow(Duration::from_millis(250), tokio::time::sleep, |_| {}).await });
    Ok(AuthService::builder()
        .users(Arc::new(SeaUserStore::new(database)))
        .blacklist(blacklist)
        .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(secret)?, "https://auth.example", "api")))
        .passwords(PasswordPool::new(Arc::new(BcryptHasher::new(12)?), PoolOptions::default())?)
        .build()?)
}

// readme: actix
pub(crate) fn routes(auth: &AuthService) -> impl FnOnce(&mut ServiceConfig) {
    let auth = auth.clone();
    move |app| {
        app.service(web::resource("/profile").wrap(Auth::required(&auth)).get(profile))
            .service(web::resource("/logout").wrap(Auth::required(&auth)).post(logout))
            .service(web::resource("/members").wrap(Auth::admin(&auth)).get(members))
            .route("/login", web::post().to(login))
            .app_data(Data::new(auth));
    }
}

async fn profile(Authenticated(principal): Authenticated) -> String {
    format!("you are {}", principal.user_id())
}

async fn logout(auth: Data<AuthService>, Authenticated(principal): Authenticated) -> actix_web::Result<HttpResponse> {
    auth.logout(&principal).await.map_err(ErrorServiceUnavailable)?;
    Ok(HttpResponse::NoContent().finish())
}
// readme: end

async fn members(auth: Data<AuthService>, Admin(_): Admin) -> actix_web::Result<String> {
    let users = auth.list_users(None, 100).await.map_err(ErrorServiceUnavailable)?;
    let names: Vec<&str> = users.iter().map(|user| user.username.as_str()).collect();
    Ok(names.join("\n"))
}

#[derive(Deserialize)]
struct Form {
    email: String,
    password: String,
}

async fn login(auth: Data<AuthService>, form: Json<Form>) -> actix_web::Result<String> {
    let email = Email::parse(&form.email).map_err(ErrorUnauthorized)?;
    let password = Password::parse(&form.password).map_err(ErrorUnauthorized)?;
    let session =
        auth.login(Credentials { email, password }, &Context::default()).await.map_err(|error| match error {
            LoginError::InvalidCredentials => ErrorUnauthorized(error),
            other => ErrorServiceUnavailable(other),
        })?;
    let session = session.signed_in().ok_or_else(|| ErrorUnauthorized("another factor is needed"))?;
    Ok(session.token.expose_token().to_owned())
}
