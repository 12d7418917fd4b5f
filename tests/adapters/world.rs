//! What stands behind every door: one service with a clock that only moves when it is told to, a log that can be made to
//! fail, and tokens of every kind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::blacklist::{LogPage, Position, RevocationReason, RevocationTarget};
use auth_core::memory::MemoryStore;
use auth_core::{
    AuthService, Claims, Clock as _, Context, Email, Generation, Grants, ManualClock, NewAccount, Password,
    PasswordPolicy, Principal, Revocation, RevocationLog, RevocationSource, StoreError, TokenCodec as _, TokenId,
    UserId, Username,
};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use auth_server::config::{Config, Sources};
use auth_tests::{Forge, respellings};
use time::OffsetDateTime;
use time::macros::datetime;

const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) log: Arc<SwitchedLog>,
    pub(crate) blacklist: Arc<SyncedBlacklist>,
    pub(crate) service: AuthService,
    /// How often a handler behind a door was called.
    pub(crate) visits: Arc<AtomicUsize>,
}

impl World {
    pub(crate) fn new() -> Self {
        let env =
            [("AUTH_ENV", "test"), ("AUTH_TOKEN_SECRET", SECRET), ("AUTH_CORS_ORIGINS", "https://app.example.com")];
        let env: BTreeMap<_, _> = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let config = Config::load(Sources { env, ..Sources::default() }).unwrap();
        let clock = Arc::new(ManualClock::new(datetime!(2026-01-01 00:00 UTC)));
        let store = Arc::new(MemoryStore::new().unwrap());
        let log = Arc::new(SwitchedLog { log: store.clone(), down: AtomicBool::new(false) });
        let blacklist = Arc::new(SyncedBlacklist::new(log.clone(), clock.clone(), SyncOptions::default()));
        let hasher = BcryptHasher::new(4).unwrap();
        let service = AuthService::builder()
            .users(store.clone())
            .blacklist(blacklist.clone())
            .codec(Arc::new(codec(SECRET, &config.token_issuer, &config.token_audience)))
            .passwords(PasswordPool::new(Arc::new(hasher), PoolOptions::default()).unwrap())
            .policy(PasswordPolicy::new(6))
            .personal_tokens(store.clone(), 16)
            .clock(clock.clone())
            .build()
            .unwrap();
        Self { config, clock, store, log, blacklist, service, visits: Arc::default() }
    }

    /// What a handler answers: who came.
    pub(crate) fn visit(visits: &AtomicUsize, principal: Option<&Principal>) -> String {
        visits.fetch_add(1, Ordering::SeqCst);
        principal.map_or_else(|| "nobody".to_owned(), |principal| format!("user {}", principal.user_id()))
    }

    /// A good token of a user who does not exist.
    pub(crate) fn token_of_nobody(&self) -> String {
        self.token_with(Grants::default())
    }

    /// A good token with these grants, of a user or a client that does not exist.
    pub(crate) fn token_with(&self, grants: Grants) -> String {
        let now = self.clock.now();
        let claims = Claims {
            user_id: UserId::generate(now).unwrap(),
            token_id: TokenId::generate().unwrap(),
            session_id: None,
            issued_at: now,
            expires_at: now + Duration::from_secs(3600),
            generation: Generation::default(),
            admin: false,
            key_id: None,
            grants: (!grants.is_empty()).then(|| Arc::new(grants)),
        };
        let codec = codec(SECRET, &self.config.token_issuer, &self.config.token_audience);
        codec.encode(&claims).unwrap().expose_token().to_owned()
    }

    /// Writes a logout of the token into the log as another node would, past this node's memory.
    pub(crate) async fn revoke_elsewhere(&self, token: &str) {
        let claims = codec(SECRET, &self.config.token_issuer, &self.config.token_audience).decode(token).unwrap();
        let revocation = Revocation {
            target: RevocationTarget::Token(claims.token_id),
            expires_at: claims.expires_at,
            revoked_at: self.clock.now(),
            reason: RevocationReason::Logout,
        };
        self.store.append(&[revocation]).await.unwrap();
    }
}

fn codec(secret: &str, issuer: &str, audience: &str) -> JwtCodec {
    JwtCodec::new(SigningKey::from_secret(secret.as_bytes()).unwrap(), issuer, audience)
}

