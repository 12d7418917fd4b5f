//! The rules of [`OneTimeTokenStore`]. They need [`Backend::one_time_tokens`].

use std::sync::Arc;
use std::time::Duration;

use auth_core::recovery::{MAX_OPEN_TOKENS, OneTimeTokenPurpose as Purpose, OneTimeTokenStore, StoredOneTimeToken};
use auth_core::{OneTimeToken, SideEffects, StoreErrorKind, UserId};

use super::cancellation::patience;
use super::executor::{give_up_after, race};
use super::faults::{CANNOT_CUT, CANNOT_DAMAGE, failed};
use super::letter_samples::{EXPIRY, at, is_open, token, using, with, with_tokens, write};
use super::samples::{email, some_id, unexpected};
use super::{Backend, CheckError, Row, ensure, rules};

rules! { ($) __conformance_one_time_tokens:
    tokens_are_kept_exactly:
        "a one-time token is read back exactly as written, and an unknown digest is None",
        "a token expires early, or sends its user to another address";
    expired_tokens_are_closed:
        "a token is neither found nor used from its expiry on",
        "a link of last week opens the account to whoever finds the letter";
    one_use_of_a_token_wins:
        "of many uses of one token at once exactly one succeeds, and it is not found afterwards",
        "a link that was used is used again by somebody who reads the letter later";
    use_ends_siblings:
        "the use of a token ends the other tokens of its user with the same purpose, and no others",
        "after a reset the link in an older letter resets the password again";
    undo_spares_earlier_tokens:
        "the use of a token that undoes a change of address ends those that were made later, and none that was made earlier",
        "a thief who changes the address twice ends the token of the owner";
    ends_tokens_of_a_purpose:
        "open tokens of the given user and purposes end, and no others",
        "a reset leaves a change of address pending that a thief began, or ends the tokens of another user";
    latest_token_with_a_code_is_found:
        "by address and purpose the token that was made last is found, of those that have a code, by the key of the address",
        "a code is compared with that of an older letter, and the one that was just sent is refused";
    open_tokens_are_listed:
        "the list has the open tokens of one user, the last one first, and no more than the maximum",
        "an export shows tokens of other users, or leaves out those that are open";
    unusable_token_writes_nothing:
        "when the token cannot be used, nothing of the call is written",
        "a link that was used twice sends a second letter, or ends a token";
    purges_expired_tokens_only:
        "a purge removes at most as many tokens as asked for, used ones too, and none that has not expired",
        "a purge ends a link that is on its way";
    tokens_are_seen_by_other_nodes:
        "a token that one node has written or used is so for every other node at once",
        "a link that is opened on the next machine is unknown there, or is used on both";
    abandoned_use_is_whole_or_nothing:
        "a use that is given up half-way has used the token and written the rest, or neither",
        "the link is used up, and the letter that should follow was never written";
    tokens_in_an_outage_are_unknown:
        "a token store that cannot be reached says so: every call is an error of kind Unavailable",
        "an outage looks like 'no such token', and the user asks for another letter, and another";
    damaged_token_is_an_error:
        "a row that makes no token is an error of kind Corrupt",
        "a damaged row looks like 'no such token', and nobody learns of the damage";
}

async fn tokens_are_kept_exactly(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, store) = with_tokens(backend).await?;
    let user_id = some_id()?;
    let mut full = token(user_id, Purpose::ChangeEmail, 1)?;
    full.created_at += Duration::from_micros(123_457);
    full.expires_at += Duration::from_micros(7);
    full.sent_to = Some(email("Ada.Lovelace+tag@Bücher.example")?);
    let decoy = StoredOneTimeToken { sent_to: None, code_hash: None, ..token(some_id()?, Purpose::VerifyEmail, 2)? };
    write(&*store, with(&[&full, &decoy], &[])).await?;
    for written in [&full, &decoy] {
        let found = store.find(written.digest, at(10)).await.map_err(unexpected)?;
        ensure!(found.as_ref() == Some(written), "written was {written:?}, read {found:?}");
    }
    let unknown = OneTimeToken::generate().map_err(unexpected)?.digest();
    let found = store.find(unknown, at(10)).await.map_err(unexpected)?;
    ensure!(found.is_none(), "an unknown digest gave {found:?}");
    Ok(())
}

