//! The synced blacklist from outside: freshness, falling back, reloading, group commit. Time is a manual clock.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::blacklist::{
    LogIdentity, LogPage, Position, Purged, RevocationReason, RevocationTarget, Standing, SyncOptions, SyncedBlacklist,
    purge_expired,
};
use auth_core::memory::MemoryStore;
use auth_core::{
    Blacklist, Claims, Clock, Generation, ManualClock, Revocation, RevocationLog, StoreError, StoreErrorKind, TokenId,
    UserId,
};
use time::OffsetDateTime;
use tokio::sync::Notify;

const BOUND: Duration = Duration::from_secs(2);

/// A log in memory whose database can be lost, replaced, and held up.
#[derive(Debug)]
struct FaultyLog {
    inner: Mutex<Arc<dyn RevocationLog>>,
    down: AtomicBool,
    appends: AtomicU64,
    look_ups: AtomicU64,
    hold: Mutex<Option<Arc<Notify>>>,
    /// How long a read takes, and by which clock.
    slow: Mutex<Option<(Duration, Arc<ManualClock>)>>,
    corrupt_after: AtomicU64,
}

impl FaultyLog {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Arc::new(MemoryStore::new().unwrap())),
            down: AtomicBool::new(false),
            appends: AtomicU64::new(0),
            look_ups: AtomicU64::new(0),
            hold: Mutex::new(None),
            slow: Mutex::new(None),
            corrupt_after: AtomicU64::new(u64::MAX),
        })
    }

    fn inner(&self) -> Result<Arc<dyn RevocationLog>, StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("the database is down"));
        }
        Ok(self.inner.lock().unwrap().clone())
    }

    fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Another database stands where the old one was.
    fn replace(&self, other: Arc<dyn RevocationLog>) {
        *self.inner.lock().unwrap() = other;
    }
}

#[async_trait]
impl RevocationLog for FaultyLog {
    async fn append(&self, batch: &[Revocation]) -> Result<u64, StoreError> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        let hold = self.hold.lock().unwrap().clone();
        if let Some(hold) = hold {
            hold.notified().await;
        }
        self.inner()?.append(batch).await
    }

    async fn read_after(&self, after: Position, limit: u32) -> Result<LogPage, StoreError> {
        let page = self.inner()?.read_after(after, limit).await?;
        if let Some((takes, clock)) = &*self.slow.lock().unwrap() {
            clock.advance(*takes);
        }
        if page.entries.iter().any(|entry| entry.0.0 > self.corrupt_after.load(Ordering::SeqCst)) {
            return Err(StoreError::corrupt("an entry makes no sense"));
        }
        Ok(page)
    }

    async fn covers(&self, claims: &Claims) -> Result<bool, StoreError> {
        self.look_ups.fetch_add(1, Ordering::SeqCst);
        self.inner()?.covers(claims).await
    }

    async fn purge(&self, before: OffsetDateTime, limit: u32) -> Result<u64, StoreError> {
        self.inner()?.purge(before, limit).await
    }
}

fn clock() -> Arc<ManualClock> {
    let clock = ManualClock::new(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    clock.advance(Duration::from_secs(5));
    Arc::new(clock)
}

fn node(log: &Arc<FaultyLog>, clock: &Arc<ManualClock>) -> SyncedBlacklist {
    SyncedBlacklist::new(log.clone(), clock.clone(), SyncOptions { max_staleness: BOUND, page: 3 })
}

async fn sync(node: &SyncedBlacklist) {
    while !node.sync_step().await.unwrap().complete {}
}

fn token(clock: &ManualClock) -> Claims {
    Claims {
        user_id: UserId::generate(clock.now()).unwrap(),
        token_id: TokenId::generate().unwrap(),
        issued_at: clock.now(),
        expires_at: clock.now() + Duration::from_secs(3600),
        generation: Generation::default(),
        admin: false,
    }
}

fn logout(claims: &Claims) -> Revocation {
    Revocation {
        target: RevocationTarget::Token(claims.token_id),
        expires_at: claims.expires_at,
        revoked_at: claims.issued_at,
        reason: RevocationReason::Logout,
    }
}

/// What a check would say: revoked, good, or unknown.
async fn verdict(node: &SyncedBlacklist, claims: &Claims) -> &'static str {
    match node.peek(claims) {
        Standing::Revoked => "revoked",
        Standing::Good => "good",
        Standing::AskTheLog => match node.look_up(claims).await {
            Ok(true) => "revoked",
            Ok(false) => "good",
            Err(_) => "unknown",
        },
    }
}

