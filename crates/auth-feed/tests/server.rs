//! The side with the log, over a log in memory that a node reads.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use auth_blacklist::{SyncOptions, SyncedBlacklist};
use auth_core::blacklist::{RevocationReason, RevocationTarget};
use auth_core::memory::MemoryStore;
use auth_core::{Clock as _, ManualClock, Revocation, RevocationLog as _, TokenId};
use auth_feed::server::{FeedError, FeedServer, FeedServerOptions, PageRequest};
use auth_feed::snapshot::SnapshotReader;
use auth_feed::{Cursor, FeedPage};
use time::OffsetDateTime;
use tokio::time::Instant;

struct Node {
    log: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    feed: Arc<FeedServer>,
    blacklist: SyncedBlacklist,
}

impl Node {
    fn over(log: &Arc<MemoryStore>, kept: usize) -> Self {
        let clock = Arc::new(ManualClock::new(OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()));
        clock.advance(Duration::from_secs(10));
        let options = FeedServerOptions { kept, ..FeedServerOptions::default() };
        let feed = Arc::new(FeedServer::new(clock.clone(), options).unwrap());
        let blacklist = SyncedBlacklist::new(log.clone(), clock.clone(), SyncOptions::default());
        Self { log: log.clone(), clock, blacklist: blacklist.observed_by(feed.clone()), feed }
    }

    fn new() -> Self {
        Self::over(&Arc::new(MemoryStore::new().unwrap()), 100)
    }

    async fn sync(&self) {
        while !self.blacklist.sync_step().await.unwrap().complete {}
    }

    async fn revoke(&self, count: usize) {
        for _ in 0..count {
            let revocation = Revocation {
                target: RevocationTarget::Token(TokenId::generate().unwrap()),
                expires_at: self.clock.now() + Duration::from_secs(3600),
                revoked_at: self.clock.now(),
                reason: RevocationReason::Logout,
            };
            self.log.append(&[revocation]).await.unwrap();
        }
    }

    async fn page(&self, after: &Cursor, wait: &str) -> Result<FeedPage, FeedError> {
        let request = PageRequest::parse(&after.to_string(), Some(wait), Some("2")).unwrap();
        let answer = self.feed.page(&request).await?;
        Ok(FeedPage::from_json(&answer.body, after).unwrap())
    }

