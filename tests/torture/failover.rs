//! A database that fails over, and nodes that are led to a server which is not the primary.

use auth_testing::databases::{OwnServer, Proxy, TestDatabaseKind};
use tokio::time::Instant;

use crate::ledger::{Fate, Ledger, refuses};
use crate::load::Load;
use crate::node::{BOUND, Door, Node, revoked, verdict};
use crate::rounds;
use crate::witness::{Answer, Witness};

/// Two nodes and their clients live through the loss of a primary with a synchronous standby. The address of the primary moves
/// to the promoted standby, and the nodes follow it without a restart. Nothing that was acknowledged is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_failover_to_a_synchronous_standby_loses_nothing() {
    for round in 0..rounds(1) {
        let Some(mut primary) = OwnServer::start(TestDatabaseKind::Postgres).await else { return };
        let (proxy, url) = Proxy::before(&primary.database()).await.unwrap();
        let nodes = [Node::start(&url).await, Node::start(&url).await];
        let doors = nodes.each_ref().map(Node::door);
        let good = doors[0].new_token("good").await;
        let standby = primary.standby().await;

        let load = Load::start(&format!("r{round}"), &doors);
        load.acknowledges(50).await;
        primary.crash().await;
        let unavailable = (503, "unavailable".to_owned());
        for door in &doors {
            let cannot_tell = async || verdict(&door.check(&good).await.unwrap()) == unavailable;
            door.until("nobody can tell whether a token is good", cannot_tell).await;
            assert_eq!(door.get("/readyz").await.status, 503);
        }
        // The address moves before the standby is promoted: until then it must not be read from.
        proxy.lead_to(&standby.database());
        for door in &doors {
            let says_so = async || door.get("/readyz").await.status == 503 && door.said().contains("is a standby");
            door.until("the node says that the server is a standby", says_so).await;
            assert_eq!(verdict(&door.check(&good).await.unwrap()), unavailable, "{}", door.said());
            assert_eq!(verdict(&door.login("good").await.unwrap()), unavailable, "{}", door.said());
        }
        standby.promote().await;
        for door in &doors {
            door.ready().await;
        }
        load.acknowledges(50).await;
        let (mut ledger, outcome) = load.stop().await;
        outcome.expect("the nodes answered all the time");
        ledger.tokens.push((good, Fate::Good));
        ledger.verify(&doors).await;
        Ledger::verify_log(&[ledger], &standby.database()).await;
    }
}

/// One node's connections are led to a hot standby, which answers reads. It accepts nothing past the bound and says why.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_led_to_a_standby_accepts_nothing_past_the_bound() {
    let Some(primary) = OwnServer::start(TestDatabaseKind::Postgres).await else { return };
    let (proxy, url) = Proxy::before(&primary.database()).await.unwrap();
    let whole = Node::start(primary.database().url()).await;
    let led = Node::start(&url).await;
    let (whole, led) = (whole.door(), (led.door(), led));
    let standby = primary.standby().await;
    for round in 0..rounds(1) {
        let token = whole.new_token(&format!("user-{round}")).await;
        led.0.until("a new token is good", async || led.0.check(&token).await.unwrap().status == 200).await;
        let witness = Witness::of(&led.0, &token);
        proxy.lead_to(&standby.database());
        proxy.sever();
        assert_eq!(whole.logout(&token).await.unwrap().status, 200, "{}", whole.said());
        let at = Instant::now();
        let answers = witness.until_after(at + 3 * BOUND).await;
        let fate = Fate::LoggedOut { node: 0, at };
        permits_all(fate, &answers, &led.0);
        assert_eq!(led.0.get("/readyz").await.status, 503);
        assert!(led.0.said().contains("is a standby"), "{}", led.0.said());

        proxy.lead_to(&primary.database());
        led.0.ready().await;
        assert!(refuses(&led.0, &token).await);
        let failed = led.0.said().matches("the log of revocations cannot be read").count();
        assert_eq!(failed, round + 1, "one line for each time that it begins\n{}", led.0.said());
    }
}

/// A MariaDB becomes read-only, as a primary that is demoted, and every connection lives on.
#[tokio::test(flavor = "multi_thread")]
async fn a_demoted_mariadb_is_not_believed() {
    let Some(server) = OwnServer::start(TestDatabaseKind::MySql).await else { return };
    let node = Node::start(server.database().url()).await;
    let door = node.door();
    let good = door.new_token("good").await;
    for _ in 0..rounds(2) {
        door.until("a token is good", async || door.check(&good).await.unwrap().status == 200).await;
        let witness = Witness::of(&door, &good);
        server.execute("SET GLOBAL read_only = 1").await;
        let at = Instant::now();
        let answers = witness.until_after(at + 3 * BOUND).await;
        // Whoever logged out on the new primary a moment after: nobody here knows.
        permits_all(Fate::LoggedOut { node: 1, at }, &answers, &door);
        assert_eq!(door.get("/readyz").await.status, 503);
        assert_eq!(verdict(&door.login("good").await.unwrap()).0, 503);
        assert!(door.said().contains("is read-only"), "{}", door.said());
        server.execute("SET GLOBAL read_only = 0").await;
        door.ready().await;
    }
    assert_eq!(door.logout(&good).await.unwrap().status, 200);
    assert_eq!(verdict(&door.check(&good).await.unwrap()), revoked());
}

/// The contract holds for every answer, and the witness has asked past the bound.
fn permits_all(fate: Fate, answers: &[Answer], door: &Door) {
    let Fate::LoggedOut { node, at } = fate else { panic!("{fate:?}") };
    let asked = node + 1;
    for answer in answers.iter().filter(|answer| answer.started > at) {
        let after = answer.started - at;
        let permitted = fate.permits(&answer.verdict, asked, answer.started, BOUND);
        assert!(permitted, "asked {after:?} after: {answer:?}\n{}", door.said());
    }
    assert!(answers.iter().any(|answer| answer.started > at + BOUND), "nobody asked past the bound");
}
