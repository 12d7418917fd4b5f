//! The rules of [`PersonalTokenStore`]. They need [`Backend::personal_tokens`].

use std::sync::Arc;
use std::time::Duration;

use auth_core::blacklist::{Position, RevocationTarget};
use auth_core::personal::{PersonalToken, PersonalTokenDigest, StoredPersonalToken};
use auth_core::{
    Claims, Generation, Grants, PersonalTokenId, PersonalTokenStore, Scopes, StoreErrorKind, TokenKind, UserId,
};
use time::OffsetDateTime;

use super::cancellation::patience;
use super::executor::{give_up_after, race};
use super::faults::{CANNOT_CUT, CANNOT_DAMAGE, failed};
use super::samples::{claims_of, covers, insert, instant, revoke_all, some_id, unexpected, whole};
use super::{Backend, CheckError, Row, StoresUnderTest, ensure, rules};

rules! { ($) __conformance_personal_tokens:
    personal_tokens_are_kept_exactly:
        "a personal token is found by its digest exactly as inserted, and an unknown digest is None",
        "a personal token lives longer than it should, or allows what its user did not give it";
    personal_tokens_are_limited:
        "of many insertions at once no more succeed than the limit allows",
        "a loop fills the table, and nobody can read the list any more";
    dead_personal_tokens_make_room:
        "an insertion counts no token that has expired or has a lower generation, and removes those of its user",
        "a user whose tokens are all dead cannot make another one";
    ended_users_get_no_personal_token:
        "an insertion for a user and a generation whose tokens an entry of the log has ended inserts nothing",
        "a token that is made while its user is deleted stays in the table for a year";
    personal_token_ends_with_an_entry:
        "a deletion removes the token of this user alone and appends its end, and one that removes nothing appends nothing",
        "a deleted token is accepted elsewhere, or anybody deletes the tokens of others";
    appended_end_deletes_the_personal_token:
        "an entry for the session of a personal token that is appended deletes the token",
        "a deletion that was lost and appended again leaves the token good";
    missing_personal_token_is_covered:
        "the claims of a personal token are covered while there is no such token, and those of others are not",
        "a purge of the log revives a deleted token where memory is too old to tell";
    lists_usable_personal_tokens:
        "a list has the tokens of one user that can be used, the one that was made last first, and at most as many as asked for",
        "a user looks at dead tokens and at those of others, and misses the one that leaked";
    use_of_a_personal_token_moves_forward:
        "the time of the last use moves forward only, and the use of an unknown token is ignored",
        "a late write hides a recent use, and the user deletes a token that a program needs";
    purge_spares_usable_personal_tokens:
        "a purge removes at most as many tokens as asked for, and none that expires at the given moment or later",
        "a purge ends a token before its time";
    personal_tokens_are_seen_by_other_nodes:
        "a token that one node has inserted or deleted is so for every other node at once",
        "a new token is refused by the next machine, or a deleted one is accepted";
    abandoned_personal_deletion_is_whole_or_nothing:
        "a deletion that is given up half-way has removed the token and appended its end, or neither",
        "the token looks deleted and is accepted wherever it was used lately";
    deletion_takes_personal_tokens:
        "the deletion of a user deletes the personal tokens of this user and of nobody else",
        "names that a deleted user gave their tokens stay for ever";
    personal_tokens_in_an_outage_are_unknown:
        "a store of personal tokens that cannot be reached says so: every call is an error of kind Unavailable",
        "an outage looks like 'no such token', and programs throw good tokens away";
    damaged_personal_token_is_an_error:
        "a row that makes no personal token is an error of kind Corrupt",
        "a damaged row looks like 'no such token', and a program throws a good token away";
}

async fn open(backend: &dyn Backend) -> Result<(StoresUnderTest, Arc<dyn PersonalTokenStore>), CheckError> {
    let stores = backend.open().await;
    let tokens = backend.personal_tokens().await;
    let tokens = tokens.ok_or(CheckError::NotTried("Backend::personal_tokens says that there is no such store"))?;
    Ok((stores, tokens))
}

