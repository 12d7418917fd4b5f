//! A database that is put back to an earlier state, or made anew, under running nodes.

use std::fs;
use std::path::{Path, PathBuf};

use auth_core::RevocationLog as _;
use auth_storage::{ConnectOptions, Database, SeaRevocationLog, connect};
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use tokio::time::Instant;

use crate::ledger::{Fate, Ledger, refuses};
use crate::node::{BOUND, Door, Node, verdict};
use crate::{random, rounds};

auth_testing::on_every_database!(
    a_backup_that_is_restored_is_noticed_and_what_comes_after_it_holds,
    a_database_that_is_made_anew_is_noticed_and_what_comes_after_it_holds,
);

mod file {
    auth_testing::on_database!(
        Sqlite: a_copy_in_the_place_of_the_file_ends_all_answers_but_refusals,
        a_new_file_in_the_place_of_the_old_one_ends_all_answers_but_refusals
    );
}

const TABLES: [&str; 3] = ["auth_users", "auth_blacklist", "auth_blacklist_head"];

async fn a_backup_that_is_restored_is_noticed_and_what_comes_after_it_holds(database: TestDatabase) {
    let nodes = [Node::start(database.url()).await, Node::start(database.url()).await];
    let doors = nodes.each_ref().map(Node::door);
    let before = logged_out(&doors, "before", 3).await;
    for table in TABLES {
        execute(&database, &format!("CREATE TABLE backup_of_{table} AS SELECT * FROM {table}")).await;
    }
    for round in 0..rounds(1) {
        let lost = logged_out(&doors, &format!("lost-{round}"), 5).await;
        let good = tokens(&doors, &format!("good-{round}"), 10).await;
        let reloads = reloads(&doors).await;

        // All at once, as a tool does that restores into a database in use.
        let opened = open(&database).await;
        let restore = opened.connection().begin().await.unwrap();
        for table in TABLES {
            restore.execute_unprepared(&format!("DELETE FROM {table}")).await.unwrap();
            restore.execute_unprepared(&format!("INSERT INTO {table} SELECT * FROM backup_of_{table}")).await.unwrap();
        }
        restore.commit().await.unwrap();
        opened.close().await.unwrap();
        // The same positions again, with other entries: fewer than were lost, as many, or more.
        let after = log_out_some(&doors, good, random(10)).await;

        has_reloaded(&database, &doors, &reloads).await;
        // The nodes have appended again what the backup did not hold, so a node that never knew it refuses it as well.
        let fresh = Node::start(database.url()).await;
        for known in [&before, &lost, &after] {
            stays(&doors, known).await;
            stays(&[fresh.door()], known).await;
        }
    }
}

async fn a_database_that_is_made_anew_is_noticed_and_what_comes_after_it_holds(database: TestDatabase) {
    let nodes = [Node::start(database.url()).await, Node::start(database.url()).await];
    let doors = nodes.each_ref().map(Node::door);
    for round in 0..rounds(1) {
        let lost = logged_out(&doors, &format!("lost-{round}"), 5).await;
        let good = tokens(&doors, &format!("good-{round}"), 10).await;
        let reloads = reloads(&doors).await;

        make_anew(&database).await;
        has_reloaded(&database, &doors, &reloads).await;
        let after = log_out_some(&doors, good, random(10)).await;

        for known in [&lost, &after] {
            stays(&doors, known).await;
        }
        // Whoever was registered is gone; the name is free again.
        doors[0].new_token(&format!("lost-{round}-0")).await;
    }
}

async fn a_copy_in_the_place_of_the_file_ends_all_answers_but_refusals(database: TestDatabase) {
    let copy = path(&database).with_extension("copy");
    let node = Node::start(database.url()).await;
    let before = logged_out(&[node.door()], "before", 3).await;
    execute(&database, &format!("VACUUM INTO '{}'", copy.display())).await;
    node.kill();
    a_file_is_put_in_the_place_of_the_database(&database, async || fs::rename(&copy, path(&database)).unwrap()).await;

    let restarted = Node::start(database.url()).await;
    stays(&[restarted.door()], &before).await;
    assert_eq!(restarted.door().login("before-0").await.unwrap().status, 200, "a user of the backup");
}

async fn a_new_file_in_the_place_of_the_old_one_ends_all_answers_but_refusals(database: TestDatabase) {
    a_file_is_put_in_the_place_of_the_database(&database, async || {
        fs::remove_file(path(&database)).unwrap();
        let opened = open(&database).await;
        auth_migrations::up(opened.connection()).await.unwrap();
        opened.close().await.unwrap();
    })
    .await;

    // Whoever was registered is gone; the name is free again.
    let restarted = Node::start(database.url()).await;
    logged_out(&[restarted.door()], "lost", 3).await;
}

