//! Losses of acknowledged entries: they are noticed, repaired from memory, and reported to all nodes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use auth_blacklist::SyncedBlacklist;
use auth_core::blacklist::{Position, Standing};
use auth_core::{
    Blacklist as _, Claims, Clock as _, Generation, ManualClock, RevocationLog as _, RevocationSource as _,
    StoreErrorKind,
};

use crate::branch::Branch;
use crate::fixture::{BOUND, FaultyLog, clock, everywhere, logout, node, sync, token, verdict};

/// Two nodes over a primary with two entries, which its standby has too.
struct Cluster {
    clock: Arc<ManualClock>,
    log: Arc<FaultyLog>,
    primary: Arc<Branch>,
    one: SyncedBlacklist,
    other: SyncedBlacklist,
}

impl Cluster {
    async fn up() -> Self {
        let (clock, log, primary) = (clock(), FaultyLog::new(), Branch::new());
        primary.append(&[logout(&token(&clock)), logout(&token(&clock))]).await.unwrap();
        log.replace(primary.clone());
        let cluster = Self { one: node(&log, &clock), other: node(&log, &clock), clock, log, primary };
        cluster.sync().await;
        cluster
    }

    async fn sync(&self) {
        sync(&self.one).await;
        sync(&self.other).await;
    }

    fn token(&self) -> Claims {
        token(&self.clock)
    }

    /// Lets the standby take over, with the first `kept` entries.
    fn fail_over(&self, kept: u64) -> Arc<Branch> {
        let standby = self.primary.fork(kept);
        self.log.replace(standby.clone());
        standby
    }

    /// Returns whether a node with empty memory refuses these tokens.
    async fn refused_by_a_new_node(&self, tokens: &[Claims]) -> bool {
        let new = node(&self.log, &self.clock);
        sync(&new).await;
        tokens.iter().all(|claims| new.peek(claims) == Standing::Revoked)
    }
}

#[tokio::test]
async fn an_entry_that_was_read_and_then_lost_is_written_again() {
    let cluster = Cluster::up().await;
    let tokens = [cluster.token(), cluster.token(), cluster.token()];
    cluster.primary.append(&tokens.each_ref().map(logout)).await.unwrap();
    cluster.sync().await;
    cluster.fail_over(2);
    assert!(!cluster.refused_by_a_new_node(&tokens[..1]).await, "the standby does not know them");

    let step = cluster.one.sync_step().await.unwrap();
    assert!(step.lost && step.reloading && !cluster.one.is_loaded());
    sync(&cluster.one).await;
    assert!(cluster.refused_by_a_new_node(&tokens).await);
    let stats = cluster.one.stats();
    assert_eq!((stats.losses, stats.restored, stats.lost), (1, 3, Some(cluster.clock.now())));
}

#[tokio::test]
async fn an_entry_that_this_node_acknowledged_and_no_node_had_read_is_written_again() {
    let cluster = Cluster::up().await;
    let claims = cluster.token();
    cluster.one.revoke(logout(&claims)).await.unwrap();
    // The log is no shorter than any node has seen it, and its last entry is the same.
    cluster.fail_over(2);
    sync(&cluster.one).await;
    let stats = cluster.one.stats();
    assert_eq!((stats.losses, stats.restored, stats.reloads), (1, 1, 0));
    assert!(stats.lost.is_some());
    assert!(cluster.refused_by_a_new_node(std::slice::from_ref(&claims)).await);
    sync(&cluster.other).await;
    assert_eq!(verdict(&cluster.other, &claims).await, "revoked");
}