fn at(seconds: u64) -> OffsetDateTime {
    instant() + Duration::from_secs(seconds)
}

/// Returns a token of a user that expires after 9,000 seconds, and has the generation 3.
fn token(user_id: UserId) -> Result<StoredPersonalToken, CheckError> {
    let id = PersonalTokenId::generate().map_err(unexpected)?;
    let token = PersonalToken {
        id,
        user_id,
        name: "nightly báckup ☃".parse().map_err(unexpected)?,
        scopes: "orders:read editor".parse().map_err(unexpected)?,
        roles: "admin auditor".parse().map_err(unexpected)?,
        generation: Generation::new(3),
        created_at: at(0) + Duration::from_micros(123_457),
        expires_at: at(9_000),
        last_used_at: None,
    };
    let half = id.as_uuid().into_bytes();
    let mut digest = [0; 32];
    digest[..16].copy_from_slice(&half);
    digest[16..].copy_from_slice(&half);
    Ok(StoredPersonalToken { token, digest: PersonalTokenDigest(digest) })
}

fn changed(user_id: UserId, change: impl FnOnce(&mut PersonalToken)) -> Result<StoredPersonalToken, CheckError> {
    let mut stored = token(user_id)?;
    change(&mut stored.token);
    Ok(stored)
}

/// Returns the claims that a look-up makes of a token.
fn claims(token: &PersonalToken) -> Result<Claims, CheckError> {
    let grants = Grants { kind: TokenKind::Personal, ..Grants::default() };
    let claims = claims_of(token.user_id, token.generation)?;
    Ok(Claims { session_id: Some(token.id.session()), expires_at: at(900), grants: Some(Arc::new(grants)), ..claims })
}

async fn inserted(tokens: &dyn PersonalTokenStore, new: &StoredPersonalToken) -> Result<(), CheckError> {
    let done = tokens.insert(new.clone(), 50).await.map_err(unexpected)?;
    ensure!(done, "a token below the limit was not inserted");
    Ok(())
}

async fn found(tokens: &dyn PersonalTokenStore, of: &StoredPersonalToken) -> Result<Option<PersonalToken>, CheckError> {
    tokens.find(of.digest).await.map_err(unexpected)
}

async fn personal_tokens_are_kept_exactly(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, tokens) = open(backend).await?;
    let used = changed(some_id()?, |token| token.last_used_at = Some(at(7) + Duration::from_micros(11)))?;
    let bare = changed(some_id()?, |token| (token.scopes, token.roles) = Default::default())?;
    let only_roles = changed(some_id()?, |token| token.scopes = Scopes::default())?;
    for stored in [&used, &bare, &only_roles] {
        inserted(&*tokens, stored).await?;
    }
    for stored in [&used, &bare, &only_roles] {
        let found = found(&*tokens, stored).await?;
        ensure!(found.as_ref() == Some(&stored.token), "inserted {stored:?} and read {found:?}");
    }
    let unknown = found(&*tokens, &token(some_id()?)?).await?;
    ensure!(unknown.is_none(), "an unknown digest gave {unknown:?}");
    Ok(())
}

async fn personal_tokens_are_limited(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, tokens) = open(backend).await?;
    let user_id = some_id()?;
    inserted(&*tokens, &token(some_id()?)?).await?;
    let rivals = (0..8).map(|_| token(user_id)).collect::<Result<Vec<_>, _>>()?;
    let rivals = rivals.into_iter().map(|new| {
        let tokens = Arc::clone(&tokens);
        async move { tokens.insert(new, 3).await }
    });
    let mut won = 0;
    for outcome in race(backend, rivals).await? {
        won += u32::from(outcome.map_err(unexpected)?);
    }
    let listed = tokens.list(user_id, Generation::new(3), at(1), 10).await.map_err(unexpected)?.len();
    ensure!((won, listed) == (3, 3), "with a limit of 3, {won} insertions succeeded, and {listed} tokens are there");
    Ok(())
}

