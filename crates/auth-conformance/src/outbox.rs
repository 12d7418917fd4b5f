//! The rules of [`Outbox`]. They need [`Backend::one_time_tokens`] and [`Backend::outbox`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use auth_core::letters::{LetterId, LetterKind};
use auth_core::{Letter, Outbox, StoreErrorKind};

use super::executor::race;
use super::faults::{CANNOT_CUT, CANNOT_DAMAGE, failed};
use super::letter_samples::{at, lease_id, letter, with, with_outbox, write};
use super::samples::{some_id, unexpected};
use super::{Backend, CheckError, Row, ensure, rules};

rules! { ($) __conformance_outbox:
    letters_are_kept_exactly:
        "a letter is leased exactly as it was written, with and without a secret, and a decoy without an address",
        "a link in a letter is wrong, or a decoy is sent to somebody";
    letters_are_leased_once:
        "of many workers that lease at once each letter goes to exactly one, and each letter to somebody",
        "everybody gets every letter twice";
    leased_letters_come_back:
        "a letter is leased again when its lease has ended and not before, and the leases are counted",
        "the letters of a worker that was killed are never sent";
    only_the_holder_decides:
        "only the holder of the present lease removes or delays a letter",
        "a worker that was slow removes a letter which another one could not send";
    removed_letters_leave_nothing:
        "a letter that was removed is nowhere any more",
        "the secret in a letter that was sent can be read in the database";
    delayed_letters_wait:
        "a letter that was delayed is leased from its new time on and not before",
        "a server that is down for an hour is asked a thousand times a second, or never again";
    letters_are_leased_in_order:
        "letters are leased in the order in which they became due, at most as many as asked for",
        "new letters overtake one that waits, for ever";
    queue_shows_letters_and_no_decoys:
        "the queue has the waiting letters that are no decoys, first those that are due first; the statistics count decoys too",
        "an operator sees letters to nobody, or does not see which ones are stuck";
    letters_are_seen_by_other_nodes:
        "a letter that one node has written, leased or removed is so for every other node, and after a restart",
        "a letter is lost with the machine that wrote it";
    letters_in_an_outage_are_unknown:
        "an outbox that cannot be reached says so: every call is an error of kind Unavailable",
        "an outage looks like 'no letter', and an operator believes that all were sent";
    damaged_letter_delays_no_other:
        "a row that makes no letter is leased and reported as unreadable, and its holder can remove it",
        "one damaged row keeps every letter from being sent";
}

async fn put(tokens: &dyn auth_core::OneTimeTokenStore, letters: &[&Letter]) -> Result<(), CheckError> {
    write(tokens, with(&[], letters)).await
}

/// Leases at this second for ten seconds, and returns the ids in their order.
async fn leased(outbox: &dyn Outbox, seconds: u64, limit: u32) -> Result<Vec<LetterId>, CheckError> {
    let leased = outbox.lease(lease_id()?, at(seconds), at(seconds + 10), limit).await.map_err(unexpected)?;
    Ok(leased.letters.into_iter().map(|leased| leased.letter.id).collect())
}

async fn letters_are_kept_exactly(backend: &dyn Backend) -> Result<(), CheckError> {
    let (tokens, outbox) = with_outbox(backend).await?;
    let mut full = letter(some_id()?, 1)?;
    full.created_at += Duration::from_micros(123_457);
    let mut no_code = letter(some_id()?, 2)?;
    if let Some(secret) = &mut no_code.secret {
        secret.code = None;
    }
    let notice = Letter { secret: None, kind: LetterKind::PasswordChanged, ..letter(some_id()?, 3)? };
    let decoy = Letter { to: None, ..letter(some_id()?, 4)? };
    let all = [&full, &no_code, &notice, &decoy];
    put(&*tokens, &all).await?;
    let found = outbox.lease(lease_id()?, at(10), at(20), 10).await.map_err(unexpected)?;
    ensure!(found.unreadable.is_empty(), "letters cannot be read: {:?}", found.unreadable);
    ensure!(found.letters.len() == all.len(), "{} letters were leased", found.letters.len());
    for expected in all {
        let of_id = found.letters.iter().find(|leased| leased.letter.id == expected.id);
        ensure!(of_id.is_some_and(|leased| leased.letter == *expected), "written was {expected:?}, leased {of_id:?}");
        ensure!(of_id.is_some_and(|leased| leased.attempts == 1), "the first lease is {of_id:?}");
    }
    Ok(())
}

