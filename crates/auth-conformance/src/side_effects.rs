//! The rules for the side effects of changes of users. They need [`Backend::one_time_tokens`] and [`Backend::outbox`].

use auth_core::recovery::{OneTimeTokenPurpose as Purpose, OneTimeTokenStore, SideEffects, StoredOneTimeToken};
use auth_core::{
    ChangeUserError, Email, InsertUserError, Outbox, PasswordHash, ProfileChange, User, UserChange, UserId,
};

use super::letter_samples::{at, is_open, letter, token, using, with, with_outbox, write};
use super::samples::{email, insert, new_user, revoke_all, some_id, taken, unexpected, username, whole};
use super::{Backend, CheckError, ensure, rules};

rules! { ($) __conformance_side_effects:
    effects_come_with_the_change:
        "the tokens and letters of an insertion or a change are written with it, and the token that it uses is used up",
        "an account is there whose owner gets no letter, or a link works twice";
    refused_change_has_no_effects:
        "a change that is refused writes no token and no letter and uses no token",
        "a link is used up by a change that was not made, and the user cannot try again";
    unusable_token_changes_nobody:
        "a change whose token cannot be used is not made",
        "a link that was used once changes the address or the password again";
    reserved_address_is_taken:
        "the address that an open token gives back to a user is taken for everybody else",
        "a thief changes the address of an account and registers the old one, so that the owner cannot have it back";
    deletion_takes_tokens_and_letters:
        "with a user go their one-time tokens and waiting letters, and those of others stay",
        "a deleted person gets a letter, and the database keeps the address";
}

/// A token and a letter for a user.
fn effects_for(user_id: UserId) -> Result<(StoredOneTimeToken, SideEffects), CheckError> {
    let new = token(user_id, Purpose::VerifyEmail, 2)?;
    let effects = with(&[&new], &[&letter(user_id, 2)?]);
    Ok((new, effects))
}

/// Whether a token is open, and how many letters wait for its user.
async fn written(
    tokens: &dyn OneTimeTokenStore,
    outbox: &dyn Outbox,
    token: &StoredOneTimeToken,
) -> Result<(bool, usize), CheckError> {
    Ok((is_open(tokens, token).await?, outbox.of_user(token.user_id).await.map_err(unexpected)?.len()))
}

async fn effects_come_with_the_change(backend: &dyn Backend) -> Result<(), CheckError> {
    let (tokens, outbox) = with_outbox(backend).await?;
    let users = backend.open().await.users;
    let new = new_user("ada")?;
    let (verification, effects) = effects_for(new.id)?;
    let ada = users.insert(new, effects).await.map_err(unexpected)?;
    let seen = written(&*tokens, &*outbox, &verification).await?;
    ensure!(seen == (true, 1), "an insertion with a token and a letter left {seen:?}");
    let (token, effects) = effects_for(ada.id)?;
    let effects = SideEffects { redeem: using(&verification, 3)?.redeem, ..effects };
    let changed = users.change(ada.id, ProfileChange::VerifyEmail(ada.email.clone()), effects).await;
    ensure!(changed.map_err(unexpected)?.is_some_and(|user| user.email_verified), "a change with effects was not made");
    ensure!(!is_open(&*tokens, &verification).await?, "the token that a change used is open");
    let seen = written(&*tokens, &*outbox, &token).await?;
    ensure!(seen == (true, 2), "a change with a token and a letter left {seen:?}");
    let (last, effects) = effects_for(ada.id)?;
    let effects = SideEffects { redeem: using(&token, 4)?.redeem, ..effects };
    let reset = UserChange::ResetPassword { email: ada.email, new: PasswordHash::new("new".to_owned()) };
    let changed = users.change_and_revoke(ada.id, reset, revoke_all(), effects).await.map_err(unexpected)?;
    ensure!(changed.is_some(), "a reset with effects was not made");
    ensure!(!is_open(&*tokens, &token).await?, "the token that a reset used is open");
    let seen = written(&*tokens, &*outbox, &last).await?;
    ensure!(seen == (true, 3), "a reset with a token and a letter left {seen:?}");
    Ok(())
}

async fn refused_change_has_no_effects(backend: &dyn Backend) -> Result<(), CheckError> {
    let (tokens, outbox) = with_outbox(backend).await?;
    let users = backend.open().await.users;
    let (ada, _) = (insert(&*users, "ada").await?, insert(&*users, "bob").await?);
    let held = token(ada.id, Purpose::ChangeEmail, 1)?;
    write(&*tokens, with(&[&held], &[])).await?;
    let other = email("old@example.org")?;
    let (new, effects) = effects_for(ada.id)?;
    let effects = SideEffects { redeem: using(&held, 3)?.redeem, ..effects };
    let taken_email = users.change(ada.id, ProfileChange::Email(email("bob@example.org")?), effects.clone()).await;
    ensure!(matches!(taken_email, Err(ChangeUserError::EmailTaken)), "a taken address gave {taken_email:?}");
    let taken_name = users.change(ada.id, ProfileChange::Username(username("bob")?), effects.clone()).await;
    ensure!(matches!(taken_name, Err(ChangeUserError::UsernameTaken)), "a taken name gave {taken_name:?}");
    let refused = users.change(ada.id, ProfileChange::VerifyEmail(other.clone()), effects.clone()).await;
    ensure!(refused.map_err(unexpected)?.is_none(), "another address was verified");
    let reset = UserChange::ResetPassword { email: other, new: PasswordHash::new("new".to_owned()) };
    let refused = users.change_and_revoke(ada.id, reset, revoke_all(), effects).await;
    ensure!(refused.map_err(unexpected)?.is_none(), "a reset for another address was made");
    let again = new_user("ada")?;
    let (of_again, effects) = effects_for(again.id)?;
    let refused = users.insert(again, effects).await;
    ensure!(taken(&refused) == Some("email"), "a taken address was registered: {refused:?}");
    for token in [&new, &of_again] {
        let seen = written(&*tokens, &*outbox, token).await?;
        ensure!(seen == (false, 0), "a change that was refused left {seen:?}");
    }
    ensure!(is_open(&*tokens, &held).await?, "a change that was refused used its token");
    Ok(())
}

