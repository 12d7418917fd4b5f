//! The log of revocations: what only a real database under several writers shows.

use std::collections::HashSet;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use auth_core::blacklist::{LogEntry, Position, RevocationTarget};
use auth_core::{
    Generation, Revocation, RevocationLog, RevocationSource as _, SideEffects, StoreErrorKind, UserId, UserStore,
};
use auth_storage::ConnectOptions;
use auth_testing::databases::{TestDatabase, TestDatabaseKind};
use auth_testing::on_every_database;
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use tokio::time::timeout;

use crate::support::{NOW, claims, everywhere, execute, logout, new_user, number, open, open_with, query};

on_every_database!(
    a_reader_by_position_misses_nothing_of_two_nodes,
    overlapping_batches_of_two_nodes_are_appended_once,
    a_caller_who_goes_away_leaves_whole_batches_and_a_usable_pool,
    two_nodes_purge_everything_expired_and_nothing_else,
    an_entry_is_never_kept_for_less_than_asked,
    a_token_is_found_by_its_expiry_and_id,
    an_entry_that_cannot_be_understood_stops_the_reader,
    a_missing_head_is_corrupt,
    every_kind_of_entry_comes_back,
    a_large_batch_is_appended_and_read_in_pages,
    a_head_that_stays_locked_is_an_error_in_time_and_heals,
);

async fn a_reader_by_position_misses_nothing_of_two_nodes(database: TestDatabase) {
    const WRITERS: usize = 16;
    const BATCHES: usize = 8;
    let (_, _, reader) = open(&database).await;
    let (_, _, other_node) = open(&database).await;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let log = if writer % 2 == 0 { reader.clone() } else { other_node.clone() };
            tokio::spawn(async move {
                let mut written = Vec::new();
                for size in 0..BATCHES {
                    let batch: Vec<_> = (0..=size % 3).map(|_| logout()).collect();
                    assert_eq!(log.append(&batch).await.unwrap(), batch.len() as u64);
                    written.extend(batch.iter().map(|revocation| revocation.target));
                }
                written
            })
        })
        .collect();

    let (mut last, mut seen) = (Position(0), Vec::new());
    loop {
        // Asked before the page is read: what was written by then must be in it.
        let finished = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let page = reader.read_after(last, 5).await.unwrap();
        for LogEntry { position, revocation, .. } in &page.entries {
            assert_eq!(position.0, last.0 + 1, "a gap");
            last = *position;
            seen.push(revocation.target);
        }
        if finished && last == page.head {
            break;
        }
    }

    let mut written = HashSet::new();
    for writer in writers {
        written.extend(writer.await.unwrap());
    }
    assert_eq!(seen.len(), written.len());
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), written);
}

async fn overlapping_batches_of_two_nodes_are_appended_once(database: TestDatabase) {
    let (_, _, one) = open(&database).await;
    let (_, _, two) = open(&database).await;
    let forth: Vec<_> = (0..20).map(|_| logout()).collect();
    let back: Vec<_> = forth.iter().rev().copied().collect();
    let racers: Vec<_> = (0..12)
        .map(|racer| {
            let log = if racer % 2 == 0 { one.clone() } else { two.clone() };
            let batch = if racer % 3 == 0 { back.clone() } else { forth.clone() };
            tokio::spawn(async move { log.append(&batch).await.unwrap() })
        })
        .collect();
    let mut appended = 0;
    for racer in racers {
        appended += racer.await.unwrap();
    }
    assert_eq!(appended, 20);
    let page = one.read_after(Position(0), 100).await.unwrap();
    assert_eq!((page.entries.len(), page.head), (20, Position(20)));
}

async fn a_caller_who_goes_away_leaves_whole_batches_and_a_usable_pool(database: TestDatabase) {
    // One connection, so that whatever is left of a call is what the next one gets.
    let options = ConnectOptions { max_connections: Some(1), ..ConnectOptions::default() };
    let (opened, users, log) = open_with(&database, options).await;
    let (_, other_node, _) = open(&database).await;
    let mut batches = Vec::new();
    for wakes in 0..40 {
        let batch = [logout(), logout(), logout()];
        let mut append = Box::pin(log.append(&batch));
        // Goes away when it would go on for the so manieth time.
        let mut polls = 0..=wakes;
        poll_fn(|context| match polls.next() {
            Some(_) => append.as_mut().poll(context).map(drop),
            None => Poll::Ready(()),
        })
        .await;
        drop(append);
        batches.push(batch);
        // One statement without BEGIN and COMMIT of its own, which would be lost inside a transaction that was left open.
        let user = users.insert(new_user(&format!("user{wakes}")), SideEffects::default()).await.unwrap();
        assert!(other_node.find_by_id(user.id).await.unwrap().is_some(), "not committed, after leaving at {wakes}");
        assert_eq!(log.append(&[logout(), logout()]).await.unwrap(), 2);
    }
    opened.close().await.unwrap();

    let (_, _, log) = open(&database).await;
    let page = log.read_after(Position(0), 1000).await.unwrap();
    let logged: HashSet<_> = page.entries.iter().map(|entry| entry.revocation.target).collect();
    assert_eq!(page.head.0, logged.len() as u64, "the head counts what is there");
    for batch in &batches {
        let there = batch.iter().filter(|revocation| logged.contains(&revocation.target)).count();
        assert!(there == 0 || there == 3, "{there} of a batch of 3");
    }
}

