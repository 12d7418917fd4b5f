//! The rules of [`UserStore`](auth_core::UserStore) for profiles and for deleting users.

use std::time::Duration;

use super::cancellation::patience;
use super::executor::give_up_after;
use super::samples::{
    claims_of, covers, email, everywhere, insert, instant, of_store, revoke_all, some_id, unexpected, username, whole,
};
use super::{Backend, CheckError, StoresUnderTest, ensure, rules};
use auth_core::blacklist::Position;
use auth_core::{ChangeUserError, Generation, PasswordHash, ProfileChange, SideEffects, User, UserChange};

rules! { ($) __conformance_profiles:
    finds_by_username:
        "a user is found by the key of the username, and a name that nobody has is None",
        "an operator finds nobody, or a stranger, under a name that is spelled in another case";
    records_the_latest_login:
        "the last login is recorded, and an earlier one does not replace it",
        "two logins that end in another order leave the time of the first";
    profile_changes_are_kept:
        "a change of a profile is made, touches one user and one field, and ends no token",
        "a new name logs the user out, or a verified address loses the name";
    verifies_only_the_current_address:
        "an address is verified only while it is that of the account",
        "a letter to an earlier address verifies an address that nobody has proved to read";
    taken_keys_are_told:
        "a change to a key of another user says which one is taken, and writes nothing",
        "a user takes over the address of another one, or is told that the account is gone";
    unchanged_needs_the_generation:
        "the side effects of an unchanged user are made only while the generation is the one that was asked for",
        "a request that was checked against an old password is carried out after the password was reset";
    resets_for_the_current_address:
        "a reset replaces the hash and verifies the address, only while the address is that of the account",
        "a letter to an address that the account had once sets its password";
    restores_an_address:
        "restoring an address sets it, verifies it, replaces the hash and ends all tokens",
        "a thief who changed the address keeps the password, and takes the account again";
    deletion_leaves_nobody:
        "a deleted user is not found, the keys are free, and an entry of the next generation covers all their tokens",
        "a deleted user goes on with the tokens that are left, or nobody can have the address again";
    abandoned_deletion_is_whole_or_nothing:
        "a deletion that is given up half-way has removed the user and appended its entry, or neither",
        "the user is gone, and the tokens are accepted for as long as they live";
}

async fn change(stores: &StoresUnderTest, user: &User, change: ProfileChange) -> Result<Option<User>, CheckError> {
    stores.users.change(user.id, change, SideEffects::default()).await.map_err(unexpected)
}

async fn finds_by_username(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let ada = insert(&*stores.users, "Ada").await?;
    insert(&*stores.users, "bob").await?;
    let find = async |name| stores.users.find_by_username(&username(name)?).await.map_err(unexpected);
    for name in ["Ada", "ADA", "ada"] {
        let found = find(name).await?;
        ensure!(found.as_ref() == Some(&ada), "under {name} the store has {found:?}");
    }
    let found = find("eve").await?;
    ensure!(found.is_none(), "under a name that nobody has the store has {found:?}");
    Ok(())
}

async fn records_the_latest_login(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let ada = insert(&*stores.users, "ada").await?;
    ensure!(ada.last_login_at.is_none(), "a new user has a login at {:?}", ada.last_login_at);
    let latest = instant() + Duration::from_micros(5_000_007);
    for at in [instant(), latest, instant() + Duration::from_secs(2)] {
        stores.users.record_login(ada.id, at).await.map_err(unexpected)?;
    }
    let found = stores.users.find_by_id(ada.id).await.map_err(unexpected)?;
    let expected = User { last_login_at: Some(latest), ..ada };
    ensure!(found.as_ref() == Some(&expected), "after three logins the user is {found:?}");
    stores.users.record_login(some_id()?, latest).await.map_err(unexpected)
}

/// The effect of a change on a user.
type Apply<'a> = &'a (dyn Fn(&mut User) + Sync);

