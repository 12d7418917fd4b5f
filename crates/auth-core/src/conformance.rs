//! The contract that every store must pass (feature `conformance`).
//!
//! A check is a named rule with what goes wrong without it. [`run`] makes a fresh, empty pair of stores for each check
//! and panics with the name and the reason of the first rule that is broken:
//!
//! ```
//! use std::sync::Arc;
//! use auth_core::{conformance::{self, Stores}, memory::MemoryStore};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! conformance::run(async || {
//!     let store = Arc::new(MemoryStore::new().unwrap());
//!     Stores { users: store.clone(), log: store }
//! })
//! .await;
//! # });
//! ```

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::blacklist::{Revocation, RevocationLog, RevocationReason, RevocationTarget};
use crate::email::Email;
use crate::password::PasswordHash;
use crate::token::{Claims, TokenId};
use crate::user::{Generation, InsertUserError, NewUser, User, UserId, UserStore};
use crate::username::Username;

mod log;
mod users;

/// A user store and the log it appends to, over one empty database.
#[derive(Debug, Clone)]
pub struct Stores {
    /// The user store.
    pub users: Arc<dyn UserStore>,
    /// The log that [`UserStore::change_and_revoke`] appends to.
    pub log: Arc<dyn RevocationLog>,
}

/// One rule.
#[derive(Clone, Copy)]
pub struct Check {
    /// The rule, as a sentence.
    pub name: &'static str,
    /// What goes wrong without it.
    pub why: &'static str,
    run: fn(Stores) -> Outcome,
}

/// What a check returns: nothing, or how the rule was broken.
type Outcome = Pin<Box<dyn Future<Output = Result<(), String>>>>;

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Check {
    /// Runs the check over empty stores.
    ///
    /// # Errors
    ///
    /// Says how the rule was broken.
    pub async fn run(&self, stores: Stores) -> Result<(), String> {
        (self.run)(stores).await
    }
}

/// All checks.
#[must_use]
pub fn checks() -> Vec<Check> {
    [users::CHECKS, log::CHECKS].concat()
}

/// Runs all checks, each over stores that `make` has just made.
///
/// # Panics
///
/// When a rule is broken, with its name, what goes wrong without it and what was seen.
pub async fn run(make: impl AsyncFn() -> Stores) {
    for check in checks() {
        if let Err(seen) = check.run(make().await).await {
            panic!("the store breaks the rule \"{}\": {seen}\nWithout it {}.", check.name, check.why);
        }
    }
}

/// Fails the check with a message unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}
use ensure;

/// A check: its rule, what goes wrong without it, and the function that tries it.
macro_rules! check {
    ($run:ident, $name:literal, $why:literal) => {
        super::Check { name: $name, why: $why, run: |stores| Box::pin($run(stores)) }
    };
}
use check;

/// An error of the store that the check did not expect, chain and all.
fn unexpected(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// An instant that every database can store exactly.
fn instant() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn new_user(name: &str) -> Result<NewUser, String> {
    Ok(NewUser {
        id: UserId::generate(instant()).map_err(unexpected)?,
        email: Email::parse(&format!("{name}@Example.org")).map_err(unexpected)?,
        username: Username::parse(name).map_err(unexpected)?,
        password_hash: PasswordHash::new(format!("hash of {name}")),
        admin: false,
        registered_on: instant(),
    })
}

async fn insert(users: &dyn UserStore, name: &str) -> Result<User, String> {
    users.insert(new_user(name)?).await.map_err(unexpected)
}

fn claims_of(user: UserId, generation: Generation) -> Result<Claims, String> {
    Ok(Claims {
        user_id: user,
        token_id: TokenId::generate().map_err(unexpected)?,
        issued_at: instant(),
        expires_at: instant() + Duration::from_secs(3600),
        generation,
        admin: false,
    })
}

fn some_claims() -> Result<Claims, String> {
    claims_of(UserId::generate(instant()).map_err(unexpected)?, Generation::default())
}

fn logout_of(claims: &Claims) -> Revocation {
    Revocation {
        target: RevocationTarget::Token(claims.token_id),
        expires_at: claims.expires_at,
        revoked_at: instant(),
        reason: RevocationReason::Logout,
    }
}

/// Whether an insertion lost because of the e-mail address or the username.
fn taken(result: &Result<User, InsertUserError>) -> Option<&'static str> {
    match result {
        Err(InsertUserError::EmailTaken) => Some("email"),
        Err(InsertUserError::UsernameTaken) => Some("username"),
        _ => None,
    }
}
