//! The index of revoked tokens: bytes an entry, look-ups while both cores read and one writes, loading it at a start, and
//! forgetting what has expired.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use auth_blacklist::{Index, SyncOptions, SyncedBlacklist};
use auth_core::blacklist::{RevocationTarget, Standing};
use auth_core::{Claims, Clock as _, Generation, Revocation, SystemClock, UserId};
use auth_testing::databases::TestDatabaseKind;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Failure;
use crate::check::revocation;
use crate::databases::{self, BenchDatabase};
use crate::figure::{Figure, count, millis, timed};
use crate::options::Options;
use crate::plot::Plot;
use crate::report::Report;

/// Look-ups that one thread makes in a round.
const LOOK_UPS: usize = 200_000;

/// Look-ups that are timed together. The claims of so many lie in the caches, as those of a token that was just read do: what
/// is waited for is the index alone.
const BATCH: usize = 500;

/// Tokens that are looked up where there are so many: no line of memory is read twice within some rounds, so that the
/// caches do not hold what was read in the round before.
const LOOKED_UP: u64 = 2_000_000;

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new("blacklist", options);
    let now = SystemClock.now().replace_nanosecond(0)?;
    let (mut hits, mut misses) = (Vec::new(), Vec::new());
    for entries in options.pick(vec![1_000, 10_000, 100_000, 1_000_000, 10_000_000], vec![1_000]) {
        let index = Index::default();
        let revoked: Vec<Revocation> = (0..entries).map(|number| revocation(now, number)).collect::<Result<_, _>>()?;
        let ((), filling) = timed(|| revoked.iter().for_each(|revocation| index.insert(revocation)));
        let many = count(revoked.len());
        let bytes = count(index.stats().bytes) / many;
        let step = usize::try_from(entries.div_ceil(LOOKED_UP))?;
        let known: Vec<Claims> = revoked.iter().step_by(step).map(claims).collect();
        drop(revoked);
        let strangers =
            (0..entries.min(LOOKED_UP)).map(|number| revocation(now, number).map(|revoked| claims(&revoked)));
        let strangers: Vec<Claims> = strangers.collect::<Result<_, _>>()?;
        let rounds = options.pick(7, 1);
        let hit = look_ups(&index, &known, Standing::Revoked, rounds, now)?;
        let miss = look_ups(&index, &strangers, Standing::Good, rounds, now)?;
        if entries >= 1_000_000 {
            report.at_most(format!("bytes an entry at {entries}"), 24.0, Figure::once(bytes, "B"));
        }
        if entries == 10_000_000 {
            report.at_most("a look-up that finds nothing, at 10 M revoked, in ns", 100.0, Figure::of(&miss, "ns"));
            report.at_most("a look-up that finds, at 10 M revoked, in ns", 100.0, Figure::of(&hit, "ns"));
            let floor = chased(index.stats().bytes, rounds);
            report.row(
                "one read at random of as much memory, each after the last",
                vec![("hit", Figure::of(&floor, "ns"))],
            );
        }
        let half = now + Duration::from_secs(15 * 3_600);
        let ((), forgetting) = timed(|| index.forget(half));
        report.row(
            format!("{entries} revoked"),
            vec![
                ("memory", Figure::once(bytes, "B an entry")),
                ("hit", Figure::of(&hit, "ns")),
                ("miss", Figure::of(&miss, "ns")),
                ("inserting", Figure::once(filling.as_secs_f64() * 1e9 / many, "ns")),
                ("forgetting half", Figure::once(millis(forgetting), "ms")),
            ],
        );
        hits.push((many, Figure::of(&hit, "ns").median));
        misses.push((many, Figure::of(&miss, "ns").median));
    }
    report.plot(Plot::Curves {
        file: "blacklist.svg",
        title: "A look-up in the index while two threads read and one writes".to_owned(),
        x: "revoked tokens",
        y: "nanoseconds",
        log: true,
        curves: vec![("hit".to_owned(), hits), ("miss".to_owned(), misses)],
    });
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        for kind in [TestDatabaseKind::Sqlite, TestDatabaseKind::Postgres] {
            let entries = options.pick(1_000_000, 1_000);
            let loaded = databases::with(options, kind, async |database| load(&database, entries).await).await?;
            if let Some((database, took)) = loaded {
                if kind == TestDatabaseKind::Sqlite {
                    let seconds = Figure::once(took.as_secs_f64(), "s");
                    report.at_most("loading a million from SQLite at a start, in seconds", 5.0, seconds);
                }
                let what = format!("loading {entries} from {database} at a start");
                report.row(what, vec![("loading", Figure::once(took.as_secs_f64(), "s"))]);
            }
        }
        Ok(report)
    })
}

