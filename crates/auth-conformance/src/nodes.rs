//! The rules for stores that are opened more than once: by other nodes at the same time, or again after a restart.

use super::samples::{claims_of, covers, insert, logout_of, logouts, revoke_all, some_claims, unexpected};
use super::{Backend, CheckError, StoresUnderTest, ensure, rules};
use auth_core::blacklist::Position;
use auth_core::{PasswordHash, SideEffects, User, UserChange};

rules! { ($) __conformance_nodes:
    users_are_seen_by_other_nodes:
        "what one node has written to a user, another one reads at once",
        "a login right after the registration is refused on the next machine, or a disabled user logs in there";
    entries_are_seen_by_other_nodes:
        "what one node has appended, another one reads and covers at once, under one identity",
        "a token that was logged out on one machine is good on the other";
    users_survive_a_restart:
        "users, their changes and their hashes are there after the stores were closed and opened again",
        "a crash after the answer loses an account, or brings an old password back";
    entries_survive_a_restart:
        "the log keeps its identity, its positions and its entries when it is closed and opened again",
        "a restart brings every logged-out token back";
    positions_go_on_after_a_restart:
        "a log that was emptied by a purge and opened again goes on after its head",
        "positions are given out twice, and a node that remembers one never reads the new entry";
}

/// A user who was promoted, given another password, and has lost all tokens, and a user who was not changed.
async fn write(stores: &StoresUnderTest) -> Result<(User, User), CheckError> {
    let bystander = insert(&*stores.users, "bob").await?;
    let ada = insert(&*stores.users, "ada").await?;
    stores.users.promote(ada.id).await.map_err(unexpected)?;
    let change = UserChange::Password(PasswordHash::new("the new hash".to_owned()));
    let changed = stores
        .users
        .change_and_revoke(ada.id, change, revoke_all(), SideEffects::default())
        .await
        .map_err(unexpected)?;
    let Some((ada, _)) = changed else { return Err(CheckError::Broken("the user was not found".to_owned())) };
    Ok((ada, bystander))
}

async fn read(stores: &StoresUnderTest, ada: &User, bystander: &User) -> Result<(), CheckError> {
    for user in [ada, bystander] {
        let found = stores.users.find_by_id(user.id).await.map_err(unexpected)?;
        ensure!(found.as_ref() == Some(user), "written was {user:?}, read {found:?}");
    }
    let stored = stores.users.find_credentials(&ada.email).await.map_err(unexpected)?;
    ensure!(
        stored.is_some_and(|stored| stored.user == *ada && stored.password_hash.expose_hash() == "the new hash"),
        "the credentials are not those that were written"
    );
    let listed = stores.users.list(None, 10).await.map_err(unexpected)?;
    ensure!(listed.len() == 2, "two users were written and {} are listed", listed.len());
    let claims = claims_of(ada.id, auth_core::Generation::default())?;
    ensure!(covers(&*stores.log, &claims).await?, "a token from before the change is not covered");
    Ok(())
}

async fn users_are_seen_by_other_nodes(backend: &dyn Backend) -> Result<(), CheckError> {
    let (here, there) = (backend.open().await, backend.open().await);
    // The other node has asked before, so it may have something to remember.
    ensure!(there.users.list(None, 10).await.map_err(unexpected)?.is_empty(), "an empty store lists users");
    let (ada, bystander) = write(&here).await?;
    read(&there, &ada, &bystander).await?;
    there.users.promote(bystander.id).await.map_err(unexpected)?;
    let found = here.users.find_by_id(bystander.id).await.map_err(unexpected)?;
    ensure!(found.as_ref().is_some_and(|user| user.admin), "promoted there, the user is {found:?} here");
    Ok(())
}

async fn users_survive_a_restart(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let (ada, bystander) = write(&stores).await?;
    drop(stores);
    read(&backend.open().await, &ada, &bystander).await
}

async fn entries_are_seen_by_other_nodes(backend: &dyn Backend) -> Result<(), CheckError> {
    let (here, there) = (backend.open().await, backend.open().await);
    for number in 1..=4 {
        let (writer, reader) = if number % 2 == 0 { (&here.log, &there.log) } else { (&there.log, &here.log) };
        let claims = some_claims()?;
        ensure!(!covers(&**reader, &claims).await?, "a token is covered before it was revoked");
        writer.append(&[logout_of(&claims)]).await.map_err(unexpected)?;
        ensure!(covers(&**reader, &claims).await?, "what the other node has appended is not covered");
        let page = reader.read_after(Position(number - 1), 10).await.map_err(unexpected)?;
        let own = writer.read_after(Position(number - 1), 10).await.map_err(unexpected)?;
        ensure!(page == own && page.entries.len() == 1, "the one node reads {own:?} and the other {page:?}");
    }
    Ok(())
}

async fn entries_survive_a_restart(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let claims = some_claims()?;
    stores.log.append(&logouts(3)?).await.map_err(unexpected)?;
    stores.log.append(&[logout_of(&claims)]).await.map_err(unexpected)?;
    let before = stores.log.read_after(Position(0), 10).await.map_err(unexpected)?;
    drop(stores);
    let log = backend.open().await.log;
    let after = log.read_after(Position(0), 10).await.map_err(unexpected)?;
    ensure!(before == after, "the log was {before:?} and is {after:?}");
    ensure!(covers(&*log, &claims).await?, "the revoked token is not covered any more");
    ensure!(log.append(&[logout_of(&claims)]).await.map_err(unexpected)? == 0, "a known target was new");
    Ok(())
}

async fn positions_go_on_after_a_restart(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let batch = logouts(3)?;
    stores.log.append(&batch).await.map_err(unexpected)?;
    let after_all = batch.iter().map(|revocation| revocation.expires_at).max().unwrap_or(super::samples::instant());
    stores.log.purge(after_all + auth_core::LEEWAY, 10).await.map_err(unexpected)?;
    drop(stores);
    let log = backend.open().await.log;
    log.append(&logouts(1)?).await.map_err(unexpected)?;
    let page = log.read_after(Position(0), 10).await.map_err(unexpected)?;
    let positions: Vec<_> = page.entries.iter().map(|entry| entry.position.0).collect();
    ensure!(
        page.head == Position(4) && positions == [4],
        "after three entries, a purge and a restart the next one made the head {:?} and the positions {positions:?}",
        page.head
    );
    Ok(())
}
