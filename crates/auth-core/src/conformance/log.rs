//! The rules of [`RevocationLog`](crate::RevocationLog).

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::{join, join_all};

use super::{Check, Stores, check, claims_of, ensure, insert, instant, logout_of, some_claims, unexpected};
use crate::blacklist::{Position, Purged, Revocation, RevocationReason, RevocationTarget};
use crate::token::Claims;
use crate::user::UserChange;

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
    check!(
        purge_leaves_a_trace,
        "a page says up to which expiry entries may have been purged, and never takes it back",
        "a purge by a node whose clock is ahead brings logged-out tokens back on all others"
    ),
    check!(
        purged_is_not_forgotten,
        "what a purged entry covered stays covered, and a token that outlives what was purged is good",
        "a token comes back to life once its revocation was purged too early"
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
        let page = stores.log.read_after(Position(0), 100).await.map_err(unexpected)?;
        let there = page.entries.iter().any(|(_, entry)| entry.covers(one));
        ensure!(there == (seconds >= 5), "after purging below 5 it is {there} that the entry of {seconds} is there");
    }
    Ok(())
}

async fn purge_leaves_a_trace(stores: Stores) -> Result<(), String> {
    let user = insert(stores.users.as_ref(), "ada").await?;
    let after = |hours: u64| instant() + Duration::from_secs(3600 * hours);
    let everywhere = |below| Revocation {
        target: RevocationTarget::User { id: user.id, below },
        expires_at: after(3),
        revoked_at: instant(),
        reason: RevocationReason::LogoutEverywhere,
    };
    for hours in [2, 1, 9] {
        let entry = Revocation { expires_at: after(hours), ..logout_of(&some_claims()?) };
        stores.log.append(&[entry]).await.map_err(unexpected)?;
    }
    let change = UserChange::LogoutEverywhere;
    stores.users.change_and_revoke(user.id, change, &everywhere).await.map_err(unexpected)?;
    let nothing = Purged::default();
    for (before, limit, expected) in [
        (after(1), 9, nothing),
        (after(8), 1, Purged { tokens: after(1), ..nothing }),
        (after(8), 9, Purged { tokens: after(2), users: after(3) }),
        (after(2), 9, Purged { tokens: after(2), users: after(3) }),
    ] {
        stores.log.purge(before, limit).await.map_err(unexpected)?;
        let page = stores.log.read_after(Position(0), 10).await.map_err(unexpected)?;
        ensure!(page.purged == expected, "purged at most {limit} and the page says {:?}", page.purged);
    }
    Ok(())
}

async fn purged_is_not_forgotten(stores: Stores) -> Result<(), String> {
    let user = insert(stores.users.as_ref(), "ada").await?;
    let (logged_out, of_user) = (some_claims()?, claims_of(user.id, user.generation)?);
    let later = Duration::from_secs(1);
    let expires_at = logged_out.expires_at;
    let everywhere = |below| Revocation {
        target: RevocationTarget::User { id: user.id, below },
        expires_at: expires_at + later,
        revoked_at: instant(),
        reason: RevocationReason::LogoutEverywhere,
    };
    stores.log.append(&[logout_of(&logged_out)]).await.map_err(unexpected)?;
    let change = UserChange::LogoutEverywhere;
    stores.users.change_and_revoke(user.id, change, &everywhere).await.map_err(unexpected)?;
    let removed = stores.log.purge(expires_at + 2 * later, 10).await.map_err(unexpected)?;
    ensure!(removed == 2, "the purge removed {removed} of two expired entries");
    ensure!(stores.log.covers(&logged_out).await.map_err(unexpected)?, "the logged-out token is good again");
    // Far beyond what was purged, so that only the generation can tell.
    let of_user = Claims { expires_at: expires_at + 3 * later, ..of_user };
    ensure!(stores.log.covers(&of_user).await.map_err(unexpected)?, "the token of the lower generation is good again");
    let fresh = Claims { expires_at: expires_at + later, ..claims_of(user.id, user.generation.next())? };
    ensure!(!stores.log.covers(&fresh).await.map_err(unexpected)?, "a token that outlives what was purged is refused");
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