async fn unusable_token_changes_nobody(backend: &dyn Backend) -> Result<(), CheckError> {
    let (tokens, outbox) = with_outbox(backend).await?;
    let stores = backend.open().await;
    let ada = insert(&*stores.users, "ada").await?;
    let used = token(ada.id, Purpose::ResetPassword, 1)?;
    write(&*tokens, with(&[&used], &[])).await?;
    tokens.write(using(&used, 3)?).await.map_err(unexpected)?;
    let (new, effects) = effects_for(ada.id)?;
    let effects = SideEffects { redeem: using(&used, 4)?.redeem, ..effects };
    let changed = stores.users.change(ada.id, ProfileChange::Email(email("new@example.org")?), effects.clone()).await;
    ensure!(changed.map_err(unexpected)?.is_none(), "a token that was used changed the address");
    let reset = UserChange::ResetPassword { email: ada.email.clone(), new: PasswordHash::new("new".to_owned()) };
    let changed = stores.users.change_and_revoke(ada.id, reset, revoke_all(), effects).await;
    ensure!(changed.map_err(unexpected)?.is_none(), "a token that was used reset the password");
    let stored = stores.users.find_credentials(&ada.email).await.map_err(unexpected)?;
    ensure!(
        stored.is_some_and(|stored| stored.user == ada && stored.password_hash.expose_hash() == "hash of ada"),
        "changes whose token was used left another user"
    );
    let (_, entries) = whole(&*stores.log).await?;
    ensure!(entries.is_empty(), "a reset whose token was used was logged");
    let seen = written(&*tokens, &*outbox, &new).await?;
    ensure!(seen == (false, 0), "a change whose token was used left {seen:?}");
    Ok(())
}

async fn reserved_address_is_taken(backend: &dyn Backend) -> Result<(), CheckError> {
    let (tokens, _) = with_outbox(backend).await?;
    let users = backend.open().await.users;
    let (owner, other) = (insert(&*users, "ada").await?, insert(&*users, "bob").await?);
    let reserved = email("OLD@Example.org")?;
    let undo = token(owner.id, Purpose::UndoEmailChange, 1)?;
    let undo = StoredOneTimeToken { sent_to: Some(email("old@example.org")?), ..undo };
    write(&*tokens, with(&[&undo], &[])).await?;
    let insertion = async |id, name: &str, address: &Email| {
        let (id, email, username) = (id, address.clone(), username(name)?);
        Ok::<_, CheckError>(
            users.insert(auth_core::NewUser { id, email, username, ..new_user(name)? }, SideEffects::default()).await,
        )
    };
    let refused = insertion(some_id()?, "eve", &reserved).await?;
    ensure!(matches!(refused, Err(InsertUserError::EmailTaken)), "a reserved address was registered: {refused:?}");
    let refused = insertion(some_id()?, "bob", &reserved).await?;
    ensure!(taken(&refused) == Some("email"), "a reserved address and a taken name gave {refused:?}");
    let change = || ProfileChange::Email(reserved.clone());
    let refused = users.change(other.id, change(), SideEffects::default()).await;
    ensure!(matches!(refused, Err(ChangeUserError::EmailTaken)), "a reserved address was taken over: {refused:?}");
    let restore = UserChange::RestoreEmail { email: reserved.clone(), new: PasswordHash::new("new".to_owned()) };
    let refused = users.change_and_revoke(other.id, restore, revoke_all(), SideEffects::default()).await;
    ensure!(matches!(refused, Err(ChangeUserError::EmailTaken)), "a reserved address was restored: {refused:?}");
    let found = users.find_by_id(other.id).await.map_err(unexpected)?;
    ensure!(found.as_ref() == Some(&other), "changes that were refused left {found:?}");
    let own = users.change(owner.id, change(), SideEffects::default()).await.map_err(unexpected)?;
    ensure!(own.is_some(), "the user of the token could not have the address back");
    let back = users.change(owner.id, ProfileChange::Email(email("ada@example.org")?), SideEffects::default()).await;
    back.map_err(unexpected)?;
    tokens.write(using(&undo, 5)?).await.map_err(unexpected)?;
    let free = users.change(other.id, change(), SideEffects::default()).await.map_err(unexpected)?;
    ensure!(free.is_some(), "an address is reserved although the token was used");
    Ok(())
}

async fn deletion_takes_tokens_and_letters(backend: &dyn Backend) -> Result<(), CheckError> {
    let (tokens, outbox) = with_outbox(backend).await?;
    let users = backend.open().await.users;
    let mut of_both: Vec<(User, StoredOneTimeToken)> = Vec::new();
    for name in ["ada", "bob"] {
        let user = insert(&*users, name).await?;
        let (token, effects) = effects_for(user.id)?;
        write(&*tokens, effects).await?;
        of_both.push((user, token));
    }
    users.delete(of_both[0].0.id, revoke_all()).await.map_err(unexpected)?;
    for ((_, token), expected) in of_both.iter().zip([(false, 0), (true, 1)]) {
        let seen = written(&*tokens, &*outbox, token).await?;
        ensure!(seen == expected, "a deletion left {seen:?} in place of {expected:?}");
    }
    let used = tokens.find(of_both[0].1.digest, at(3)).await.map_err(unexpected)?;
    ensure!(used.is_none(), "a token of a deleted user is found");
    Ok(())
}