#[tokio::test]
async fn before_the_first_load_is_complete_the_log_is_asked() {
    let (log, clock) = (FaultyLog::new(), clock());
    let revoked: Vec<_> = (0..5).map(|_| token(&clock)).collect();
    log.append(&revoked.iter().map(logout).collect::<Vec<_>>()).await.unwrap();
    let node = node(&log, &clock);
    assert!(!node.sync_step().await.unwrap().complete, "five entries are more than one page of three");
    assert!(!node.is_loaded() && !node.is_fresh());
    assert_eq!(verdict(&node, &revoked[4]).await, "revoked");
    assert_eq!(verdict(&node, &token(&clock)).await, "good");
    assert_eq!(log.look_ups.load(Ordering::SeqCst), 2);
    sync(&node).await;
    assert_eq!(verdict(&node, &revoked[4]).await, "revoked");
    assert_eq!(verdict(&node, &token(&clock)).await, "good");
    assert_eq!(log.look_ups.load(Ordering::SeqCst), 2, "memory answers alone now");
}

#[tokio::test]
async fn a_follower_reads_all_there_is_and_goes_on_after_a_failure() {
    let (log, clock) = (FaultyLog::new(), clock());
    let revoked: Vec<_> = (0..5).map(|_| token(&clock)).collect();
    log.append(&revoked.iter().map(logout).collect::<Vec<_>>()).await.unwrap();
    let node = node(&log, &clock);
    let (later, done, mut rounds) = (token(&clock), Notify::new(), Vec::new());
    let follow = node.follow(async |outcome| {
        rounds.push(outcome.is_ok());
        match rounds.len() {
            1 => {
                assert_eq!(verdict(&node, &revoked[4]).await, "revoked");
                log.append(&[logout(&later)]).await.unwrap();
                log.set_down(true);
            }
            2 => log.set_down(false),
            _ => {
                done.notify_one();
                std::future::pending::<()>().await;
            }
        }
    });
    tokio::select! {
        () = follow => {}
        () = done.notified() => {}
    }
    assert_eq!(rounds, [true, false, true]);
    assert_eq!(verdict(&node, &later).await, "revoked");
    assert_eq!(log.look_ups.load(Ordering::SeqCst), 0, "memory answered");
}

#[tokio::test]
async fn a_logout_is_refused_at_once_here_and_within_the_bound_elsewhere() {
    let (log, clock) = (FaultyLog::new(), clock());
    let (here, there) = (node(&log, &clock), node(&log, &clock));
    sync(&here).await;
    sync(&there).await;
    let claims = token(&clock);
    here.revoke(logout(&claims)).await.unwrap();
    assert_eq!(verdict(&here, &claims).await, "revoked");
    clock.advance(BOUND);
    assert_eq!(verdict(&there, &claims).await, "good", "within the bound memory may be behind");
    clock.advance(Duration::from_nanos(1));
    assert_eq!(verdict(&there, &claims).await, "revoked", "past the bound the log is asked");
    log.set_down(true);
    assert_eq!(verdict(&there, &claims).await, "unknown", "and when it cannot be asked nothing is accepted");
    assert_eq!(verdict(&here, &claims).await, "revoked", "what memory knows to be revoked needs no log");
    assert!(there.sync_step().await.is_err());
    log.set_down(false);
    sync(&there).await;
    assert_eq!(there.peek(&claims), Standing::Revoked);
    assert_eq!((there.stats().failures, there.stats().fallbacks), (1, 2));
}

