//! Three nodes, each over its own node of a Galera cluster, while the cluster fails in one way after the other.
//!
//! Witnesses ask every node about a token that is logged out and about one that is good, and clients work beside them. What
//! they are told is held against the contract: nothing is accepted past the bound, nothing that was acknowledged is lost,
//! nothing good is called bad, no position of the log is skipped, and a node that cannot tell answers 503.

use std::sync::Arc;
use std::time::Duration;

use auth_core::blacklist::{Position, RevocationReason, RevocationTarget};
use auth_core::{Revocation, RevocationLog as _, RevocationSource as _, TokenId};
use auth_storage::{ConnectOptions, SeaRevocationLog, connect};
use auth_testing::databases::{OwnGalera, TestDatabase};
use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::ledger::{Fate, Ledger};
use crate::load::Load;
use crate::node::{BOUND, Door, Node, revoked, verdict};
use crate::rounds;
use crate::witness::Witness;

/// Duration of a fault after the logout that it must not hide: longer than one causal read may take.
const LASTING: Duration = Duration::from_secs(3);

/// For so long Galera answers a causal read without a message to the group (`evs.causal_keepalive_period`). That hides nothing:
/// nobody else can commit before it has expelled the node, which takes longer (`evs.suspect_timeout`).
const CAUSAL_KEEPALIVE: Duration = Duration::from_secs(1);

const WORKERS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_on_a_cluster_keep_their_promises_whatever_happens_to_it() {
    let Some(mut cluster) = OwnGalera::start().await else { return };
    let databases: [TestDatabase; 3] = std::array::from_fn(|node| cluster.database(node));
    // The cluster is empty and all of them migrate it, each by way of another node.
    let [first, second, third] = &databases;
    let nodes: [Node; 3] =
        tokio::join!(Node::start(first.url()), Node::start(second.url()), Node::start(third.url())).into();
    let doors = nodes.each_ref().map(Node::door);
    a_transaction_that_vanished_commits_nothing(first).await;
    let mut ledgers = vec![appends_at_once(&databases).await];
    for round in 0..rounds(1) {
        for fault in Fault::ALL {
            let name = format!("{fault:?}-{round}");
            ledgers.extend(fault.happens(&mut cluster, &doors, &name).await);
        }
    }
    for database in &databases {
        Ledger::verify_log(&ledgers, database).await;
    }
}

/// A node may roll a transaction back without an error that anybody sees. What follows in it is not committed either.
async fn a_transaction_that_vanished_commits_nothing(database: &TestDatabase) {
    let opened = connect(database.url(), ConnectOptions::default()).await.unwrap();
    let log = SeaRevocationLog::new(opened.clone());
    let transaction = opened.begin_write().await.unwrap();
    transaction.execute_unprepared("ROLLBACK").await.unwrap();
    assert_eq!(
        log.append_within(&transaction, &[logout(TokenId::generate().unwrap())]).await.unwrap(),
        1,
        "the statements run"
    );
    transaction.commit().await.unwrap_err();
    // The connection is used again, for single statements and for transactions.
    for _ in 0..20 {
        assert_eq!(log.read_after(Position(0), u32::MAX).await.unwrap().entries, []);
    }
    log.mark_loss(None).await.unwrap();
    let transaction = opened.begin_write().await.unwrap();
    assert_eq!(log.append_within(&transaction, &[logout(TokenId::generate().unwrap())]).await.unwrap(), 1);
    transaction.rollback().await.unwrap();
    opened.close().await.unwrap();
}

/// The logout of a token that nobody has.
fn logout(id: TokenId) -> Revocation {
    const NOW: OffsetDateTime = datetime!(2026-11-26 12:00 UTC);
    let target = RevocationTarget::Token(id);
    Revocation {
        target,
        expires_at: NOW + time::Duration::days(3650),
        revoked_at: NOW,
        reason: RevocationReason::Logout,
    }
}