async fn dead_personal_tokens_make_room(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, tokens) = open(backend).await?;
    let user_id = some_id()?;
    let expired = changed(user_id, |token| token.expires_at = at(100))?;
    let ended = changed(user_id, |token| token.generation = Generation::new(2))?;
    let of_other = changed(some_id()?, |token| token.expires_at = at(100))?;
    for stored in [&expired, &ended, &of_other] {
        inserted(&*tokens, stored).await?;
    }
    let late = |token: &mut PersonalToken| token.created_at = at(100);
    let new = changed(user_id, late)?;
    ensure!(tokens.insert(new.clone(), 1).await.map_err(unexpected)?, "dead tokens were counted");
    ensure!(found(&*tokens, &expired).await?.is_none(), "a token that has expired was left");
    ensure!(found(&*tokens, &ended).await?.is_none(), "a token of a lower generation was left");
    ensure!(found(&*tokens, &of_other).await?.is_some(), "a token of another user was removed");
    ensure!(found(&*tokens, &new).await?.is_some(), "the new token is not there");
    ensure!(!tokens.insert(changed(user_id, late)?, 1).await.map_err(unexpected)?, "a usable token was not counted");
    Ok(())
}

async fn ended_users_get_no_personal_token(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, tokens) = open(backend).await?;
    let (user_id, other) = (some_id()?, some_id()?);
    stores.log.append(&[revoke_all().entry(user_id, Generation::new(4))]).await.map_err(unexpected)?;
    let late = token(user_id)?;
    let done = tokens.insert(late.clone(), 50).await.map_err(unexpected)?;
    ensure!(!done, "a token of generation 3 was inserted after the entry that ends those below 4");
    ensure!(found(&*tokens, &late).await?.is_none(), "a token that was not inserted is there");
    for stored in [token(other)?, changed(user_id, |token| token.generation = Generation::new(4))?] {
        inserted(&*tokens, &stored).await?;
    }
    let ada = insert(&*stores.users, "ada").await?;
    stores.users.delete(ada.id, revoke_all()).await.map_err(unexpected)?;
    let late = changed(ada.id, |token| token.generation = ada.generation)?;
    let done = tokens.insert(late, 50).await.map_err(unexpected)?;
    ensure!(!done, "a token of a deleted user was inserted");
    Ok(())
}

async fn personal_token_ends_with_an_entry(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, tokens) = open(backend).await?;
    let user_id = some_id()?;
    let (stored, other) = (token(user_id)?, token(user_id)?);
    for stored in [&stored, &other] {
        inserted(&*tokens, stored).await?;
    }
    let id = stored.token.id;
    let foreign = tokens.delete(some_id()?, id, at(10)).await.map_err(unexpected)?;
    ensure!(foreign.is_none(), "another user deleted the token: {foreign:?}");
    ensure!(found(&*tokens, &stored).await?.is_some(), "another user deleted the token");
    let end = tokens.delete(user_id, id, at(10)).await.map_err(unexpected)?;
    let expected = PersonalToken::end(id, at(10));
    ensure!(end == Some(expected), "a deletion returned {end:?} in place of {expected:?}");
    let again = tokens.delete(user_id, id, at(20)).await.map_err(unexpected)?;
    ensure!(again.is_none(), "the second deletion returned {again:?}");
    let (head, entries) = whole(&*stores.log).await?;
    ensure!(head == Position(1), "one deletion moved the head to {head:?}");
    ensure!(entries.last().is_some_and(|(_, entry)| *entry == expected), "the log holds {entries:?}");
    ensure!(found(&*tokens, &stored).await?.is_none(), "the token is still there");
    ensure!(covers(&*stores.log, &claims(&stored.token)?).await?, "the claims of the token are good");
    ensure!(found(&*tokens, &other).await?.is_some(), "another token of the user is gone");
    ensure!(!covers(&*stores.log, &claims(&other.token)?).await?, "another token of the user is covered");
    Ok(())
}