#[tokio::test]
async fn a_replaced_suffix_of_the_same_length_and_the_same_last_entry_is_noticed() {
    let cluster = Cluster::up().await;
    let (before, after, last) = (cluster.token(), cluster.token(), cluster.token());
    cluster.primary.append(&[logout(&before)]).await.unwrap();
    cluster.primary.append(&[logout(&last)]).await.unwrap();
    cluster.sync().await;
    let standby = cluster.fail_over(2);
    standby.append(&[logout(&after)]).await.unwrap();
    // A client that got no answer tries again, and its entry takes the same position.
    standby.append(&[logout(&last)]).await.unwrap();
    assert!(cluster.one.sync_step().await.unwrap().lost);
    sync(&cluster.one).await;
    assert_eq!(cluster.one.peek(&after), Standing::Revoked, "it was appended before the position that was read");
    assert!(cluster.refused_by_a_new_node(&[before, after, last]).await);
}

#[tokio::test]
async fn a_loss_that_one_node_finds_is_repaired_by_all() {
    let cluster = Cluster::up().await;
    let (of_one, of_other) = (cluster.token(), cluster.token());
    cluster.other.revoke(logout(&of_other)).await.unwrap();
    sync(&cluster.other).await;
    // One node never reads the lost entry. The other sees nothing wrong once the log has grown past its position.
    let standby = cluster.fail_over(2);
    standby.append(&[logout(&of_other)]).await.unwrap();
    sync(&cluster.other).await;
    let unseen = cluster.other.stats().losses;
    cluster.one.revoke(logout(&of_one)).await.unwrap();
    cluster.fail_over(2);
    standby.mark_loss(None).await.unwrap();
    cluster.sync().await;
    assert_eq!(unseen, 1, "another mark at the same position");
    assert!(cluster.refused_by_a_new_node(&[of_one, of_other]).await);
    for node in [&cluster.one, &cluster.other] {
        sync(node).await;
        assert!(node.stats().lost.is_some());
    }
}

#[tokio::test]
async fn a_node_that_reads_of_a_loss_appends_its_remembered_entries() {
    let cluster = Cluster::up().await;
    let claims = cluster.token();
    cluster.primary.append(&[logout(&claims)]).await.unwrap();
    sync(&cluster.one).await;
    // A log that drops an entry from its middle shows this to no reader.
    let damaged = cluster.primary.fork(2);
    let page = cluster.primary.read_after(Position(2), 1).await.unwrap();
    cluster.log.replace(Branch::of(auth_core::blacklist::LogPage {
        entries: damaged.read_after(Position(0), 9).await.unwrap().entries,
        purged: auth_core::blacklist::Purged { tokens: claims.expires_at, ..page.purged },
        ..page
    }));
    sync(&cluster.one).await;
    assert_eq!((cluster.one.stats().losses, cluster.one.stats().restored), (0, 0));
    cluster.log.mark_loss(Some(cluster.clock.now())).await.unwrap();
    sync(&cluster.one).await;
    sync(&cluster.one).await;
    assert_eq!((cluster.one.stats().losses, cluster.one.stats().restored), (0, 1));
}

#[tokio::test]
async fn every_node_reports_a_loss_until_it_is_acknowledged() {
    let cluster = Cluster::up().await;
    cluster.primary.append(&[logout(&cluster.token())]).await.unwrap();
    sync(&cluster.one).await;
    cluster.fail_over(2);
    sync(&cluster.one).await;
    let restarted = node(&cluster.log, &cluster.clock);
    for node in [&cluster.one, &cluster.other, &restarted] {
        sync(node).await;
        assert!(node.stats().lost.is_some() && node.is_ready(), "memory itself is in order");
    }
    assert_eq!((cluster.other.stats().losses, restarted.stats().losses), (0, 0), "they saw nothing missing");
    cluster.log.mark_loss(None).await.unwrap();
    for node in [&cluster.one, &cluster.other, &restarted] {
        sync(node).await;
        assert_eq!(node.stats().lost, None);
    }
}