/// The nodes have the old file open, and could go on with it as if nothing had happened.
async fn a_file_is_put_in_the_place_of_the_database(database: &TestDatabase, put: impl AsyncFnOnce()) {
    let nodes = [Node::start(database.url()).await, Node::start(database.url()).await];
    let doors = nodes.each_ref().map(Node::door);
    let lost = logged_out(&doors, "lost", 3).await;
    let good = doors[0].new_token("good").await;
    for beside in ["db-wal", "db-shm"] {
        fs::remove_file(path(database).with_extension(beside)).unwrap();
    }
    put().await;
    let at = Instant::now();

    let unavailable = (503, "unavailable".to_owned());
    for (node, door) in doors.iter().enumerate() {
        // What these acknowledged would be in a file that nobody can open any more.
        let answers = [door.logout(&good).await, door.register("late").await, door.login("good").await];
        for answer in answers {
            assert_eq!(verdict(&answer.unwrap()), unavailable, "{}", door.said());
        }
        let is_past_the_bound = async || {
            let started = Instant::now();
            let answer = verdict(&door.check(&good).await.unwrap());
            let permitted = answer.0 == 200 && started <= at + BOUND || answer == unavailable;
            assert!(permitted, "node {node} answers {answer:?}\n{}", door.said());
            answer == unavailable
        };
        door.until("nobody can tell whether a token is good", is_past_the_bound).await;
        assert_eq!(door.get("/readyz").await.status, 503);
        assert!(door.said().contains("was moved, removed or replaced"), "{}", door.said());
    }
    stays(&doors, &lost).await;
}

fn path(database: &TestDatabase) -> PathBuf {
    Path::new(database.url().trim_start_matches("sqlite://")).to_owned()
}

/// Tokens of users who register now.
async fn tokens(doors: &[Door], prefix: &str, count: usize) -> Vec<String> {
    let mut tokens = Vec::new();
    for number in 0..count {
        tokens.push(doors[number % doors.len()].new_token(&format!("{prefix}-{number}")).await);
    }
    tokens
}

/// Tokens that every node knows to be logged out.
async fn logged_out(doors: &[Door], prefix: &str, count: usize) -> Ledger {
    let tokens = tokens(doors, prefix, count).await;
    let ledger = log_out_some(doors, tokens, count).await;
    for (token, _) in &ledger.tokens {
        for door in doors {
            door.until("a logout arrives", async || refuses(door, token).await).await;
        }
    }
    ledger
}

/// Logs out with the first `count` of these tokens, at one node after the other.
async fn log_out_some(doors: &[Door], tokens: Vec<String>, count: usize) -> Ledger {
    let mut ledger = Ledger::default();
    for (number, token) in tokens.into_iter().enumerate() {
        let node = number % doors.len();
        let mut fate = Fate::Good;
        if number < count {
            let answer = doors[node].logout(&token).await.unwrap();
            assert_eq!(answer.status, 200, "{}\n{}", answer.body, doors[node].said());
            fate = Fate::LoggedOut { node, at: Instant::now() };
        }
        ledger.tokens.push((token, fate));
    }
    ledger
}

/// Every node refuses what was logged out, at once or within the bound, and accepts the others.
async fn stays(doors: &[Door], known: &Ledger) {
    for (token, fate) in &known.tokens {
        for (node, door) in doors.iter().enumerate() {
            fate.settles(token, node, door).await;
        }
    }
}

async fn reloads(doors: &[Door]) -> Vec<u64> {
    let mut reloads = Vec::new();
    for door in doors {
        reloads.push(reloads_of(door).await);
    }
    reloads
}

/// Number of times that a node found another log in the place of its own.
async fn reloads_of(door: &Door) -> u64 {
    let metrics = door.get("/metrics").await.body;
    let line = metrics.lines().find_map(|line| line.strip_prefix("auth_blacklist_reloads_total "));
    line.map_or(0, |count| count.parse().unwrap())
}

/// Waits until every node has noticed, and acknowledges the loss as an operator does.
async fn has_reloaded(database: &TestDatabase, doors: &[Door], before: &[u64]) {
    for (door, before) in doors.iter().zip(before) {
        door.until("the node notices that the log is another one", async || reloads_of(door).await > *before).await;
    }
    let opened = open(database).await;
    let log = SeaRevocationLog::new(opened.clone());
    for door in doors {
        // A node records what it noticed a moment later.
        let is_ready = async || {
            log.mark_loss(None).await.unwrap();
            door.get("/readyz").await.status == 200
        };
        door.until("the node is ready again", is_ready).await;
    }
    opened.close().await.unwrap();
}

async fn make_anew(database: &TestDatabase) {
    let server = database.kind().variable().map(|variable| std::env::var(variable).unwrap());
    match server {
        Some(server) => {
            let name = database.url().rsplit('/').next().unwrap();
            let force = if database.kind() == TestDatabaseKind::Postgres { " WITH (FORCE)" } else { "" };
            let server = connect(&server, ConnectOptions::default()).await.unwrap();
            for sql in [format!("DROP DATABASE {name}{force}"), format!("CREATE DATABASE {name}")] {
                server.connection().execute_unprepared(&sql).await.unwrap();
            }
            server.close().await.unwrap();
        }
        None => {
            for table in TABLES.into_iter().chain(["auth_migrations"]) {
                execute(database, &format!("DROP TABLE {table}")).await;
            }
        }
    }
    let opened = open(database).await;
    auth_migrations::up(opened.connection()).await.unwrap();
    opened.close().await.unwrap();
}

async fn open(database: &TestDatabase) -> Database {
    connect(database.url(), ConnectOptions::default()).await.unwrap()
}

async fn execute(database: &TestDatabase, sql: &str) {
    let opened = open(database).await;
    opened.connection().execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    opened.close().await.unwrap();
}