async fn expired_tokens_are_closed(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, store) = with_tokens(backend).await?;
    let old = token(some_id()?, Purpose::ResetPassword, 1)?;
    write(&*store, with(&[&old], &[])).await?;
    let address = email("ada@example.org")?;
    for (seconds, is_open) in [(EXPIRY - 1, true), (EXPIRY, false)] {
        let found = store.find(old.digest, at(seconds)).await.map_err(unexpected)?.is_some();
        let latest = store.find_latest(&address, old.purpose, at(seconds)).await.map_err(unexpected)?.is_some();
        let listed = store.open_tokens(old.user_id, at(seconds)).await.map_err(unexpected)?.len();
        let seen = (found, latest, listed == 1);
        ensure!(seen == (is_open, is_open, is_open), "{seconds} s of {EXPIRY} gave (found, latest, listed) = {seen:?}");
    }
    let used = store.write(using(&old, EXPIRY)?).await.map_err(unexpected)?;
    ensure!(!used, "a token was used at its expiry");
    Ok(())
}

async fn one_use_of_a_token_wins(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, store) = with_tokens(backend).await?;
    let once = token(some_id()?, Purpose::ResetPassword, 1)?;
    write(&*store, with(&[&once], &[])).await?;
    let rivals = (0..12).map(|_| using(&once, 5)).collect::<Result<Vec<_>, _>>()?;
    let uses = rivals.into_iter().map(|effects| {
        let store = Arc::clone(&store);
        async move { store.write(effects).await }
    });
    let mut won = 0;
    for outcome in race(backend, uses).await? {
        won += u32::from(outcome.map_err(unexpected)?);
    }
    ensure!(won == 1, "{won} of 12 uses succeeded");
    ensure!(!is_open(&*store, &once).await?, "a token that was used is found");
    ensure!(!store.write(using(&once, 6)?).await.map_err(unexpected)?, "a token was used twice");
    Ok(())
}

/// Writes tokens of this purpose for two users and of another purpose, uses the second one, and returns which are open.
async fn use_the_second(
    store: &dyn OneTimeTokenStore,
    purpose: Purpose,
    other: Purpose,
) -> Result<[bool; 5], CheckError> {
    let (ada, bob) = (some_id()?, some_id()?);
    let tokens = [
        token(ada, purpose, 1)?,
        token(ada, purpose, 2)?,
        token(ada, purpose, 3)?,
        token(ada, other, 2)?,
        token(bob, purpose, 2)?,
    ];
    write(store, with(&tokens.each_ref(), &[])).await?;
    ensure!(store.write(using(&tokens[1], 5)?).await.map_err(unexpected)?, "a token could not be used");
    let mut open = [false; 5];
    for (open, token) in open.iter_mut().zip(&tokens) {
        *open = is_open(store, token).await?;
    }
    Ok(open)
}

async fn use_ends_siblings(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, store) = with_tokens(backend).await?;
    let open = use_the_second(&*store, Purpose::ResetPassword, Purpose::VerifyEmail).await?;
    ensure!(
        open == [false, false, false, true, true],
        "of earlier, used, later, other purpose, other user, open are {open:?}"
    );
    Ok(())
}

async fn undo_spares_earlier_tokens(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, store) = with_tokens(backend).await?;
    let open = use_the_second(&*store, Purpose::UndoEmailChange, Purpose::ResetPassword).await?;
    ensure!(
        open == [true, false, false, true, true],
        "of earlier, used, later, other purpose, other user, open are {open:?}"
    );
    Ok(())
}

async fn ends_tokens_of_a_purpose(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, store) = with_tokens(backend).await?;
    let (ada, bob) = (some_id()?, some_id()?);
    let ended = [token(ada, Purpose::ChangeEmail, 1)?, token(ada, Purpose::VerifyEmail, 2)?];
    let spared = [token(ada, Purpose::UndoEmailChange, 1)?, token(bob, Purpose::ChangeEmail, 1)?];
    let all: Vec<_> = ended.iter().chain(&spared).collect();
    write(&*store, with(&all, &[])).await?;
    let new = token(ada, Purpose::ChangeEmail, 3)?;
    write(&*store, SideEffects { end: Some(end(ada)), ..with(&[&new], &[]) }).await?;
    for token in &ended {
        ensure!(!is_open(&*store, token).await?, "a token that ended is open: {token:?}");
        ensure!(!store.write(using(token, 5)?).await.map_err(unexpected)?, "a token that ended was used");
    }
    for token in spared.iter().chain([&new]) {
        ensure!(
            is_open(&*store, token).await?,
            "another token ended, or one that was made in the same call: {token:?}"
        );
    }
    Ok(())
}