#[tokio::test]
async fn freshness_counts_from_before_the_read_was_sent_not_from_its_end() {
    let (log, clock) = (FaultyLog::new(), clock());
    let entries: Vec<_> = (0..5).map(|_| logout(&token(&clock))).collect();
    log.append(&entries).await.unwrap();
    let node = node(&log, &clock);
    assert!(!node.sync_step().await.unwrap().complete);
    clock.advance(Duration::from_secs(1));
    sync(&node).await;
    assert_eq!(node.stats().age, Some(Duration::from_secs(1)), "the round began a second ago");
    clock.advance(Duration::from_secs(1));
    assert!(node.is_fresh());
    clock.advance(Duration::from_nanos(1));
    assert!(!node.is_fresh());

    *log.slow.lock().unwrap() = Some((Duration::from_millis(1_500), clock.clone()));
    sync(&node).await;
    assert_eq!(node.stats().age, Some(Duration::from_millis(1_500)), "what it read is as old as that");
}

#[tokio::test]
async fn a_log_that_grows_as_fast_as_it_is_read_is_loaded_all_the_same() {
    let (log, clock) = (FaultyLog::new(), clock());
    let some = |count| (0..count).map(|_| logout(&token(&clock))).collect::<Vec<_>>();
    log.append(&some(5)).await.unwrap();
    let node = node(&log, &clock);
    assert!(!node.sync_step().await.unwrap().complete);
    log.append(&some(3)).await.unwrap();
    assert!(node.sync_step().await.unwrap().complete, "it holds the five that were there when the round began");
}

#[tokio::test]
async fn a_bound_of_zero_asks_the_log_at_every_check() {
    let (log, clock) = (FaultyLog::new(), clock());
    let options = SyncOptions { max_staleness: Duration::ZERO, page: 100 };
    let node = SyncedBlacklist::new(log.clone(), clock.clone(), options);
    sync(&node).await;
    let claims = token(&clock);
    assert_eq!(verdict(&node, &claims).await, "good");
    log.append(&[logout(&claims)]).await.unwrap();
    assert_eq!(verdict(&node, &claims).await, "revoked");
}

#[tokio::test]
async fn a_log_that_is_another_one_or_went_backwards_is_read_again_from_its_beginning() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = node(&log, &clock);
    let old = token(&clock);
    log.append(&[logout(&old), logout(&token(&clock))]).await.unwrap();
    sync(&node).await;
    let fresh = Arc::new(MemoryStore::new().unwrap());
    log.replace(fresh.clone());
    let new: Vec<_> = (0..7).map(|_| token(&clock)).collect();
    fresh.append(&new.iter().map(logout).collect::<Vec<_>>()).await.unwrap();
    let step = node.sync_step().await.unwrap();
    assert!(step.reloading && !step.complete);
    assert!(!node.is_loaded(), "until it is loaded every check asks the log");
    sync(&node).await;
    assert!(new.iter().all(|claims| node.peek(claims) == Standing::Revoked));
    assert_eq!(node.peek(&old), Standing::Revoked, "once refused, always refused");
    assert_eq!(node.stats().reloads, 1);
}

