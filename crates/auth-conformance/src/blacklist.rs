//! The rules of [`Blacklist`].

use std::sync::Arc;
use std::time::Duration;

use super::executor::{give_up_after, race};
use super::samples::{claims_of, covers, insert, instant, logout_of, revoke_all, some_claims, unexpected};
use super::{Backend, CheckError, StoresUnderTest, ensure, rules};
use auth_core::blacklist::{Standing, purge_expired};
use auth_core::{Blacklist, Claims, Clock as _, Generation, LEEWAY, ManualClock, SideEffects, UserChange};

rules! { ($) __conformance_blacklist:
    refuses_what_it_revoked:
        "from the moment revoke has returned the token is refused, and no other one",
        "a token is accepted after its logout was answered";
    revoking_twice_is_revoking_once:
        "revoking again succeeds and changes nothing",
        "a client that repeats its logout gets an error";
    revocation_is_durable:
        "a revocation that was acknowledged is in the log",
        "a crash after the answer brings the token back";
    refuses_until_the_leeway_is_over:
        "a token is refused as long as it is accepted otherwise: until its expiry and the leeway, purges or not",
        "an entry that is forgotten at the expiry lets the token in again for the leeway";
    never_forgets_for_space:
        "a token that was refused once stays refused, however many others are revoked after it",
        "an attacker who logs out often enough pushes a stolen token's revocation out of memory";
    notes_what_is_durable:
        "what is noted is refused at once",
        "this node accepts a token after the password change that ended it was answered";
    spares_new_logins:
        "a user-wide revocation refuses the tokens from before it and not those from after it",
        "log out everywhere also refuses the next login, or spares an old one";
    sees_other_nodes:
        "asked to look it up, it reports what another node has revoked",
        "a token that was logged out elsewhere is accepted here for ever";
    writes_all_that_come_at_once:
        "of many revocations at once, some of them given up half-way, every acknowledged one is in the log",
        "whoever shares a transaction with a caller that goes away loses the logout";
}

/// A blacklist over new stores, at [`instant`].
async fn over(backend: &dyn Backend) -> (StoresUnderTest, Arc<ManualClock>, Arc<dyn Blacklist>) {
    let stores = backend.open().await;
    let clock = Arc::new(ManualClock::new(instant()));
    let blacklist = backend.blacklist(&stores, clock.clone()).await;
    (stores, clock, blacklist)
}

/// Returns whether the token would be refused, asked as the service asks.
async fn refuses(blacklist: &dyn Blacklist, claims: &Claims) -> Result<bool, CheckError> {
    Ok(match blacklist.peek(claims) {
        Standing::Revoked => true,
        Standing::Good => false,
        Standing::Unknown => blacklist.look_up(claims).await.map_err(unexpected)?,
    })
}

async fn refuses_what_it_revoked(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_stores, _clock, blacklist) = over(backend).await;
    let (revoked, good) = (some_claims()?, some_claims()?);
    ensure!(!refuses(&*blacklist, &revoked).await?, "an empty blacklist refuses a token");
    blacklist.revoke(logout_of(&revoked)).await.map_err(unexpected)?;
    ensure!(refuses(&*blacklist, &revoked).await?, "the revoked token is accepted");
    ensure!(!refuses(&*blacklist, &good).await?, "another token is refused");
    Ok(())
}

async fn revoking_twice_is_revoking_once(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, _clock, blacklist) = over(backend).await;
    let revoked = some_claims()?;
    for _ in 0..3 {
        blacklist.revoke(logout_of(&revoked)).await.map_err(unexpected)?;
        ensure!(refuses(&*blacklist, &revoked).await?, "the revoked token is accepted");
    }
    let (head, _) = super::samples::whole(&*stores.log).await?;
    ensure!(head.0 == 1, "three revocations of one token left {} entries", head.0);
    Ok(())
}

async fn revocation_is_durable(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, _clock, blacklist) = over(backend).await;
    let revoked = some_claims()?;
    blacklist.revoke(logout_of(&revoked)).await.map_err(unexpected)?;
    ensure!(covers(&*stores.log, &revoked).await?, "the log does not cover what was revoked");
    Ok(())
}

