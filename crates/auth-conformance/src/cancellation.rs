//! The rules for calls whose caller goes away half-way.

use super::executor::{give_up_after, pass};
use super::samples::{covers, insert, logouts, new_user, revoke_all, some_id, taken, unexpected, whole};
use super::{Backend, CheckError, ensure, rules};
use auth_core::blacklist::RevocationTarget;
use auth_core::{Claims, NewUser, SideEffects, TokenId, UserChange};

rules! { ($) __conformance_cancellation:
    abandoned_change_is_whole_or_nothing:
        "a change that is given up half-way has raised the generation and appended its entry, or neither",
        "the user's generation is ahead of the log and nobody else refuses the old tokens";
    abandoned_insertion_is_whole_or_nothing:
        "an insertion that is given up half-way has made a whole user, or none, and can be repeated",
        "an address is reserved for ever by a registration that nobody finished";
    abandoned_append_is_whole_or_nothing:
        "an append that is given up half-way has written its whole batch, or nothing, and can be repeated",
        "half of the logouts of a second are lost, or a lock stays behind and no logout works any more";
}

/// After how many turns callers lose patience: soon at first, then later and later, for stores that wait for a server.
pub(super) fn patience() -> impl Iterator<Item = u32> {
    (0..8).chain((3..13).map(|power| 1 << power))
}

async fn abandoned_change_is_whole_or_nothing(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let user = insert(&*stores.users, "ada").await?;
    let (log, revocation) = (&*stores.log, revoke_all());
    for turns in patience() {
        let change =
            stores.users.change_and_revoke(user.id, UserChange::LogoutEverywhere, revocation, SideEffects::default());
        let ended = give_up_after(turns, change).await;
        // A change may still be under way, so it counts only what the log holds before and after the user was read.
        let generation = loop {
            let (before, _) = whole(log).await?;
            let found = stores.users.find_by_id(user.id).await.map_err(unexpected)?;
            let (after, entries) = whole(log).await?;
            if before == after {
                break found.map(|user| (u64::from(user.generation.number()), after.0, entries.len() as u64));
            }
        };
        let Some((generation, head, entries)) = generation else {
            return Err(CheckError::Broken("the user is gone".to_owned()));
        };
        ensure!(
            generation == head && entries == head,
            "given up after {turns} turns, the generation is {generation}, the head {head}, and {entries} are in the log"
        );
        if let Some(result) = ended {
            result.map_err(unexpected)?;
            return Ok(());
        }
    }
    let last =
        stores.users.change_and_revoke(user.id, UserChange::LogoutEverywhere, revocation, SideEffects::default()).await;
    ensure!(last.map_err(unexpected)?.is_some(), "after changes that were given up the user was not found");
    Ok(())
}

async fn abandoned_insertion_is_whole_or_nothing(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    for turns in patience() {
        let new = new_user(&format!("user{turns}"))?;
        let ended = give_up_after(turns, stores.users.insert(new.clone(), SideEffects::default())).await;
        // The same person again, with a new id: either they are there already, as a whole, or they can be inserted now.
        let again = stores.users.insert(NewUser { id: some_id()?, ..new.clone() }, SideEffects::default()).await;
        ensure!(
            again.is_ok() || taken(&again) == Some("email"),
            "given up after {turns} turns and repeated, the insertion gave {again:?}"
        );
        let stored = stores.users.find_credentials(&new.email).await.map_err(unexpected)?;
        let Some(user) = stored.map(|stored| stored.user) else {
            return Err(CheckError::Broken(format!(
                "given up after {turns} turns and repeated, the address is nobody's"
            )));
        };
        let by_id = stores.users.find_by_id(user.id).await.map_err(unexpected)?;
        ensure!(by_id.as_ref() == Some(&user), "given up after {turns} turns, the insertion left {by_id:?}");
        if let Some(result) = ended {
            result.map_err(unexpected)?;
            return Ok(());
        }
    }
    Ok(())
}

async fn abandoned_append_is_whole_or_nothing(backend: &dyn Backend) -> Result<(), CheckError> {
    let log = backend.open().await.log;
    for turns in patience() {
        let batch = logouts(3)?;
        let ended = give_up_after(turns, log.append(&batch)).await;
        let (head, entries) = loop {
            let (before, _) = whole(&*log).await?;
            pass(1).await;
            let (after, entries) = whole(&*log).await?;
            if before == after {
                break (after, entries);
            }
        };
        ensure!(
            head.0.is_multiple_of(3) && entries.len() as u64 == head.0,
            "batches of three, given up after {turns} turns, left the head at {head:?} and {} entries",
            entries.len()
        );
        log.append(&batch).await.map_err(unexpected)?;
        for revocation in &batch {
            let RevocationTarget::Token(id) = revocation.target else { continue };
            let claims = claims_with(id)?;
            ensure!(covers(&*log, &claims).await?, "given up after {turns} turns and repeated, an entry is missing");
        }
        if let Some(result) = ended {
            result.map_err(unexpected)?;
            return Ok(());
        }
    }
    Ok(())
}

fn claims_with(token_id: TokenId) -> Result<Claims, CheckError> {
    super::samples::some_claims().map(|claims| Claims { token_id, ..claims })
}
