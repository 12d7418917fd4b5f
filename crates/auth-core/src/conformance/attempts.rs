//! The rules of [`AttemptStore`].
//!
//! ```
//! use auth_core::{conformance::attempts, throttle::MemoryAttempts};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! attempts::run(async || MemoryAttempts::default()).await;
//! # });
//! ```

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use time::OffsetDateTime;

use super::samples::unexpected;
use super::{Finding, ensure};
use crate::throttle::{AttemptKey, AttemptStore, Change, Counter};

type Outcome<'s> = Pin<Box<dyn Future<Output = Result<(), Finding>> + 's>>;

/// A rule, what goes wrong without it, and the function that tries it.
struct Check {
    name: &'static str,
    why: &'static str,
    run: for<'s> fn(&'s dyn AttemptStore) -> Outcome<'s>,
}

/// Runs all checks, each over an empty store that `make` has just made.
///
/// # Panics
///
/// When a rule is broken, with its name, what goes wrong without it and what was seen.
pub async fn run<S: AttemptStore>(make: impl AsyncFn() -> S) {
    for check in CHECKS {
        let store = make().await;
        if let Err(seen) = (check.run)(&store).await {
            panic!("the store breaks the rule \"{}\": {seen}\nWithout it {}.", check.name, check.why);
        }
    }
}

const CHECKS: &[Check] = &[
    Check {
        name: "what was never written is the counter that says nothing",
        why: "the first login of everybody fails",
        run: |store| Box::pin(absent_says_nothing(store)),
    },
    Check {
        name: "counters are read back exactly as written, each under its key and in the order asked for",
        why: "a wait ends early, or meets somebody else",
        run: |store| Box::pin(reads_what_was_written(store)),
    },
    Check {
        name: "an update returns what was there before, and one that changes nothing writes nothing",
        why: "a flood of refused attempts fills the store",
        run: |store| Box::pin(returns_what_was_before(store)),
    },
    Check {
        name: "of many updates at once each sees all those before it, in every counter",
        why: "a thousand guesses at once are counted as one",
        run: |store| Box::pin(loses_no_update(store)),
    },
    Check {
        name: "updates that share only some of their counters, in any order, all come to an end",
        why: "two logins wait for each other for ever",
        run: |store| Box::pin(does_not_deadlock(store)),
    },
    Check {
        name: "a purge removes what expired before the instant, at most so many, and nothing else",
        why: "purging frees an attacker from the wait, or the store grows for ever",
        run: |store| Box::pin(purges_the_expired(store)),
    },
];

fn key(number: u8) -> AttemptKey {
    let mut bytes = [number; 16];
    bytes[0] = number.wrapping_mul(89);
    AttemptKey::from(bytes)
}

fn at(seconds: u64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn counter(number: u32) -> Counter {
    let micros = |extra: u64| at(u64::from(number)) + Duration::from_micros(extra);
    Counter { failures: number, not_before: micros(1), spent_until: micros(999_999), known_until: micros(500_000) }
}

fn set(counters: Vec<Counter>) -> Change {
    Arc::new(move |found: &mut [Counter]| found.copy_from_slice(&counters))
}

fn one_more_failure() -> Change {
    Arc::new(|counters: &mut [Counter]| counters.iter_mut().for_each(|counter| counter.failures += 1))
}

async fn absent_says_nothing(store: &dyn AttemptStore) -> Result<(), Finding> {
    let found = store.read(&[key(1), key(2)]).await.map_err(unexpected)?;
    ensure!(found == [Counter::default(); 2], "read {found:?}");
    let before = store.update(&[key(1)], one_more_failure()).await.map_err(unexpected)?;
    ensure!(before == [Counter::default()], "updated {before:?}");
    Ok(())
}

async fn reads_what_was_written(store: &dyn AttemptStore) -> Result<(), Finding> {
    let (one, two, most) = (counter(1), counter(2), Counter { failures: u32::MAX, ..counter(3) });
    store.update(&[key(2), key(1), key(3)], set(vec![two, one, most])).await.map_err(unexpected)?;
    let found = store.read(&[key(3), key(1), key(4), key(2)]).await.map_err(unexpected)?;
    ensure!(found == [most, one, Counter::default(), two], "wrote {one:?}, {two:?} and {most:?} and read {found:?}");
    Ok(())
}

async fn returns_what_was_before(store: &dyn AttemptStore) -> Result<(), Finding> {
    store.update(&[key(1)], set(vec![counter(1)])).await.map_err(unexpected)?;
    let before = store.update(&[key(2), key(1)], set(vec![counter(3), counter(2)])).await.map_err(unexpected)?;
    ensure!(before == [Counter::default(), counter(1)], "an update returned {before:?}");
    for _ in 0..2 {
        let nothing: Change = Arc::new(|_: &mut [Counter]| {});
        let before = store.update(&[key(4), key(1)], nothing).await.map_err(unexpected)?;
        ensure!(before == [Counter::default(), counter(2)], "an update that changes nothing returned {before:?}");
    }
    let removed = store.purge(at(0), 10).await.map_err(unexpected)?;
    ensure!(removed == 0, "an update that changed nothing left {removed} counters behind");
    Ok(())
}

async fn loses_no_update(store: &dyn AttemptStore) -> Result<(), Finding> {
    const RIVALS: u8 = 64;
    let rivals = (0..RIVALS).map(|number| async move {
        let mut keys = [key(1), key(2), key(3)];
        keys.rotate_left(usize::from(number) % 3);
        store.update(&keys, one_more_failure()).await
    });
    let mut seen = Vec::new();
    for before in join_all(rivals).await {
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

async fn does_not_deadlock(store: &dyn AttemptStore) -> Result<(), Finding> {
    let rivals = (0..60_u8).map(|number| async move {
        let keys = [key(number % 4), key(10 + number % 3), key(20 + number), key(30 - number % 5)];
        let keys = if number % 2 == 0 { keys.to_vec() } else { keys.into_iter().rev().collect() };
        let mut distinct = keys.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() == keys.len() { store.update(&keys, one_more_failure()).await.map(drop) } else { Ok(()) }
    });
    join_all(rivals).await.into_iter().collect::<Result<(), _>>().map_err(unexpected)
}

async fn purges_the_expired(store: &dyn AttemptStore) -> Result<(), Finding> {
    let nothing = Counter::default();
    let spent = |seconds| Counter { spent_until: at(seconds), ..nothing };
    let rows = [
        (key(1), spent(10)),
        (key(2), spent(20)),
        (key(3), Counter { known_until: at(30), ..nothing }),
        (key(4), Counter { failures: 1, not_before: at(10), ..nothing }),
        (key(5), spent(40)),
    ];
    let (keys, counters): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    store.update(&keys, set(counters.clone())).await.map_err(unexpected)?;
    ensure!(store.purge(at(10), 10).await.map_err(unexpected)? == 0, "what expires at the instant was purged");
    ensure!(store.purge(at(40), 2).await.map_err(unexpected)? == 2, "not as many were purged as were asked for");
    ensure!(store.purge(at(40), 10).await.map_err(unexpected)? == 1, "a known network outlived its time");
    let left = store.read(&keys).await.map_err(unexpected)?;
    let expected = [nothing, nothing, nothing, counters[3], counters[4]];
    ensure!(left == expected, "what is left is {left:?} instead of {expected:?}");
    Ok(())
}
