//! The rules of [`RevocationLog`](crate::RevocationLog).

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::{join, join_all};

use super::{Check, Stores, check, ensure, instant, logout_of, some_claims, unexpected};
use crate::blacklist::{Position, Revocation, RevocationReason};

pub(super) const CHECKS: &[Check] = &[
    check!(
        reads_your_writes,
        "what append acknowledged is covered and read at once",
        "a token is accepted after its logout was answered"
    ),
    check!(
        keeps_every_field,
        "an entry is read back exactly as appended, for every reason",
        "an entry is forgotten before its token expires"
    ),
    check!(
        appending_is_idempotent,
        "a target that is in the log is not appended again, not even within one batch",
        "every repetition of a logout makes the log longer"
    ),
    check!(
        positions_are_consecutive,
        "positions count appended entries from one, and a page starts after the asked position",
        "a reader that remembers a position skips an entry"
    ),
    check!(
        gapless_under_concurrency,
        "a reader that polls by position beside many writers misses nothing",
        "an entry that commits late is never seen by other nodes"
    ),
    check!(
        races_append_once,
        "many who append one target at once append it once",
        "two nodes that log out one token make two entries, or one of them fails"
    ),
    check!(
        purge_is_bounded_and_exact,
        "purging removes expired entries only, at most as many as asked for",
        "a revoked token comes back to life, or a purge locks the table for minutes"
    ),
    check!(
        purge_keeps_the_head,
        "purging never moves the head back, and the identity stays",
        "positions are given out twice and a reader skips the second"
    ),
];

async fn reads_your_writes(stores: Stores) -> Result<(), String> {
    let (revoked, good) = (some_claims()?, some_claims()?);
    ensure!(!stores.log.covers(&revoked).await.map_err(unexpected)?, "an empty log covers a token");
    ensure!(stores.log.append(&[logout_of(&revoked)]).await.map_err(unexpected)? == 1, "appending one was not one new");
    ensure!(stores.log.covers(&revoked).await.map_err(unexpected)?, "the revoked token is not covered");
    ensure!(!stores.log.covers(&good).await.map_err(unexpected)?, "another token is covered");
    ensure!(stores.log.append(&[]).await.map_err(unexpected)? == 0, "appending nothing was something");
    Ok(())
}

async fn keeps_every_field(stores: Stores) -> Result<(), String> {
    let mut batch = Vec::new();
    for (number, reason) in (0..).zip(RevocationReason::ALL) {
        let later = Duration::from_secs(number);
        let revocation = logout_of(&some_claims()?);
        batch.push(Revocation { reason, expires_at: revocation.expires_at + later, ..revocation });
    }
    stores.log.append(&batch).await.map_err(unexpected)?;
    let page = stores.log.read_after(Position(0), 100).await.map_err(unexpected)?;
    let read: Vec<_> = page.entries.iter().map(|(_, revocation)| *revocation).collect();
    ensure!(read == batch, "appended {batch:?} and read {read:?}");
    Ok(())
}

async fn appending_is_idempotent(stores: Stores) -> Result<(), String> {
    let (one, two) = (logout_of(&some_claims()?), logout_of(&some_claims()?));
    ensure!(
        stores.log.append(&[one, one]).await.map_err(unexpected)? == 1,
        "a target twice in a batch was not one new"
    );
    ensure!(stores.log.append(&[one, two]).await.map_err(unexpected)? == 1, "one known and one new was not one new");
    ensure!(stores.log.append(&[two]).await.map_err(unexpected)? == 0, "a known target was new");
    let page = stores.log.read_after(Position(0), 100).await.map_err(unexpected)?;
    ensure!(page.entries.len() == 2 && page.head == Position(2), "two targets left the log as {page:?}");
    Ok(())
}

async fn positions_are_consecutive(stores: Stores) -> Result<(), String> {
    for size in [1, 3, 2] {
        let batch = (0..size).map(|_| some_claims().map(|claims| logout_of(&claims))).collect::<Result<Vec<_>, _>>()?;
        stores.log.append(&batch).await.map_err(unexpected)?;
    }
    for (after, limit, expected) in [(0, 100, 1..7), (2, 2, 3..5), (6, 100, 7..7), (60, 100, 61..61)] {
        let page = stores.log.read_after(Position(after), limit).await.map_err(unexpected)?;
        let positions: Vec<_> = page.entries.iter().map(|(position, _)| position.0).collect();
        ensure!(positions == expected.collect::<Vec<_>>(), "reading after {after} gave the positions {positions:?}");
        ensure!(page.head == Position(6), "reading after {after} gave the head {:?}", page.head);
    }
    Ok(())
}