async fn appended_end_deletes_the_personal_token(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, tokens) = open(backend).await?;
    let (stored, other) = (token(some_id()?)?, token(some_id()?)?);
    for stored in [&stored, &other] {
        inserted(&*tokens, stored).await?;
    }
    stores.log.append(&[PersonalToken::end(stored.token.id, at(10))]).await.map_err(unexpected)?;
    ensure!(found(&*tokens, &stored).await?.is_none(), "the token is still there");
    ensure!(found(&*tokens, &other).await?.is_some(), "another token is gone");
    Ok(())
}

async fn missing_personal_token_is_covered(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, tokens) = open(backend).await?;
    let (stored, missing) = (token(some_id()?)?, token(some_id()?)?);
    inserted(&*tokens, &stored).await?;
    ensure!(!covers(&*stores.log, &claims(&stored.token)?).await?, "the claims of a token are covered");
    ensure!(covers(&*stores.log, &claims(&missing.token)?).await?, "the claims of a missing token are good");
    let of_login = Claims { grants: None, ..claims(&missing.token)? };
    ensure!(!covers(&*stores.log, &of_login).await?, "the claims of a login are covered");
    Ok(())
}

async fn lists_usable_personal_tokens(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, tokens) = open(backend).await?;
    let (ada, bob) = (some_id()?, some_id()?);
    let old = changed(ada, |token| token.created_at = at(2))?;
    let new = changed(ada, |token| token.created_at = at(7))?;
    let expired = changed(ada, |token| token.expires_at = at(100))?;
    let of_bob = token(bob)?;
    let ended = changed(ada, |token| token.generation = Generation::new(4))?;
    for stored in [&old, &new, &expired, &of_bob, &ended] {
        inserted(&*tokens, stored).await?;
    }
    let listed = tokens.list(ada, Generation::new(4), at(10), 10).await.map_err(unexpected)?;
    ensure!(listed == [ended.token], "the list of the new generation is {listed:?}");
    for stored in [&old, &new] {
        // The insertion of a token of a higher generation has removed them.
        inserted(&*tokens, stored).await?;
    }
    let listed = tokens.list(ada, Generation::new(3), at(100), 10).await.map_err(unexpected)?;
    ensure!(listed == [new.token.clone(), old.token], "the list is {listed:?}");
    let first = tokens.list(ada, Generation::new(3), at(100), 1).await.map_err(unexpected)?;
    ensure!(first == [new.token], "the first one is {first:?}");
    Ok(())
}

async fn use_of_a_personal_token_moves_forward(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, tokens) = open(backend).await?;
    let (stored, other) = (token(some_id()?)?, token(some_id()?)?);
    for stored in [&stored, &other] {
        inserted(&*tokens, stored).await?;
    }
    for (used, expected) in [(20, 20), (10, 20), (30, 30)] {
        tokens.record_use(stored.token.id, at(used)).await.map_err(unexpected)?;
        let last = found(&*tokens, &stored).await?.and_then(|token| token.last_used_at);
        ensure!(last == Some(at(expected)), "after a use at {used} the last one is {last:?}");
    }
    let untouched = found(&*tokens, &other).await?;
    ensure!(untouched == Some(other.token), "the use of another token was recorded");
    tokens.record_use(PersonalTokenId::generate().map_err(unexpected)?, at(5)).await.map_err(unexpected)
}

async fn purge_spares_usable_personal_tokens(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, tokens) = open(backend).await?;
    let (first, second) = (token(some_id()?)?, token(some_id()?)?);
    let live = changed(some_id()?, |token| token.expires_at = at(9_001))?;
    for stored in [&first, &second, &live] {
        inserted(&*tokens, stored).await?;
    }
    let purge = async |seconds, limit| tokens.purge(at(seconds), limit).await.map_err(unexpected);
    ensure!(purge(9_000, 10).await? == 0, "a token was purged that expires at the given moment");
    ensure!(purge(9_001, 0).await? == 0, "a purge of none removed a token");
    for expected in [1, 1, 0] {
        let removed = purge(9_001, 1).await?;
        ensure!(removed == expected, "a purge of one removed {removed} in place of {expected}");
    }
    ensure!(found(&*tokens, &live).await?.is_some(), "a purge removed a usable token");
    Ok(())
}

