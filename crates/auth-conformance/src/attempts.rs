//! The rules of [`AttemptStore`]. They need [`Backend::attempts`].

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::cancellation::patience;
use super::executor::{give_up_after, race};
use super::faults::{CANNOT_CUT, CANNOT_DAMAGE, failed};
use super::samples::{instant, unexpected};
use super::{Backend, CheckError, Row, ensure, rules};
use auth_core::AttemptStore;
use auth_core::StoreErrorKind;
use auth_core::throttle::{AttemptKey, Change, Counter};

rules! { ($) __conformance_attempts:
    counters_begin_at_nothing:
        "a counter that was never written is the one that says nothing, read or updated",
        "the first login of everybody fails, or waits for guesses that nobody made";
    counters_are_kept_exactly:
        "counters are read back exactly as written, each under its key and in the order asked for",
        "a wait ends early, or meets somebody else";
    updates_return_what_was_before:
        "an update returns all its counters as they were before it",
        "a guess is let through because of the charge that it has just paid, or refused for it";
    idle_updates_leave_nothing_behind:
        "an update that changes nothing writes nothing",
        "a flood of refused attempts fills the store";
    no_attempt_is_lost:
        "of many updates at once each sees all those before it, in every counter",
        "a thousand guesses at once are counted as one";
    overlapping_updates_end:
        "updates that share some of their counters, named in any order, all succeed",
        "two logins wait for each other until one of them fails";
    counters_are_seen_by_other_nodes:
        "what one node has counted, another one reads and updates at once",
        "an attacker has as many guesses as there are nodes, times the limit";
    purges_expired_counters_only:
        "a purge removes what expired before the given moment, and nothing else",
        "purging frees an attacker from the wait, or makes the owner's network a stranger's";
    purges_as_many_counters_as_asked:
        "a purge removes at most as many counters as asked for, and says how many",
        "a purge locks the table for minutes, and every login waits for it";
    renewed_counters_are_not_purged:
        "a purge beside updates removes nothing that an update has renewed",
        "an attacker who guesses while a purge runs is not counted";
    abandoned_update_is_whole_or_nothing:
        "an update that is given up half-way has written all its counters or none, and can be repeated",
        "a guess is charged to the account and not to its network, or a lock stays behind and nobody logs in any more";
    attempts_in_an_outage_are_unknown:
        "an attempt store that cannot be reached says so: every call is an error of kind Unavailable",
        "an outage looks like 'never tried', and everybody may guess without limit while it lasts";
    damaged_counter_is_an_error:
        "a row that makes no counter is an error of kind Corrupt, read or updated, and the others are still read",
        "a damaged row looks like 'never tried', and overwriting it destroys what could have been repaired";
}

async fn open(backend: &dyn Backend) -> Result<Arc<dyn AttemptStore>, CheckError> {
    backend.attempts().await.ok_or(CheckError::NotTried("Backend::attempts says that there is no such store"))
}

fn key(number: u8) -> AttemptKey {
    let mut bytes = [number; 16];
    // Not in the order of their numbers.
    bytes[0] = number.wrapping_mul(89);
    AttemptKey::from(bytes)
}

fn at(seconds: u64) -> OffsetDateTime {
    instant() + Duration::from_secs(seconds)
}

fn counter(number: u32) -> Counter {
    let micros = |extra: u64| at(u64::from(number)) + Duration::from_micros(extra);
    Counter { failures: number, not_before: micros(1), spent_until: micros(999_999), known_until: micros(500_000) }
}

/// A counter that expires then.
fn spent_until(seconds: u64) -> Counter {
    Counter { spent_until: at(seconds), ..Counter::default() }
}

fn set(counters: Vec<Counter>) -> Change {
    Arc::new(move |found: &mut [Counter]| found.copy_from_slice(&counters))
}

fn nothing() -> Change {
    Arc::new(|_: &mut [Counter]| {})
}

fn one_more_failure() -> Change {
    Arc::new(|counters: &mut [Counter]| counters.iter_mut().for_each(|counter| counter.failures += 1))
}

async fn counters_begin_at_nothing(backend: &dyn Backend) -> Result<(), CheckError> {
    let store = open(backend).await?;
    let found = store.read(&[key(1), key(2)]).await.map_err(unexpected)?;
    ensure!(found == [Counter::default(); 2], "read {found:?}");
    let before = store.update(&[key(1)], one_more_failure()).await.map_err(unexpected)?;
    ensure!(before == [Counter::default()], "updated {before:?}");
    Ok(())
}

async fn counters_are_kept_exactly(backend: &dyn Backend) -> Result<(), CheckError> {
    let store = open(backend).await?;
    let (one, two, most) = (counter(1), counter(2), Counter { failures: u32::MAX, ..counter(3) });
    store.update(&[key(2), key(1), key(3)], set(vec![two, one, most])).await.map_err(unexpected)?;
    let keys = [key(2), key(3), key(1), key(4)];
    ensure!(!keys.is_sorted(), "the keys are in their own order, so the check is wrong");
    let found = store.read(&keys).await.map_err(unexpected)?;
    ensure!(found == [two, most, one, Counter::default()], "wrote {one:?}, {two:?} and {most:?} and read {found:?}");
    Ok(())
}

