//! The rules of [`RevocationLog`](auth_core::RevocationLog).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join;

use super::executor::{pass, race};
use super::samples::{
    claims_of, covers, everywhere, insert, instant, logout_of, logouts, of_store, revoke_all, some_claims, unexpected,
    whole,
};
use super::{Backend, CheckError, StoresUnderTest, ensure, rules};
use auth_core::blacklist::{LogEntry, Position, RevocationReason, RevocationTarget};
use auth_core::{Claims, Generation, KeyId, Revocation, SideEffects, UserChange};

rules! { ($) __conformance_log:
    reads_your_writes:
        "what append acknowledged is covered and read at once",
        "a token is accepted after its logout was answered";
    keeps_every_field:
        "an entry is read back exactly as appended, for every reason",
        "an entry is forgotten before its token expires";
    appending_is_idempotent:
        "a target that is in the log is not appended again, not even within one batch",
        "every repetition of a logout makes the log longer";
    positions_are_consecutive:
        "positions count appended entries from one, and a page starts after the asked position",
        "a reader that remembers a position skips an entry";
    large_batches_are_kept_whole:
        "a batch of more than a thousand is appended whole and in its order",
        "a limit of the database on one statement loses the logouts of a busy second";
    gapless_under_concurrency:
        "a reader that polls by position beside many writers misses nothing",
        "an entry that commits late is never seen by other nodes";
    changes_take_their_turn:
        "changes of users and logouts at once share one order without gap or repetition",
        "a password change takes the position of a logout, and one of the two is never read";
    races_append_once:
        "many who append one target at once append it once",
        "two nodes that log out one token make two entries, or one of them fails";
    generations_have_entries_of_their_own:
        "each generation of a user is a target of its own, and covers what is below it only",
        "the second logout everywhere revokes nothing, or the next login is refused";
    entry_of_a_key_covers_its_tokens:
        "an entry for a key is kept once, covers every token of that key and no other, also after it was purged",
        "a stolen key goes on to sign tokens that are accepted, or every session ends with it";
    entry_raises_the_generation:
        "an entry for a user that is appended raises the generation of the user, and never lowers it",
        "a logout everywhere that was lost and appended again locks the user out: every new token has the old generation";
    losses_are_recorded:
        "a recorded loss is in every page that any node reads, each one later than the one before, until it is acknowledged",
        "one node knows that logouts were lost, and the others do not append again what they remember";
    clock_is_shared:
        "the clock of the store is one for all nodes, if it has one",
        "a purge goes by the clock of a node that is hours ahead";
}

async fn reads_your_writes(backend: &dyn Backend) -> Result<(), CheckError> {
    let log = backend.open().await.log;
    let (revoked, good) = (some_claims()?, some_claims()?);
    ensure!(!covers(&*log, &revoked).await?, "an empty log covers a token");
    ensure!(log.append(&[logout_of(&revoked)]).await.map_err(unexpected)? == 1, "appending one was not one new");
    ensure!(covers(&*log, &revoked).await?, "the revoked token is not covered");
    ensure!(!covers(&*log, &good).await?, "another token is covered");
    let (head, entries) = whole(&*log).await?;
    ensure!(head == Position(1) && entries.len() == 1, "after one entry the log is {head:?}, {entries:?}");
    ensure!(log.append(&[]).await.map_err(unexpected)? == 0, "appending nothing was something");
    Ok(())
}

async fn keeps_every_field(backend: &dyn Backend) -> Result<(), CheckError> {
    let log = backend.open().await.log;
    let mut batch = Vec::new();
    for (number, reason) in (0..).zip(RevocationReason::ALL) {
        let later = Duration::from_secs(number);
        let revocation = logout_of(&some_claims()?);
        let revoked_at = revocation.revoked_at + Duration::from_micros(123_456);
        batch.push(Revocation { reason, expires_at: revocation.expires_at + later, revoked_at, ..revocation });
    }
    log.append(&batch).await.map_err(unexpected)?;
    let (_, entries) = whole(&*log).await?;
    let read: Vec<_> = entries.into_iter().map(|(_, revocation)| revocation).collect();
    ensure!(read == batch, "appended {batch:?} and read {read:?}");
    Ok(())
}

async fn appending_is_idempotent(backend: &dyn Backend) -> Result<(), CheckError> {
    let log = backend.open().await.log;
    let (one, two) = (logout_of(&some_claims()?), logout_of(&some_claims()?));
    ensure!(log.append(&[one, one]).await.map_err(unexpected)? == 1, "a target twice in a batch was not one new");
    ensure!(log.append(&[one, two]).await.map_err(unexpected)? == 1, "one known and one new was not one new");
    ensure!(log.append(&[two]).await.map_err(unexpected)? == 0, "a known target was new");
    let log = whole(&*log).await?;
    let expected = vec![(Position(1), one), (Position(2), two)];
    ensure!(log == (Position(2), expected), "two targets left the log as {log:?}");
    Ok(())
}

