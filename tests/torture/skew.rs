//! Nodes whose clocks are an hour apart: only the expiry of a token follows a clock.

use std::sync::Arc;
use std::time::Duration;

use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::blacklist::PURGE_MARGIN;
use auth_core::{
    AuthService, AuthenticateError, Clock, Context, Credentials, Email, LEEWAY, MAX_TOKEN_LIFE, ManualClock,
    NewAccount, Password, PasswordPolicy, RevocationLog as _, RevocationSource as _, SignedIn, Username,
};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions};
use auth_storage::{ConnectOptions, Database, SeaRevocationLog, SeaUserStore, connect};
use auth_testing::databases::TestDatabase;
use time::macros::datetime;
use time::{Duration as Span, OffsetDateTime};

const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);
const HOUR: Span = Span::HOUR;
const SKEWS: [Span; 3] = [Span::hours(-1), Span::ZERO, HOUR];
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

auth_testing::on_every_database!(
    logouts_and_generations_do_not_depend_on_clocks,
    a_purge_by_the_fastest_clock_revives_nothing_on_the_slowest,
);

async fn logouts_and_generations_do_not_depend_on_clocks(database: TestDatabase) {
    let database = migrated(&database).await;
    let nodes = SKEWS.map(|skew| Node::new(&database, NOW + skew, DAY));
    for (here, first) in nodes.iter().enumerate() {
        for (there, second) in nodes.iter().enumerate() {
            let name = format!("user{here}{there}");
            let one = first.register(&name).await;
            let other = second.login(&name).await;
            all_accept(&nodes, &one).await;
            all_accept(&nodes, &other).await;

            second.log_out(&one).await;
            assert!(second.refuses(&one).await, "the node that logged out");
            all_refuse(&nodes, &one).await;
            all_accept(&nodes, &other).await;

            // Whoever logs in after a logout everywhere is in, at once and for good, wherever either took place.
            let ended = second.login(&name).await;
            let id = ended.user.id;
            first.service.logout_everywhere(id).await.unwrap();
            let renewed = second.login(&name).await;
            assert!(second.accepts(&renewed).await && first.accepts(&renewed).await, "before anything was read");
            all_refuse(&nodes, &ended).await;
            all_refuse(&nodes, &other).await;
            all_accept(&nodes, &renewed).await;
        }
    }
}

async fn a_purge_by_the_fastest_clock_revives_nothing_on_the_slowest(database: TestDatabase) {
    let database = migrated(&database).await;
    let [slow, right, fast] = SKEWS.map(|skew| Node::new(&database, NOW + skew, MAX_TOKEN_LIFE));
    // The worst of both: a token of the fast node, which expires last, revoked by the slow one.
    let (alone, everywhere) = (fast.register("ada").await, fast.register("grace").await);
    slow.log_out(&alone).await;
    slow.service.logout_everywhere(everywhere.user.id).await.unwrap();

    let log = SeaRevocationLog::new(database.clone());
    let first = right.clock.now() + MAX_TOKEN_LIFE - 4 * HOUR;
    let mut accepted_by_no_clock = false;
    for step in 0..60 {
        let now = first + Span::minutes(10) * step;
        slow.clock.set(now - HOUR);
        fast.clock.set(now + HOUR);
        // Without the clock of the database, which would keep the entries.
        let before = fast.clock.now() - LEEWAY - PURGE_MARGIN;
        while log.purge(before, 1_000).await.unwrap() > 0 {}
        // One that knows only what the purge has left.
        let fresh = Node::new(&database, slow.clock.now(), MAX_TOKEN_LIFE);
        fresh.read().await;
        for token in [&alone, &everywhere] {
            for node in [&slow, &fresh] {
                node.read().await;
                assert!(!node.accepts(token).await, "{} after the login", now - NOW);
            }
        }
        accepted_by_no_clock = fresh.check(&alone).await == "expired" && fresh.check(&everywhere).await == "expired";
    }
    assert!(accepted_by_no_clock, "the walk ends after the last expiry");
    let page = log.read_after(auth_core::blacklist::Position(0), 10).await.unwrap();
    assert!(page.entries.len() < 2, "the purge removed something, or nothing was shown: {page:?}");
}

async fn migrated(database: &TestDatabase) -> Database {
    let opened = connect(database.url(), ConnectOptions::default()).await.unwrap();
    auth_migrations::up(opened.connection()).await.unwrap();
    opened
}

async fn all_accept(nodes: &[Node], session: &SignedIn) {
    for node in nodes {
        node.read().await;
        assert!(node.accepts(session).await, "{}", node.clock.now());
    }
}

async fn all_refuse(nodes: &[Node], session: &SignedIn) {
    for node in nodes {
        node.read().await;
        assert!(node.refuses(session).await, "{}", node.clock.now());
    }
}

/// A node that reads the log when it is told to.
struct Node {
    clock: Arc<ManualClock>,
    blacklist: Arc<SyncedBlacklist>,
    service: AuthService,
}

impl Node {
    fn new(database: &Database, now: OffsetDateTime, token_life: Duration) -> Self {
        let clock = Arc::new(ManualClock::new(now));
        let log = Arc::new(SeaRevocationLog::new(database.clone()));
        let blacklist = Arc::new(SyncedBlacklist::new(log, clock.clone(), SyncOptions::default()));
        let passwords = PasswordPool::new(Arc::new(BcryptHasher::new(4).unwrap()), PoolOptions::default()).unwrap();
        let service = AuthService::builder()
            .users(Arc::new(SeaUserStore::new(database.clone())))
            .blacklist(blacklist.clone())
            .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(&[7; 32]).unwrap(), "issuer", "audience")))
            .passwords(passwords)
            .policy(PasswordPolicy::new(6))
            .clock(clock.clone())
            .token_life(token_life)
            .build()
            .unwrap();
        Self { clock, blacklist, service }
    }

    /// Reads the log to its end.
    async fn read(&self) {
        while !self.blacklist.sync_step().await.unwrap().complete {}
    }

    async fn register(&self, name: &str) -> SignedIn {
        let account = NewAccount { email: email(name), username: Username::parse(name).unwrap(), password: password() };
        self.service.register(account, &Context::default()).await.unwrap().signed_in().unwrap()
    }

    async fn login(&self, name: &str) -> SignedIn {
        self.service
            .login(Credentials { email: email(name), password: password() }, &Context::default())
            .await
            .unwrap()
            .signed_in()
            .unwrap()
    }

    async fn log_out(&self, session: &SignedIn) {
        let principal = self.service.authenticate(session.token.expose_token()).await.unwrap();
        self.service.logout(&principal).await.unwrap();
    }

    async fn check(&self, session: &SignedIn) -> &'static str {
        match self.service.authenticate(session.token.expose_token()).await {
            Ok(_) => "good",
            Err(AuthenticateError::Revoked) => "revoked",
            Err(AuthenticateError::Expired) => "expired",
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn accepts(&self, session: &SignedIn) -> bool {
        self.check(session).await == "good"
    }

    async fn refuses(&self, session: &SignedIn) -> bool {
        self.check(session).await == "revoked"
    }
}

fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.com")).unwrap()
}

fn password() -> Password {
    Password::parse("a password of length").unwrap()
}
