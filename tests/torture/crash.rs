//! A node that is killed, again and again, while people register and log out.

use auth_testing::databases::TestDatabase;

use crate::ledger::Ledger;
use crate::load::Load;
use crate::node::Node;
use crate::{random, rounds};

auth_testing::on_every_database!(whatever_was_acknowledged_before_a_kill_is_so_after_it);

async fn whatever_was_acknowledged_before_a_kill_is_so_after_it(database: TestDatabase) {
    let mut ledgers = Vec::new();
    for round in 0..rounds(2) {
        let node = Node::start(database.url()).await;
        let load = Load::start(&format!("r{round}"), &[node.door()]);
        // One client was just answered; the others are anywhere.
        load.acknowledges(1 + random(60)).await;
        node.kill();
        let (mut ledger, _) = load.stop().await;

        let node = Node::start(database.url()).await;
        ledger.verify(&[node.door()]).await;
        ledgers.push(ledger);
        node.kill();
    }
    let node = Node::start(database.url()).await;
    for ledger in &mut ledgers {
        ledger.verify(&[node.door()]).await;
    }
    Ledger::verify_log(&ledgers, &database).await;
}