async fn profile_changes_are_kept(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let mut ada = insert(&*stores.users, "ada").await?;
    let bob = insert(&*stores.users, "bob").await?;
    let (name, address) = (username("Countess ☃")?, email("Countess@Example.org")?);
    let changes: [(ProfileChange, Apply<'_>); 4] = [
        (ProfileChange::Username(name.clone()), &|user| user.username = name.clone()),
        (ProfileChange::VouchForEmail, &|user| user.email_verified = true),
        (ProfileChange::Unchanged { generation: ada.generation }, &|_| {}),
        (ProfileChange::Email(address.clone()), &|user| user.email = address.clone()),
    ];
    for (what, apply) in changes {
        let changed = change(&stores, &ada, what.clone()).await?;
        apply(&mut ada);
        ensure!(changed.as_ref() == Some(&ada), "{what:?} made {changed:?} in place of {ada:?}");
        let found = stores.users.find_by_id(ada.id).await.map_err(unexpected)?;
        ensure!(found.as_ref() == Some(&ada), "after {what:?} the store has {found:?}");
    }
    let stored = stores.users.find_credentials(&ada.email).await.map_err(unexpected)?;
    ensure!(
        stored.is_some_and(|stored| stored.password_hash.expose_hash() == "hash of ada"),
        "the user is not found by the new address, or has another hash"
    );
    let other = stores.users.find_by_id(bob.id).await.map_err(unexpected)?;
    ensure!(other.as_ref() == Some(&bob), "another user became {other:?}");
    let (head, _) = whole(&*stores.log).await?;
    ensure!(head == Position(0), "changes of a profile moved the head of the log to {head:?}");
    Ok(())
}

async fn verifies_only_the_current_address(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let ada = insert(&*stores.users, "ada").await?;
    let refused = change(&stores, &ada, ProfileChange::VerifyEmail(email("old@example.org")?)).await?;
    ensure!(refused.is_none(), "another address was verified: {refused:?}");
    let found = stores.users.find_by_id(ada.id).await.map_err(unexpected)?;
    ensure!(found.as_ref() == Some(&ada), "a verification that was refused left {found:?}");
    let verified = change(&stores, &ada, ProfileChange::VerifyEmail(email("ADA@example.org")?)).await?;
    let expected = User { email_verified: true, ..ada };
    ensure!(verified.as_ref() == Some(&expected), "a verification made {verified:?}");
    Ok(())
}

async fn taken_keys_are_told(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let ada = insert(&*stores.users, "ada").await?;
    insert(&*stores.users, "bob").await?;
    let none = SideEffects::default;
    let name = stores.users.change(ada.id, ProfileChange::Username(username("BOB")?), none()).await;
    ensure!(matches!(name, Err(ChangeUserError::UsernameTaken)), "a name that is taken gave {name:?}");
    let address = email("BOB@example.org")?;
    let taken = stores.users.change(ada.id, ProfileChange::Email(address.clone()), none()).await;
    ensure!(matches!(taken, Err(ChangeUserError::EmailTaken)), "an address that is taken gave {taken:?}");
    let restore = UserChange::RestoreEmail { email: address, new: PasswordHash::new("new".to_owned()) };
    let taken = stores.users.change_and_revoke(ada.id, restore, revoke_all(), none()).await;
    ensure!(matches!(taken, Err(ChangeUserError::EmailTaken)), "restoring an address that is taken gave {taken:?}");
    let found = stores.users.find_by_id(ada.id).await.map_err(unexpected)?;
    ensure!(found.as_ref() == Some(&ada), "changes that were refused left {found:?}");
    let own = change(&stores, &ada, ProfileChange::Username(username("ADA")?)).await?;
    ensure!(own.is_some_and(|user| user.username.as_str() == "ADA"), "the own name in another case was refused");
    let nobody = stores.users.change(some_id()?, ProfileChange::VouchForEmail, none()).await.map_err(unexpected)?;
    ensure!(nobody.is_none(), "a change of nobody gave {nobody:?}");
    Ok(())
}

async fn unchanged_needs_the_generation(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let ada = insert(&*stores.users, "ada").await?;
    let logout = UserChange::LogoutEverywhere;
    let result = stores.users.change_and_revoke(ada.id, logout, revoke_all(), SideEffects::default()).await;
    of_store(result).map_err(unexpected)?;
    for (generation, applies) in [(0, false), (1, true), (2, false)] {
        let unchanged = ProfileChange::Unchanged { generation: Generation::new(generation) };
        let made = change(&stores, &ada, unchanged).await?.is_some();
        ensure!(made == applies, "at generation 1, a change for generation {generation} was made: {made}");
    }
    Ok(())
}

async fn resets_for_the_current_address(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let ada = insert(&*stores.users, "ada").await?;
    let reset = async |address: &str| {
        let change = UserChange::ResetPassword { email: email(address)?, new: PasswordHash::new("new".to_owned()) };
        let result = stores.users.change_and_revoke(ada.id, change, revoke_all(), SideEffects::default()).await;
        result.map_err(unexpected)
    };
    let refused = reset("old@example.org").await?;
    let (head, _) = whole(&*stores.log).await?;
    ensure!(refused.is_none() && head == Position(0), "a reset for another address gave {refused:?}");
    let changed = reset("ADA@example.org").await?.map(|(user, _)| user);
    let expected = User { email_verified: true, generation: Generation::new(1), ..ada };
    ensure!(changed.as_ref() == Some(&expected), "a reset made {changed:?}");
    let stored = stores.users.find_credentials(&expected.email).await.map_err(unexpected)?;
    ensure!(stored.is_some_and(|stored| stored.password_hash.expose_hash() == "new"), "the hash was not replaced");
    Ok(())
}

async fn restores_an_address(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let ada = insert(&*stores.users, "ada").await?;
    let before = claims_of(ada.id, ada.generation)?;
    let restored = email("Old@Example.org")?;
    let change = UserChange::RestoreEmail { email: restored.clone(), new: PasswordHash::new("unknown".to_owned()) };
    let result = stores.users.change_and_revoke(ada.id, change, revoke_all(), SideEffects::default()).await;
    let changed = result.map_err(unexpected)?.map(|(user, _)| user);
    let expected = User { email: restored, email_verified: true, generation: Generation::new(1), ..ada.clone() };
    ensure!(changed.as_ref() == Some(&expected), "restoring made {changed:?}");
    let stored = stores.users.find_credentials(&expected.email).await.map_err(unexpected)?;
    ensure!(
        stored.is_some_and(|stored| stored.user == expected && stored.password_hash.expose_hash() == "unknown"),
        "the user is not found by the restored address, or has the old hash"
    );
    let gone = stores.users.find_credentials(&ada.email).await.map_err(unexpected)?;
    ensure!(gone.is_none(), "the user is found by the address that was taken away");
    ensure!(covers(&*stores.log, &before).await?, "a token from before the change is good");
    Ok(())
}

async fn deletion_leaves_nobody(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let (ada, bob) = (insert(&*stores.users, "ada").await?, insert(&*stores.users, "bob").await?);
    let logout = UserChange::LogoutEverywhere;
    let result = stores.users.change_and_revoke(ada.id, logout, revoke_all(), SideEffects::default()).await;
    of_store(result).map_err(unexpected)?;
    let last = claims_of(ada.id, Generation::new(1))?;
    let deleted = stores.users.delete(ada.id, revoke_all()).await.map_err(unexpected)?;
    let expected = everywhere(ada.id, Generation::new(2));
    ensure!(deleted == Some(expected), "the deletion returned {deleted:?}");
    let (_, entries) = whole(&*stores.log).await?;
    ensure!(entries.last().is_some_and(|(_, entry)| *entry == expected), "the log ends with {:?}", entries.last());
    ensure!(covers(&*stores.log, &last).await?, "a token of a deleted user is good");
    let by_id = stores.users.find_by_id(ada.id).await.map_err(unexpected)?;
    let by_name = stores.users.find_by_username(&ada.username).await.map_err(unexpected)?;
    let by_email = stores.users.find_credentials(&ada.email).await.map_err(unexpected)?;
    ensure!(by_id.is_none() && by_name.is_none() && by_email.is_none(), "a deleted user is found");
    let listed = stores.users.list(None, 10).await.map_err(unexpected)?;
    ensure!(listed == [bob], "after a deletion the users are {listed:?}");
    let again = stores.users.delete(ada.id, revoke_all()).await.map_err(unexpected)?;
    ensure!(again.is_none(), "deleting nobody gave {again:?}");
    let (_, after) = whole(&*stores.log).await?;
    ensure!(after == entries, "deleting nobody was logged");
    insert(&*stores.users, "ada").await?;
    ensure!(covers(&*stores.log, &last).await?, "a token of a deleted user is good after a new registration");
    Ok(())
}

async fn abandoned_deletion_is_whole_or_nothing(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    for turns in patience() {
        let user = insert(&*stores.users, &format!("user{turns}")).await?;
        let ended = give_up_after(turns, stores.users.delete(user.id, revoke_all())).await;
        // The deletion may still be under way: it is looked for in the log before and after the user was read.
        let entry = everywhere(user.id, user.generation.next());
        let logged = async || -> Result<bool, CheckError> {
            Ok(whole(&*stores.log).await?.1.iter().any(|(_, logged)| *logged == entry))
        };
        let before = logged().await?;
        let is_gone = stores.users.find_by_id(user.id).await.map_err(unexpected)?.is_none();
        let after = logged().await?;
        ensure!(
            before != after || is_gone == after,
            "given up after {turns} turns: the user is gone: {is_gone}, and the entry is in the log: {after}"
        );
        if let Some(result) = ended {
            result.map_err(unexpected)?;
            return Ok(());
        }
        stores.users.delete(user.id, revoke_all()).await.map_err(unexpected)?;
        ensure!(logged().await?, "given up after {turns} turns and repeated, the deletion is not in the log");
    }
    Ok(())
}
