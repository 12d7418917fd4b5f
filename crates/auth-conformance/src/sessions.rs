//! The rules of [`SessionStore`]. They need [`Backend::sessions`].

use std::sync::Arc;
use std::time::Duration;

use auth_core::blacklist::{Position, RevocationReason, RevocationTarget};
use auth_core::session::{
    Predecessor, RefreshState, RefreshToken, Rotation, RotationSalt, Session, SessionEnd, StoredSession,
};
use auth_core::{Claims, Generation, Revocation, SessionId, SessionStore, StoreErrorKind, TokenId, UserId};
use time::OffsetDateTime;

use super::cancellation::patience;
use super::executor::{give_up_after, race};
use super::faults::{CANNOT_CUT, CANNOT_DAMAGE, failed};
use super::samples::{claims_of, covers, instant, some_id, unexpected, whole};
use super::{Backend, CheckError, Row, StoresUnderTest, ensure, rules};

rules! { ($) __conformance_sessions:
    sessions_are_kept_exactly:
        "a session is read back exactly as inserted, of either kind, and an unknown id is None",
        "a session ends early, or a refresh token of another session is accepted";
    rotation_needs_the_current_token:
        "a rotation changes the session only if it uses the current token",
        "an old refresh token starts a second chain of tokens that nobody notices";
    one_rotation_wins:
        "of many rotations that use one token at once exactly one succeeds",
        "two tabs that refresh at once get two successors, and one of them is taken for theft";
    rotation_keeps_the_latest_expiry:
        "a rotation never lowers the latest expiry of the access tokens",
        "the entry that ends the session is forgotten before its last access token has expired";
    session_ends_with_an_entry:
        "the end of a session is appended to the log once, covers its tokens and no others, and the first end stays",
        "a logout is acknowledged and the access tokens of the session are accepted elsewhere";
    ended_session_is_not_rotated:
        "a session that has ended is not rotated",
        "a stolen refresh token goes on after the logout";
    appended_end_ends_the_session:
        "an entry for a session that is appended ends the session",
        "a logout that was lost and appended again leaves the refresh token good";
    lists_usable_sessions:
        "a list has the sessions of one user that can be used, the one that was used last first, and at most as many as asked for",
        "a user looks at sessions that ended long ago, and at those of others";
    purge_spares_needed_sessions:
        "a purge removes at most as many sessions as asked for, and none that is needed",
        "a purge logs out whoever came back after a week, or lets an ended session be refreshed";
    sessions_are_seen_by_other_nodes:
        "a session that one node has opened, rotated or ended is so for every other node at once",
        "a refresh on the next machine takes the current token for an old one";
    abandoned_end_is_whole_or_nothing:
        "an end that is given up half-way has ended the session and appended its entry, or neither",
        "the session looks ended and its access tokens are accepted everywhere";
    sessions_in_an_outage_are_unknown:
        "a session store that cannot be reached says so: every call is an error of kind Unavailable",
        "an outage looks like 'no such session', and every user has to log in again";
    damaged_session_is_an_error:
        "a row that makes no session is an error of kind Corrupt",
        "a damaged row looks like 'no such session', and a re-use of its tokens goes unnoticed";
}

async fn open(backend: &dyn Backend) -> Result<(StoresUnderTest, Arc<dyn SessionStore>), CheckError> {
    let stores = backend.open().await;
    let sessions =
        backend.sessions().await.ok_or(CheckError::NotTried("Backend::sessions says that there is no such store"))?;
    Ok((stores, sessions))
}

fn at(seconds: u64) -> OffsetDateTime {
    instant() + Duration::from_secs(seconds)
}

