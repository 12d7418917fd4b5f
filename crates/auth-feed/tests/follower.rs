//! A follower and a server, with a connection between them that can be cut, replaced and made to lie.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_blacklist::{ReadOnlyBlacklist, SyncOptions, SyncedBlacklist};
use auth_core::blacklist::{RevocationReason, RevocationTarget, Standing};
use auth_core::memory::MemoryStore;
use auth_core::{
    Blacklist as _, BoxError, Claims, Clock as _, Generation, KeyId, ManualClock, Revocation, RevocationLog as _,
    TokenId, UserId,
};
use auth_feed::Cursor;
use auth_feed::client::{Answer, FeedSource, FeedTransport, age};
use auth_feed::server::{FeedError, FeedServer, FeedServerOptions, PageRequest};
use time::OffsetDateTime;

const BOUND: Duration = Duration::from_secs(5);

/// What happens to the answers on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// No request arrives.
    Cut,
    /// The end of each answer is missing.
    Truncated,
    /// The first entry of each page is missing.
    Gap,
    /// A cache answers every request with the first page, and says no age.
    Stuck,
}

#[derive(Debug)]
struct Line {
    server: Mutex<Arc<FeedServer>>,
    fault: Mutex<Fault>,
    /// The wait of the last request for a page.
    wait: Mutex<Duration>,
    kept: Mutex<Option<Vec<u8>>>,
}

impl Line {
    fn pass(&self, bytes: Vec<u8>) -> Result<Answer, BoxError> {
        let bytes = match *self.fault.lock().unwrap() {
            Fault::None => bytes,
            Fault::Cut => return Err("cut off".into()),
            Fault::Truncated => bytes[..bytes.len() - 1].to_vec(),
            Fault::Gap => {
                let mut page: serde_json::Value = serde_json::from_slice(&bytes)?;
                page["entries"].as_array_mut().ok_or("no page")?.remove(0);
                page.to_string().into_bytes()
            }
            Fault::Stuck => self.kept.lock().unwrap().get_or_insert(bytes).clone(),
        };
        Ok(Answer::Body { bytes, age: Duration::ZERO })
    }
}

#[async_trait]
impl FeedTransport for Line {
    async fn page(&self, after: &Cursor, wait: Duration) -> Result<Answer, BoxError> {
        *self.wait.lock().unwrap() = wait;
        let server = self.server.lock().unwrap().clone();
        match server.page(&PageRequest::parse(&after.to_string(), None, None)?).await {
            Err(FeedError::Gone) => Ok(Answer::Gone),
            answer => self.pass(answer?.body),
        }
    }

    async fn snapshot(&self) -> Result<Answer, BoxError> {
        let server = self.server.lock().unwrap().clone();
        self.pass(server.snapshot().await?.body.to_vec())
    }
}

struct World {
    clock: Arc<ManualClock>,
    log: Arc<MemoryStore>,
    node: SyncedBlacklist,
    line: Arc<Line>,
    follower: ReadOnlyBlacklist,
}

impl World {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()));
        clock.advance(Duration::from_secs(100));
        let (log, node, server) = server(&clock);
        node.sync_step().await.unwrap();
        let line = Arc::new(Line {
            server: Mutex::new(server),
            fault: Mutex::new(Fault::None),
            wait: Mutex::default(),
            kept: Mutex::default(),
        });
        let source = FeedSource::new(line.clone(), clock.clone(), Duration::from_secs(1));
        let follower = ReadOnlyBlacklist::new(Arc::new(source), clock.clone(), BOUND);
        Self { clock, log, node, line, follower }
    }

    fn fault(&self, fault: Fault) {
        *self.line.fault.lock().unwrap() = fault;
    }

    fn token(&self) -> Claims {
        Claims {
            user_id: UserId::generate(self.clock.now()).unwrap(),
            token_id: TokenId::generate().unwrap(),
            session_id: None,
            issued_at: self.clock.now(),
            expires_at: self.clock.now() + Duration::from_secs(3600),
            generation: Generation::default(),
            admin: false,
            key_id: Some(KeyId::of_kid("managed")),
            grants: None,
        }
    }

    async fn revoke(&self, target: RevocationTarget, claims: &Claims) {
        let (expires_at, revoked_at) = (claims.expires_at, self.clock.now());
        self.log
            .append(&[Revocation { target, expires_at, revoked_at, reason: RevocationReason::Logout }])
            .await
            .unwrap();
        self.node.sync_step().await.unwrap();
    }

    async fn log_out(&self) -> Claims {
        let claims = self.token();
        self.revoke(RevocationTarget::Token(claims.token_id), &claims).await;
        claims
    }

    /// Reads what there is.
    async fn follow(&self) {
        while self.follower.sync_step().await.unwrap().complete_as_of.is_none() {}
    }
}

fn server(clock: &Arc<ManualClock>) -> (Arc<MemoryStore>, SyncedBlacklist, Arc<FeedServer>) {
    let log = Arc::new(MemoryStore::new().unwrap());
    let server = Arc::new(FeedServer::new(clock.clone(), FeedServerOptions::default()).unwrap());
    let node = SyncedBlacklist::new(log.clone(), clock.clone(), SyncOptions::default());
    (log, node.observed_by(server.clone()), server)
}

