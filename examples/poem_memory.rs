//! poem, with users in memory: a protected route and one that greets everybody. `cargo run -p auth-examples --bin poem_memory`

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::memory::MemoryStore;
use auth_core::{AuthService, Context, Email, NewAccount, Password, Principal, Username};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use auth_tower::AuthLayer;
use poem::listener::TcpListener;
use poem::web::Data;
use poem::{EndpointExt as _, Request, Route, Server, get, handler, post};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let auth = service()?;
    let ada = NewAccount {
        email: Email::parse("ada@example.org")?,
        username: Username::parse("ada")?,
        password: Password::parse("correct horse battery staple")?,
    };
    let registered = auth.register(ada, &Context::default()).await?;
    let session = registered.signed_in().ok_or("the address must be verified first")?;
    writeln!(
        std::io::stdout(),
        "curl -H 'Authorization: Bearer {}' localhost:3000/profile",
        session.token.expose_token()
    )?;
    Server::new(TcpListener::bind("127.0.0.1:3000")).run(app(&auth)).await?;
    Ok(())
}

pub(crate) fn service() -> Result<AuthService, Box<dyn Error>> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let store = Arc::new(MemoryStore::new()?);
    Ok(AuthService::builder()
        .users(store.clone())
        .blacklist(Arc::new(UnsyncedBlacklist::new(store)))
        .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(&secret)?, "https://auth.example", "api")))
        .passwords(PasswordPool::new(Arc::new(BcryptHasher::new(10)?), PoolOptions::default())?)
        .build()?)
}

// readme: poem
pub(crate) fn app(auth: &AuthService) -> Route {
    Route::new()
        .at("/profile", get(profile).with(AuthLayer::required(auth)))
        .at("/logout", post(logout).data(auth.clone()).with(AuthLayer::required(auth)))
        .at("/", get(greeting).with(AuthLayer::optional(auth)))
}

#[handler]
fn profile(Data(principal): Data<&Principal>) -> String {
    format!("you are {}", principal.user_id())
}

#[handler]
fn greeting(request: &Request) -> &'static str {
    if request.extensions().get::<Principal>().is_some() { "welcome back" } else { "welcome" }
}
// readme: end

#[handler]
async fn logout(Data(auth): Data<&AuthService>, Data(principal): Data<&Principal>) -> poem::Result<()> {
    auth.logout(principal).await.map_err(poem::error::ServiceUnavailable)
}