/// Writers of all nodes append at once. Nearly every transaction has rivals, and none of the appends fails.
async fn appends_at_once(databases: &[TestDatabase; 3]) -> Ledger {
    const WRITERS: usize = 6;
    const APPENDS: usize = 20;
    let mut writers = JoinSet::new();
    let together = Arc::new(Barrier::new(WRITERS));
    for writer in 0..WRITERS {
        let opened = connect(databases[writer % 3].url(), ConnectOptions::default()).await.unwrap();
        let together = Arc::clone(&together);
        writers.spawn(async move {
            let log = SeaRevocationLog::new(opened.clone());
            together.wait().await;
            let mut appended = Vec::new();
            for _ in 0..APPENDS {
                let id = TokenId::generate().unwrap();
                let entry = logout(id);
                log.append(&[entry]).await.unwrap_or_else(|error| panic!("{error:?}"));
                // Read-your-writes through this node, and no gap before what was read.
                let page = log.read_after(Position(0), u32::MAX).await.unwrap();
                assert!(
                    page.entries.iter().any(|read| read.revocation.target == entry.target),
                    "an append is read back"
                );
                assert_eq!(page.entries.len() as u64, page.head.0, "an entry at every position");
                appended.push(id);
            }
            opened.close().await.unwrap();
            appended
        });
    }
    let extra = writers.join_all().await.into_iter().flatten().collect();
    Ledger { extra, ..Ledger::default() }
}

/// A fault of the cluster. It has ended when [`Fault::happens`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing does.
    None,
    /// One node applies nothing: a backup holds it with `FLUSH TABLES WITH READ LOCK`.
    Held,
    /// The appliers of two nodes are busy with a transaction of the third one.
    LargeTransaction,
    /// One node is behind a partition, and its process stands still.
    Suspended,
    /// One node is behind a partition and does not know it yet.
    Isolated,
    /// One node has lost its data and gets everything from a donor, which is held meanwhile.
    Joining,
    /// Two nodes die at once, and the third one has no majority.
    Bereaved,
}

impl Fault {
    const ALL: [Self; 7] = [
        Self::None,
        Self::Held,
        Self::LargeTransaction,
        Self::Suspended,
        Self::Isolated,
        Self::Joining,
        Self::Bereaved,
    ];