async fn letters_are_leased_once(backend: &dyn Backend) -> Result<(), CheckError> {
    const LETTERS: u64 = 24;
    let (tokens, outbox) = with_outbox(backend).await?;
    let letters = (0..LETTERS).map(|second| letter(some_id()?, second)).collect::<Result<Vec<_>, _>>()?;
    put(&*tokens, &letters.iter().collect::<Vec<_>>()).await?;
    let workers = (0..8).map(|_| {
        let outbox = Arc::clone(&outbox);
        async move { leased(&*outbox, 100, 5).await }
    });
    let mut all = Vec::new();
    for ids in race(backend, workers).await? {
        all.extend(ids?);
    }
    // Whoever came too late for some got fewer than it asked for.
    all.extend(leased(&*outbox, 100, 100).await?);
    let distinct: BTreeSet<_> = all.iter().copied().collect();
    ensure!(all.len() == distinct.len(), "{} leases were given of {} letters", all.len(), distinct.len());
    ensure!(distinct.len() == letters.len(), "{} of {LETTERS} letters were leased", distinct.len());
    Ok(())
}

async fn leased_letters_come_back(backend: &dyn Backend) -> Result<(), CheckError> {
    let (tokens, outbox) = with_outbox(backend).await?;
    let waiting = letter(some_id()?, 10)?;
    put(&*tokens, &[&waiting]).await?;
    let lease = async |seconds| outbox.lease(lease_id()?, at(seconds), at(seconds + 10), 5).await.map_err(unexpected);
    for (seconds, attempts) in [(9, None), (10, Some(1)), (19, None), (20, Some(2)), (30, Some(3))] {
        let found = lease(seconds).await?.letters.first().map(|leased| leased.attempts);
        ensure!(found == attempts, "at {seconds} s the lease was number {found:?} in place of {attempts:?}");
    }
    Ok(())
}

async fn only_the_holder_decides(backend: &dyn Backend) -> Result<(), CheckError> {
    let (tokens, outbox) = with_outbox(backend).await?;
    let waiting = letter(some_id()?, 1)?;
    put(&*tokens, &[&waiting]).await?;
    let [old, present] = [lease_id()?, lease_id()?];
    ensure!(!outbox.remove(waiting.id, old).await.map_err(unexpected)?, "a letter was removed that nobody holds");
    for (lease, seconds) in [(old, 10), (present, 20)] {
        let found = outbox.lease(lease, at(seconds), at(seconds + 10), 5).await.map_err(unexpected)?;
        ensure!(found.letters.len() == 1, "the letter was not leased");
    }
    ensure!(!outbox.delay(waiting.id, old, at(90)).await.map_err(unexpected)?, "an earlier holder delayed a letter");
    ensure!(!outbox.remove(waiting.id, old).await.map_err(unexpected)?, "an earlier holder removed a letter");
    ensure!(outbox.delay(waiting.id, present, at(25)).await.map_err(unexpected)?, "the holder could not delay");
    ensure!(!outbox.remove(waiting.id, present).await.map_err(unexpected)?, "a letter was removed that nobody holds");
    ensure!(leased(&*outbox, 25, 5).await? == [waiting.id], "the letter is not due at the time of the holder");
    Ok(())
}