async fn positions_are_consecutive(backend: &dyn Backend) -> Result<(), CheckError> {
    let log = backend.open().await.log;
    for size in [1, 3, 2] {
        log.append(&logouts(size)?).await.map_err(unexpected)?;
    }
    for (after, limit, expected) in [(0, 100, 1..7), (2, 2, 3..5), (6, 100, 7..7), (60, 100, 61..61)] {
        let page = log.read_after(Position(after), limit).await.map_err(unexpected)?;
        let positions: Vec<_> = page.entries.iter().map(|entry| entry.position.0).collect();
        ensure!(positions == expected.collect::<Vec<_>>(), "reading after {after} gave the positions {positions:?}");
        ensure!(page.head == Position(6), "reading after {after} gave the head {:?}", page.head);
    }
    Ok(())
}

async fn large_batches_are_kept_whole(backend: &dyn Backend) -> Result<(), CheckError> {
    let log = backend.open().await.log;
    let batch = logouts(1_100)?;
    let appended = log.append(&batch).await.map_err(unexpected)?;
    ensure!(appended == 1_100, "of a batch of 1100 new targets {appended} were new");
    let (head, entries) = whole(&*log).await?;
    let read: Vec<_> = entries.into_iter().map(|(_, revocation)| revocation).collect();
    ensure!(head == Position(1_100), "a batch of 1100 left the head at {head:?}");
    ensure!(read == batch, "a batch of 1100 was read back as {} entries, or in another order", read.len());
    Ok(())
}

async fn gapless_under_concurrency(backend: &dyn Backend) -> Result<(), CheckError> {
    const WRITERS: usize = 12;
    const BATCHES: usize = 5;
    let stores = backend.open().await;
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        let (log, batches) = (stores.log.clone(), (0..BATCHES).map(|_| logouts(2)).collect::<Result<Vec<_>, _>>()?);
        writers.push(async move {
            for batch in batches {
                log.append(&batch).await?;
            }
            Ok(())
        });
    }
    let seen = poll_beside(backend, &stores, writers).await?;
    let all = WRITERS * BATCHES * 2;
    ensure!(seen == all, "{all} were appended and the polling reader saw {seen}");
    Ok(())
}

async fn changes_take_their_turn(backend: &dyn Backend) -> Result<(), CheckError> {
    const EACH: usize = 8;
    let stores = backend.open().await;
    let mut writers = Vec::new();
    for number in 0..EACH {
        let id = insert(&*stores.users, &format!("user{number}")).await?.id;
        let (users, log, batch) = (stores.users.clone(), stores.log.clone(), logouts(1)?);
        writers.push(async move {
            of_store(
                users.change_and_revoke(id, UserChange::LogoutEverywhere, revoke_all(), SideEffects::default()).await,
            )?;
            log.append(&batch).await?;
            Ok(())
        });
    }
    let seen = poll_beside(backend, &stores, writers).await?;
    ensure!(seen == EACH * 2, "{} were appended and the polling reader saw {seen}", EACH * 2);
    let (head, _) = whole(&*stores.log).await?;
    ensure!(head == Position(EACH as u64 * 2), "{} entries left the head at {head:?}", EACH * 2);
    Ok(())
}

/// Runs writers and, beside them, a reader that remembers the last position it saw. Returns how many entries it saw.
async fn poll_beside<F>(backend: &dyn Backend, stores: &StoresUnderTest, writers: Vec<F>) -> Result<usize, CheckError>
where
    F: Future<Output = Result<(), auth_core::StoreError>> + Send + 'static,
{
    let (count, done) = (writers.len(), Arc::new(AtomicUsize::new(0)));
    let counted: Vec<_> = writers
        .into_iter()
        .map(|writer| {
            let done = Arc::clone(&done);
            async move {
                let result = writer.await;
                done.fetch_add(1, Ordering::SeqCst);
                result
            }
        })
        .collect();
    let reader = async {
        let (mut last, mut seen) = (Position(0), 0);
        loop {
            let finished = done.load(Ordering::SeqCst) == count;
            let page = stores.log.read_after(last, 7).await.map_err(unexpected)?;
            for LogEntry { position, .. } in &page.entries {
                ensure!(*position > last, "{position:?} came after {last:?}");
                last = *position;
                seen += 1;
            }
            ensure!(page.head >= last, "the head {:?} is behind the entry {last:?}", page.head);
            if finished && page.entries.is_empty() {
                return Ok(seen);
            }
            // A reader that never waits would keep writers on this thread from their turns.
            pass(1).await;
        }
    };
    let (written, seen) = join(race(backend, counted), reader).await;
    for result in written? {
        result.map_err(unexpected)?;
    }
    seen
}

async fn races_append_once(backend: &dyn Backend) -> Result<(), CheckError> {
    let log = backend.open().await.log;
    let claims = some_claims()?;
    let racers = (0..12).map(|_| {
        let (log, claims) = (log.clone(), claims.clone());
        async move { log.append(&[logout_of(&claims)]).await }
    });
    let mut new = 0;
    for result in race(backend, racers.collect::<Vec<_>>()).await? {
        new += result.map_err(unexpected)?;
    }
    let (head, entries) = whole(&*log).await?;
    ensure!(
        (new, head, entries.len()) == (1, Position(1), 1),
        "twelve racers appended {new}, the head is {head:?} and the log holds {}",
        entries.len()
    );
    Ok(())
}

