//! Nodes that know of each other only through the database.

use std::time::Duration;

use auth_testing::databases::{PgBouncer, TestDatabase};
use tokio::time::Instant;

use crate::ledger::{Fate, refuses};
use crate::node::{BOUND, Node, revoked};
use crate::rounds;
use crate::witness::Witness;

auth_testing::on_every_database!(two_nodes_refuse_within_the_bound, three_nodes_refuse_within_the_bound);

mod pgbouncer {
    auth_testing::on_database!(Postgres: two_nodes_behind_a_pooler_refuse_within_the_bound);
}

async fn two_nodes_behind_a_pooler_refuse_within_the_bound(database: TestDatabase) {
    let Some(pooler) = PgBouncer::before(&database, "transaction").await else { return };
    nodes_refuse_within_the_bound(&pooler.database(&database), 2).await;
}

async fn two_nodes_refuse_within_the_bound(database: TestDatabase) {
    nodes_refuse_within_the_bound(&database, 2).await;
}

async fn three_nodes_refuse_within_the_bound(database: TestDatabase) {
    nodes_refuse_within_the_bound(&database, 3).await;
}

/// Logs out with one node after the other. It refuses at once; every other one accepts nothing that it is asked later than the
/// bound after the acknowledgement, and nobody accepts anything after a refusal.
#[expect(clippy::print_stdout, reason = "whoever runs it by hand sees how long it took")]
async fn nodes_refuse_within_the_bound(database: &TestDatabase, count: usize) {
    let mut nodes = Vec::new();
    for _ in 0..count {
        nodes.push(Node::start(database.url()).await);
    }
    let doors: Vec<_> = nodes.iter().map(Node::door).collect();
    let mut delays = Vec::new();
    for round in 0..rounds(3) {
        let here = round % count;
        let token = doors[here].new_token(&format!("user-{round}")).await;
        for door in &doors {
            door.until("a new token is good", async || door.check(&token).await.unwrap().status == 200).await;
        }
        let witnesses: Vec<_> = doors.iter().map(|door| Witness::of(door, &token)).collect();
        assert_eq!(doors[here].logout(&token).await.unwrap().status, 200, "{}", doors[here].said());
        let at = Instant::now();
        let fate = Fate::LoggedOut { node: here, at };
        assert!(refuses(&doors[here], &token).await, "the node that logged out refuses from its answer on");
        for (node, witness) in witnesses.into_iter().enumerate() {
            let answers = witness.until_after(at + 2 * BOUND).await;
            let door = &doors[node];
            for answer in answers.iter().filter(|answer| answer.started > at) {
                let permitted = fate.permits(&answer.verdict, node, answer.started, BOUND);
                let after = answer.started - at;
                assert!(permitted, "node {node} of {count}, asked {after:?} after: {answer:?}\n{}", door.said());
            }
            assert!(answers.iter().any(|answer| answer.started > at + BOUND && answer.verdict == revoked()));
            let last_accepted =
                answers.iter().filter(|answer| answer.verdict.0 == 200).map(|answer| answer.started).max();
            let still = last_accepted.map_or(Duration::ZERO, |accepted| accepted.saturating_duration_since(at));
            if node != here {
                delays.push(still);
            }
        }
    }
    delays.sort_unstable();
    println!(
        "{count} nodes on {:?}: last accepted by another node {:?} after the logout (median), {:?} at the most; bound {BOUND:?}",
        database.kind(),
        delays[delays.len() / 2],
        delays[delays.len() - 1],
    );
}