async fn two_nodes_purge_everything_expired_and_nothing_else(database: TestDatabase) {
    let (_, _, one) = open(&database).await;
    let (_, _, two) = open(&database).await;
    let expired: Vec<_> = (0..1300).map(|_| Revocation { expires_at: NOW, ..logout() }).collect();
    let live: Vec<_> = (0..300).map(|_| logout()).collect();
    one.append(&expired).await.unwrap();
    one.append(&live).await.unwrap();
    let before = NOW + time::Duration::SECOND;

    let (by_one, by_two) = tokio::join!(one.purge(before, 10_000), two.purge(before, 10_000));

    assert_eq!(by_one.unwrap() + by_two.unwrap(), 1300);
    let page = one.read_after(Position(0), 10_000).await.unwrap();
    assert_eq!((page.entries.len(), page.head), (300, Position(1600)));
    assert_eq!(one.append(&expired[..1]).await.unwrap(), 1, "what was purged is new again");
    assert_eq!(one.read_after(Position(1600), 10).await.unwrap().entries[0].position, Position(1601));
}

async fn an_entry_is_never_kept_for_less_than_asked(database: TestDatabase) {
    let (_, _, log) = open(&database).await;
    let expires_at = NOW + time::Duration::NANOSECOND;
    log.append(&[Revocation { expires_at, ..logout() }]).await.unwrap();
    assert_eq!(log.purge(expires_at, 1).await.unwrap(), 0);
    let kept = log.read_after(Position(0), 1).await.unwrap().entries[0].revocation;
    assert_eq!(kept.expires_at, NOW + time::Duration::MICROSECOND);
}

async fn a_token_is_found_by_its_expiry_and_id(database: TestDatabase) {
    let (_, _, log) = open(&database).await;
    // Of a codec whose instants are finer than those of the log.
    let expires_at = NOW + time::Duration::NANOSECOND;
    let token = auth_core::Claims { expires_at, ..claims() };
    let of_token = Revocation { target: RevocationTarget::Token(token.token_id), expires_at, ..logout() };
    let mistaken = Revocation { expires_at: expires_at + Duration::from_secs(1), ..of_token };
    // An entry with another expiry neither covers the token nor stands for the one that does.
    assert_eq!(log.append(&[mistaken]).await.unwrap(), 1);
    assert!(!log.covers(&token).await.unwrap());
    assert_eq!(log.append(&[mistaken, of_token, of_token]).await.unwrap(), 1);
    assert!(log.covers(&token).await.unwrap());
    assert_eq!(log.append(&[of_token, mistaken]).await.unwrap(), 0);
}

async fn an_entry_that_cannot_be_understood_stops_the_reader(database: TestDatabase) {
    let (opened, _, log) = open(&database).await;
    let batch = [logout(), logout(), logout()];
    log.append(&batch).await.unwrap();
    for damage in ["reason = 'because'", "expires_at = 9223372036854775807"] {
        execute(&opened, &format!("UPDATE auth_blacklist SET {damage} WHERE position = 2")).await;
        let error = log.read_after(Position(0), 10).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{damage}");
        assert!(format!("{error:?}").contains("position: 2"), "{error:?} does not say where");
    }
    assert_eq!(log.read_after(Position(2), 10).await.unwrap().entries.len(), 1);
}

async fn a_missing_head_is_corrupt(database: TestDatabase) {
    let (opened, _, log) = open(&database).await;
    execute(&opened, "DELETE FROM auth_blacklist_head").await;
    assert_eq!(log.read_after(Position(0), 10).await.unwrap_err().kind(), StoreErrorKind::Corrupt);
    assert_eq!(log.append(&[logout()]).await.unwrap_err().kind(), StoreErrorKind::Corrupt);
    assert_eq!(number(&opened, "SELECT COUNT(*) FROM auth_blacklist").await, 0);
}

async fn every_kind_of_entry_comes_back(database: TestDatabase) {
    let (_, _, log) = open(&database).await;
    let user = UserId::generate(NOW).unwrap();
    let highest = everywhere(user, Generation::new(u32::MAX));
    let batch = [logout(), everywhere(user, Generation::new(1)), highest, highest];
    assert_eq!(log.append(&batch).await.unwrap(), 3);
    let page = log.read_after(Position(0), 10).await.unwrap();
    let read: Vec<_> = page.entries.into_iter().map(|entry| entry.revocation).collect();
    assert_eq!(read, batch[..3]);

    let mut token = claims();
    token.user_id = user;
    token.generation = Generation::new(u32::MAX - 1);
    assert!(log.covers(&token).await.unwrap());
    token.generation = Generation::new(u32::MAX);
    assert!(!log.covers(&token).await.unwrap());
    let RevocationTarget::Token(id) = batch[0].target else { panic!("no token") };
    token.token_id = id;
    assert!(log.covers(&token).await.unwrap());
}