/// A renewable session of a user, and its first refresh token.
fn renewable(user_id: UserId) -> Result<(StoredSession, RefreshToken), CheckError> {
    let id = SessionId::generate().map_err(|error| CheckError::Broken(error.to_string()))?;
    let token = RefreshToken::first(id).map_err(|error| CheckError::Broken(error.to_string()))?;
    let micros = Duration::from_micros(123_457);
    let session = Session {
        id,
        user_id,
        generation: Generation::new(3),
        created_at: at(0) + micros,
        last_used_at: at(1) + micros,
        idle_until: at(5_000),
        ends_at: at(9_000),
        user_agent: Some("Mozilla/5.0 (X11; Línux ☃)".to_owned()),
        network: Some("2001:db8::/64".to_owned()),
        ended: None,
    };
    let refresh = RefreshState { family: token.family_digest(), current: token.own_digest(), predecessor: None };
    Ok((StoredSession { session, access_expires_at: at(900), refresh: Some(refresh) }, token))
}

fn rotation(used: &RefreshToken, salt: u8, seconds: u64) -> Rotation {
    let salt = RotationSalt([salt; 16]);
    Rotation {
        used: used.own_digest(),
        successor: used.successor(salt).own_digest(),
        salt,
        at: at(seconds),
        last_used_at: at(seconds),
        idle_until: at(seconds + 5_000),
        access_expires_at: at(seconds + 900),
    }
}

fn end(seconds: u64, reason: RevocationReason) -> SessionEnd {
    SessionEnd { at: at(seconds), reason }
}

/// The claims of an access token of a renewable session.
fn token_of(stored: &StoredSession) -> Result<Claims, CheckError> {
    let claims = claims_of(stored.session.user_id, stored.session.generation)?;
    Ok(Claims { session_id: Some(stored.session.id), expires_at: at(600), ..claims })
}

async fn sessions_are_kept_exactly(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, sessions) = open(backend).await?;
    let (renewable, token) = renewable(some_id()?)?;
    let mut rotated = renewable.clone();
    rotated.session.id = SessionId::generate().map_err(|error| CheckError::Broken(error.to_string()))?;
    rotated.refresh = rotated.refresh.map(|refresh| RefreshState {
        predecessor: Some(Predecessor { own: token.own_digest(), salt: RotationSalt([7; 16]), used_at: at(5) }),
        ..refresh
    });
    let mut single = renewable.clone();
    single.session.id = SessionId::generate().map_err(|error| CheckError::Broken(error.to_string()))?;
    (single.session.user_agent, single.session.network, single.refresh) = (None, None, None);
    for stored in [&renewable, &rotated, &single] {
        sessions.insert(stored.clone()).await.map_err(unexpected)?;
    }
    for stored in [&renewable, &rotated, &single] {
        let found = sessions.find(stored.session.id).await.map_err(unexpected)?;
        ensure!(found.as_ref() == Some(stored), "inserted {stored:?} and read {found:?}");
    }
    let unknown = SessionId::generate().map_err(|error| CheckError::Broken(error.to_string()))?;
    let found = sessions.find(unknown).await.map_err(unexpected)?;
    ensure!(found.is_none(), "an unknown id gave {found:?}");
    let ended = sessions.end(unknown, end(1, RevocationReason::Logout)).await.map_err(unexpected)?;
    ensure!(ended.is_none(), "the end of an unknown session gave {ended:?}");
    Ok(())
}

async fn rotation_needs_the_current_token(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, sessions) = open(backend).await?;
    let (stored, first) = renewable(some_id()?)?;
    let id = stored.session.id;
    sessions.insert(stored.clone()).await.map_err(unexpected)?;
    let (other, of_other) = renewable(some_id()?)?;
    sessions.insert(other.clone()).await.map_err(unexpected)?;
    let foreign = sessions.rotate(id, rotation(&of_other, 1, 10)).await.map_err(unexpected)?;
    ensure!(!foreign, "a token of another session was used");
    let rotation = rotation(&first, 2, 20);
    ensure!(sessions.rotate(id, rotation).await.map_err(unexpected)?, "the current token was not used");
    ensure!(!sessions.rotate(id, rotation).await.map_err(unexpected)?, "a token was used twice");
    let found = sessions.find(id).await.map_err(unexpected)?;
    let mut expected = stored;
    expected.session.last_used_at = rotation.last_used_at;
    expected.session.idle_until = rotation.idle_until;
    expected.access_expires_at = rotation.access_expires_at;
    let predecessor = Predecessor { own: rotation.used, salt: rotation.salt, used_at: rotation.at };
    expected.refresh = expected.refresh.map(|refresh| RefreshState {
        current: rotation.successor,
        predecessor: Some(predecessor),
        ..refresh
    });
    ensure!(found.as_ref() == Some(&expected), "after a rotation the session is {found:?}");
    let untouched = sessions.find(other.session.id).await.map_err(unexpected)?;
    ensure!(untouched == Some(other), "the rotation changed another session");
    Ok(())
}