#[tokio::test]
async fn a_backup_that_has_grown_past_our_position_is_noticed_by_the_entry_that_changed() {
    /// The same identity and a head past ours, with another entry where our last one was.
    #[derive(Debug)]
    struct Restored(Vec<Revocation>);
    #[async_trait]
    impl RevocationLog for Restored {
        async fn append(&self, _batch: &[Revocation]) -> Result<u64, StoreError> {
            Err(StoreError::new(StoreErrorKind::Internal, "not used"))
        }
        async fn read_after(&self, after: Position, limit: u32) -> Result<LogPage, StoreError> {
            let entries = (1..).map(Position).zip(self.0.iter().copied());
            let entries: Vec<_> =
                entries.filter(|entry| entry.0 > after).take(usize::try_from(limit).unwrap()).collect();
            let (identity, head) = (LogIdentity(uuid::Uuid::nil()), Position(self.0.len() as u64));
            Ok(LogPage { identity, head, purged: Purged::default(), entries })
        }
        async fn covers(&self, _claims: &Claims) -> Result<bool, StoreError> {
            Ok(false)
        }
        async fn purge(&self, _before: OffsetDateTime, _limit: u32) -> Result<u64, StoreError> {
            Ok(0)
        }
    }

    let clock = clock();
    let tokens: Vec<_> = (0..9).map(|_| token(&clock)).collect();
    let entry = |number: usize| logout(&tokens[number]);
    let before = Restored((0..5).map(entry).collect());
    // The backup held two entries; four others were appended since: 6 is past our position 5.
    let after = Restored([0, 1, 5, 6, 7, 8].map(entry).to_vec());
    let log = FaultyLog::new();
    log.replace(Arc::new(before));
    let node = node(&log, &clock);
    sync(&node).await;
    log.replace(Arc::new(after));
    assert!(node.sync_step().await.unwrap().reloading);
    sync(&node).await;
    assert!(tokens.iter().all(|claims| node.peek(claims) == Standing::Revoked));
}

/// Says that so much was ever appended, and shows nothing of it.
#[derive(Debug)]
struct Emptied(LogPage);

#[async_trait]
impl RevocationLog for Emptied {
    async fn append(&self, _batch: &[Revocation]) -> Result<u64, StoreError> {
        Err(StoreError::new(StoreErrorKind::Internal, "not used"))
    }
    async fn read_after(&self, _after: Position, _limit: u32) -> Result<LogPage, StoreError> {
        Ok(LogPage { entries: Vec::new(), ..self.0.clone() })
    }
    async fn covers(&self, _claims: &Claims) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn purge(&self, _before: OffsetDateTime, _limit: u32) -> Result<u64, StoreError> {
        Ok(0)
    }
}

#[tokio::test]
async fn another_log_is_told_by_its_identity_or_its_head_when_no_entry_is_left_to_compare() {
    let (log, clock) = (FaultyLog::new(), clock());
    log.append(&[logout(&token(&clock)), logout(&token(&clock))]).await.unwrap();
    clock.advance(Duration::from_secs(6 * 3600));
    assert_eq!(log.purge(clock.now(), 100).await.unwrap(), 2);
    let page = log.read_after(Position(0), 1).await.unwrap();
    let (knows_one, knows_other) = (node(&log, &clock), node(&log, &clock));
    sync(&knows_one).await;
    sync(&knows_other).await;

    let longer = Arc::new(MemoryStore::new().unwrap());
    let revoked: Vec<_> = (0..3).map(|_| token(&clock)).collect();
    longer.append(&revoked.iter().map(logout).collect::<Vec<_>>()).await.unwrap();
    log.replace(longer);
    assert!(knows_one.sync_step().await.unwrap().reloading, "another identity");
    sync(&knows_one).await;
    assert!(revoked.iter().all(|claims| knows_one.peek(claims) == Standing::Revoked));

    log.replace(Arc::new(Emptied(LogPage { head: Position(1), ..page })));
    assert!(knows_other.sync_step().await.unwrap().reloading, "a head that went backwards");
}

#[tokio::test]
async fn purged_entries_are_no_reason_to_reload_and_cost_no_position() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = node(&log, &clock);
    log.append(&[logout(&token(&clock)), logout(&token(&clock))]).await.unwrap();
    sync(&node).await;
    clock.advance(Duration::from_secs(6 * 3600));
    assert_eq!(log.purge(clock.now(), 100).await.unwrap(), 2);
    let claims = token(&clock);
    log.append(&[logout(&claims)]).await.unwrap();
    sync(&node).await;
    assert_eq!((node.peek(&claims), node.stats().reloads), (Standing::Revoked, 0));
    assert_eq!(node.stats().index.tokens, 1, "what expired was forgotten");
}

