//! Every example is run: started on a free port, and asked over a real connection.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

#[path = "../actix_postgres.rs"]
mod actix_postgres;
#[path = "../axum_sqlite.rs"]
#[expect(dead_code, reason = "its main is what we do here")]
mod axum_sqlite;
#[path = "../custom_hasher.rs"]
#[expect(dead_code, reason = "its main is what we do here")]
mod custom_hasher;
#[path = "../own_users/main.rs"]
#[expect(dead_code, reason = "its main is what we do here")]
mod own_users;
#[path = "../poem_memory.rs"]
#[expect(dead_code, reason = "its main is what we do here")]
mod poem_memory;
#[path = "../tonic_grpc.rs"]
#[expect(dead_code, reason = "its main is what we do here")]
mod tonic_grpc;
#[path = "../verify_with_database.rs"]
#[expect(dead_code, reason = "its main is what we do here")]
mod verify_with_database;
#[path = "../verify_with_feed.rs"]
#[expect(dead_code, reason = "its main is what we do here")]
mod verify_with_feed;

#[path = "it/client.rs"]
mod client;
#[path = "it/grpc.rs"]
mod grpc;
#[path = "it/parts.rs"]
mod parts;
#[path = "it/readme.rs"]
mod readme;
#[path = "it/web.rs"]
mod web;

use auth_core::{AuthService, Context, Email, NewAccount, Password, SignedIn, Username};

const PASSWORD: &str = "correct horse battery staple";

/// Registers a user of this name.
async fn register(auth: &AuthService, name: &str) -> SignedIn {
    let email = Email::parse(&format!("{name}@example.org")).unwrap();
    let (username, password) = (Username::parse(name).unwrap(), Password::parse(PASSWORD).unwrap());
    auth.register(NewAccount { email, username, password }, &Context::default()).await.unwrap().signed_in().unwrap()
}
