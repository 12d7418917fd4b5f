//! Batches: the jobs that a thread takes, and their order.

use auth_core::Verdict;
use futures_executor::block_on;

use crate::rig::{ALONE, Go, Layout, Rig};

const ONE_THREAD: Layout = Layout { threads: 1, width: 4, queue: 64 };

#[test]
fn a_thread_takes_as_many_as_its_width_and_each_gets_its_own_answer() {
    let rig = Rig::new(&ONE_THREAD);
    let busy = rig.busy();
    let jobs = ["a", "wrong b", "c", "d", "wrong e", "f"].map(|name| rig.verify(name));
    assert_eq!(rig.next(), ["a", "wrong b", "c", "d"]);
    assert_eq!(rig.pool.stats().running, 4);
    assert_eq!(rig.next(), ["wrong e", "f"]);
    rig.go(Go::On);
    assert_eq!(block_on(busy).unwrap(), Verdict::Match);
    let verdicts = jobs.map(|job| block_on(job).unwrap() == Verdict::Match);
    assert_eq!(verdicts, [true, false, true, true, false, true]);
    let stats = rig.pool.stats();
    assert_eq!((stats.batches, stats.completed, stats.running), ([1, 1, 0, 1], 7, 0));
}

#[test]
fn a_thread_of_width_one_takes_one() {
    let rig = Rig::new(&Layout { width: 1, ..ONE_THREAD });
    let _jobs = (rig.busy(), rig.verify("a"), rig.verify("b"));
    assert_eq!(rig.next(), ["a"]);
    assert_eq!(rig.next(), ["b"]);
    rig.go(Go::On);
}

#[test]
fn only_jobs_with_the_same_key_share_a_batch() {
    let rig = Rig::new(&ONE_THREAD);
    let _busy = rig.busy();
    let _jobs = [("a", "x"), ("b", "longer"), ("c", "x"), ("d", ALONE), ("e", ALONE), ("f", "x"), ("g", "longer")]
        .map(|(name, stored)| rig.verify_with(name, stored));
    assert_eq!(rig.next(), ["a", "c", "f"]);
    assert_eq!(rig.next(), ["b", "g"], "whoever has waited longest goes next");
    assert_eq!(rig.next(), ["d"]);
    assert_eq!(rig.next(), ["e"]);
    rig.go(Go::On);
}

#[test]
fn registrations_and_logins_share_a_batch() {
    let rig = Rig::new(&ONE_THREAD);
    let _busy = rig.busy();
    let logins = ["a", "wrong b", "c", "d"].map(|name| rig.verify(name));
    let registrations = ["x", "y"].map(|name| rig.hash(name));
    assert_eq!(rig.next(), ["x", "y", "a", "wrong b"], "two of each, though more logins wait");
    assert_eq!(rig.next(), ["c", "d"]);
    rig.go(Go::On);
    assert_eq!(logins.map(|job| block_on(job).unwrap() == Verdict::Match), [true, false, true, true]);
    let hashes = registrations.map(|job| block_on(job).unwrap().expose_hash().to_owned());
    assert_eq!(hashes, ["hash of x", "hash of y"]);
}

#[test]
fn registrations_and_logins_are_served_in_turn() {
    let rig = Rig::new(&Layout { width: 1, ..ONE_THREAD });
    let _busy = rig.busy();
    let _logins = ["a", "b", "c", "d"].map(|name| rig.verify(name));
    let _registrations = ["x", "y"].map(|name| rig.hash(name));
    let order: Vec<_> = (0..6).flat_map(|_| rig.next()).collect();
    assert_eq!(order, ["x", "a", "y", "b", "c", "d"]);
    rig.go(Go::On);
}

#[test]
fn idle_threads_share_the_waiting_jobs() {
    let rig = Rig::new(&Layout { threads: 2, ..ONE_THREAD });
    let _jobs = (rig.verify("a"), rig.verify("b"));
    let mut started = [rig.started(), rig.started()];
    started.sort();
    assert_eq!(started, [["a"], ["b"]], "one for each");
    let _more = ["c", "d", "e"].map(|name| rig.verify(name));
    assert_eq!(rig.next(), ["c", "d", "e"], "the other thread is busy");
    rig.go(Go::On);
    rig.go(Go::On);
}

#[test]
fn a_job_without_a_caller_is_skipped_anywhere_in_the_queue() {
    let rig = Rig::new(&ONE_THREAD);
    let _busy = rig.busy();
    let [a, _b, c, _d] = ["a", "b", "c", "d"].map(|name| rig.verify(name));
    let x = rig.hash("x");
    drop((a, c, x));
    assert_eq!(rig.next(), ["b", "d"]);
    let _e = rig.verify("e");
    assert_eq!(rig.next(), ["e"]);
    assert_eq!(rig.pool.stats().abandoned, 3);
    rig.go(Go::On);
}