/// The end of the tokens of a user that confirm an address.
fn end(user_id: UserId) -> auth_core::recovery::EndTokens {
    let purposes = vec![Purpose::ChangeEmail, Purpose::VerifyEmail];
    auth_core::recovery::EndTokens { user_id, purposes, at: at(3) }
}

async fn latest_token_with_a_code_is_found(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, store) = with_tokens(backend).await?;
    let ada = some_id()?;
    let (old, last) = (token(ada, Purpose::ResetPassword, 1)?, token(ada, Purpose::ResetPassword, 2)?);
    let no_code = StoredOneTimeToken { code_hash: None, ..token(ada, Purpose::ResetPassword, 3)? };
    let other = token(ada, Purpose::VerifyEmail, 4)?;
    let elsewhere =
        StoredOneTimeToken { sent_to: Some(email("bob@example.org")?), ..token(ada, Purpose::ResetPassword, 5)? };
    write(&*store, with(&[&last, &old, &no_code, &other, &elsewhere], &[])).await?;
    let latest = async |address: &str| {
        store.find_latest(&email(address)?, Purpose::ResetPassword, at(10)).await.map_err(unexpected)
    };
    let found = latest("ADA@example.org").await?;
    ensure!(found.as_ref() == Some(&last), "the latest token is {found:?}");
    let found = latest("eve@example.org").await?;
    ensure!(found.is_none(), "an address that got no letter has {found:?}");
    Ok(())
}

async fn open_tokens_are_listed(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, store) = with_tokens(backend).await?;
    let (ada, bob) = (some_id()?, some_id()?);
    let (old, new, used) = (
        token(ada, Purpose::VerifyEmail, 1)?,
        token(ada, Purpose::ChangeEmail, 3)?,
        token(ada, Purpose::ResetPassword, 2)?,
    );
    let foreign = token(bob, Purpose::VerifyEmail, 2)?;
    write(&*store, with(&[&old, &new, &used, &foreign], &[])).await?;
    store.write(using(&used, 5)?).await.map_err(unexpected)?;
    let listed = store.open_tokens(ada, at(10)).await.map_err(unexpected)?;
    ensure!(listed == [new, old], "the list is {listed:?}");
    let many = (0..=u64::from(MAX_OPEN_TOKENS)).map(|second| token(bob, Purpose::ChangeEmail, second));
    let many = many.collect::<Result<Vec<_>, _>>()?;
    write(&*store, with(&many.iter().collect::<Vec<_>>(), &[])).await?;
    let listed = store.open_tokens(bob, at(500)).await.map_err(unexpected)?.len();
    ensure!(listed == MAX_OPEN_TOKENS as usize, "of more than {MAX_OPEN_TOKENS} open tokens {listed} are listed");
    Ok(())
}

async fn unusable_token_writes_nothing(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, store) = with_tokens(backend).await?;
    let ada = some_id()?;
    let (used, kept, new) = (
        token(ada, Purpose::ResetPassword, 1)?,
        token(ada, Purpose::ChangeEmail, 1)?,
        token(ada, Purpose::VerifyEmail, 2)?,
    );
    write(&*store, with(&[&used, &kept], &[])).await?;
    store.write(using(&used, 5)?).await.map_err(unexpected)?;
    let effects = SideEffects { end: Some(end(ada)), tokens: vec![new.clone()], ..using(&used, 6)? };
    ensure!(!store.write(effects).await.map_err(unexpected)?, "a token was used twice");
    ensure!(is_open(&*store, &kept).await?, "a write that was refused ended a token");
    ensure!(!is_open(&*store, &new).await?, "a write that was refused wrote a token");
    Ok(())
}

