//! A node that is killed, again and again, while people register and their letters are sent.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use auth_core::Outbox as _;
use auth_storage::{ConnectOptions, SeaOutbox, connect};
use auth_testing::databases::TestDatabase;
use sea_orm::ConnectionTrait as _;
use tempfile::TempDir;

use crate::load::Load;
use crate::node::Node;
use crate::{random, rounds};

auth_testing::on_every_database!(every_letter_of_an_acknowledged_registration_is_sent);

async fn every_letter_of_an_acknowledged_registration_is_sent(database: TestDatabase) {
    let folder = TempDir::new().unwrap();
    let mail = format!("file:{}", folder.path().display());
    let start = async || Node::start_with(database.url(), &[("AUTH_MAIL", &mail)]).await;
    let mut acknowledged = BTreeSet::new();
    for round in 0..rounds(2) {
        let node = start().await;
        let load = Load::start(&format!("l{round}"), &[node.door()]);
        load.acknowledges(1 + random(60)).await;
        node.kill();
        let (ledger, _) = load.stop().await;
        acknowledged.extend(ledger.accounts.into_iter().filter(|(_, is_done)| *is_done).map(|(name, _)| name));
    }
    let node = start().await;
    let opened = connect(database.url(), ConnectOptions::default()).await.unwrap();
    // The leases of the nodes that were killed end in some minutes; here they end at once.
    opened.connection().execute_unprepared("UPDATE auth_letters SET due_at = 0").await.unwrap();
    let outbox = SeaOutbox::new(opened.clone());
    node.door().until("the outbox is empty", async || outbox.stats().await.unwrap().waiting == 0).await;
    let sent = recipients(folder.path());
    let missing: Vec<_> = acknowledged.iter().filter(|name| !sent.contains(&format!("{name}@example.com"))).collect();
    assert!(missing.is_empty(), "of {} letters these were never sent: {missing:?}", acknowledged.len());
    opened.close().await.unwrap();
}

/// Returns the addresses that the letters in a folder go to.
fn recipients(folder: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let letters = files.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
    let recipient = |letter: String| letter.lines().find_map(|line| line.strip_prefix("To: ").map(str::to_owned));
    letters.map(|path| recipient(fs::read_to_string(path).unwrap()).unwrap()).collect()
}