#[tokio::test]
async fn a_purge_by_a_node_whose_clock_is_hours_ahead_revives_no_token_anywhere() {
    let (log, clock) = (FaultyLog::new(), clock());
    let knows = node(&log, &clock);
    let (claims, user) = (token(&clock), UserId::generate(clock.now()).unwrap());
    let later = Claims { expires_at: claims.expires_at + Duration::from_secs(1), ..token(&clock) };
    knows.revoke(logout(&claims)).await.unwrap();
    sync(&knows).await;
    let wrong = clock.now() + Duration::from_secs(3 * 3600 + 2);
    assert_eq!(purge_expired(log.as_ref(), wrong, 10, async |_| {}).await.unwrap(), 1, "it expires in an hour");

    // One node knew the entry, one reads the log only now, one asks it every time; one's clock is behind as well.
    let starting = node(&log, &clock);
    sync(&starting).await;
    let asking = node(&log, &clock);
    let behind = Arc::new(ManualClock::new(clock.now() - Duration::from_secs(86_400)));
    let behind = node(&log, &behind);
    sync(&behind).await;
    sync(&knows).await;
    for node in [&knows, &starting, &asking, &behind] {
        assert_eq!(verdict(node, &claims).await, "revoked");
        assert_eq!(verdict(node, &later).await, "good");
        assert_eq!(verdict(node, &Claims { user_id: user, ..later }).await, "good");
    }
    assert_eq!((starting.stats().fallbacks, knows.stats().reloads), (0, 0));
}

#[tokio::test]
async fn a_purge_beside_a_reader_is_seen_by_it_before_the_entry_is_gone() {
    let (log, clock) = (FaultyLog::new(), clock());
    let claims: Vec<_> = (0..9).map(|_| token(&clock)).collect();
    log.append(&claims.iter().map(logout).collect::<Vec<_>>()).await.unwrap();
    let node = node(&log, &clock);
    // Pages of three: the purge comes between the first page and the second.
    assert!(!node.sync_step().await.unwrap().complete);
    assert_eq!(log.purge(clock.now() + Duration::from_secs(7200), 100).await.unwrap(), 9);
    sync(&node).await;
    assert!(claims.iter().all(|claims| node.peek(claims) == Standing::Revoked));
}

#[tokio::test]
async fn an_entry_that_is_gone_without_a_purge_means_another_log() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = node(&log, &clock);
    log.append(&[logout(&token(&clock))]).await.unwrap();
    sync(&node).await;
    clock.advance(Duration::from_secs(86_400));
    let page = log.read_after(Position(0), 1).await.unwrap();
    log.replace(Arc::new(Emptied(page)));
    assert!(node.sync_step().await.unwrap().reloading, "expired or not, it was not purged");
}

#[tokio::test]
async fn a_corrupt_entry_stops_the_sync_loudly_and_checks_go_to_the_log() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = node(&log, &clock);
    sync(&node).await;
    let claims = token(&clock);
    log.append(&[logout(&claims)]).await.unwrap();
    log.corrupt_after.store(0, Ordering::SeqCst);
    assert_eq!(node.sync_step().await.unwrap_err().kind(), StoreErrorKind::Corrupt);
    clock.advance(BOUND + Duration::from_nanos(1));
    assert_eq!(verdict(&node, &claims).await, "revoked");
    assert!(!node.is_fresh());
}

#[tokio::test]
async fn a_clock_set_forward_and_back_never_brings_a_token_back() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = node(&log, &clock);
    let claims = token(&clock);
    node.revoke(logout(&claims)).await.unwrap();
    sync(&node).await;
    let right = clock.now();
    clock.set(right + Duration::from_secs(30 * 86_400));
    sync(&node).await;
    clock.set(right);
    assert_eq!(verdict(&node, &claims).await, "revoked");
}

#[tokio::test]
async fn a_revocation_of_an_expired_token_is_accepted_and_stored_nowhere() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = node(&log, &clock);
    let claims = token(&clock);
    clock.advance(Duration::from_secs(86_400));
    node.revoke(logout(&claims)).await.unwrap();
    assert_eq!((log.appends.load(Ordering::SeqCst), node.stats().index.tokens), (0, 0));
}