async fn a_large_batch_is_appended_and_read_in_pages(database: TestDatabase) {
    let (_, _, log) = open(&database).await;
    let batch: Vec<_> = (0..1201).map(|_| logout()).collect();
    assert_eq!(log.append(&batch).await.unwrap(), 1201);
    assert_eq!(log.append(&batch).await.unwrap(), 0);
    let (mut last, mut read) = (Position(0), Vec::new());
    loop {
        let page = log.read_after(last, 500).await.unwrap();
        let Some(LogEntry { position, .. }) = page.entries.last() else { break };
        last = *position;
        read.extend(page.entries.into_iter().map(|entry| entry.revocation));
    }
    assert_eq!(read, batch);
    let nothing = log.read_after(Position(0), 0).await.unwrap();
    assert_eq!((nothing.entries.len(), nothing.head), (0, Position(1201)));
    assert!(log.read_after(Position(u64::MAX), 10).await.unwrap().entries.is_empty());
}

/// Why there is a head row at all.
mod servers {
    use super::{a_log_by_auto_increment_loses_an_entry_to_its_reader, the_same_interleaving_loses_nothing_here};

    mod postgres {
        auth_testing::on_database!(
            Postgres: a_log_by_auto_increment_loses_an_entry_to_its_reader, the_same_interleaving_loses_nothing_here
        );
    }
    mod mysql {
        auth_testing::on_database!(
            MySql: a_log_by_auto_increment_loses_an_entry_to_its_reader, the_same_interleaving_loses_nothing_here
        );
    }
}

async fn a_log_by_auto_increment_loses_an_entry_to_its_reader(database: TestDatabase) {
    let (opened, _, _) = open(&database).await;
    let counted = if database.kind() == TestDatabaseKind::MySql { "BIGINT AUTO_INCREMENT" } else { "BIGSERIAL" };
    execute(&opened, &format!("CREATE TABLE naive (id {counted} PRIMARY KEY, entry INT)")).await;
    let (first, second) = (opened.connection().begin().await.unwrap(), opened.connection().begin().await.unwrap());
    first.execute_unprepared("INSERT INTO naive (entry) VALUES (1)").await.unwrap();
    second.execute_unprepared("INSERT INTO naive (entry) VALUES (2)").await.unwrap();

    second.commit().await.unwrap();
    let seen = number(&opened, "SELECT MAX(id) FROM naive").await;
    first.commit().await.unwrap();

    let later = query(&opened, &format!("SELECT id FROM naive WHERE id > {seen}")).await;
    assert!(later.is_empty(), "the reader who remembers {seen} never sees entry 1");
    assert_eq!(number(&opened, "SELECT COUNT(*) FROM naive").await, 2);
}

async fn the_same_interleaving_loses_nothing_here(database: TestDatabase) {
    let (opened, _, log) = open(&database).await;
    let first = opened.connection().begin().await.unwrap();
    first.execute_unprepared("UPDATE auth_blacklist_head SET position = position + 1").await.unwrap();
    let second = logout();
    let mut append = tokio::spawn({
        let log = log.clone();
        async move { log.append(&[second]).await }
    });

    assert!(timeout(Duration::from_millis(300), &mut append).await.is_err(), "the second must wait for the first");
    assert_eq!(log.read_after(Position(0), 10).await.unwrap().head, Position(0));
    insert_at_position_1(&first, database.kind()).await;
    first.commit().await.unwrap();

    assert_eq!(append.await.unwrap().unwrap(), 1);
    let page = log.read_after(Position(0), 10).await.unwrap();
    let positions: Vec<_> = page.entries.iter().map(|entry| entry.position.0).collect();
    assert_eq!(positions, [1, 2]);
    assert_eq!(page.entries[1].revocation, second);
}

async fn insert_at_position_1(transaction: &sea_orm::DatabaseTransaction, kind: TestDatabaseKind) {
    let RevocationTarget::Token(id) = logout().target else { panic!("no token") };
    let id = crate::support::uuid_literal(kind, id.as_uuid());
    let insertion = format!(
        "INSERT INTO auth_blacklist (position, token_id, expires_at, revoked_at, reason) VALUES (1, {id}, 0, 0, 'logout')"
    );
    transaction.execute_unprepared(&insertion).await.unwrap();
}

async fn a_head_that_stays_locked_is_an_error_in_time_and_heals(database: TestDatabase) {
    let options = ConnectOptions { call_timeout: Duration::from_secs(1), ..ConnectOptions::default() };
    let (opened, _, _) = open(&database).await;
    let (_, _, log) = open_with(&database, options).await;
    let holder = opened.connection().begin().await.unwrap();
    holder.execute_unprepared("UPDATE auth_blacklist_head SET position = position").await.unwrap();

    let waited = timeout(Duration::from_secs(3), log.append(&[logout()])).await;
    let error = waited.expect("an answer in time").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(log.read_after(Position(0), 10).await.is_ok(), "readers never wait for the lock");

    holder.rollback().await.unwrap();
    assert!(log.append(&[logout()]).await.unwrap() == 1);
}
