//! The rules for what comes after a write that the database refused in the middle of its transaction. They need
//! [`Backend::refuse_entries`].

use super::faults::CANNOT_REFUSE;
use super::samples::{insert, logouts, revoke_all, unexpected, whole};
use super::{Backend, CheckError, StoresUnderTest, ensure, rules};
use auth_core::blacklist::RevocationTarget;
use auth_core::{Revocation, SideEffects, User, UserChange};

rules! { ($) __conformance_recovery:
    refused_write_leaves_nothing:
        "a write that the database refuses half-way is an error, and nothing of it is kept",
        "a generation is raised whose entry nobody can read, or a logout is acknowledged that is not written down";
    writes_after_a_refusal_are_durable:
        "a write that is acknowledged after one that was refused is seen by other nodes, and after a restart",
        "a connection goes on in a transaction that the database has ended, and every later logout is undone by a restart";
}

/// As many rounds as a small pool has connections, and one more.
const ROUNDS: usize = 5;

async fn refused_write_leaves_nothing(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let ada = insert(&*stores.users, "ada").await?;
    stores.log.append(&logouts(2)?).await.map_err(unexpected)?;
    let before = whole(&*stores.log).await?;
    refuse_writes(backend, &stores, &ada).await?;
    let after = whole(&*stores.log).await?;
    ensure!(after == before, "after writes that were refused the log is {after:?} instead of {before:?}");
    let found = stores.users.find_by_id(ada.id).await.map_err(unexpected)?;
    ensure!(found.as_ref() == Some(&ada), "after changes that were refused the user is {found:?} instead of {ada:?}");
    Ok(())
}

async fn writes_after_a_refusal_are_durable(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, others) = (backend.open().await, backend.open().await);
    let ada = insert(&*stores.users, "ada").await?;
    let (mut users, mut entries) = (vec![ada.clone()], Vec::new());
    for round in 0..ROUNDS {
        refuse_writes(backend, &stores, &ada).await?;
        let batch = logouts(2)?;
        stores.log.append(&batch).await.map_err(unexpected)?;
        entries.extend(batch);
        users.push(insert(&*stores.users, &format!("user{round}")).await?);
        assert_kept("another node", &others, &users, &entries).await?;
    }
    drop((stores, others));
    assert_kept("a process that starts again", &backend.open().await, &users, &entries).await
}

/// Has several writes refused, and ends with a database that takes writes.
async fn refuse_writes(backend: &dyn Backend, stores: &StoresUnderTest, user: &User) -> Result<(), CheckError> {
    if !backend.refuse_entries(true).await {
        return Err(CANNOT_REFUSE);
    }
    let appended = stores.log.append(&logouts(3)?).await;
    ensure!(appended.is_err(), "an append that the database refused was answered with {appended:?}");
    let revocation = revoke_all();
    let changed =
        stores.users.change_and_revoke(user.id, UserChange::LogoutEverywhere, revocation, SideEffects::default()).await;
    ensure!(changed.is_err(), "a change whose entry the database refused was answered with {changed:?}");
    backend.refuse_entries(false).await;
    Ok(())
}

async fn assert_kept(
    who: &str,
    stores: &StoresUnderTest,
    users: &[User],
    entries: &[Revocation],
) -> Result<(), CheckError> {
    let (_, log) = whole(&*stores.log).await?;
    let targets: Vec<RevocationTarget> = log.into_iter().map(|(_, entry)| entry.target).collect();
    for entry in entries {
        ensure!(targets.contains(&entry.target), "{who} does not see a revocation that was acknowledged");
    }
    for user in users {
        let found = stores.users.find_by_id(user.id).await.map_err(unexpected)?;
        ensure!(found.is_some(), "{who} does not see a user whose registration was acknowledged");
    }
    Ok(())
}