#[tokio::test]
async fn a_loss_that_cannot_be_repaired_at_once_is_reported_and_repaired_later() {
    let cluster = Cluster::up().await;
    let claims = cluster.token();
    cluster.primary.append(&[logout(&claims)]).await.unwrap();
    sync(&cluster.one).await;
    cluster.fail_over(2);
    assert!(cluster.one.sync_step().await.unwrap().lost);
    cluster.log.read_only.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        assert_eq!(cluster.one.sync_step().await.unwrap_err().kind(), StoreErrorKind::Unavailable);
        assert!(cluster.one.stats().lost.is_some());
    }
    assert!(cluster.one.is_fresh(), "it is read all the same");
    assert_eq!(cluster.one.peek(&claims), Standing::Revoked);
    cluster.log.read_only.store(false, Ordering::SeqCst);
    sync(&cluster.one).await;
    assert!(cluster.refused_by_a_new_node(std::slice::from_ref(&claims)).await);
    sync(&cluster.other).await;
    assert!(cluster.other.stats().lost.is_some());
}

#[tokio::test]
async fn a_read_that_lags_behind_acknowledged_entries_does_not_count() {
    let cluster = Cluster::up().await;
    let claims = cluster.token();
    cluster.one.revoke(logout(&claims)).await.unwrap();
    cluster.primary.lag.store(1, Ordering::SeqCst);
    cluster.clock.advance(BOUND + Duration::from_nanos(1));
    let error = cluster.one.sync_step().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(!cluster.one.is_fresh() && cluster.one.stats().lost.is_none() && cluster.one.stats().restored == 0);
    cluster.primary.lag.store(0, Ordering::SeqCst);
    sync(&cluster.one).await;
    assert!(cluster.one.is_fresh());
}

#[tokio::test]
async fn a_log_whose_last_known_entry_was_purged_is_read_again_without_an_alarm() {
    let cluster = Cluster::up().await;
    let (late, hidden) = (cluster.token(), cluster.token());
    cluster.clock.advance(Duration::from_secs(6 * 3600));
    // Where the known entries have been purged, another history may have other entries.
    let standby = cluster.primary.fork(0);
    let long = Claims { expires_at: cluster.clock.now() + Duration::from_secs(3600), ..hidden };
    standby.append(&[logout(&late)]).await.unwrap();
    standby.append(&[logout(&long)]).await.unwrap();
    standby.append(&[logout(&cluster.token())]).await.unwrap();
    cluster.primary.purge(cluster.clock.now(), 9).await.unwrap();
    standby.purge(cluster.clock.now(), 9).await.unwrap();
    cluster.log.replace(standby);
    sync(&cluster.one).await;
    assert_eq!(cluster.one.peek(&long), Standing::Revoked);
}

#[tokio::test]
async fn a_user_whose_logout_everywhere_is_written_again_is_logged_out_and_can_log_in() {
    let cluster = Cluster::up().await;
    let claims = cluster.token();
    let fresh = Claims { generation: Generation::new(1), ..claims.clone() };
    // The change is durable already. The service only reports it to the blacklist.
    let everywhere = everywhere(claims.user_id, fresh.generation, claims.expires_at);
    cluster.primary.append(&[everywhere]).await.unwrap();
    cluster.one.note(&everywhere);
    cluster.fail_over(2);
    sync(&cluster.one).await;
    let new = node(&cluster.log, &cluster.clock);
    sync(&new).await;
    assert_eq!((new.peek(&claims), new.peek(&fresh)), (Standing::Revoked, Standing::Good));
}

#[tokio::test]
async fn a_logout_that_is_repeated_or_known_from_elsewhere_is_no_loss() {
    let cluster = Cluster::up().await;
    let claims = cluster.token();
    cluster.other.revoke(logout(&claims)).await.unwrap();
    cluster.one.revoke(logout(&claims)).await.unwrap();
    cluster.sync().await;
    cluster.one.revoke(logout(&claims)).await.unwrap();
    cluster.one.note(&logout(&claims));
    cluster.sync().await;
    for node in [&cluster.one, &cluster.other] {
        assert_eq!((node.stats().losses, node.stats().failures, node.stats().lost), (0, 0, None));
    }
}
