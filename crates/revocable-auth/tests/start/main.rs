//! Starting and stopping, through the builder alone.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod lifetime;
mod nodes;
mod settings;

use revocable_auth::{
    AuthService, Context, Credentials, Email, IssuedToken, NewAccount, Password, RevocableAuth, RevocableAuthBuilder,
    SessionKind, SignedIn, Username,
};

const SECRET: [u8; 32] = [7; 32];
const PASSWORD: &str = "correct horse battery staple";

/// Everything that has no default, and the cheapest hash.
fn builder() -> RevocableAuthBuilder {
    RevocableAuth::builder().database_url("sqlite::memory:").secret(SECRET).bcrypt_cost(4)
}

fn email() -> Email {
    Email::parse("ada@example.org").unwrap()
}

async fn register(auth: &AuthService) -> IssuedToken {
    let (username, password) = (Username::parse("ada").unwrap(), Password::parse(PASSWORD).unwrap());
    let account = NewAccount { email: email(), username, password };
    auth.register(account, &Context::default()).await.unwrap().signed_in().unwrap().token
}

async fn login(auth: &AuthService) -> IssuedToken {
    login_for(auth, SessionKind::Single).await.token
}

async fn login_for(auth: &AuthService, kind: SessionKind) -> SignedIn {
    let credentials = Credentials { email: email(), password: Password::parse(PASSWORD).unwrap() };
    let context = Context::default().with_session_kind(kind);
    auth.login(credentials, &context).await.unwrap().signed_in().unwrap()
}
