//! Number of allocations of a check of a token: counted, not timed.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::memory::MemoryStore;
use auth_core::{AuthService, Claims, Clock as _, Generation, SystemClock, TokenCodec as _, TokenId, UserId};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use futures_util::FutureExt as _;

/// Returns the allocations of the first check of a token and of the second.
fn counted(cached_tokens: usize) -> (u64, u64) {
    let issued_at = SystemClock.now().replace_nanosecond(0).unwrap();
    let codec = JwtCodec::new(SigningKey::from_secret(&[7; 32]).unwrap(), "issuer", "audience");
    let claims = Claims {
        user_id: UserId::generate(issued_at).unwrap(),
        token_id: TokenId::generate().unwrap(),
        session_id: None,
        issued_at,
        expires_at: issued_at + Duration::from_secs(3_600),
        generation: Generation::default(),
        admin: false,
        key_id: None,
        grants: None,
    };
    let token = codec.encode(&claims).unwrap();
    let warm = codec.encode(&Claims { token_id: TokenId::generate().unwrap(), ..claims }).unwrap();
    let log = Arc::new(MemoryStore::new().unwrap());
    let blacklist = SyncedBlacklist::new(log.clone(), Arc::new(SystemClock), SyncOptions::default());
    blacklist.sync_step().now_or_never().unwrap().unwrap();
    let passwords = PasswordPool::new(Arc::new(BcryptHasher::new(4).unwrap()), PoolOptions::default()).unwrap();
    let service = AuthService::builder()
        .users(log)
        .blacklist(Arc::new(blacklist))
        .codec(Arc::new(codec.with_cached_tokens(cached_tokens)))
        .passwords(passwords)
        .build()
        .unwrap();
    let check = |token: &str| service.authenticate(token).now_or_never().unwrap().map(drop);
    // Values that are made once for a process or a thread are no cost of a check.
    check(warm.expose_token()).unwrap();
    let first = measure(|| check(token.expose_token()).unwrap());
    let next = measure(|| check(token.expose_token()).unwrap());
    (first.count_total, next.count_total)
}

#[test]
fn a_cache_hit_allocates_nothing() {
    assert_eq!(counted(64).1, 0);
}

#[test]
fn a_cache_miss_allocates_a_handful() {
    let (first, _) = counted(64);
    assert!((1..=8).contains(&first), "{first} allocations");
    let (uncached, again) = counted(0);
    assert_eq!(uncached, again, "nothing is remembered");
    assert!(uncached < first, "remembering allocates: {uncached} and {first}");
}
