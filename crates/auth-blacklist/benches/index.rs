//! Index of the blacklist: look-ups on two threads beside one writer, memory use, and forgetting.
//!
//! `cargo bench -p auth-blacklist --bench index [entries]` (default: a million). It prints measurements and asserts
//! nothing.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use auth_blacklist::Index;
use auth_core::blacklist::{RevocationReason, RevocationTarget, Standing};
use auth_core::{Claims, Generation, Revocation, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

/// Spreads a counter over 128 bits as evenly as random ids are.
fn token(number: u64) -> Uuid {
    let mixed = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).rotate_left(64);
    Uuid::from_u128(mixed.wrapping_mul(0x2545_F491_4F6C_DD1D_2545_F491_4F6C_DD1D))
}

fn start() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn claims(number: u64) -> Claims {
    Claims {
        user_id: UserId::from(Uuid::nil()),
        token_id: token(number).into(),
        session_id: None,
        issued_at: start(),
        expires_at: expiry(number),
        generation: Generation::default(),
        admin: false,
        key_id: None,
        grants: None,
    }
}

/// Returns expiries that are spread over a day, like those of tokens that live a day.
fn expiry(number: u64) -> OffsetDateTime {
    start() + Duration::from_secs(number.wrapping_mul(7919) % 86_400)
}

fn revocation(number: u64) -> Revocation {
    Revocation {
        target: RevocationTarget::Token(token(number).into()),
        expires_at: expiry(number),
        revoked_at: start(),
        reason: RevocationReason::Logout,
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let result = work();
    (result, began.elapsed())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn per(total: Duration, count: u64) -> f64 {
    total.as_nanos() as f64 / count as f64
}

/// Number of claims of a batch. They stay in the caches, like those of a token that was just read, so that only the
/// index is measured.
const BATCH: u64 = 500;

fn look_ups(index: &Index, numbers: std::ops::Range<u64>, expected: Standing) -> Duration {
    let count = numbers.end - numbers.start;
    let mut total = Duration::ZERO;
    for first in (0..1_000_000 / BATCH).map(|batch| batch * BATCH) {
        let number = |step: u64| numbers.start + step.wrapping_mul(0x9E37_79B1) % count;
        let probes: Vec<_> = (first..first + BATCH).map(|step| claims(number(step))).collect();
        let (right, took) = timed(|| probes.iter().filter(|claims| index.standing(claims) == expected).count());
        assert_eq!(right, probes.len());
        total += took;
    }
    total
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let entries: u64 = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let index = Index::default();
    let ((), filling) = timed(|| (0..entries).for_each(|number| index.insert(&revocation(number))));
    let stats = index.stats();
    writeln!(out, "{entries} revoked tokens, {} partitions", stats.partitions)?;
    writeln!(out, "memory          {:6.1} bytes an entry", per(Duration::from_nanos(stats.bytes as u64), entries))?;
    writeln!(out, "inserting       {:6.1} ns", per(filling, entries))?;
    for (what, numbers, expected) in
        [("hit ", 0..entries, Standing::Revoked), ("miss", entries..2 * entries, Standing::Good)]
    {
        let stop = AtomicBool::new(false);
        let (one, two) = std::thread::scope(|scope| {
            let one = scope.spawn(|| look_ups(&index, numbers.clone(), expected));
            let two = scope.spawn(|| look_ups(&index, numbers.clone(), expected));
            // One writer now and then adds 500 entries at once, as a node that polls does.
            scope.spawn(|| {
                let mut number = 3 * entries;
                while !stop.load(Ordering::Relaxed) {
                    (number..number + 500).for_each(|number| index.insert(&revocation(number)));
                    number += 500;
                    std::thread::sleep(Duration::from_millis(250));
                }
            });
            let took = (one.join(), two.join());
            stop.store(true, Ordering::Relaxed);
            (took.0.unwrap_or_default(), took.1.unwrap_or_default())
        });
        writeln!(
            out,
            "look-up, {what}   {:6.1} ns and {:.1} ns, two threads",
            per(one, 1_000_000),
            per(two, 1_000_000)
        )?;
    }
    let ((), forgetting) = timed(|| index.forget(start() + Duration::from_secs(14 * 3600)));
    writeln!(out, "forgetting half {:6.1} ms", per(forgetting, 1_000_000))?;
    Ok(())
}
