//! Refusals of the pool, and the wait that they ask for.

use std::time::Duration;

use auth_core::HashingError;
use auth_password::WaitStats;
use futures_executor::block_on;

use crate::rig::{ALONE, Go, Layout, Rig, Submitted};

const ROOM_FOR_TWO: Layout = Layout { threads: 1, width: 4, queue: 2 };

/// Returns the wait that a refused job is told.
fn retry_after<T: std::fmt::Debug>(job: Submitted<T>) -> Duration {
    match block_on(job) {
        Err(HashingError::Overloaded { retry_after }) => retry_after,
        other => panic!("not refused: {other:?}"),
    }
}

/// Returns a rig whose last batch took `long`, so that the pool can estimate waits. Its thread is busy.
fn paced(layout: &Layout, long: Duration) -> Rig {
    let rig = Rig::new(layout);
    let _first = rig.busy();
    let _second = rig.verify_with("busy too", ALONE);
    rig.clock.advance(long);
    assert_eq!(rig.next(), ["busy too"]);
    rig
}

#[test]
fn a_full_queue_refuses_at_once() {
    let rig = Rig::new(&ROOM_FOR_TWO);
    let busy = rig.busy();
    let waiting = [rig.verify("a"), rig.verify("b")];
    assert_eq!(retry_after(rig.verify("c")), Duration::from_secs(1), "the least there is");
    assert_eq!(rig.pool.stats().shed, 1);
    rig.go(Go::On);
    rig.go(Go::On);
    assert!(block_on(busy).is_ok());
    assert!(waiting.map(block_on).iter().all(Result::is_ok));
}

#[test]
fn a_flood_of_one_kind_takes_no_room_from_the_other() {
    let rig = Rig::new(&ROOM_FOR_TWO);
    let _busy = rig.busy();
    let _logins = [rig.verify("a"), rig.verify("b")];
    retry_after(rig.verify("c"));
    let _registrations = [rig.hash("x"), rig.hash("y")];
    retry_after(rig.hash("z"));
    let stats = rig.pool.stats();
    assert_eq!((stats.hashes_queued, stats.verifies_queued, stats.queued(), stats.shed), (2, 2, 4, 2));
    assert_eq!(rig.next(), ["x", "y", "a", "b"]);
    rig.go(Go::On);
}

#[test]
fn retry_after_counts_batches_and_not_jobs() {
    for (width, seconds) in [(1, 6), (2, 4), (4, 2)] {
        let rig = paced(&Layout { threads: 1, width, queue: 3 }, Duration::from_secs(2));
        let _waiting = ["a", "b", "c"].map(|name| rig.verify(name));
        assert_eq!(retry_after(rig.verify("d")), Duration::from_secs(seconds), "width {width}");
    }
    let rig = paced(&Layout { threads: 1, width: 4, queue: 3 }, Duration::from_secs(2));
    let _waiting = [("a", "x"), ("b", "longer"), ("c", ALONE)].map(|(name, stored)| rig.verify_with(name, stored));
    assert_eq!(retry_after(rig.verify("d")), Duration::from_secs(6), "nothing here goes together");
}

#[test]
fn retry_after_follows_the_duration_of_the_last_batches() {
    let rig = paced(&Layout { threads: 1, width: 1, queue: 2 }, Duration::from_secs(1));
    // The batch under way takes nine seconds, which counts for an eighth.
    rig.clock.advance(Duration::from_secs(9));
    let _third = rig.verify("third");
    assert_eq!(rig.next(), ["third"]);
    let _waiting = [rig.verify("a"), rig.verify("b")];
    assert_eq!(retry_after(rig.verify("c")), Duration::from_secs(4), "two turns of two seconds");
}

#[test]
fn a_backlog_longer_than_the_wait_is_refused_before_the_queue_is_full() {
    let rig = paced(&Layout { threads: 1, width: 1, queue: 64 }, Duration::from_secs(2));
    let _waiting = ["a", "b", "c"].map(|name| rig.verify(name));
    assert_eq!(retry_after(rig.verify("d")), Duration::from_secs(6));
    let _registration = rig.hash("x");
    assert_eq!(rig.pool.stats().hashes_queued, 1, "its turn comes after one login");
    assert_eq!(rig.next(), ["x"]);
    assert_eq!(rig.next(), ["a"]);
}

#[test]
fn a_job_that_waited_too_long_is_refused_and_not_computed() {
    let rig = Rig::new(&ROOM_FOR_TWO);
    let busy = rig.busy();
    let late = (rig.verify("late"), rig.hash("late too"));
    rig.clock.advance(Duration::from_secs(4));
    let in_time = rig.verify("in time");
    rig.clock.advance(Duration::from_millis(1_001));
    assert_eq!(rig.next(), ["in time"]);
    rig.go(Go::On);
    assert!(block_on(busy).is_ok());
    retry_after(late.0);
    retry_after(late.1);
    assert!(block_on(in_time).is_ok());
    let stats = rig.pool.stats();
    assert_eq!((stats.shed, stats.completed), (2, 2));
    assert_eq!(stats.waits.sum, Duration::from_millis(1_001));
    let bucket = |wait| WaitStats::BOUNDS.iter().position(|bound| *bound == wait).unwrap();
    assert_eq!(stats.waits.counts[bucket(Duration::from_millis(1))], 1);
    assert_eq!(stats.waits.counts[bucket(Duration::from_millis(2_500))], 1);
}

#[test]
fn a_job_that_waited_exactly_the_maximum_is_computed() {
    let rig = Rig::new(&ROOM_FOR_TWO);
    let _busy = rig.busy();
    let _patient = rig.verify("patient");
    rig.clock.advance(Duration::from_secs(5));
    assert_eq!(rig.next(), ["patient"]);
    rig.go(Go::On);
}

#[test]
fn a_caller_that_goes_away_frees_its_place_in_the_queue_but_not_a_running_job() {
    let rig = Rig::new(&ROOM_FOR_TWO);
    drop(rig.busy());
    assert_eq!(rig.pool.stats().running, 1, "the hash is still being computed");
    drop([rig.verify("a"), rig.verify("b")]);
    let stayed = rig.verify("c");
    let stats = rig.pool.stats();
    assert_eq!((stats.verifies_queued, stats.abandoned, stats.shed, stats.running), (1, 2, 0, 1));
    assert_eq!(rig.next(), ["c"]);
    rig.go(Go::On);
    assert!(block_on(stayed).is_ok());
}
