//! The hashing threads from outside, with a hasher that works when it is told to.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_core::{
    HashError, ManualClock, Password, PasswordHash, PasswordHasher, PasswordPool, PoolError, PoolOptions, Verdict,
};
use time::OffsetDateTime;
use tokio::task::yield_now;

/// Says when it starts a hash, and finishes it when told to.
#[derive(Debug)]
struct GatedHasher {
    started: Sender<()>,
    gate: Mutex<Receiver<bool>>,
    done: AtomicUsize,
}

impl PasswordHasher for GatedHasher {
    fn max_bytes(&self) -> usize {
        72
    }
    fn hash(&self, _password: &Password) -> Result<PasswordHash, HashError> {
        self.started.send(()).unwrap();
        let good = self.gate.lock().unwrap().recv().unwrap_or(true);
        assert!(good, "told to panic");
        self.done.fetch_add(1, Ordering::SeqCst);
        Ok(PasswordHash::new("hash".to_owned()))
    }
    fn verify(&self, _password: &Password, _hash: &PasswordHash) -> Result<Verdict, HashError> {
        Ok(Verdict::Match)
    }
    fn decoy(&self) -> Result<PasswordHash, HashError> {
        Ok(PasswordHash::new("decoy".to_owned()))
    }
}

struct Rig {
    pool: PasswordPool,
    hasher: Arc<GatedHasher>,
    clock: Arc<ManualClock>,
    started: Receiver<()>,
    gate: Sender<bool>,
}

/// One thread, room for two that wait.
fn rig() -> Rig {
    let (started_in, started) = channel();
    let (gate, gate_out) = channel();
    let hasher = GatedHasher { started: started_in, gate: Mutex::new(gate_out), done: AtomicUsize::default() };
    let (hasher, clock) = (Arc::new(hasher), Arc::new(ManualClock::new(OffsetDateTime::UNIX_EPOCH)));
    let mut options = PoolOptions::default();
    options.threads = NonZeroUsize::MIN;
    options.queue = 2;
    options.max_wait = Duration::from_secs(5);
    options.clock = clock.clone();
    Rig { pool: PasswordPool::new(hasher.clone(), options).unwrap(), hasher, clock, started, gate }
}

impl Rig {
    fn submit(&self) -> tokio::task::JoinHandle<Result<PasswordHash, PoolError>> {
        let pool = self.pool.clone();
        tokio::spawn(async move { pool.hash(Password::parse("123456").unwrap()).await })
    }

    /// Lets the submitted tasks run until `queued` jobs wait.
    async fn until_queued(&self, queued: usize) {
        while self.pool.stats().queued != queued {
            yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_says_when_to_come_back() {
    let rig = rig();
    let running = rig.submit();
    yield_now().await;
    rig.started.recv().unwrap();
    let waiting = [rig.submit(), rig.submit()];
    rig.until_queued(2).await;
    let refused = rig.submit().await.unwrap();
    assert!(
        matches!(refused, Err(PoolError::Overloaded { retry_after }) if retry_after >= Duration::from_secs(1)),
        "{refused:?}"
    );
    assert_eq!(rig.pool.stats().shed, 1);
    for _ in 0..3 {
        rig.gate.send(true).unwrap();
    }
    assert!(running.await.unwrap().is_ok());
    for task in waiting {
        assert!(task.await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_frees_its_place_in_the_queue_but_not_what_is_being_computed() {
    let rig = rig();
    let running = rig.submit();
    yield_now().await;
    rig.started.recv().unwrap();
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    assert_eq!(rig.pool.stats().running, 1, "the hash is still being computed");
    let quitters = [rig.submit(), rig.submit()];
    rig.until_queued(2).await;
    for task in quitters {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    let stayed = rig.submit();
    rig.until_queued(1).await;
    rig.gate.send(true).unwrap();
    rig.gate.send(true).unwrap();
    assert!(stayed.await.unwrap().is_ok());
    assert_eq!(rig.hasher.done.load(Ordering::SeqCst), 2, "the abandoned ones were never started");
}

#[tokio::test]
async fn a_job_that_waited_too_long_is_refused_and_not_computed() {
    let rig = rig();
    let running = rig.submit();
    yield_now().await;
    rig.started.recv().unwrap();
    let late = rig.submit();
    rig.until_queued(1).await;
    rig.clock.advance(Duration::from_secs(6));
    rig.gate.send(true).unwrap();
    assert!(running.await.unwrap().is_ok());
    assert!(matches!(late.await.unwrap(), Err(PoolError::Overloaded { .. })));
    assert_eq!(rig.hasher.done.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_hasher_that_panics_costs_one_answer_and_no_thread() {
    let rig = rig();
    rig.gate.send(false).unwrap();
    assert!(matches!(rig.submit().await.unwrap(), Err(PoolError::Lost)));
    rig.gate.send(true).unwrap();
    assert!(rig.submit().await.unwrap().is_ok(), "the thread lives on");
}

#[tokio::test]
async fn dropping_the_pool_ends_its_threads() {
    let Rig { pool, hasher, .. } = rig();
    drop(pool);
    assert_eq!(Arc::strong_count(&hasher), 1, "a thread still holds the hasher");
}