async fn purges_expired_tokens_only(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, store) = with_tokens(backend).await?;
    let ada = some_id()?;
    let (open, used) = (token(ada, Purpose::ResetPassword, 1)?, token(ada, Purpose::VerifyEmail, 1)?);
    let live = StoredOneTimeToken { expires_at: at(2 * EXPIRY), ..token(ada, Purpose::ChangeEmail, 1)? };
    write(&*store, with(&[&open, &used, &live], &[])).await?;
    store.write(using(&used, 5)?).await.map_err(unexpected)?;
    let purge = async |seconds, limit| store.purge(at(seconds), limit).await.map_err(unexpected);
    for (seconds, limit, expected) in
        [(EXPIRY, 10, 0), (EXPIRY + 1, 0, 0), (EXPIRY + 1, 1, 1), (EXPIRY + 1, 1, 1), (EXPIRY + 1, 10, 0)]
    {
        let removed = purge(seconds, limit).await?;
        ensure!(removed == expected, "a purge of {limit} at {seconds} s removed {removed} in place of {expected}");
    }
    ensure!(is_open(&*store, &live).await?, "a token was purged that has not expired");
    Ok(())
}

async fn tokens_are_seen_by_other_nodes(backend: &dyn Backend) -> Result<(), CheckError> {
    let ((_, near), (_, far)) = (with_tokens(backend).await?, with_tokens(backend).await?);
    let shared = token(some_id()?, Purpose::ResetPassword, 1)?;
    write(&*near, with(&[&shared], &[])).await?;
    ensure!(is_open(&*near, &shared).await? && is_open(&*far, &shared).await?, "another node does not see the token");
    ensure!(far.write(using(&shared, 5)?).await.map_err(unexpected)?, "another node cannot use the token");
    ensure!(!is_open(&*near, &shared).await?, "another node does not see that the token was used");
    ensure!(!near.write(using(&shared, 6)?).await.map_err(unexpected)?, "the token was used on two nodes");
    Ok(())
}

async fn abandoned_use_is_whole_or_nothing(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, store) = with_tokens(backend).await?;
    for turns in patience() {
        let (old, new) =
            (token(some_id()?, Purpose::UndoEmailChange, 1)?, token(some_id()?, Purpose::ResetPassword, 2)?);
        write(&*store, with(&[&old], &[])).await?;
        let effects = SideEffects { tokens: vec![new.clone()], ..using(&old, 5)? };
        let finished = give_up_after(turns, store.write(effects)).await;
        // The write may still be under way: the new token is looked for before and after the old one.
        let before = is_open(&*store, &new).await?;
        let is_used = !is_open(&*store, &old).await?;
        let after = is_open(&*store, &new).await?;
        ensure!(
            before != after || is_used == after,
            "given up after {turns} turns: used is {is_used}, written is {after}"
        );
        if let Some(result) = finished {
            ensure!(result.map_err(unexpected)?, "a token could not be used");
            return Ok(());
        }
    }
    Ok(())
}

async fn tokens_in_an_outage_are_unknown(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, store) = with_tokens(backend).await?;
    let known = token(some_id()?, Purpose::ResetPassword, 1)?;
    write(&*store, with(&[&known], &[])).await?;
    if !backend.cut_off().await {
        return Err(CANNOT_CUT);
    }
    let kind = StoreErrorKind::Unavailable;
    failed("write", kind, store.write(using(&known, 5)?).await)?;
    failed("find", kind, store.find(known.digest, at(5)).await)?;
    failed("find_latest", kind, store.find_latest(&email("ada@example.org")?, known.purpose, at(5)).await)?;
    failed("open_tokens", kind, store.open_tokens(known.user_id, at(5)).await)?;
    failed("purge", kind, store.purge(at(EXPIRY + 1), 10).await)
}

async fn damaged_token_is_an_error(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, store) = with_tokens(backend).await?;
    let damaged = token(some_id()?, Purpose::ResetPassword, 1)?;
    write(&*store, with(&[&damaged], &[])).await?;
    if !backend.damage(Row::OneTimeToken(damaged.id)).await {
        return Err(CANNOT_DAMAGE);
    }
    let kind = StoreErrorKind::Corrupt;
    failed("find", kind, store.find(damaged.digest, at(5)).await)?;
    failed("find_latest", kind, store.find_latest(&email("ada@example.org")?, damaged.purpose, at(5)).await)?;
    failed("open_tokens", kind, store.open_tokens(damaged.user_id, at(5)).await)
}