async fn one_rotation_wins(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, sessions) = open(backend).await?;
    let (stored, first) = renewable(some_id()?)?;
    let id = stored.session.id;
    sessions.insert(stored).await.map_err(unexpected)?;
    let rivals = (0..12).map(|salt| {
        let (sessions, rotation) = (Arc::clone(&sessions), rotation(&first, salt, 10));
        async move { sessions.rotate(id, rotation).await }
    });
    let outcomes = race(backend, rivals).await?;
    let mut won = 0;
    for outcome in outcomes {
        won += u32::from(outcome.map_err(unexpected)?);
    }
    ensure!(won == 1, "{won} of 12 rotations succeeded");
    Ok(())
}

async fn rotation_keeps_the_latest_expiry(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, sessions) = open(backend).await?;
    let (stored, first) = renewable(some_id()?)?;
    let id = stored.session.id;
    sessions.insert(stored).await.map_err(unexpected)?;
    let earlier = Rotation { access_expires_at: at(30), ..rotation(&first, 1, 10) };
    sessions.rotate(id, earlier).await.map_err(unexpected)?;
    let found = sessions.find(id).await.map_err(unexpected)?.map(|stored| stored.access_expires_at);
    ensure!(found == Some(at(900)), "the latest expiry is {found:?}");
    let entry = sessions.end(id, end(20, RevocationReason::Logout)).await.map_err(unexpected)?;
    ensure!(entry.is_some_and(|entry| entry.expires_at == at(900)), "the entry is {entry:?}");
    Ok(())
}

async fn session_ends_with_an_entry(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, sessions) = open(backend).await?;
    let user_id = some_id()?;
    let ((renewed, _), (other, _), (mut single, _)) = (renewable(user_id)?, renewable(user_id)?, renewable(user_id)?);
    single.refresh = None;
    for stored in [&renewed, &other, &single] {
        sessions.insert(stored.clone()).await.map_err(unexpected)?;
    }
    let of_single = Claims {
        token_id: TokenId::from(single.session.id.as_uuid()),
        expires_at: single.access_expires_at,
        ..token_of(&single)?
    };
    for (position, (stored, target)) in [
        (&renewed, RevocationTarget::Session(renewed.session.id)),
        (&single, RevocationTarget::Token(of_single.token_id)),
    ]
    .into_iter()
    .enumerate()
    {
        let first = end(10, RevocationReason::SessionEnded);
        let expected =
            Revocation { target, expires_at: stored.access_expires_at, revoked_at: first.at, reason: first.reason };
        for later in [first, end(20, RevocationReason::Logout)] {
            let entry = sessions.end(stored.session.id, later).await.map_err(unexpected)?;
            ensure!(entry == Some(expected), "an end returned {entry:?} in place of {expected:?}");
        }
        let (head, entries) = whole(&*stores.log).await?;
        ensure!(head == Position(position as u64 + 1), "two ends of a session moved the head to {head:?}");
        ensure!(entries.last().is_some_and(|(_, entry)| *entry == expected), "the log holds {entries:?}");
    }
    ensure!(covers(&*stores.log, &token_of(&renewed)?).await?, "a token of the session is good");
    ensure!(covers(&*stores.log, &of_single).await?, "the only token of the session is good");
    ensure!(!covers(&*stores.log, &token_of(&other)?).await?, "a token of another session is covered");
    Ok(())
}

