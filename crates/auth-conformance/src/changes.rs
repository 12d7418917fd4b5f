//! The rules of [`UserStore`](auth_core::UserStore) for changing users.

use std::time::Duration;

use super::executor::race;
use super::samples::{claims_of, covers, everywhere, insert, instant, revoke_all, unexpected, whole};
use super::{Backend, CheckError, ensure, rules};
use auth_core::blacklist::Position;
use auth_core::{Generation, PasswordHash, SideEffects, UserChange};

rules! { ($) __conformance_changes:
    change_is_made_and_appended:
        "a change that ends tokens is made, raises the generation by one and appends to the log",
        "the user is disabled but the tokens live on, or the other way round";
    change_spares_the_rest:
        "a change touches one user and one field",
        "disabling one account logs out another, or takes away a right";
    disabled_since_the_first_time:
        "disabling twice keeps the first moment",
        "the record of when an account was closed is overwritten";
    no_generation_is_lost:
        "many concurrent changes each get a generation of their own",
        "two changes raise the generation to one number and one of them revokes nothing";
    changes_a_password_only_from_the_current_hash:
        "a password is changed from a hash only while that is the stored one, and by one of many at once",
        "whoever knows an old password changes the new one, or two changes both believe they won";
    replaces_only_the_current_hash:
        "a hash is replaced only if it is still the one that was read, and the generation stays",
        "an upgrade of an old hash overwrites a password changed meanwhile";
}

async fn change_is_made_and_appended(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let user = insert(&*stores.users, "ada").await?;
    stores.users.promote(user.id).await.map_err(unexpected)?;
    let before = claims_of(user.id, user.generation)?;
    let hash = PasswordHash::new("another hash".to_owned());
    let changes = [
        UserChange::LogoutEverywhere,
        UserChange::Demote,
        UserChange::Disable(instant()),
        UserChange::Password(hash.clone()),
    ];
    for (number, change) in (1..).zip(changes) {
        let result = stores.users.change_and_revoke(user.id, change, revoke_all(), SideEffects::default()).await;
        let Some((changed, revocation)) = result.map_err(unexpected)? else {
            return Err(CheckError::Broken("the user was not found".to_owned()));
        };
        let below = Generation::new(number);
        ensure!(changed.generation == below, "change {number} gave the generation {:?}", changed.generation);
        ensure!(revocation == everywhere(user.id, below), "change {number} appended {revocation:?}");
    }
    let stored = stores.users.find_credentials(&user.email).await.map_err(unexpected)?;
    let Some(stored) = stored else { return Err(CheckError::Broken("the user is gone".to_owned())) };
    ensure!(
        !stored.user.admin && stored.user.disabled_at == Some(instant()) && stored.password_hash == hash,
        "the changes were not kept: {:?}",
        stored.user
    );
    let expected = (1..=4).map(|n| (Position(n.into()), everywhere(user.id, Generation::new(n)))).collect();
    let log = whole(&*stores.log).await?;
    ensure!(log == (Position(4), expected), "four changes left the log as {log:?}");
    ensure!(covers(&*stores.log, &before).await?, "a token from before the changes is not covered");
    let after = claims_of(user.id, stored.user.generation)?;
    ensure!(!covers(&*stores.log, &after).await?, "a token of the new generation is covered");
    Ok(())
}

async fn change_spares_the_rest(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let user = insert(&*stores.users, "ada").await?;
    let bystander = insert(&*stores.users, "bob").await?;
    stores.users.promote(user.id).await.map_err(unexpected)?;
    for change in [UserChange::LogoutEverywhere, UserChange::Password(PasswordHash::new("other".to_owned()))] {
        stores
            .users
            .change_and_revoke(user.id, change, revoke_all(), SideEffects::default())
            .await
            .map_err(unexpected)?;
    }
    let found = stores.users.find_by_id(user.id).await.map_err(unexpected)?;
    ensure!(
        found.as_ref().is_some_and(|user| user.admin && user.disabled_at.is_none()),
        "a logout and a new password left the user as {found:?}"
    );
    let found = stores.users.find_by_id(bystander.id).await.map_err(unexpected)?;
    ensure!(found.as_ref() == Some(&bystander), "another user became {found:?}");
    let claims = claims_of(bystander.id, bystander.generation)?;
    ensure!(!covers(&*stores.log, &claims).await?, "another user's token is covered");
    Ok(())
}