async fn personal_tokens_are_seen_by_other_nodes(backend: &dyn Backend) -> Result<(), CheckError> {
    let ((_, near), (_, far)) = (open(backend).await?, open(backend).await?);
    let stored = token(some_id()?)?;
    inserted(&*near, &stored).await?;
    ensure!(found(&*far, &stored).await? == Some(stored.token.clone()), "another node does not see the token");
    near.delete(stored.token.user_id, stored.token.id, at(10)).await.map_err(unexpected)?;
    ensure!(found(&*far, &stored).await?.is_none(), "another node does not see the deletion");
    Ok(())
}

async fn abandoned_personal_deletion_is_whole_or_nothing(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, tokens) = open(backend).await?;
    for turns in patience() {
        let stored = token(some_id()?)?;
        let PersonalToken { id, user_id, .. } = stored.token;
        inserted(&*tokens, &stored).await?;
        let finished = give_up_after(turns, tokens.delete(user_id, id, at(10))).await;
        // The deletion may still be under way: it is looked for in the log before and after the token was read.
        let logged = async || -> Result<bool, CheckError> {
            let (_, entries) = whole(&*stores.log).await?;
            Ok(entries.iter().any(|(_, entry)| entry.target == RevocationTarget::Session(id.session())))
        };
        let before = logged().await?;
        let deleted = found(&*tokens, &stored).await?.is_none();
        let after = logged().await?;
        ensure!(
            before != after || deleted == after,
            "given up after {turns} turns: deleted is {deleted}, and in the log is {after}"
        );
        if let Some(result) = finished {
            result.map_err(unexpected)?;
            return Ok(());
        }
        tokens.delete(user_id, id, at(10)).await.map_err(unexpected)?;
        let left = found(&*tokens, &stored).await?;
        ensure!(left.is_none() && logged().await?, "given up after {turns} turns and repeated, the token is {left:?}");
    }
    Ok(())
}

async fn deletion_takes_personal_tokens(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, tokens) = open(backend).await?;
    let (ada, bob) = (insert(&*stores.users, "ada").await?, insert(&*stores.users, "bob").await?);
    let (of_ada, of_bob) = (token(ada.id)?, token(bob.id)?);
    for stored in [&of_ada, &of_bob] {
        inserted(&*tokens, stored).await?;
    }
    stores.users.delete(ada.id, revoke_all()).await.map_err(unexpected)?;
    ensure!(found(&*tokens, &of_ada).await?.is_none(), "a token of a deleted user is left");
    ensure!(found(&*tokens, &of_bob).await?.is_some(), "the deletion of a user took a token of another");
    Ok(())
}

async fn personal_tokens_in_an_outage_are_unknown(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, tokens) = open(backend).await?;
    let stored = token(some_id()?)?;
    let PersonalToken { id, user_id, .. } = stored.token;
    inserted(&*tokens, &stored).await?;
    if !backend.cut_off().await {
        return Err(CANNOT_CUT);
    }
    let kind = StoreErrorKind::Unavailable;
    failed("insert", kind, tokens.insert(stored.clone(), 50).await)?;
    failed("find", kind, tokens.find(stored.digest).await)?;
    failed("record_use", kind, tokens.record_use(id, at(10)).await)?;
    failed("delete", kind, tokens.delete(user_id, id, at(10)).await)?;
    failed("list", kind, tokens.list(user_id, Generation::new(3), at(10), 10).await)?;
    failed("purge", kind, tokens.purge(at(10_000), 10).await)
}

async fn damaged_personal_token_is_an_error(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, tokens) = open(backend).await?;
    let stored = token(some_id()?)?;
    let PersonalToken { id, user_id, .. } = stored.token;
    inserted(&*tokens, &stored).await?;
    if !backend.damage(Row::PersonalToken(id)).await {
        return Err(CANNOT_DAMAGE);
    }
    failed("find", StoreErrorKind::Corrupt, tokens.find(stored.digest).await)?;
    failed("list", StoreErrorKind::Corrupt, tokens.list(user_id, Generation::new(3), at(10), 10).await)
}