    #[expect(clippy::print_stdout, reason = "whoever runs it by hand sees what was tried and how it went")]
    async fn happens(self, cluster: &mut OwnGalera, doors: &[Door; 3], name: &str) -> [Ledger; 2] {
        let began = Instant::now();
        let [bad, good, tried] = [
            doors[0].new_token(&format!("bad-{name}")).await,
            doors[0].new_token(&format!("good-{name}")).await,
            doors[0].new_token(&format!("tried-{name}")).await,
        ];
        for door in doors {
            for token in [&bad, &good, &tried] {
                door.until("a new token is good", async || door.check(token).await.unwrap().status == 200).await;
            }
        }
        let load = Load::start_with(WORKERS, name, doors);
        load.acknowledges(10).await;
        let witnesses = doors.each_ref().map(|door| [Witness::of(door, &bad), Witness::of(door, &good)]);

        let session = cluster.session(1).await;
        self.begins(cluster, &session).await;
        let fate = if self == Self::Bereaved {
            // Nobody can acknowledge anything.
            Fate::Unsure
        } else {
            let is_acknowledged = async || {
                let answer = verdict(&doors[0].logout(&bad).await.unwrap());
                assert!(answer.0 == 200 || answer.0 == 503 || answer == revoked(), "a logout: {answer:?}");
                answer.0 == 200 || answer == revoked()
            };
            doors[0].until("the logout is acknowledged", is_acknowledged).await;
            Fate::LoggedOut { node: 0, at: Instant::now() }
        };
        let at = Instant::now();
        let attempt = verdict(&doors[1].logout(&tried).await.unwrap());
        assert!(attempt.0 == 200 || attempt.0 == 503, "{name}: a logout at the node in question: {attempt:?}");
        let fate_of_tried =
            if attempt.0 == 200 { Fate::LoggedOut { node: 1, at: Instant::now() } } else { Fate::Unsure };

        let mut late = 0;
        for (node, (witnesses, door)) in witnesses.into_iter().zip(doors).enumerate() {
            let [of_bad, of_good] = witnesses.map(|witness| witness.until_after(at + LASTING));
            let (of_bad, of_good) = tokio::join!(of_bad, of_good);
            for answer in &of_bad {
                // Between the request for the logout and its answer both are right.
                let permitted = fate.permits(&answer.verdict, node, answer.started, BOUND)
                    || answer.started <= at && Fate::Unsure.permits(&answer.verdict, node, answer.started, BOUND);
                assert!(permitted, "{name}: node {node}: {answer:?}, logged out at {at:?}\n{}", door.said());
            }
            for answer in &of_good {
                let permitted = Fate::Good.permits(&answer.verdict, node, answer.started, BOUND);
                assert!(permitted, "{name}: node {node}: a good token: {answer:?}\n{}", door.said());
            }
            late += of_good.iter().filter(|answer| answer.verdict.0 == 503).count();
            if self == Self::Bereaved {
                let past = of_good.iter().filter(|answer| answer.started > at + CAUSAL_KEEPALIVE + BOUND);
                let accepted: Vec<_> = past.filter(|answer| answer.verdict.0 == 200).collect();
                assert!(accepted.is_empty(), "node {node} has no majority and answers: {accepted:?}");
            }
        }

        self.ends(cluster, &session).await;
        // A session of a node that was stopped is gone.
        drop(session.close().await);
        for (node, door) in doors.iter().enumerate() {
            cluster.synced(node).await;
            door.ready().await;
        }
        load.acknowledges(10).await;
        let (mut ledger, outcome) = load.stop().await;
        outcome.expect("the nodes answered all the time");
        let tokens = vec![(bad, fate), (good, Fate::Good), (tried, fate_of_tried)];
        let mut own = Ledger { tokens, ..Ledger::default() };
        own.verify(doors).await;
        ledger.verify(doors).await;
        println!(
            "{name}: {} acknowledged, {late} answers 503, no violation, {:?}",
            ledger.acknowledged(),
            began.elapsed()
        );
        [ledger, own]
    }

    /// The second node is the one that is held, suspended, isolated or joining; the first one goes on. `session` is one of the
    /// second node.
    async fn begins(self, cluster: &mut OwnGalera, session: &DatabaseConnection) {
        match self {
            Self::None => {}
            Self::Held => drop(session.execute_unprepared("FLUSH TABLES WITH READ LOCK").await.unwrap()),
            Self::LargeTransaction => {
                cluster.execute(0, "CREATE TABLE IF NOT EXISTS large (id BIGINT PRIMARY KEY, filler CHAR(200))").await;
                let rows = "REPLACE INTO large SELECT seq, REPEAT('x', 200) FROM seq_1_to_100000";
                cluster.execute(0, rows).await;
            }
            Self::Suspended => cluster.suspend(1),
            Self::Isolated => cluster.execute(1, "SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'").await,
            Self::Joining => {
                cluster.stop(1);
                cluster.forget(1);
                cluster.join(1);
            }
            Self::Bereaved => {
                cluster.crash(1);
                cluster.crash(2);
            }
        }
    }

    async fn ends(self, cluster: &mut OwnGalera, session: &DatabaseConnection) {
        match self {
            Self::None | Self::LargeTransaction | Self::Joining => {}
            Self::Held => drop(session.execute_unprepared("UNLOCK TABLES").await.unwrap()),
            Self::Suspended => cluster.resume(1),
            Self::Isolated => drop(
                session.execute_unprepared("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=0'").await.unwrap(),
            ),
            Self::Bereaved => {
                cluster.execute(0, "SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'").await;
                cluster.join(1);
                cluster.join(2);
            }
        }
    }
}