    async fn snapshot(&self) -> (Cursor, u64) {
        let answer = self.feed.snapshot().await.unwrap();
        let reader = SnapshotReader::new(&answer.body).unwrap();
        (reader.header().next, reader.header().counts.total())
    }
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_starts_with_the_snapshot_misses_nothing() {
    let node = Node::new();
    assert!(matches!(node.feed.snapshot().await, Err(FeedError::NotFresh)), "nothing was read yet");
    node.revoke(3).await;
    node.sync().await;
    let (mut cursor, count) = node.snapshot().await;
    assert_eq!((cursor.position.0, count), (3, 3));
    node.revoke(5).await;
    node.sync().await;
    let mut seen = BTreeSet::new();
    loop {
        let page = node.page(&cursor, "0").await.unwrap();
        seen.extend(page.entries.iter().map(|entry| entry.position.0));
        cursor = page.next;
        if page.is_complete() {
            break;
        }
    }
    assert_eq!(seen, (4..=8).collect());
    let heartbeat = node.page(&cursor, "1").await.unwrap();
    assert!(heartbeat.entries.is_empty() && heartbeat.is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_waiting_follower_is_answered_with_the_next_entry() {
    let node = Node::new();
    node.sync().await;
    let (cursor, _) = node.snapshot().await;
    let waits = async {
        let page = node.page(&cursor, "25").await.unwrap();
        assert_eq!(page.entries.len(), 1);
    };
    let revokes = async {
        tokio::task::yield_now().await;
        assert_eq!(node.feed.stats().followers, 1);
        node.revoke(1).await;
        node.sync().await;
    };
    let begun = Instant::now();
    tokio::join!(waits, revokes);
    assert_eq!((begun.elapsed(), node.feed.stats().followers), (Duration::ZERO, 0));
}

#[tokio::test]
async fn a_thousand_waiting_followers_are_all_answered() {
    let node = Arc::new(Node::new());
    node.sync().await;
    let (cursor, _) = node.snapshot().await;
    let followers: Vec<_> = (0..1_000)
        .map(|_| {
            let node = Arc::clone(&node);
            tokio::spawn(async move { node.page(&cursor, "25").await.unwrap().entries.len() })
        })
        .collect();
    while node.feed.stats().followers < followers.len() {
        tokio::task::yield_now().await;
    }
    node.revoke(1).await;
    node.sync().await;
    for follower in followers {
        assert_eq!(follower.await.unwrap(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_no_page_continues_any_more_is_taken_anew() {
    let node = Node::over(&Arc::new(MemoryStore::new().unwrap()), 2);
    node.revoke(1).await;
    node.sync().await;
    let (first, _) = node.snapshot().await;
    node.revoke(2).await;
    node.sync().await;
    assert_eq!(node.snapshot().await.0, first, "pages continue it, and it is young");
    node.revoke(1).await;
    node.sync().await;
    let (second, count) = node.snapshot().await;
    assert_eq!((second.position.0, count), (4, 4));
    assert!(node.page(&second, "0").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_cursor_of_another_history_is_gone() {
    let node = Node::over(&Arc::new(MemoryStore::new().unwrap()), 2);
    node.revoke(4).await;
    node.sync().await;
    let (cursor, _) = node.snapshot().await;
    let epoch = node.page(&Cursor { mark: None, ..cursor }, "0").await.unwrap().next.epoch;
    let at = |position: u64| Cursor { position: auth_core::blacklist::Position(position), mark: None, epoch };
    assert!(node.page(&at(2), "0").await.is_ok(), "the last entry that went is known");
    let wrong_mark = Cursor { mark: Some(auth_core::blacklist::Mark(7)), ..cursor };
    let other = Cursor { epoch: auth_core::blacklist::LogIdentity(uuid::Uuid::nil()), ..cursor };
    for gone in [at(1), wrong_mark, other] {
        assert!(matches!(node.page(&gone, "0").await, Err(FeedError::Gone)), "{gone}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_another_node_gave_waits_for_this_node_to_read() {
    let log = Arc::new(MemoryStore::new().unwrap());
    let (first, second) = (Node::over(&log, 100), Node::over(&log, 100));
    second.sync().await;
    first.revoke(1).await;
    first.sync().await;
    let (ahead, _) = first.snapshot().await;
    second.clock.advance(Duration::from_millis(1));
    assert!(matches!(second.page(&ahead, "0").await, Err(FeedError::NotFresh)), "nobody knows yet");
    let reads = async {
        tokio::task::yield_now().await;
        second.sync().await;
    };
    let (page, ()) = tokio::join!(second.page(&ahead, "0"), reads);
    assert!(page.unwrap().is_complete());
    let beyond = Cursor { position: auth_core::blacklist::Position(9), ..ahead };
    let (page, ()) = tokio::join!(second.page(&beyond, "0"), reads_again(&second));
    assert!(matches!(page, Err(FeedError::Gone)), "it was read after the request, and is not there");
}

async fn reads_again(node: &Node) {
    tokio::task::yield_now().await;
    node.sync().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_cut_off_from_its_log_says_its_age_and_then_nothing() {
    let node = Node::new();
    node.sync().await;
    let (cursor, _) = node.snapshot().await;
    node.clock.advance(Duration::from_millis(1_500));
    assert_eq!(node.page(&cursor, "0").await.unwrap().stamp.age, Duration::from_millis(1_500));
    node.clock.advance(Duration::from_millis(501));
    assert!(matches!(node.page(&cursor, "0").await, Err(FeedError::NotFresh)));
    assert!(matches!(node.feed.snapshot().await, Err(FeedError::NotFresh)));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_leaves_out_what_was_purged_and_pages_count_it() {
    let node = Node::new();
    node.revoke(2).await;
    node.sync().await;
    let (cursor, _) = node.snapshot().await;
    node.clock.advance(Duration::from_secs(6 * 3600));
    node.log.purge(node.clock.now(), 10).await.unwrap();
    node.revoke(1).await;
    node.sync().await;
    assert_eq!(node.snapshot().await.1, 1);
    assert_eq!(node.page(&cursor, "0").await.unwrap().entries.len(), 1);
    let start = Cursor { position: auth_core::blacklist::Position(0), mark: None, ..cursor };
    let page = node.page(&start, "0").await.unwrap();
    assert_eq!((page.skipped, page.entries.len()), (2, 1));
}