async fn refuses_until_the_leeway_is_over(backend: &dyn Backend) -> Result<(), CheckError> {
    const LAST: Duration = Duration::from_nanos(1);
    let (stores, clock, blacklist) = over(backend).await;
    let early = some_claims()?;
    blacklist.revoke(logout_of(&early)).await.map_err(unexpected)?;
    clock.set(early.expires_at);
    let mut late = some_claims()?;
    late.expires_at = early.expires_at;
    blacklist.revoke(logout_of(&late)).await.map_err(unexpected)?;
    for moment in [early.expires_at, early.expires_at + LEEWAY - LAST] {
        clock.set(moment);
        purge_expired(&*stores.log, clock.now(), 100, async |_| {}).await.map_err(unexpected)?;
        ensure!(!early.expired_at(clock.now()), "the token has expired, so the check is wrong");
        ensure!(refuses(&*blacklist, &early).await?, "a token that has not expired is accepted again at {moment}");
        ensure!(refuses(&*blacklist, &late).await?, "a token revoked within the leeway is accepted at {moment}");
    }
    Ok(())
}

async fn never_forgets_for_space(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, clock, blacklist) = over(backend).await;
    let first = some_claims()?;
    blacklist.revoke(logout_of(&first)).await.map_err(unexpected)?;
    // Not all at once: a store on a slow disk may give up those that wait longest.
    for _ in 0..6 {
        let mut revocations = Vec::new();
        for _ in 0..50 {
            let (blacklist, claims) = (blacklist.clone(), some_claims()?);
            revocations.push(async move { blacklist.revoke(logout_of(&claims)).await });
        }
        for result in race(backend, revocations).await? {
            result.map_err(unexpected)?;
        }
    }
    ensure!(refuses(&*blacklist, &first).await?, "after 300 others the first revoked token is accepted");
    clock.advance(Duration::from_secs(60));
    purge_expired(&*stores.log, clock.now(), 100, async |_| {}).await.map_err(unexpected)?;
    ensure!(refuses(&*blacklist, &first).await?, "a minute and a purge later the first token is accepted");
    Ok(())
}

async fn notes_what_is_durable(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, _clock, blacklist) = over(backend).await;
    let user = insert(&*stores.users, "ada").await?;
    let before = claims_of(user.id, user.generation)?;
    ensure!(!refuses(&*blacklist, &before).await?, "a token is refused before anything was revoked");
    let changed = stores
        .users
        .change_and_revoke(user.id, UserChange::LogoutEverywhere, revoke_all(), SideEffects::default())
        .await;
    let Some((_, revocation)) = changed.map_err(unexpected)? else {
        return Err(CheckError::Broken("the user was not found".to_owned()));
    };
    blacklist.note(&revocation);
    ensure!(refuses(&*blacklist, &before).await?, "a token from before what was noted is accepted");
    Ok(())
}

async fn spares_new_logins(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_stores, _clock, blacklist) = over(backend).await;
    let (user, other) = (some_claims()?.user_id, some_claims()?.user_id);
    for below in [3, 2] {
        // The lower one comes second, as a message that was long under way does.
        let revocation = super::samples::everywhere(user, Generation::new(below));
        blacklist.revoke(revocation).await.map_err(unexpected)?;
        for generation in 0..5 {
            let refused = refuses(&*blacklist, &claims_of(user, Generation::new(generation))?).await?;
            ensure!(refused == (generation < 3), "below 3, a token of generation {generation}: refused is {refused}");
        }
    }
    let bystander = claims_of(other, Generation::default())?;
    ensure!(!refuses(&*blacklist, &bystander).await?, "another user's token is refused");
    Ok(())
}

async fn sees_other_nodes(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_stores, clock, here) = over(backend).await;
    let elsewhere = backend.open().await;
    let there = backend.blacklist(&elsewhere, clock).await;
    let revoked = some_claims()?;
    ensure!(!here.look_up(&revoked).await.map_err(unexpected)?, "a token is revoked before anything was");
    there.revoke(logout_of(&revoked)).await.map_err(unexpected)?;
    ensure!(here.look_up(&revoked).await.map_err(unexpected)?, "what another node revoked is not found");
    Ok(())
}

async fn writes_all_that_come_at_once(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, _clock, blacklist) = over(backend).await;
    let (mut callers, mut tokens) = (Vec::new(), Vec::new());
    for number in 0..24 {
        let (blacklist, claims) = (blacklist.clone(), some_claims()?);
        tokens.push(claims.clone());
        callers.push(async move {
            let revoking = blacklist.revoke(logout_of(&claims));
            // The first of each four has little patience, and is the one most likely to write for the others.
            if number % 4 == 0 { give_up_after(number / 4, revoking).await } else { Some(revoking.await) }
        });
    }
    let outcomes = race(backend, callers).await?;
    for (number, (outcome, claims)) in outcomes.into_iter().zip(&tokens).enumerate() {
        let Some(result) = outcome else { continue };
        result.map_err(unexpected)?;
        ensure!(covers(&*stores.log, claims).await?, "revocation {number} was acknowledged and is not in the log");
        ensure!(refuses(&*blacklist, claims).await?, "revocation {number} was acknowledged and its token is accepted");
    }
    Ok(())
}