async fn disabled_since_the_first_time(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let user = insert(&*stores.users, "ada").await?;
    for later in [0, 60] {
        let disable = UserChange::Disable(instant() + Duration::from_secs(later));
        stores
            .users
            .change_and_revoke(user.id, disable, revoke_all(), SideEffects::default())
            .await
            .map_err(unexpected)?;
    }
    let found = stores.users.find_by_id(user.id).await.map_err(unexpected)?;
    ensure!(
        found.as_ref().is_some_and(|user| user.disabled_at == Some(instant())),
        "disabled twice, a minute apart, the user is {found:?}"
    );
    Ok(())
}

async fn no_generation_is_lost(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let user = insert(&*stores.users, "ada").await?;
    let changes = (0..12).map(|_| {
        let users = stores.users.clone();
        async move {
            users.change_and_revoke(user.id, UserChange::LogoutEverywhere, revoke_all(), SideEffects::default()).await
        }
    });
    let mut generations = Vec::new();
    for result in race(backend, changes.collect::<Vec<_>>()).await? {
        let changed = result.map_err(unexpected)?;
        generations.extend(changed.map(|(user, _)| user.generation.number()));
    }
    generations.sort_unstable();
    ensure!(generations == (1..=12).collect::<Vec<_>>(), "twelve changes gave the generations {generations:?}");
    let (_, entries) = whole(&*stores.log).await?;
    ensure!(entries.len() == 12, "twelve changes left {} entries in the log", entries.len());
    Ok(())
}

async fn changes_a_password_only_from_the_current_hash(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let user = insert(&*stores.users, "ada").await?;
    let hash = |text: &str| PasswordHash::new(text.to_owned());
    let from = |current: &str, new: &str| UserChange::PasswordFrom { current: hash(current), new: hash(new) };
    let change = from("another hash", "new");
    let changed = stores
        .users
        .change_and_revoke(user.id, change, revoke_all(), SideEffects::default())
        .await
        .map_err(unexpected)?;
    ensure!(changed.is_none(), "a password was changed from a hash that is not stored");
    let (head, _) = whole(&*stores.log).await?;
    ensure!(head == Position(0), "a change that was refused was logged");
    let rivals = (0..8).map(|number| {
        let (users, change) = (stores.users.clone(), from("hash of ada", &format!("hash {number}")));
        async move { users.change_and_revoke(user.id, change, revoke_all(), SideEffects::default()).await }
    });
    let mut winners = Vec::new();
    for (number, result) in race(backend, rivals.collect::<Vec<_>>()).await?.into_iter().enumerate() {
        winners.extend(result.map_err(unexpected)?.map(|_| number));
    }
    ensure!(winners.len() == 1, "of eight who changed one hash {winners:?} won");
    let stored = stores.users.find_credentials(&user.email).await.map_err(unexpected)?;
    let Some(stored) = stored else { return Err(CheckError::Broken("the user is gone".to_owned())) };
    ensure!(stored.password_hash == hash(&format!("hash {}", winners[0])), "the winner's hash is not the stored one");
    ensure!(stored.user.generation == Generation::new(1), "one change gave {:?}", stored.user.generation);
    let (head, entries) = whole(&*stores.log).await?;
    ensure!(head == Position(1) && entries.len() == 1, "one change left the log as {head:?}, {entries:?}");
    Ok(())
}

async fn replaces_only_the_current_hash(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let user = insert(&*stores.users, "ada").await?;
    let [current, other, new] =
        ["hash of ada", "something else", "upgraded"].map(|text| PasswordHash::new(text.into()));
    ensure!(
        !stores.users.replace_hash(user.id, &other, &new).await.map_err(unexpected)?,
        "a hash that is not the current one was replaced"
    );
    ensure!(
        stores.users.replace_hash(user.id, &current, &new).await.map_err(unexpected)?,
        "the current hash was not replaced"
    );
    let stored = stores.users.find_credentials(&user.email).await.map_err(unexpected)?;
    ensure!(
        stored.is_some_and(|stored| stored.password_hash == new && stored.user.generation == user.generation),
        "the replacement was not kept, or raised the generation"
    );
    Ok(())
}
