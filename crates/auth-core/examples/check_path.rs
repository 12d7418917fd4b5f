//! Checks one token many times, to count the instructions of a check. `.ci/run instructions` runs it under callgrind
//! with two numbers of checks and takes the difference.
//!
//! ```text
//! cargo run --release -p auth-core --example check_path -- next 1000
//! ```
//!
//! `first` verifies the signature at each check (a cache miss). `next` finds the token in the cache (a cache hit).
//! `decode` calls `jsonwebtoken::decode`.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::memory::MemoryStore;
use auth_core::{AuthService, Claims, Clock, Generation, ManualClock, TokenCodec as _, TokenId, UserId};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use futures_util::FutureExt as _;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use time::OffsetDateTime;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().ok_or("say what to check: first, next or decode")?;
    let checks: u32 = arguments.next().ok_or("say how often")?.parse()?;

    let issued_at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(issued_at));
    let codec = JwtCodec::new(SigningKey::from_secret(SECRET)?, "auth-server", "auth-api");
    let claims = Claims {
        user_id: UserId::generate(issued_at)?,
        token_id: TokenId::generate()?,
        session_id: None,
        issued_at,
        expires_at: issued_at + Duration::from_secs(86_400),
        generation: Generation::default(),
        admin: false,
        key_id: None,
        grants: None,
    };
    let token = codec.encode(&claims)?;
    let token = token.expose_token();
    let mut pool = PoolOptions::default();
    pool.clock = Arc::clone(&clock);
    let log = Arc::new(MemoryStore::new()?);
    let blacklist = Arc::new(SyncedBlacklist::new(log.clone(), Arc::clone(&clock), SyncOptions::default()));
    blacklist.sync_step().now_or_never().ok_or("a store in memory does not wait")??;
    let service = AuthService::builder()
        .users(log)
        .blacklist(blacklist)
        .codec(Arc::new(codec.with_cached_tokens(if what == "first" { 0 } else { 64 })))
        .passwords(PasswordPool::new(Arc::new(BcryptHasher::new(4)?), pool)?)
        .clock(clock)
        .build()?;

    let key = DecodingKey::from_secret(SECRET);
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    validation.set_issuer(&["auth-server"]);
    validation.set_audience(&["auth-api"]);
    for _ in 0..checks {
        let good = match what.as_str() {
            "first" | "next" => service.authenticate(token).now_or_never().is_some_and(|checked| checked.is_ok()),
            "decode" => jsonwebtoken::decode::<serde_json::Value>(token, &key, &validation).is_ok(),
            _ => return Err("say what to check: first, next or decode".into()),
        };
        if !good {
            return Err("a good token was refused".into());
        }
    }
    Ok(())
}
