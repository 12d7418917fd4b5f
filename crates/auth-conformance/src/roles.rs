//! The rules of [`UserStore`](auth_core::UserStore) for roles.
//!
//! A store that keeps no roles follows them too: it refuses to give one, and there is never one to take.

use super::executor::race;
use super::samples::{claims_of, covers, everywhere, insert, revoke_all, unexpected, whole};
use super::{Backend, CheckError, StoresUnderTest, ensure, rules};
use auth_core::blacklist::Position;
use auth_core::{
    ChangeUserError, Generation, MAX_NAMES, ProfileChange, Revocation, Role, SideEffects, StoreErrorKind, User,
    UserChange, UserId,
};

rules! { ($) __conformance_roles:
    roles_are_given_and_kept:
        "a role is given to one user, beside the roles that the user has, and ends no token",
        "a second role replaces the first, or the user is logged out by a role that is given";
    roles_are_limited:
        "a user has at most so many roles, and one more is refused without a change",
        "a user has more roles than a token may carry, and cannot log in any more";
    roles_are_taken_with_the_tokens:
        "a role is taken from a user who has it, with an entry for all tokens, and the other roles stay",
        "a token goes on with a role that was taken, or taking one role takes them all";
    roles_that_are_absent_end_nothing:
        "taking a role that the user does not have changes nothing and appends nothing",
        "a script that takes a role from everybody logs everybody out";
    no_role_is_lost:
        "of roles that are given and taken at the same time none is lost, and none comes back",
        "two admins give a role each, and one of the roles is overwritten";
}

/// Gives a role. Returns `None` if the store keeps no roles.
async fn give(stores: &StoresUnderTest, id: UserId, role: Role) -> Result<Option<User>, CheckError> {
    match stores.users.change(id, ProfileChange::GiveRole(role), SideEffects::default()).await {
        Ok(Some(user)) => Ok(Some(user)),
        Ok(None) => Err(CheckError::Broken("the user was not found".to_owned())),
        Err(ChangeUserError::Store(error)) if error.kind() == StoreErrorKind::Internal => Ok(None),
        Err(error) => Err(unexpected(error)),
    }
}

async fn take(stores: &StoresUnderTest, id: UserId, role: Role) -> Result<Option<(User, Revocation)>, CheckError> {
    let change = UserChange::TakeRole(role);
    stores.users.change_and_revoke(id, change, revoke_all(), SideEffects::default()).await.map_err(unexpected)
}

async fn find(stores: &StoresUnderTest, id: UserId) -> Result<User, CheckError> {
    let found = stores.users.find_by_id(id).await.map_err(unexpected)?;
    found.ok_or_else(|| CheckError::Broken("the user is gone".to_owned()))
}

fn role(name: &str) -> Result<Role, CheckError> {
    name.parse().map_err(unexpected)
}

async fn roles_are_given_and_kept(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let mut ada = insert(&*stores.users, "ada").await?;
    let bob = insert(&*stores.users, "bob").await?;
    ensure!(ada.roles.is_empty(), "a new user has the roles {}", ada.roles);
    for (name, expected) in [("writer", "writer"), ("editor", "editor writer"), ("editor", "editor writer")] {
        let Some(given) = give(&stores, ada.id, role(name)?).await? else { return Ok(()) };
        ada.roles = expected.parse().map_err(unexpected)?;
        ensure!(given == ada, "{name} left the user as {given:?}");
        let found = find(&stores, ada.id).await?;
        ensure!(found == ada, "{name} was kept as {found:?}");
        let credentials = stores.users.find_credentials(&ada.email).await.map_err(unexpected)?;
        ensure!(credentials.is_some_and(|stored| stored.user == ada), "a login sees other roles");
    }
    let found = find(&stores, bob.id).await?;
    ensure!(found == bob, "another user became {found:?}");
    let listed = stores.users.list(None, 10).await.map_err(unexpected)?;
    ensure!(listed.len() == 2 && listed.contains(&ada) && listed.contains(&bob), "the list has {listed:?}");
    let (head, _) = whole(&*stores.log).await?;
    ensure!(head == Position(0), "giving a role was logged");
    ensure!(!covers(&*stores.log, &claims_of(ada.id, ada.generation)?).await?, "giving a role ended a token");
    Ok(())
}

