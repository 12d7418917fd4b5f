//! A node whose line to the database fails in one way after the other, while another node goes on.

use std::time::Duration;

use auth_testing::databases::{Line, Proxy, TestDatabase};
use tokio::time::Instant;

use crate::ledger::Fate;
use crate::node::{BOUND, Door, Node, revoked, verdict};
use crate::rounds;
use crate::witness::Witness;

mod postgres {
    auth_testing::on_database!(Postgres: a_node_that_is_cut_off_accepts_nothing_past_the_bound);
}
mod mysql {
    auth_testing::on_database!(MySql: a_node_that_is_cut_off_accepts_nothing_past_the_bound);
}

const LINES: [Line; 6] = [
    Line::Cut,
    Line::Held,
    Line::Stalled,
    Line::Torn,
    // Later than the bound: what arrives was true long ago.
    Line::Late(BOUND.saturating_mul(3)),
    Line::Late(Duration::from_millis(20)),
];

async fn a_node_that_is_cut_off_accepts_nothing_past_the_bound(database: TestDatabase) {
    let (proxy, url) = Proxy::before(&database).await.unwrap();
    let whole = Node::start(database.url()).await;
    let cut_off = Node::start(&url).await;
    let nodes = Nodes { proxy, whole: whole.door(), cut_off: cut_off.door() };
    for round in 0..rounds(1) {
        for (number, line) in LINES.into_iter().enumerate() {
            nodes.go_through(line, &format!("r{round}-{number}")).await;
        }
    }
}

struct Nodes {
    proxy: Proxy,
    whole: Door,
    cut_off: Door,
}

impl Nodes {
    async fn go_through(&self, line: Line, name: &str) {
        let Self { proxy, whole, cut_off } = self;
        let user = format!("good-{name}");
        let good = whole.new_token(&user).await;
        let bad = whole.new_token(&format!("bad-{name}")).await;
        let unsure = whole.new_token(&format!("unsure-{name}")).await;
        for token in [&good, &bad, &unsure] {
            cut_off.until("a good token is good", async || cut_off.check(token).await.unwrap().status == 200).await;
        }

        let witnesses = [Witness::of(cut_off, &bad), Witness::of(cut_off, &good)];
        proxy.set(line);
        assert_eq!(whole.logout(&bad).await.unwrap().status, 200, "{}", whole.said());
        let at = Instant::now();
        let (tried, login) = tokio::join!(cut_off.logout(&unsure), cut_off.login(&user));
        let [of_bad, of_good] = witnesses.map(|witness| witness.until_after(at + 4 * BOUND));
        let (of_bad, of_good) = tokio::join!(of_bad, of_good);

        let fate = Fate::LoggedOut { node: 0, at };
        for answer in &of_bad {
            let before = answer.started <= at && Fate::Unsure.permits(&answer.verdict, 1, answer.started, BOUND);
            let permitted = before || fate.permits(&answer.verdict, 1, answer.started, BOUND);
            assert!(permitted, "{line:?}: {answer:?}, logged out at {at:?}\n{}", cut_off.said());
        }
        for answer in &of_good {
            let permitted = Fate::Good.permits(&answer.verdict, 1, answer.started, BOUND);
            assert!(permitted, "{line:?}: a good token: {answer:?}\n{}", cut_off.said());
        }
        let unavailable = (503, "unavailable".to_owned());
        let tried = verdict(&tried.unwrap());
        assert!(tried.0 == 200 || tried == unavailable, "{line:?}: a logout: {tried:?}\n{}", cut_off.said());
        let login = verdict(&login.unwrap());
        assert!(login.0 == 200 || login == unavailable, "{line:?}: a login: {login:?}\n{}", cut_off.said());
        if matches!(line, Line::Cut | Line::Held) {
            assert_eq!((&tried, &login), (&unavailable, &unavailable), "{line:?}");
            let past = |answer: &&crate::witness::Answer| answer.started > at + BOUND;
            assert!(of_bad.iter().chain(&of_good).filter(past).all(|answer| answer.verdict == unavailable), "{line:?}");
        }

        proxy.set(Line::Open);
        cut_off.ready().await;
        cut_off
            .until("the revoked token is refused", async || verdict(&cut_off.check(&bad).await.unwrap()) == revoked())
            .await;
        cut_off.until("the good token is good", async || cut_off.check(&good).await.unwrap().status == 200).await;
        cut_off.until("people log in", async || cut_off.login(&user).await.unwrap().status == 200).await;
        // Written or not: after another logout both know.
        let again = verdict(&whole.logout(&unsure).await.unwrap());
        assert!(again == revoked() || again.0 == 200 && (tried == unavailable), "{line:?}: {tried:?}, then {again:?}");
        for door in [whole, cut_off] {
            door.until("both refuse", async || verdict(&door.check(&unsure).await.unwrap()) == revoked()).await;
        }
    }
}
