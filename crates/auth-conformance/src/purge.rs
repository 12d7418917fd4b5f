//! The rules of [`RevocationLog::purge`](auth_core::RevocationLog::purge).

use std::time::Duration;

use super::samples::{
    claims_of, covers, everywhere, insert, instant, logout_of, logouts, revoke_all, some_claims, unexpected, whole,
};
use super::{Backend, CheckError, ensure, rules};
use auth_core::blacklist::{Position, Purged};
use auth_core::{Claims, Generation, Revocation, SideEffects, UserChange, UserRevocation};

rules! { ($) __conformance_purge:
    purge_is_bounded_and_exact:
        "purging removes only what expired before the given moment, at most as many as asked for",
        "a revoked token comes back to life, or a purge locks the table for minutes";
    purge_never_resurrects:
        "purging leaves every entry that has not expired, old or new, of a token or of a user",
        "a purge by position or by age revives a long-lived token";
    purge_keeps_the_head:
        "purging never moves the head back, and the identity stays",
        "positions are given out twice and a reader skips the second";
    purge_leaves_a_trace:
        "a page says up to which expiry entries may have been purged, and never takes it back",
        "a purge by a node whose clock is ahead brings logged-out tokens back on all others";
    purged_is_not_forgotten:
        "what a purged entry covered stays covered, and a token that outlives what was purged is good",
        "a token comes back to life once its revocation was purged too early";
}

async fn purge_is_bounded_and_exact(backend: &dyn Backend) -> Result<(), CheckError> {
    let log = backend.open().await.log;
    let mut claims = Vec::new();
    for seconds in 0..10 {
        let mut one = some_claims()?;
        one.expires_at = instant() + Duration::from_secs(seconds);
        claims.push(one);
    }
    let batch: Vec<_> = claims.iter().map(logout_of).collect();
    log.append(&batch).await.map_err(unexpected)?;
    let before = instant() + Duration::from_secs(5);
    for expected in [2, 2, 1, 0] {
        let removed = log.purge(before, 2).await.map_err(unexpected)?;
        ensure!(removed == expected, "a purge of at most 2 removed {removed} where {expected} was right");
    }
    for (seconds, one) in claims.iter().enumerate() {
        let (_, entries) = whole(&*log).await?;
        let there = entries.iter().any(|(_, entry)| entry.covers(one));
        ensure!(there == (seconds >= 5), "after purging below 5 the entry that expires at {seconds}: there is {there}");
    }
    Ok(())
}

async fn purge_never_resurrects(backend: &dyn Backend) -> Result<(), CheckError> {
    let log = backend.open().await.log;
    let (long_lived, mut short_lived) = (some_claims()?, some_claims()?);
    short_lived.expires_at = instant() - Duration::from_secs(60);
    let of_user = claims_of(some_claims()?.user_id, Generation::default())?;
    // What lives longest comes first: its position is the lowest, its revocation the oldest.
    let early = [logout_of(&long_lived), everywhere(of_user.user_id, Generation::new(1)), logout_of(&short_lived)];
    log.append(&early).await.map_err(unexpected)?;
    let late = some_claims()?;
    log.append(&[logout_of(&late)]).await.map_err(unexpected)?;
    for _ in 0..3 {
        log.purge(instant(), 100).await.map_err(unexpected)?;
    }
    for (which, claims) in [("first", &long_lived), ("user-wide", &of_user), ("last", &late)] {
        ensure!(covers(&*log, claims).await?, "the {which} entry, which has not expired, was purged");
    }
    let (head, entries) = whole(&*log).await?;
    let positions: Vec<_> = entries.iter().map(|(position, _)| position.0).collect();
    ensure!(
        (head, &*positions) == (Position(4), &[1, 2, 4]),
        "after the purge the head is {head:?} and the positions are {positions:?}"
    );
    Ok(())
}

async fn purge_keeps_the_head(backend: &dyn Backend) -> Result<(), CheckError> {
    let log = backend.open().await.log;
    log.append(&logouts(1)?).await.map_err(unexpected)?;
    let before = log.read_after(Position(0), 10).await.map_err(unexpected)?;
    let removed = log.purge(instant() + Duration::from_secs(86_400), 10).await.map_err(unexpected)?;
    ensure!(removed == 1, "the purge removed {removed}");
    let emptied = log.read_after(Position(0), 10).await.map_err(unexpected)?;
    ensure!(
        emptied.head == Position(1) && emptied.identity == before.identity && emptied.entries.is_empty(),
        "after the purge the log is {emptied:?}"
    );
    log.append(&logouts(1)?).await.map_err(unexpected)?;
    let page = log.read_after(Position(1), 10).await.map_err(unexpected)?;
    ensure!(page.entries.first().map(|entry| entry.position) == Some(Position(2)), "after the purge came {page:?}");
    Ok(())
}

async fn purge_leaves_a_trace(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let user = insert(&*stores.users, "ada").await?;
    let after = |hours: u64| instant() + Duration::from_secs(3600 * hours);
    for hours in [2, 1, 9] {
        let entry = Revocation { expires_at: after(hours), ..logout_of(&some_claims()?) };
        stores.log.append(&[entry]).await.map_err(unexpected)?;
    }
    let of_user = UserRevocation { expires_at: after(3), ..revoke_all() };
    let change = UserChange::LogoutEverywhere;
    stores.users.change_and_revoke(user.id, change, of_user, SideEffects::default()).await.map_err(unexpected)?;
    let nothing = Purged::default();
    for (before, limit, expected) in [
        (after(1), 9, nothing),
        (after(8), 1, Purged { tokens: after(1), ..nothing }),
        (after(8), 9, Purged { tokens: after(2), users: after(3) }),
        (after(2), 9, Purged { tokens: after(2), users: after(3) }),
    ] {
        stores.log.purge(before, limit).await.map_err(unexpected)?;
        let page = stores.log.read_after(Position(0), 10).await.map_err(unexpected)?;
        ensure!(page.purged == expected, "purged at most {limit}, the page says {:?}", page.purged);
    }
    Ok(())
}

async fn purged_is_not_forgotten(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let user = insert(&*stores.users, "ada").await?;
    let (logged_out, of_user) = (some_claims()?, claims_of(user.id, user.generation)?);
    let (expires_at, later) = (logged_out.expires_at, Duration::from_secs(1));
    stores.log.append(&[logout_of(&logged_out)]).await.map_err(unexpected)?;
    let ends = UserRevocation { expires_at: expires_at + later, ..revoke_all() };
    let change = UserChange::LogoutEverywhere;
    stores.users.change_and_revoke(user.id, change, ends, SideEffects::default()).await.map_err(unexpected)?;
    let removed = stores.log.purge(expires_at + 2 * later, 10).await.map_err(unexpected)?;
    ensure!(removed == 2, "the purge removed {removed} of two expired entries");
    ensure!(covers(&*stores.log, &logged_out).await?, "the logged-out token is good again");
    // Far beyond what was purged, so that only the generation can tell.
    let of_user = Claims { expires_at: expires_at + 3 * later, ..of_user };
    ensure!(covers(&*stores.log, &of_user).await?, "the token of the lower generation is good again");
    let fresh = Claims { expires_at: expires_at + later, ..claims_of(user.id, user.generation.next())? };
    ensure!(!covers(&*stores.log, &fresh).await?, "a token that outlives what was purged is refused");
    Ok(())
}