async fn ended_session_is_not_rotated(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, sessions) = open(backend).await?;
    let (stored, first) = renewable(some_id()?)?;
    let id = stored.session.id;
    sessions.insert(stored).await.map_err(unexpected)?;
    sessions.end(id, end(10, RevocationReason::Logout)).await.map_err(unexpected)?;
    ensure!(!sessions.rotate(id, rotation(&first, 1, 11)).await.map_err(unexpected)?, "an ended session was rotated");
    Ok(())
}

async fn appended_end_ends_the_session(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, sessions) = open(backend).await?;
    let (stored, first) = renewable(some_id()?)?;
    let id = stored.session.id;
    sessions.insert(stored.clone()).await.map_err(unexpected)?;
    let lost = end(10, RevocationReason::Logout);
    stores.log.append(&[stored.revocation(lost)]).await.map_err(unexpected)?;
    let found = sessions.find(id).await.map_err(unexpected)?.and_then(|stored| stored.session.ended);
    ensure!(found == Some(lost), "the session ended {found:?}");
    ensure!(!sessions.rotate(id, rotation(&first, 1, 11)).await.map_err(unexpected)?, "the session was rotated");
    ensure!(covers(&*stores.log, &token_of(&stored)?).await?, "a token of the session is good");
    Ok(())
}

async fn lists_usable_sessions(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, sessions) = open(backend).await?;
    let (ada, bob) = (some_id()?, some_id()?);
    let session = |user_id, change: &dyn Fn(&mut Session)| {
        renewable(user_id).map(|(mut stored, _)| {
            change(&mut stored.session);
            stored
        })
    };
    let (old, new) = (
        session(ada, &|session| session.last_used_at = at(2))?,
        session(ada, &|session| session.last_used_at = at(7))?,
    );
    let unusable = [
        session(ada, &|session| session.idle_until = at(100))?,
        session(ada, &|session| session.ends_at = at(100))?,
        session(ada, &|session| session.generation = Generation::new(2))?,
        session(bob, &|_| {})?,
    ];
    let ended = session(ada, &|_| {})?;
    for stored in [&old, &new, &ended].into_iter().chain(&unusable) {
        sessions.insert(stored.clone()).await.map_err(unexpected)?;
    }
    sessions.end(ended.session.id, end(10, RevocationReason::Logout)).await.map_err(unexpected)?;
    let listed = sessions.list(ada, Generation::new(3), at(100), 10).await.map_err(unexpected)?;
    ensure!(listed == [new.session.clone(), old.session], "the list is {listed:?}");
    let first = sessions.list(ada, Generation::new(3), at(100), 1).await.map_err(unexpected)?;
    ensure!(first == [new.session], "the first one is {first:?}");
    Ok(())
}

async fn purge_spares_needed_sessions(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, sessions) = open(backend).await?;
    let user_id = some_id()?;
    let ((idle, _), (ended, _), (live, token)) = (renewable(user_id)?, renewable(user_id)?, renewable(user_id)?);
    for stored in [&idle, &ended, &live] {
        sessions.insert(stored.clone()).await.map_err(unexpected)?;
    }
    sessions.end(ended.session.id, end(10, RevocationReason::Logout)).await.map_err(unexpected)?;
    sessions.rotate(live.session.id, rotation(&token, 1, 1_000)).await.map_err(unexpected)?;
    let purge = async |seconds, limit| sessions.purge(at(seconds), limit).await.map_err(unexpected);
    // An ended session is needed until its last access token has expired, any other one until it is idle.
    ensure!(purge(900, 10).await? == 0, "a session was purged that is needed");
    ensure!(purge(901, 10).await? == 1, "the ended session was not purged");
    ensure!(purge(5_000, 10).await? == 0, "a session was purged that is not idle");
    ensure!(purge(7_000, 0).await? == 0, "a purge of none removed a session");
    for expected in [1, 1, 0] {
        let removed = purge(7_000, 1).await?;
        ensure!(removed == expected, "a purge of one of two idle sessions removed {removed}");
    }
    Ok(())
}