#[tokio::test]
async fn a_logout_reaches_the_follower_by_the_snapshot_and_by_a_page() {
    let world = World::new().await;
    let (before, good) = (world.log_out().await, world.token());
    assert_eq!(world.follower.peek(&good), Standing::Unknown);
    world.follow().await;
    let after = world.log_out().await;
    assert_eq!(world.follower.peek(&after), Standing::Good, "not read yet, within the bound");
    world.follow().await;
    let standings = [&before, &after, &good].map(|claims| world.follower.peek(claims));
    assert_eq!(standings, [Standing::Revoked, Standing::Revoked, Standing::Good]);
}

#[tokio::test]
async fn a_follower_that_is_cut_off_accepts_nothing_past_the_bound_not_even_by_a_revoked_key() {
    let world = World::new().await;
    let (gone, good) = (world.log_out().await, world.token());
    world.follow().await;
    world.fault(Fault::Cut);
    world.revoke(RevocationTarget::Key(KeyId::of_kid("managed")), &good).await;
    world.clock.advance(BOUND + Duration::from_millis(1));
    assert!(world.follower.sync_step().await.is_err());
    assert_eq!((world.follower.peek(&gone), world.follower.peek(&good)), (Standing::Revoked, Standing::Unknown));
    world.fault(Fault::None);
    world.node.sync_step().await.unwrap();
    world.follow().await;
    assert_eq!(world.follower.peek(&good), Standing::Revoked, "its key is known now");
}

#[tokio::test]
async fn a_broken_page_is_discarded_and_does_not_count_as_fresh() {
    let world = World::new().await;
    world.follow().await;
    for fault in [Fault::Truncated, Fault::Gap] {
        let gone = world.log_out().await;
        world.fault(fault);
        world.clock.advance(Duration::from_secs(1));
        assert!(world.follower.sync_step().await.is_err(), "{fault:?}");
        assert_eq!(world.follower.stats().age, Some(Duration::from_secs(1)), "{fault:?}");
        world.fault(Fault::None);
        world.node.sync_step().await.unwrap();
        world.follow().await;
        assert_eq!(world.follower.peek(&gone), Standing::Revoked, "{fault:?}");
    }
}

#[tokio::test]
async fn a_cache_that_repeats_a_page_makes_the_follower_unavailable_and_not_wrong() {
    let world = World::new().await;
    world.follow().await;
    world.fault(Fault::Stuck);
    let good = world.token();
    for _ in 0..7 {
        world.node.sync_step().await.unwrap();
        world.follower.sync_step().await.unwrap();
        world.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(world.follower.peek(&good), Standing::Unknown);
}

#[tokio::test]
async fn another_log_leads_to_the_snapshot_and_what_was_refused_stays_refused() {
    let world = World::new().await;
    let gone = world.log_out().await;
    world.follow().await;
    let (_, node, other) = server(&world.clock);
    node.sync_step().await.unwrap();
    *world.line.server.lock().unwrap() = other;
    assert!(world.follower.sync_step().await.unwrap().snapshot);
    world.follow().await;
    let good = world.token();
    assert_eq!((world.follower.peek(&gone), world.follower.peek(&good)), (Standing::Revoked, Standing::Good));
    assert_eq!(world.follower.stats().snapshots, 2);
}

#[tokio::test]
async fn the_age_of_the_servers_own_copy_counts() {
    let world = World::new().await;
    world.follow().await;
    world.clock.advance(Duration::from_millis(1_500));
    world.follow().await;
    assert_eq!(world.follower.stats().age, Some(Duration::from_millis(1_500)));
}

#[tokio::test]
async fn wall_clocks_decide_nothing() {
    let world = World::new().await;
    world.follow().await;
    let good = world.token();
    world.clock.set(world.clock.now() - Duration::from_secs(1_000));
    world.clock.advance(BOUND + Duration::from_millis(1));
    assert_eq!(world.follower.peek(&good), Standing::Unknown);
}

#[test]
fn an_age_that_cannot_be_read_is_older_than_everything() {
    let of = |values: &[&str]| age(values.iter().map(|value| value.as_bytes()));
    assert_eq!((of(&[]), of(&["0"]), of(&["7"])), (Duration::ZERO, Duration::from_secs(1), Duration::from_secs(8)));
    for values in [&["-1"][..], &["1.5"], &["x"], &["+1"], &[""], &["7", "7"], &["7, 7"], &["99999999999"]] {
        assert_eq!(of(values), Duration::MAX, "{values:?}");
    }
}

#[tokio::test]
async fn after_a_page_that_failed_the_follower_waits_for_no_news() {
    let world = World::new().await;
    let mut waits = Vec::new();
    for fault in [Fault::None, Fault::None, Fault::None, Fault::Cut, Fault::Truncated, Fault::None, Fault::None] {
        world.fault(fault);
        let _ = world.follower.sync_step().await;
        waits.push(world.line.wait.lock().unwrap().as_secs());
    }
    // The first step is the snapshot. The page after it is the first that says whether there is more.
    assert_eq!(waits, [0, 0, 1, 1, 0, 0, 1]);
}