async fn updates_return_what_was_before(backend: &dyn Backend) -> Result<(), CheckError> {
    let store = open(backend).await?;
    store.update(&[key(1)], set(vec![counter(1)])).await.map_err(unexpected)?;
    let before = store.update(&[key(2), key(1)], set(vec![counter(3), counter(2)])).await.map_err(unexpected)?;
    ensure!(before == [Counter::default(), counter(1)], "an update returned {before:?}");
    let before = store.update(&[key(1), key(2)], nothing()).await.map_err(unexpected)?;
    ensure!(before == [counter(2), counter(3)], "an update that changes nothing returned {before:?}");
    Ok(())
}

async fn idle_updates_leave_nothing_behind(backend: &dyn Backend) -> Result<(), CheckError> {
    let store = open(backend).await?;
    store.update(&[key(1)], set(vec![counter(1)])).await.map_err(unexpected)?;
    for _ in 0..2 {
        store.update(&[key(2), key(1)], nothing()).await.map_err(unexpected)?;
    }
    // A counter that says nothing has expired long ago.
    let removed = store.purge(at(0), 10).await.map_err(unexpected)?;
    ensure!(removed == 0, "an update that changed nothing left {removed} counters behind");
    Ok(())
}

async fn no_attempt_is_lost(backend: &dyn Backend) -> Result<(), CheckError> {
    const RIVALS: u8 = 64;
    let store = open(backend).await?;
    let rivals = (0..RIVALS).map(|number| {
        let (store, mut keys) = (Arc::clone(&store), [key(1), key(2), key(3)]);
        keys.rotate_left(usize::from(number) % 3);
        async move { store.update(&keys, one_more_failure()).await }
    });
    let mut seen = Vec::new();
    for before in race(backend, rivals.collect::<Vec<_>>()).await? {
        let before = before.map_err(unexpected)?;
        let first = before.first().map_or(0, |counter| counter.failures);
        ensure!(
            before.iter().all(|counter| counter.failures == first),
            "an update saw one half of another: {before:?}"
        );
        seen.push(first);
    }
    seen.sort_unstable();
    ensure!(seen == (0..u32::from(RIVALS)).collect::<Vec<_>>(), "{RIVALS} updates at once saw {seen:?}");
    let after = store.read(&[key(1), key(2), key(3)]).await.map_err(unexpected)?;
    ensure!(after.iter().all(|counter| counter.failures == u32::from(RIVALS)), "{RIVALS} updates left {after:?}");
    Ok(())
}

async fn overlapping_updates_end(backend: &dyn Backend) -> Result<(), CheckError> {
    const RIVALS: u8 = 24;
    let store = open(backend).await?;
    // Each has one of its own between two of three that all share, neighbours in a circle.
    let rivals = (0..RIVALS).map(|number| {
        let (store, mut keys) = (Arc::clone(&store), [key(number % 3), key(10 + number), key((number + 1) % 3)]);
        if number % 2 == 1 {
            keys.reverse();
        }
        async move { store.update(&keys, one_more_failure()).await }
    });
    for before in race(backend, rivals.collect::<Vec<_>>()).await? {
        before.map_err(unexpected)?;
    }
    let shared = store.read(&[key(0), key(1), key(2)]).await.map_err(unexpected)?;
    let each = u32::from(RIVALS) * 2 / 3;
    ensure!(shared.iter().all(|counter| counter.failures == each), "each was updated {each} times: {shared:?}");
    Ok(())
}

async fn counters_are_seen_by_other_nodes(backend: &dyn Backend) -> Result<(), CheckError> {
    let (here, there) = (open(backend).await?, open(backend).await?);
    let keys = [key(1), key(2)];
    // The other node has asked before, so it may have something to remember.
    there.read(&keys).await.map_err(unexpected)?;
    for (number, (writer, reader)) in (1..).zip([(&here, &there), (&there, &here), (&here, &there)]) {
        let before = writer.update(&keys, one_more_failure()).await.map_err(unexpected)?;
        ensure!(
            before.iter().all(|counter| counter.failures + 1 == number),
            "update number {number}, in turns on two nodes, found {before:?}"
        );
        let found = reader.read(&keys).await.map_err(unexpected)?;
        ensure!(found.iter().all(|counter| counter.failures == number), "after update {number}, read {found:?}");
    }
    Ok(())
}