async fn entry_raises_the_generation(backend: &dyn Backend) -> Result<(), CheckError> {
    let stores = backend.open().await;
    let (ada, bob) = (insert(&*stores.users, "ada").await?, insert(&*stores.users, "bob").await?);
    for below in [3, 2] {
        stores.log.append(&[everywhere(ada.id, Generation::new(below))]).await.map_err(unexpected)?;
        let found = stores.users.find_by_id(ada.id).await.map_err(unexpected)?;
        let generation = found.map(|user| user.generation);
        ensure!(generation == Some(Generation::new(3)), "after an entry below {below} it is {generation:?}, not 3");
    }
    let found = stores.users.find_by_id(bob.id).await.map_err(unexpected)?;
    ensure!(found.as_ref() == Some(&bob), "another user is {found:?}");
    Ok(())
}

async fn losses_are_recorded(backend: &dyn Backend) -> Result<(), CheckError> {
    let (here, there) = (backend.open().await.log, backend.open().await.log);
    let mut last = None;
    for seconds in [60, 3600, 0] {
        let at = instant() + Duration::from_secs(seconds);
        here.mark_loss(Some(at)).await.map_err(unexpected)?;
        let page = there.read_after(Position(0), 1).await.map_err(unexpected)?;
        ensure!(page.lost >= Some(at) && page.lost > last, "after {last:?} and a loss at {at} the page says {page:?}");
        last = page.lost;
    }
    here.append(&logouts(1)?).await.map_err(unexpected)?;
    drop((here, there));
    let log = backend.open().await.log;
    let page = log.read_after(Position(0), 1).await.map_err(unexpected)?;
    ensure!(page.lost == last, "after a restart the page says {page:?} and not {last:?}");
    log.mark_loss(None).await.map_err(unexpected)?;
    let page = log.read_after(Position(0), 1).await.map_err(unexpected)?;
    ensure!(page.lost.is_none(), "acknowledged, the loss is still there: {page:?}");
    Ok(())
}

async fn clock_is_shared(backend: &dyn Backend) -> Result<(), CheckError> {
    let logs = [backend.open().await.log, backend.open().await.log];
    let mut last = None;
    for number in 0..4 {
        let now = logs[number % 2].now().await.map_err(unexpected)?;
        ensure!(number == 0 || last.is_some() == now.is_some() && last <= now, "after {last:?} the clock says {now:?}");
        last = now;
    }
    Ok(())
}

async fn entry_of_a_key_covers_its_tokens(backend: &dyn Backend) -> Result<(), CheckError> {
    let log = backend.open().await.log;
    let (stolen, other) = (KeyId::of_kid("stolen"), KeyId::of_kid("other"));
    let signed_with = |key| some_claims().map(|claims| Claims { key_id: Some(key), ..claims });
    let (of_stolen, of_other, of_none) = (signed_with(stolen)?, signed_with(other)?, some_claims()?);
    let expires_at = of_stolen.expires_at + Duration::from_secs(1);
    let target = RevocationTarget::Key(stolen);
    let entry = Revocation { target, expires_at, revoked_at: instant(), reason: RevocationReason::KeyRevoked };
    for expected in [1, 0] {
        let appended = log.append(&[entry]).await.map_err(unexpected)?;
        ensure!(appended == expected, "the entry was appended {appended} times instead of {expected}");
    }
    let (_, entries) = whole(&*log).await?;
    ensure!(entries.len() == 1 && entries[0].1 == entry, "the entry is read back as {entries:?}");
    for purged in [false, true] {
        if purged {
            let removed = log.purge(expires_at + Duration::from_secs(1), 10).await.map_err(unexpected)?;
            ensure!(removed == 1, "the purge removed {removed} of one expired entry");
        }
        ensure!(covers(&*log, &of_stolen).await?, "a token of the key is good, purged: {purged}");
        let later = |claims: &Claims| Claims { expires_at: expires_at + Duration::from_secs(1), ..claims.clone() };
        for good in [later(&of_other), later(&of_none)] {
            ensure!(!covers(&*log, &good).await?, "a token that the key did not sign is covered, purged: {purged}");
        }
    }
    Ok(())
}

async fn generations_have_entries_of_their_own(backend: &dyn Backend) -> Result<(), CheckError> {
    let log = backend.open().await.log;
    let (user, other) = (some_claims()?.user_id, some_claims()?.user_id);
    for below in [2, 3] {
        let appended = log.append(&[everywhere(user, Generation::new(below))]).await.map_err(unexpected)?;
        ensure!(appended == 1, "the entry for generation {below} was not new");
        for generation in 0..5 {
            let covered = covers(&*log, &claims_of(user, Generation::new(generation))?).await?;
            ensure!(
                covered == (generation < below),
                "below {below}, a token of generation {generation}: covered is {covered}"
            );
        }
    }
    ensure!(!covers(&*log, &claims_of(other, Generation::default())?).await?, "another user's token is covered");
    Ok(())
}
