//! Number of allocations of a check of a token: counted, not timed.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::memory::MemoryStore;
use auth_core::personal::{PersonalTokenOptions, PersonalTokenSecret, StoredPersonalToken};
use auth_core::{
    AuthService, Claims, Clock as _, Email, Generation, NewUser, PasswordHash, PersonalToken, PersonalTokenId,
    PersonalTokenStore, PersonalTokens, SideEffects, SystemClock, TokenCodec as _, TokenId, TokenVerifier, UserId,
    UserStore, Username,
};
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

/// Returns the allocations of the first check of a personal token and of the second.
fn counted_of_personal_token() -> (u64, u64) {
    let now = SystemClock.now();
    let log = Arc::new(MemoryStore::new().unwrap());
    let blacklist = SyncedBlacklist::new(log.clone(), Arc::new(SystemClock), SyncOptions::default());
    blacklist.sync_step().now_or_never().unwrap().unwrap();
    let user = NewUser {
        id: UserId::generate(now).unwrap(),
        email: Email::parse("ada@example.org").unwrap(),
        username: Username::parse("ada").unwrap(),
        email_verified: false,
        password_hash: PasswordHash::new("none".to_owned()),
        admin: false,
        registered_on: now,
    };
    let user = UserStore::insert(&*log, user, SideEffects::default()).now_or_never().unwrap().unwrap();
    let secret = PersonalTokenSecret::generate().unwrap();
    let token = PersonalToken {
        id: PersonalTokenId::generate().unwrap(),
        user_id: user.id,
        name: "backup".parse().unwrap(),
        scopes: "orders:read".parse().unwrap(),
        roles: "".parse().unwrap(),
        generation: user.generation,
        created_at: now,
        expires_at: now + Duration::from_secs(3_600),
        last_used_at: None,
    };
    let stored = StoredPersonalToken { token, digest: secret.digest() };
    assert!(PersonalTokenStore::insert(&*log, stored, 1).now_or_never().unwrap().unwrap());
    let options = PersonalTokenOptions { user_scopes: "orders:read".parse().unwrap(), ..Default::default() };
    let tokens = PersonalTokens::new(log.clone(), log, Arc::new(SystemClock), options);
    let codec = JwtCodec::new(SigningKey::from_secret(&[7; 32]).unwrap(), "issuer", "audience");
    let verifier = TokenVerifier::new(Arc::new(codec), Arc::new(blacklist), Arc::new(SystemClock));
    let verifier = verifier.with_personal_tokens(Arc::new(tokens));
    let text = secret.expose_text(str::to_owned);
    let check = || assert!(verifier.authenticate(&text).now_or_never().unwrap().unwrap().has_scope("orders:read"));
    let first = measure(check);
    let next = measure(check);
    (first.count_total, next.count_total)
}

#[test]
fn a_personal_token_in_memory_allocates_nothing() {
    let (first, next) = counted_of_personal_token();
    assert!(first > 0, "a look-up allocates");
    assert_eq!(next, 0);
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