async fn purges_expired_counters_only(backend: &dyn Backend) -> Result<(), CheckError> {
    let store = open(backend).await?;
    let gone = Counter::default();
    let keys = [key(1), key(2), key(3), key(4)];
    let counters = vec![
        spent_until(10),
        Counter { known_until: at(30), ..gone },
        // A streak is remembered for longer than its wait.
        Counter { failures: 1, not_before: at(10), ..gone },
        spent_until(40),
    ];
    store.update(&keys, set(counters.clone())).await.map_err(unexpected)?;
    for (before, left) in [(10, [true, true]), (11, [false, true]), (30, [false, true]), (40, [false, false])] {
        store.purge(at(before), 10).await.map_err(unexpected)?;
        let expected: Vec<_> = [left[0], left[1], true, true]
            .iter()
            .zip(&counters)
            .map(|(left, counter)| if *left { *counter } else { gone })
            .collect();
        let found = store.read(&keys).await.map_err(unexpected)?;
        ensure!(found == expected, "a purge of what expired before {before} left {found:?} instead of {expected:?}");
    }
    Ok(())
}

async fn purges_as_many_counters_as_asked(backend: &dyn Backend) -> Result<(), CheckError> {
    let store = open(backend).await?;
    let keys: Vec<_> = (0..5).map(key).collect();
    store.update(&keys, set((0..5).map(spent_until).collect())).await.map_err(unexpected)?;
    for (expected, left) in [(2, 3), (2, 1), (1, 0), (0, 0)] {
        let removed = store.purge(at(60), 2).await.map_err(unexpected)?;
        ensure!(removed == expected, "a purge of at most 2 says {removed} where {expected} was right");
        let found = store.read(&keys).await.map_err(unexpected)?;
        let there = found.iter().filter(|counter| **counter != Counter::default()).count();
        ensure!(there == left, "purges of at most 2 each left {there} of 5 counters where {left} was right");
    }
    Ok(())
}

async fn renewed_counters_are_not_purged(backend: &dyn Backend) -> Result<(), CheckError> {
    let store = open(backend).await?;
    let keys: Vec<_> = (0..16).map(key).collect();
    store.update(&keys, set(vec![spent_until(10); 16])).await.map_err(unexpected)?;
    // Before each update comes a purge, in the same task and so in turns with it.
    let rivals = keys.chunks(2).flat_map(|pair| [None, Some(pair.to_vec())]).map(|pair| {
        let store = Arc::clone(&store);
        async move {
            match pair {
                None => store.purge(at(20), 100).await.map(drop),
                Some(pair) => store.update(&pair, set(vec![spent_until(1_000); 2])).await.map(drop),
            }
        }
    });
    for result in race(backend, rivals.collect::<Vec<_>>()).await? {
        result.map_err(unexpected)?;
    }
    let found = store.read(&keys).await.map_err(unexpected)?;
    let lost = found.iter().filter(|counter| **counter != spent_until(1_000)).count();
    ensure!(lost == 0, "of 16 counters that were renewed beside purges {lost} are gone");
    Ok(())
}

async fn abandoned_update_is_whole_or_nothing(backend: &dyn Backend) -> Result<(), CheckError> {
    let store = open(backend).await?;
    let keys = [key(1), key(2), key(3)];
    for turns in patience() {
        let ended = give_up_after(turns, store.update(&keys, one_more_failure())).await;
        // The update may still be under way. This one comes before or after it, but never in between.
        let before = store.update(&keys, one_more_failure()).await.map_err(unexpected)?;
        let first = before.first().map_or(0, |counter| counter.failures);
        ensure!(
            before.iter().all(|counter| counter.failures == first),
            "given up after {turns} turns, an update left {before:?}"
        );
        if let Some(result) = ended {
            result.map_err(unexpected)?;
            return Ok(());
        }
    }
    Ok(())
}

async fn attempts_in_an_outage_are_unknown(backend: &dyn Backend) -> Result<(), CheckError> {
    let kind = StoreErrorKind::Unavailable;
    let store = open(backend).await?;
    store.update(&[key(1)], set(vec![counter(1)])).await.map_err(unexpected)?;
    if !backend.cut_off().await {
        return Err(CANNOT_CUT);
    }
    for number in [1, 2] {
        failed("read", kind, store.read(&[key(number)]).await)?;
        failed("update", kind, store.update(&[key(number)], one_more_failure()).await)?;
    }
    failed("purge", kind, store.purge(at(0), 10).await)
}

async fn damaged_counter_is_an_error(backend: &dyn Backend) -> Result<(), CheckError> {
    let kind = StoreErrorKind::Corrupt;
    let store = open(backend).await?;
    store.update(&[key(1), key(2)], set(vec![counter(1), counter(2)])).await.map_err(unexpected)?;
    if !backend.damage(Row::Counter(key(1))).await {
        return Err(CANNOT_DAMAGE);
    }
    failed("read of the damaged counter", kind, store.read(&[key(2), key(1)]).await)?;
    failed("update of the damaged counter", kind, store.update(&[key(1), key(2)], one_more_failure()).await)?;
    let found = store.read(&[key(2)]).await.map_err(unexpected)?;
    ensure!(found == [counter(2)], "beside the damaged counter another one is {found:?}");
    Ok(())
}