/// Nanoseconds a look-up, of two threads that read beside one that writes now and then, as a node that polls does.
fn look_ups(
    index: &Index,
    claims: &[Claims],
    expected: Standing,
    rounds: usize,
    now: OffsetDateTime,
) -> Result<Vec<f64>, Failure> {
    let stop = AtomicBool::new(false);
    let reader = |start: usize| {
        let round = |round: usize| {
            let (before, after) = claims.split_at((start + round * LOOK_UPS) % claims.len());
            let mut wanted = after.iter().chain(before).cycle().take(LOOK_UPS).cloned();
            let (mut right, mut took) = (0, Duration::ZERO);
            let mut batch = Vec::with_capacity(BATCH);
            while right < LOOK_UPS {
                batch.clear();
                batch.extend(wanted.by_ref().take(BATCH));
                let (found, for_batch) =
                    timed(|| batch.iter().filter(|claims| index.standing(claims) == expected).count());
                if found < BATCH {
                    return f64::NAN;
                }
                (right, took) = (right + found, took + for_batch);
            }
            took.as_secs_f64() * 1e9 / count(LOOK_UPS)
        };
        (0..rounds).map(round).collect::<Vec<f64>>()
    };
    let samples = thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                (0..500).filter_map(|number| revocation(now, number).ok()).for_each(|new| index.insert(&new));
                thread::sleep(Duration::from_millis(250));
            }
        });
        let readers = [scope.spawn(|| reader(0)), scope.spawn(|| reader(claims.len() / 2))];
        let samples: Vec<f64> = readers.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect();
        stop.store(true, Ordering::Relaxed);
        samples
    });
    if samples.iter().any(|sample| sample.is_nan()) {
        return Err("a look-up was wrong".into());
    }
    Ok(samples)
}

/// Nanoseconds a read of a cache line somewhere in so much memory, of two threads, where each line says which is next: no
/// look-up whose answer is waited for can be quicker than what it has to read.
fn chased(bytes: usize, rounds: usize) -> Vec<f64> {
    const STRIDE: usize = 0x9E37_79B1;
    let lines = (bytes / size_of::<[usize; 8]>()).next_power_of_two();
    // A full circle: the stride is one more than a multiple of four, what is added is odd.
    let next: Vec<[usize; 8]> = (0..lines).map(|line| [(line.wrapping_mul(STRIDE) + 0x5851_F42D) % lines; 8]).collect();
    let reader = |start: usize| {
        let round = |round: usize| {
            let ((), took) = timed(|| {
                let end = (0..LOOK_UPS).fold(start + round, |line, _| next[line % lines][0]);
                std::hint::black_box(end);
            });
            took.as_secs_f64() * 1e9 / count(LOOK_UPS)
        };
        (0..rounds).map(round).collect::<Vec<f64>>()
    };
    thread::scope(|scope| {
        let readers = [scope.spawn(|| reader(0)), scope.spawn(|| reader(lines / 2))];
        readers.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    })
}

/// The claims of the token that was revoked.
fn claims(revocation: &Revocation) -> Claims {
    let token_id = if let RevocationTarget::Token(id) = revocation.target { id } else { Uuid::nil().into() };
    Claims {
        user_id: UserId::from(Uuid::nil()),
        token_id,
        session_id: None,
        issued_at: revocation.revoked_at,
        expires_at: revocation.expires_at,
        generation: Generation::default(),
        admin: false,
        key_id: None,
        grants: None,
    }
}

/// How long a node takes to read so many entries at its start.
async fn load(database: &BenchDatabase, entries: u64) -> Result<(&'static str, Duration), Failure> {
    fill(database, entries).await?;
    let blacklist = SyncedBlacklist::new(database.log.clone(), Arc::new(SystemClock), SyncOptions::default());
    let began = tokio::time::Instant::now();
    while !blacklist.sync_step().await?.complete {}
    let took = began.elapsed();
    if count(blacklist.stats().index.tokens) < count(usize::try_from(entries)?) {
        return Err("an entry was not loaded".into());
    }
    Ok((database.name(), took))
}

/// Appends so many live entries.
pub(crate) async fn fill(database: &BenchDatabase, entries: u64) -> Result<(), Failure> {
    let now = SystemClock.now().replace_nanosecond(0)?;
    for begin in (0..entries).step_by(1_000) {
        let batch = (begin..entries.min(begin + 1_000)).map(|number| revocation(now, number));
        database.log.append(&batch.collect::<Result<Vec<_>, _>>()?).await?;
    }
    Ok(())
}