#[tokio::test]
async fn concurrent_logouts_share_a_transaction_and_a_lone_one_waits_for_nobody() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = Arc::new(node(&log, &clock));
    node.revoke(logout(&token(&clock))).await.unwrap();
    assert_eq!(log.appends.load(Ordering::SeqCst), 1);
    let gate = Arc::new(Notify::new());
    *log.hold.lock().unwrap() = Some(gate.clone());
    let tokens: Vec<_> = (0..64).map(|_| token(&clock)).collect();
    let tasks: Vec<_> = tokens
        .iter()
        .map(|claims| {
            let (node, revocation) = (node.clone(), logout(claims));
            tokio::spawn(async move { node.revoke(revocation).await })
        })
        .collect();
    while log.appends.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    *log.hold.lock().unwrap() = None;
    gate.notify_one();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert!(log.appends.load(Ordering::SeqCst) <= 4, "64 took {} transactions", log.appends.load(Ordering::SeqCst));
    assert!(tokens.iter().all(|claims| node.peek(claims) == Standing::Revoked));
}

#[tokio::test]
async fn a_writer_that_goes_away_takes_nobody_with_it() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = Arc::new(node(&log, &clock));
    let gate = Arc::new(Notify::new());
    *log.hold.lock().unwrap() = Some(gate.clone());
    let tokens: Vec<_> = (0..8).map(|_| token(&clock)).collect();
    let mut tasks: Vec<_> = tokens
        .iter()
        .map(|claims| {
            let (node, revocation) = (node.clone(), logout(claims));
            tokio::spawn(async move { node.revoke(revocation).await })
        })
        .collect();
    while log.appends.load(Ordering::SeqCst) < 1 {
        tokio::task::yield_now().await;
    }
    // The first one writes, and holds the batch; it is cut off in the middle of it.
    *log.hold.lock().unwrap() = None;
    let writer = tasks.remove(0);
    writer.abort();
    assert!(writer.await.unwrap_err().is_cancelled());
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert!(tokens[1..].iter().all(|claims| node.peek(claims) == Standing::Revoked));
}

#[tokio::test]
async fn a_batch_that_could_not_be_written_is_acknowledged_to_nobody() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = Arc::new(node(&log, &clock));
    let gate = Arc::new(Notify::new());
    *log.hold.lock().unwrap() = Some(gate.clone());
    let tokens: Vec<_> = (0..8).map(|_| token(&clock)).collect();
    let tasks: Vec<_> = tokens
        .iter()
        .map(|claims| {
            let (node, revocation) = (node.clone(), logout(claims));
            tokio::spawn(async move { node.revoke(revocation).await })
        })
        .collect();
    while log.appends.load(Ordering::SeqCst) < 1 {
        tokio::task::yield_now().await;
    }
    // The first one writes, and the others wait to be written together.
    *log.hold.lock().unwrap() = None;
    log.set_down(true);
    gate.notify_one();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap_err().kind(), StoreErrorKind::Unavailable);
    }
    assert_eq!(log.appends.load(Ordering::SeqCst), 2);
    log.set_down(false);
    sync(&node).await;
    assert!(tokens.iter().all(|claims| node.peek(claims) == Standing::Good));
}

#[tokio::test]
async fn a_failed_append_is_told_to_who_asked_for_it_and_to_nobody_after() {
    let (log, clock) = (FaultyLog::new(), clock());
    let node = node(&log, &clock);
    log.set_down(true);
    let claims = token(&clock);
    let error = node.revoke(logout(&claims)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    log.set_down(false);
    sync(&node).await;
    assert_eq!(node.peek(&claims), Standing::Good, "it was not acknowledged and not written");
    node.revoke(logout(&claims)).await.unwrap();
    assert_eq!(node.peek(&claims), Standing::Revoked);
}
