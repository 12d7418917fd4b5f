//! The rules for databases that give transactions up, lose answers or replicate late. They need [`Backend::disturb`].

use std::sync::Arc;

use super::samples::{everywhere, insert, logout_of, logouts, new_user, revoke_all, some_claims, taken};
use super::samples::{of_store, unexpected, whole};
use super::{Backend, CheckError, Disturbance, ensure, rules};
use auth_core::blacklist::Position;
use auth_core::throttle::{AttemptKey, Change, Counter};
use auth_core::{Generation, PasswordHash, SideEffects, StoreError, StoreErrorKind, UserChange};

rules! { ($) __conformance_conflicts:
    conflicts_are_tried_again:
        "a transaction that the database gives up in favour of another one is run again, and made once",
        "a deadlock or a failed certification is a server error, or is counted twice";
    lost_answers_are_looked_up:
        "a write whose answer was lost is made once, and is reported as made or as Unavailable",
        "somebody registers and is told that the address is taken, or one change ends two generations";
    lost_answers_are_counted_once:
        "an attempt whose answer was lost is counted once",
        "one wrong password counts twice, or giving one back pardons two";
    reads_wait_for_other_nodes:
        "a read sees everything that any node acknowledged before it began, or is Unavailable",
        "a node whose replica is behind accepts a token for seconds after its logout";
}

const CANNOT_DISTURB: CheckError = CheckError::NotTried("Backend::disturb says that it cannot");

async fn disturb(backend: &dyn Backend, disturbance: Disturbance) -> Result<(), CheckError> {
    if backend.disturb(disturbance).await { Ok(()) } else { Err(CANNOT_DISTURB) }
}

/// The value, or `None` when the call says that it does not know.
fn known<T>(result: Result<T, StoreError>) -> Result<Option<T>, CheckError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == StoreErrorKind::Unavailable => Ok(None),
        Err(error) => Err(unexpected(error)),
    }
}

fn one_failure() -> Change {
    Arc::new(|counters: &mut [Counter]| {
        for counter in counters {
            counter.failures += 1;
        }
    })
}

async fn conflicts_are_tried_again(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let ada = insert(&*stores.users, "ada").await?;
    disturb(backend, Disturbance::Conflict).await?;
    let bob = insert(&*stores.users, "bob").await?;
    disturb(backend, Disturbance::Conflict).await?;
    let appended = stores.log.append(&logouts(2)?).await.map_err(unexpected)?;
    ensure!(appended == 2, "two entries were appended as {appended}");
    disturb(backend, Disturbance::Conflict).await?;
    let change = UserChange::LogoutEverywhere;
    let changed = stores
        .users
        .change_and_revoke(ada.id, change, revoke_all(), SideEffects::default())
        .await
        .map_err(unexpected)?;
    let generation = changed.map(|(user, _)| user.generation);
    ensure!(generation == Some(Generation::new(1)), "one change gave the generation {generation:?}");
    disturb(backend, Disturbance::Conflict).await?;
    let [current, new] = ["hash of bob", "upgraded"].map(|text| PasswordHash::new(text.to_owned()));
    ensure!(
        stores.users.replace_hash(bob.id, &current, &new).await.map_err(unexpected)?,
        "the current hash was not replaced"
    );
    let (head, entries) = whole(&*stores.log).await?;
    ensure!(head == Position(3) && entries.len() == 3, "three entries left the log as {head:?}, {entries:?}");
    if let Some(attempts) = backend.attempts().await {
        let key = AttemptKey::from([1; 16]);
        disturb(backend, Disturbance::Conflict).await?;
        attempts.update(&[key], one_failure()).await.map_err(unexpected)?;
        let counted = attempts.read(&[key]).await.map_err(unexpected)?;
        ensure!(counted[0].failures == 1, "one failure was counted as {}", counted[0].failures);
    }
    Ok(())
}