async fn roles_are_limited(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let ada = insert(&*stores.users, "ada").await?;
    // Names of the greatest length.
    let name = |number: usize| role(&format!("{}{number:02}", "r".repeat(62)));
    for number in 0..MAX_NAMES {
        if give(&stores, ada.id, name(number)?).await?.is_none() {
            return Ok(());
        }
    }
    let full = find(&stores, ada.id).await?;
    ensure!(full.roles.iter().count() == MAX_NAMES, "after {MAX_NAMES} roles the user has {}", full.roles);
    let more = ProfileChange::GiveRole(name(MAX_NAMES)?);
    let refused = stores.users.change(ada.id, more, SideEffects::default()).await;
    ensure!(matches!(refused, Err(ChangeUserError::TooManyRoles)), "one role more gave {refused:?}");
    let again = give(&stores, ada.id, name(0)?).await?;
    ensure!(again.as_ref() == Some(&full), "a role that the user has was given again: {again:?}");
    ensure!(find(&stores, ada.id).await? == full, "a role that was refused changed the user");
    Ok(())
}

async fn roles_are_taken_with_the_tokens(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let ada = insert(&*stores.users, "ada").await?;
    for name in ["editor", "writer"] {
        if give(&stores, ada.id, role(name)?).await?.is_none() {
            return Ok(());
        }
    }
    let below = Generation::new(1);
    let Some((changed, revocation)) = take(&stores, ada.id, role("writer")?).await? else {
        return Err(CheckError::Broken("a role that the user has was not taken".to_owned()));
    };
    let expected = User { generation: below, roles: "editor".parse().map_err(unexpected)?, ..ada.clone() };
    ensure!(changed == expected, "taking a role left the user as {changed:?}");
    ensure!(revocation == everywhere(ada.id, below), "taking a role appended {revocation:?}");
    let found = find(&stores, ada.id).await?;
    ensure!(found == expected, "the user was kept as {found:?}");
    let log = whole(&*stores.log).await?;
    ensure!(log == (Position(1), vec![(Position(1), revocation)]), "taking a role left the log as {log:?}");
    ensure!(covers(&*stores.log, &claims_of(ada.id, ada.generation)?).await?, "a token with the role lives on");
    Ok(())
}

async fn roles_that_are_absent_end_nothing(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let mut ada = insert(&*stores.users, "ada").await?;
    if let Some(given) = give(&stores, ada.id, role("editor")?).await? {
        ada = given;
    }
    let taken = take(&stores, ada.id, role("writer")?).await?;
    ensure!(taken.is_none(), "a role that the user does not have was taken: {taken:?}");
    let found = find(&stores, ada.id).await?;
    ensure!(found == ada, "the user became {found:?}");
    let (head, _) = whole(&*stores.log).await?;
    ensure!(head == Position(0), "a change that was refused was logged");
    Ok(())
}

async fn no_role_is_lost(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let ada = insert(&*stores.users, "ada").await?;
    for number in 0..4 {
        if give(&stores, ada.id, role(&format!("old-{number}"))?).await?.is_none() {
            return Ok(());
        }
    }
    let mut changes = Vec::new();
    for number in 0..8_u32 {
        let (stores, old, new) = (stores.clone(), role(&format!("old-{number}"))?, role(&format!("new-{number}"))?);
        changes.push(async move {
            if number % 2 == 0 && number < 4 {
                take(&stores, ada.id, old).await.map(|taken| taken.is_some())
            } else {
                give(&stores, ada.id, new).await.map(|given| given.is_some())
            }
        });
    }
    for made in race(backend, changes).await? {
        ensure!(made?, "a role was not given or not taken");
    }
    let found = find(&stores, ada.id).await?;
    let expected = "new-1 new-3 new-4 new-5 new-6 new-7 old-1 old-3";
    ensure!(found.roles.to_string() == expected, "the user was left with the roles {}", found.roles);
    ensure!(found.generation == Generation::new(2), "two roles that were taken gave {:?}", found.generation);
    Ok(())
}