async fn removed_letters_leave_nothing(backend: &dyn Backend) -> Result<(), CheckError> {
    let (tokens, outbox) = with_outbox(backend).await?;
    let (sent, waiting) = (letter(some_id()?, 1)?, letter(some_id()?, 50)?);
    put(&*tokens, &[&sent, &waiting]).await?;
    let lease = lease_id()?;
    outbox.lease(lease, at(10), at(20), 5).await.map_err(unexpected)?;
    ensure!(outbox.remove(sent.id, lease).await.map_err(unexpected)?, "the holder could not remove");
    ensure!(!outbox.remove(sent.id, lease).await.map_err(unexpected)?, "a letter was removed twice");
    let of_user = outbox.of_user(sent.user_id).await.map_err(unexpected)?;
    ensure!(of_user.is_empty(), "a letter that was removed is {of_user:?}");
    let queue: Vec<_> = outbox.queue(10).await.map_err(unexpected)?.into_iter().map(|queued| queued.id).collect();
    ensure!(queue == [waiting.id], "after a removal the queue is {queue:?}");
    let stats = outbox.stats().await.map_err(unexpected)?;
    ensure!((stats.waiting, stats.oldest) == (1, Some(at(50))), "after a removal the statistics are {stats:?}");
    ensure!(
        leased(&*outbox, 60, 5).await? == [waiting.id],
        "a letter that was removed is leased, or another one is gone"
    );
    Ok(())
}

async fn delayed_letters_wait(backend: &dyn Backend) -> Result<(), CheckError> {
    let (tokens, outbox) = with_outbox(backend).await?;
    let waiting = letter(some_id()?, 1)?;
    put(&*tokens, &[&waiting]).await?;
    let lease = lease_id()?;
    outbox.lease(lease, at(10), at(20), 5).await.map_err(unexpected)?;
    let due_at = at(60) + Duration::from_micros(3);
    ensure!(outbox.delay(waiting.id, lease, due_at).await.map_err(unexpected)?, "the holder could not delay");
    let queued = outbox.queue(5).await.map_err(unexpected)?;
    ensure!(queued.first().is_some_and(|queued| queued.due_at == due_at), "after a delay the queue is {queued:?}");
    ensure!(leased(&*outbox, 60, 5).await?.is_empty(), "a letter was leased before it was due");
    ensure!(leased(&*outbox, 61, 5).await? == [waiting.id], "a letter that was delayed is not leased");
    Ok(())
}

async fn letters_are_leased_in_order(backend: &dyn Backend) -> Result<(), CheckError> {
    let (tokens, outbox) = with_outbox(backend).await?;
    let letters = [30, 10, 20].map(|second| letter(some_id()?, second));
    let [third, first, second] = letters;
    let (first, second, third) = (first?, second?, third?);
    put(&*tokens, &[&third, &first, &second]).await?;
    ensure!(leased(&*outbox, 100, 0).await?.is_empty(), "a lease of none gave a letter");
    for expected in [&first, &second, &third] {
        let ids = leased(&*outbox, 100, 1).await?;
        ensure!(ids == [expected.id], "a lease of one gave {ids:?} in place of {:?}", expected.id);
    }
    Ok(())
}

async fn queue_shows_letters_and_no_decoys(backend: &dyn Backend) -> Result<(), CheckError> {
    let (tokens, outbox) = with_outbox(backend).await?;
    let empty = outbox.stats().await.map_err(unexpected)?;
    ensure!((empty.waiting, empty.oldest) == (0, None), "the statistics of nothing are {empty:?}");
    let ada = some_id()?;
    let (old, new) = (letter(ada, 10)?, letter(ada, 20)?);
    let decoy = Letter { to: None, ..letter(some_id()?, 5)? };
    put(&*tokens, &[&new, &decoy, &old]).await?;
    let queue = outbox.queue(10).await.map_err(unexpected)?;
    let ids: Vec<_> = queue.iter().map(|queued| queued.id).collect();
    ensure!(ids == [old.id, new.id], "the queue is {queue:?}");
    let first = &queue[0];
    ensure!(
        (first.kind, first.user_id, &first.to, first.created_at, first.due_at, first.attempts)
            == (old.kind, ada, &old.to, at(10), at(10), 0),
        "the first letter of the queue is {first:?}"
    );
    let one = outbox.queue(1).await.map_err(unexpected)?;
    ensure!(one == queue[..1], "a queue of one is {one:?}");
    let of_user = outbox.of_user(ada).await.map_err(unexpected)?;
    ensure!(of_user == queue, "the letters of the user are {of_user:?}");
    let stats = outbox.stats().await.map_err(unexpected)?;
    ensure!((stats.waiting, stats.oldest) == (3, Some(at(5))), "the statistics are {stats:?}");
    Ok(())
}