/// A log that fails when it is told to.
#[derive(Debug)]
pub(crate) struct SwitchedLog {
    log: Arc<MemoryStore>,
    down: AtomicBool,
}

impl SwitchedLog {
    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    fn reach(&self) -> Result<&MemoryStore, StoreError> {
        let down = self.down.load(Ordering::SeqCst);
        if down { Err(StoreError::unavailable("the log is switched off")) } else { Ok(&self.log) }
    }
}

#[async_trait]
impl RevocationSource for SwitchedLog {
    async fn read_after(&self, after: Position, limit: u32) -> Result<LogPage, StoreError> {
        self.reach()?.read_after(after, limit).await
    }

    async fn covers(&self, claims: &Claims) -> Result<bool, StoreError> {
        self.reach()?.covers(claims).await
    }
}

#[async_trait]
impl RevocationLog for SwitchedLog {
    async fn append(&self, batch: &[Revocation]) -> Result<u64, StoreError> {
        self.reach()?.append(batch).await
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.reach()?.purge(before, limit).await
    }

    async fn mark_loss(&self, at: Option<OffsetDateTime>) -> Result<(), StoreError> {
        self.reach()?.mark_loss(at).await
    }

    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        self.reach()?.now().await
    }
}

/// A user, and a good token of theirs.
pub(crate) struct Holder {
    pub(crate) id: String,
    pub(crate) token: String,
}

/// Tokens of every kind.
pub(crate) struct Tokens {
    pub(crate) user: Holder,
    pub(crate) admin: Holder,
    /// Good until [`World::revoke_elsewhere`].
    pub(crate) to_be_revoked: String,
    pub(crate) expired: String,
    pub(crate) revoked: String,
    /// Each with what is wrong with it.
    pub(crate) invalid: Vec<(&'static str, String)>,
}

impl Tokens {
    pub(crate) async fn of(service: &AuthService, world: &World) -> Self {
        let register = async |name: &str| {
            let email = Email::parse(&format!("{name}@example.com")).unwrap();
            let (username, password) = (Username::parse(name).unwrap(), Password::parse("123456").unwrap());
            let session =
                service.register(NewAccount { email, username, password }, &Context::default()).await.unwrap();
            let session = session.signed_in().unwrap();
            (session.user.id, session.token.expose_token().to_owned())
        };
        let (ada, token) = register("ada").await;
        let (grace, to_be_revoked) = register("grace").await;
        let (_, revoked) = register("alan").await;
        service.logout(&service.authenticate(&revoked).await.unwrap()).await.unwrap();

        let World { config: Config { token_issuer: issuer, token_audience: audience, .. }, clock, .. } = world;
        let sign = |codec: JwtCodec, id: UserId, life: i64, admin: bool| {
            let now = clock.now();
            let claims = Claims {
                user_id: id,
                token_id: TokenId::generate().unwrap(),
                session_id: None,
                issued_at: now - Duration::from_secs(7200),
                expires_at: now + time::Duration::seconds(life),
                generation: Generation::default(),
                admin,
                key_id: None,
                grants: None,
            };
            codec.encode(&claims).unwrap().expose_token().to_owned()
        };
        let ours = || codec(SECRET, issuer, audience);
        let other_secret = SECRET.replace('0', "1");
        let invalid = vec![
            ("no token at all", "abc".to_owned()),
            ("another key", sign(codec(&other_secret, issuer, audience), ada, 3600, true)),
            ("another issuer", sign(codec(SECRET, "https://elsewhere.example", audience), ada, 3600, true)),
            ("another audience", sign(codec(SECRET, issuer, "other"), ada, 3600, true)),
            ("alg none", format!("{}.", Forge::from_token(&token).header("alg", "none").unsigned())),
            ("another type", Forge::from_token(&token).header("typ", "JWT").sign(SECRET.as_bytes())),
            ("claims that were changed", {
                let (signed, signature) = token.rsplit_once('.').unwrap();
                let forged = Forge::from_token(signed).claim("admin", true).unsigned();
                format!("{forged}.{signature}")
            }),
            ("another spelling", respellings(&token).remove(0)),
            ("longer than any token", "a".repeat(5000)),
        ];
        Self {
            admin: Holder { id: grace.to_string(), token: sign(ours(), grace, 3600, true) },
            user: Holder { id: ada.to_string(), token },
            to_be_revoked,
            expired: sign(ours(), ada, -3600, true),
            revoked,
            invalid,
        }
    }
}
