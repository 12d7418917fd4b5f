//! A database that crashes, or is stopped, and comes back.

use auth_testing::databases::{OwnServer, TestDatabaseKind};
use tokio::time::Instant;

use crate::ledger::{Fate, Ledger, refuses};
use crate::load::Load;
use crate::node::{Node, revoked, verdict};
use crate::rounds;

#[tokio::test(flavor = "multi_thread")]
async fn postgres_goes_and_comes_back() {
    a_database_goes_and_comes_back(TestDatabaseKind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_goes_and_comes_back() {
    a_database_goes_and_comes_back(TestDatabaseKind::MySql).await;
}

/// Two nodes and their clients live through it. Nothing that was acknowledged is lost, no revoked token is accepted past the
/// bound, no good token is ever called bad, and afterwards everything works without a restart.
async fn a_database_goes_and_comes_back(kind: TestDatabaseKind) {
    let Some(mut server) = OwnServer::start(kind).await else { return };
    let database = server.database();
    let nodes = [Node::start(database.url()).await, Node::start(database.url()).await];
    let doors = nodes.each_ref().map(Node::door);
    let good = doors[0].new_token("good").await;
    let bad = doors[0].new_token("bad").await;
    assert_eq!(doors[0].logout(&bad).await.unwrap().status, 200);
    doors[1].until("a logout arrives", async || refuses(&doors[1], &bad).await).await;

    let mut ledgers = Vec::new();
    for round in 0..rounds(2) {
        let load = Load::start(&format!("r{round}"), &doors);
        load.acknowledges(50).await;
        if round % 2 == 0 {
            server.crash().await;
        } else {
            server.stop().await;
        }
        let unavailable = (503, "unavailable".to_owned());
        for door in &doors {
            let is_past_the_bound = async || {
                let answer = verdict(&door.check(&good).await.unwrap());
                assert!(answer.0 == 200 || answer == unavailable, "a good token is not called bad: {answer:?}");
                answer == unavailable
            };
            door.until("nobody can tell whether a token is good", is_past_the_bound).await;
            let answers = [door.login("good").await, door.register("late").await, door.logout(&good).await];
            for answer in answers {
                assert_eq!(verdict(&answer.unwrap()), unavailable, "{}", door.said());
            }
            assert_eq!(verdict(&door.check(&bad).await.unwrap()), revoked(), "what memory knows to be revoked");
            assert_eq!(door.get("/readyz").await.status, 503);
            assert_eq!(door.get("/livez").await.status, 200);
        }
        server.start_again().await;
        for door in &doors {
            door.ready().await;
        }
        load.acknowledges(50).await;
        let (mut ledger, outcome) = load.stop().await;
        outcome.expect("the nodes answered all the time");
        ledger.tokens.push((good.clone(), Fate::Good));
        ledger.verify(&doors).await;
        ledgers.push(ledger);
    }
    let fate = Fate::LoggedOut { node: 0, at: Instant::now() };
    ledgers.push(Ledger { tokens: vec![(bad, fate)], ..Ledger::default() });
    Ledger::verify_log(&ledgers, &database).await;
}