async fn letters_are_seen_by_other_nodes(backend: &dyn Backend) -> Result<(), CheckError> {
    let ((tokens, near), (_, far)) = (with_outbox(backend).await?, with_outbox(backend).await?);
    let (first, second) = (letter(some_id()?, 1)?, letter(some_id()?, 2)?);
    put(&*tokens, &[&first, &second]).await?;
    ensure!(near.queue(5).await.map_err(unexpected)?.len() == 2, "the node that wrote two letters does not see them");
    let lease = lease_id()?;
    let found = far.lease(lease, at(10), at(20), 1).await.map_err(unexpected)?;
    ensure!(found.letters.first().is_some_and(|leased| leased.letter == first), "another node leased {found:?}");
    ensure!(leased(&*near, 15, 5).await? == [second.id], "a letter that another node holds was leased");
    ensure!(far.remove(first.id, lease).await.map_err(unexpected)?, "another node could not remove");
    ensure!(near.queue(5).await.map_err(unexpected)?.len() == 1, "a letter that another node removed is waiting");
    drop((tokens, near, far));
    let (_, again) = with_outbox(backend).await?;
    ensure!(leased(&*again, 100, 5).await? == [second.id], "a letter is lost after a restart");
    Ok(())
}

async fn letters_in_an_outage_are_unknown(backend: &dyn Backend) -> Result<(), CheckError> {
    let (tokens, outbox) = with_outbox(backend).await?;
    let waiting = letter(some_id()?, 1)?;
    put(&*tokens, &[&waiting]).await?;
    if !backend.cut_off().await {
        return Err(CANNOT_CUT);
    }
    let kind = StoreErrorKind::Unavailable;
    let lease = lease_id()?;
    failed("lease", kind, outbox.lease(lease, at(10), at(20), 5).await)?;
    failed("remove", kind, outbox.remove(waiting.id, lease).await)?;
    failed("delay", kind, outbox.delay(waiting.id, lease, at(30)).await)?;
    failed("queue", kind, outbox.queue(5).await)?;
    failed("of_user", kind, outbox.of_user(waiting.user_id).await)?;
    failed("stats", kind, outbox.stats().await)
}

async fn damaged_letter_delays_no_other(backend: &dyn Backend) -> Result<(), CheckError> {
    let (tokens, outbox) = with_outbox(backend).await?;
    let (damaged, good) = (letter(some_id()?, 1)?, letter(some_id()?, 2)?);
    put(&*tokens, &[&damaged, &good]).await?;
    if !backend.damage(Row::Letter(damaged.id)).await {
        return Err(CANNOT_DAMAGE);
    }
    let lease = lease_id()?;
    let found = outbox.lease(lease, at(10), at(20), 5).await.map_err(unexpected)?;
    ensure!(found.unreadable == [damaged.id], "unreadable are {:?}", found.unreadable);
    ensure!(found.letters.len() == 1 && found.letters[0].letter == good, "leased were {:?}", found.letters);
    ensure!(outbox.remove(damaged.id, lease).await.map_err(unexpected)?, "the holder could not remove the row");
    Ok(())
}
