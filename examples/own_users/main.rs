//! Your own user table: an application that has had its `members` for years gets logins, and logouts that mean it, and its
//! table stays where it is. `members.rs` is the whole adapter. `cargo run -p auth-examples --bin own_users`

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::{AuthService, Context, Credentials, Email, Password};
use auth_jwt::{JwtCodec, SigningKey};
use auth_migrations::{Migrations, Part};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use auth_storage::{ConnectOptions, Database, connect};
use sea_orm::ConnectionTrait as _;

pub(crate) mod members;

use members::Members;

/// The table of the old application, with its one member. Her password is `correct horse battery staple`.
pub(crate) const OLD_TABLE: &str = "
    CREATE TABLE members (
        number INTEGER PRIMARY KEY,
        mail TEXT NOT NULL,
        nick TEXT NOT NULL,
        secret TEXT NOT NULL,
        staff BOOLEAN NOT NULL,
        joined BIGINT NOT NULL
    );
    INSERT INTO members (mail, nick, secret, staff, joined) VALUES
        ('Ada@Example.org', 'Ada', '$2b$04$WnVtIEJlaXNwaWVsIGVpbeN7xy28bdDBvjIV03clO321aj6oP5/Eu', TRUE, 1700000000000000);";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let database = connect("sqlite::memory:", ConnectOptions::default()).await?;
    database.connection().execute_unprepared(OLD_TABLE).await?;
    let auth = service(&adopt(database).await?)?;

    let email = Email::parse("ada@example.org")?;
    let password = Password::parse("correct horse battery staple")?;
    let session = auth
        .login(Credentials { email, password }, &Context::default())
        .await?
        .signed_in()
        .ok_or("another factor is needed")?;
    auth.logout(&auth.authenticate(session.token.expose_token()).await?).await?;
    let refused = auth.authenticate(session.token.expose_token()).await.is_err();
    writeln!(std::io::stdout(), "{} logged in and out; her token is refused: {refused}", session.user.username)?;
    Ok(())
}

// readme: own users
/// Adds what we need to the old table, and the tables of the blacklist beside it; no table of users.
pub(crate) async fn adopt(database: Database) -> Result<Members, Box<dyn Error>> {
    Migrations::new().only(&[Part::Blacklist]).up(database.connection()).await?;
    let members = Members::new(database);
    members.adopt().await?;
    Ok(members)
}

pub(crate) fn service(members: &Members) -> Result<AuthService, Box<dyn Error>> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    Ok(AuthService::builder()
        .users(Arc::new(members.clone()))
        .blacklist(Arc::new(UnsyncedBlacklist::new(Arc::new(members.log()))))
        .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(&secret)?, "https://auth.example", "api")))
        .passwords(PasswordPool::new(Arc::new(BcryptHasher::new(4)?), PoolOptions::default())?)
        .build()?)
}
// readme: end