async fn gapless_under_concurrency(stores: Stores) -> Result<(), String> {
    const WRITERS: u64 = 12;
    const BATCHES: u64 = 5;
    let done = Cell::new(0);
    let writers = join_all((0..WRITERS).map(|_| async {
        for _ in 0..BATCHES {
            let batch = [logout_of(&some_claims()?), logout_of(&some_claims()?)];
            stores.log.append(&batch).await.map_err(unexpected)?;
        }
        done.set(done.get() + 1);
        Ok::<(), String>(())
    }));
    let reader = async {
        let (mut last, mut seen) = (Position(0), 0);
        loop {
            let finished = done.get() == WRITERS;
            let page = stores.log.read_after(last, 7).await.map_err(unexpected)?;
            for (position, _) in &page.entries {
                ensure!(*position > last, "{position:?} came after {last:?}");
                last = *position;
                seen += 1;
            }
            ensure!(page.head >= last, "the head {:?} is behind the entry {last:?}", page.head);
            if finished && page.entries.is_empty() {
                return Ok(seen);
            }
        }
    };
    let (written, seen) = join(writers, reader).await;
    written.into_iter().collect::<Result<Vec<_>, _>>()?;
    let (seen, all): (u64, u64) = (seen?, WRITERS * BATCHES * 2);
    ensure!(seen == all, "{all} were appended and the polling reader saw {seen}");
    Ok(())
}

async fn races_append_once(stores: Stores) -> Result<(), String> {
    let claims = some_claims()?;
    let racers = (0..12).map(|_| {
        let log = stores.log.clone();
        async move { log.append(&[logout_of(&claims)]).await }
    });
    let mut new = 0;
    for result in join_all(racers).await {
        new += result.map_err(unexpected)?;
    }
    let page = stores.log.read_after(Position(0), 100).await.map_err(unexpected)?;
    ensure!(new == 1 && page.entries.len() == 1, "twelve racers appended {new}, the log holds {}", page.entries.len());
    Ok(())
}

async fn purge_is_bounded_and_exact(stores: Stores) -> Result<(), String> {
    let mut claims = Vec::new();
    for seconds in 0..10 {
        let mut one = some_claims()?;
        one.expires_at = instant() + Duration::from_secs(seconds);
        claims.push(one);
    }
    let batch: Vec<_> = claims.iter().map(logout_of).collect();
    stores.log.append(&batch).await.map_err(unexpected)?;
    let before = instant() + Duration::from_secs(5);
    for expected in [2, 2, 1, 0] {
        let removed = stores.log.purge(before, 2).await.map_err(unexpected)?;
        ensure!(removed == expected, "a purge of at most 2 removed {removed} where {expected} was right");
    }
    for (seconds, one) in claims.iter().enumerate() {
        let covered = stores.log.covers(one).await.map_err(unexpected)?;
        ensure!(covered == (seconds >= 5), "after purging below 5 the entry that expires at {seconds} is {covered}");
    }
    Ok(())
}

async fn purge_keeps_the_head(stores: Stores) -> Result<(), String> {
    let first = some_claims()?;
    stores.log.append(&[logout_of(&first)]).await.map_err(unexpected)?;
    let before = stores.log.read_after(Position(0), 10).await.map_err(unexpected)?;
    let removed = stores.log.purge(instant() + Duration::from_secs(86_400), 10).await.map_err(unexpected)?;
    ensure!(removed == 1, "the purge removed {removed}");
    let emptied = stores.log.read_after(Position(0), 10).await.map_err(unexpected)?;
    ensure!(
        emptied.head == Position(1) && emptied.identity == before.identity && emptied.entries.is_empty(),
        "after the purge the log is {emptied:?}"
    );
    stores.log.append(&[logout_of(&some_claims()?)]).await.map_err(unexpected)?;
    let page = stores.log.read_after(Position(1), 10).await.map_err(unexpected)?;
    ensure!(page.entries.first().map(|entry| entry.0) == Some(Position(2)), "after the purge came {page:?}");
    Ok(())
}