async fn sessions_are_seen_by_other_nodes(backend: &dyn Backend) -> Result<(), CheckError> {
    let ((_, near), (_, far)) = (open(backend).await?, open(backend).await?);
    let (stored, first) = renewable(some_id()?)?;
    let id = stored.session.id;
    near.insert(stored.clone()).await.map_err(unexpected)?;
    ensure!(far.find(id).await.map_err(unexpected)? == Some(stored), "another node does not see the session");
    ensure!(far.rotate(id, rotation(&first, 1, 10)).await.map_err(unexpected)?, "another node cannot rotate");
    let predecessor = near.find(id).await.map_err(unexpected)?.and_then(|stored| stored.refresh?.predecessor);
    ensure!(predecessor.is_some_and(|before| before.own == first.own_digest()), "the rotation is not seen");
    far.end(id, end(20, RevocationReason::Logout)).await.map_err(unexpected)?;
    let ended = near.find(id).await.map_err(unexpected)?.and_then(|stored| stored.session.ended);
    ensure!(ended.is_some(), "another node does not see the end");
    Ok(())
}

async fn abandoned_end_is_whole_or_nothing(backend: &dyn Backend) -> Result<(), CheckError> {
    let (stores, sessions) = open(backend).await?;
    for turns in patience() {
        let (stored, _) = renewable(some_id()?)?;
        let id = stored.session.id;
        sessions.insert(stored.clone()).await.map_err(unexpected)?;
        let finished = give_up_after(turns, sessions.end(id, end(10, RevocationReason::Logout))).await;
        // The end may still be under way: it is looked for in the log before and after the session was read.
        let logged = async || -> Result<bool, CheckError> {
            let (_, entries) = whole(&*stores.log).await?;
            Ok(entries.iter().any(|(_, entry)| entry.target == RevocationTarget::Session(id)))
        };
        let before = logged().await?;
        let ended = sessions.find(id).await.map_err(unexpected)?.is_some_and(|stored| stored.session.ended.is_some());
        let after = logged().await?;
        ensure!(
            before != after || ended == after,
            "given up after {turns} turns: ended is {ended}, and in the log is {after}"
        );
        if let Some(result) = finished {
            result.map_err(unexpected)?;
            return Ok(());
        }
        let again = sessions.end(id, end(10, RevocationReason::Logout)).await.map_err(unexpected)?;
        ensure!(again.is_some(), "given up after {turns} turns and repeated, the end found no session");
    }
    Ok(())
}

async fn sessions_in_an_outage_are_unknown(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, sessions) = open(backend).await?;
    let (stored, first) = renewable(some_id()?)?;
    let (id, user_id) = (stored.session.id, stored.session.user_id);
    sessions.insert(stored.clone()).await.map_err(unexpected)?;
    if !backend.cut_off().await {
        return Err(CANNOT_CUT);
    }
    let kind = StoreErrorKind::Unavailable;
    failed("insert", kind, sessions.insert(stored).await)?;
    failed("find", kind, sessions.find(id).await)?;
    failed("rotate", kind, sessions.rotate(id, rotation(&first, 1, 10)).await)?;
    failed("end", kind, sessions.end(id, end(10, RevocationReason::Logout)).await)?;
    failed("list", kind, sessions.list(user_id, Generation::new(3), at(10), 10).await)?;
    failed("purge", kind, sessions.purge(at(10_000), 10).await)
}

async fn damaged_session_is_an_error(backend: &dyn Backend) -> Result<(), CheckError> {
    let (_, sessions) = open(backend).await?;
    let (stored, _) = renewable(some_id()?)?;
    let (id, user_id) = (stored.session.id, stored.session.user_id);
    sessions.insert(stored).await.map_err(unexpected)?;
    if !backend.damage(Row::Session(id)).await {
        return Err(CANNOT_DAMAGE);
    }
    failed("find", StoreErrorKind::Corrupt, sessions.find(id).await)?;
    failed("list", StoreErrorKind::Corrupt, sessions.list(user_id, Generation::new(3), at(10), 10).await)
}