async fn lost_answers_are_looked_up(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let new = new_user("ada")?;
    disturb(backend, Disturbance::LostAnswer).await?;
    let inserted = stores.users.insert(new.clone(), SideEffects::default()).await;
    ensure!(taken(&inserted).is_none(), "who registered was told {inserted:?}");
    let stored = stores.users.find_by_id(new.id).await.map_err(unexpected)?;
    ensure!(stored.is_some_and(|user| user.email == new.email), "the user whose insertion was committed is not there");

    disturb(backend, Disturbance::LostAnswer).await?;
    known(stores.log.append(&logouts(2)?).await)?;
    let (head, entries) = whole(&*stores.log).await?;
    ensure!(head == Position(2) && entries.len() == 2, "two entries left the log as {head:?}, {entries:?}");

    let [current, upgraded, changed] =
        ["hash of ada", "upgraded", "changed"].map(|text| PasswordHash::new(text.to_owned()));
    disturb(backend, Disturbance::LostAnswer).await?;
    let replaced = known(stores.users.replace_hash(new.id, &current, &upgraded).await)?;
    ensure!(replaced != Some(false), "a hash was replaced and the store says that it was not");

    disturb(backend, Disturbance::LostAnswer).await?;
    let change = UserChange::PasswordFrom { current: upgraded, new: changed };
    let change =
        known(of_store(stores.users.change_and_revoke(new.id, change, revoke_all(), SideEffects::default()).await))?;
    if let Some(change) = change {
        let Some((user, revocation)) = change else {
            return Err(CheckError::Broken("a password was changed and the store says that it was not".to_owned()));
        };
        let first = Generation::new(1);
        ensure!(user.generation == first, "one change gave the generation {:?}", user.generation);
        ensure!(revocation == everywhere(new.id, first), "one change appended {revocation:?}");
    }
    let stored = stores.users.find_by_id(new.id).await.map_err(unexpected)?;
    let generation = stored.map(|user| user.generation);
    ensure!(generation == Some(Generation::new(1)), "one change left the generation {generation:?}");
    let (head, entries) = whole(&*stores.log).await?;
    ensure!(head == Position(3) && entries.len() == 3, "one change left the log as {head:?}, {entries:?}");
    Ok(())
}

async fn lost_answers_are_counted_once(backend: &dyn Backend) -> Result<(), CheckError> {
    let Some(attempts) = backend.attempts().await else {
        return Err(CheckError::NotTried("Backend::attempts says that there is no attempt store"));
    };
    let key = AttemptKey::from([1; 16]);
    attempts.update(&[key], one_failure()).await.map_err(unexpected)?;
    disturb(backend, Disturbance::LostAnswer).await?;
    known(attempts.update(&[key], one_failure()).await)?;
    let counted = attempts.read(&[key]).await.map_err(unexpected)?;
    ensure!(counted[0].failures == 2, "two failures were counted as {}", counted[0].failures);
    Ok(())
}

async fn reads_wait_for_other_nodes(backend: &dyn Backend) -> Result<(), CheckError> {
    let here = backend.open().await;
    let ada = insert(&*here.users, "ada").await?;
    let there = backend.open().await;
    let revoked = some_claims()?;
    disturb(backend, Disturbance::Lag).await?;
    here.log.append(&[logout_of(&revoked)]).await.map_err(unexpected)?;
    here.users.promote(ada.id).await.map_err(unexpected)?;
    let covered = known(there.log.covers(&revoked).await)?;
    ensure!(covered != Some(false), "a node that is behind says that a token is good after its logout");
    let head = known(there.log.read_after(Position(0), 10).await)?.map(|page| page.head);
    ensure!(head.is_none_or(|head| head == Position(1)), "a node that is behind says that the log ends at {head:?}");
    let found = known(there.users.find_by_id(ada.id).await)?;
    ensure!(
        found.is_none_or(|found| found.is_some_and(|user| user.admin)),
        "a node that is behind answers with a user as they were"
    );
    Ok(())
}
