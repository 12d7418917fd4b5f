//! A pool over a hasher that reports each batch and continues on command.

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use auth_core::{
    AsyncPasswordHasher as _, Batch, BatchKey, BatchResults, HashError, HashingError, ManualClock, Password,
    PasswordHash, PasswordHasher, Verdict,
};
use auth_password::{PasswordPool, PoolOptions, ThreadPriority};
use time::OffsetDateTime;

/// Stored hashes with this text can be computed together, and with new passwords.
pub(crate) const COMMON: &str = "common";

/// Stored hashes with this text are computed alone.
pub(crate) const ALONE: &str = "alone";

/// Command to the hasher.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Go {
    /// Gives every job its result.
    On,
    /// Panics.
    Panic,
    /// Gives one result too few.
    Short,
}

#[derive(Debug)]
pub(crate) struct GatedHasher {
    started: Sender<Vec<String>>,
    gate: Mutex<Receiver<Go>>,
}

impl GatedHasher {
    /// Reports the names of the passwords, then waits for a command. It continues when the gate is gone.
    fn report_and_wait(&self, passwords: &[&Password]) -> Go {
        let names = passwords.iter().map(|password| password.expose_secret().to_owned()).collect();
        // An error means that the test is over.
        let _ = self.started.send(names);
        let go = self.gate.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv().unwrap_or(Go::On);
        assert!(!matches!(go, Go::Panic), "told to panic");
        go
    }
}

impl PasswordHasher for GatedHasher {
    fn max_bytes(&self) -> usize {
        72
    }
    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError> {
        self.report_and_wait(&[password]);
        Ok(hash_of(password))
    }
    fn verify(&self, password: &Password, _hash: &PasswordHash) -> Result<Verdict, HashError> {
        self.report_and_wait(&[password]);
        Ok(verdict_of(password))
    }
    fn dummy_hash(&self) -> Result<PasswordHash, HashError> {
        Ok(PasswordHash::new(COMMON.to_owned()))
    }
    fn batch_key(&self, stored: Option<&PasswordHash>) -> Option<BatchKey> {
        let text = stored.map_or(COMMON, PasswordHash::expose_hash);
        let parameters = u64::try_from(text.len()).unwrap();
        (text != ALONE).then_some(BatchKey { scheme: "gated", parameters })
    }
    fn run_batch(&self, jobs: Batch<'_>) -> BatchResults {
        let verified = jobs.verify.iter().map(|(password, _)| *password);
        let passwords: Vec<_> = jobs.hash.iter().copied().chain(verified).collect();
        let go = self.report_and_wait(&passwords);
        let mut results = BatchResults {
            hashes: jobs.hash.iter().map(|password| Ok(hash_of(password))).collect(),
            verdicts: jobs.verify.iter().map(|(password, _)| Ok(verdict_of(password))).collect(),
        };
        if matches!(go, Go::Short) {
            results.verdicts.pop();
        }
        results
    }
}

fn hash_of(password: &Password) -> PasswordHash {
    PasswordHash::new(format!("hash of {}", password.expose_secret()))
}

/// Returns `Mismatch` for a password that begins with `w`.
fn verdict_of(password: &Password) -> Verdict {
    if password.expose_secret().starts_with('w') { Verdict::Mismatch } else { Verdict::Match }
}

/// Job in the pool. Dropping it is a caller that goes away.
pub(crate) type Submitted<T> = Pin<Box<dyn Future<Output = Result<T, HashingError>>>>;

pub(crate) struct Rig {
    /// Dropped before the pool, so that no thread is held when the pool waits for its threads.
    gate: Sender<Go>,
    pub(crate) pool: PasswordPool,
    pub(crate) hasher: Arc<GatedHasher>,
    pub(crate) clock: Arc<ManualClock>,
    started: Receiver<Vec<String>>,
}

pub(crate) struct Layout {
    pub(crate) threads: usize,
    pub(crate) width: usize,
    pub(crate) queue: usize,
}

impl Rig {
    /// Returns a rig with a maximum wait of 5 seconds.
    pub(crate) fn new(layout: &Layout) -> Self {
        let (started_in, started) = channel();
        let (gate, gate_out) = channel();
        let hasher = Arc::new(GatedHasher { started: started_in, gate: Mutex::new(gate_out) });
        let clock = Arc::new(ManualClock::new(OffsetDateTime::UNIX_EPOCH));
        let mut options = PoolOptions::default();
        options.threads = NonZeroUsize::new(layout.threads).unwrap();
        options.width = NonZeroUsize::new(layout.width).unwrap();
        options.queue = layout.queue;
        options.max_wait = Duration::from_secs(5);
        options.priority = ThreadPriority::Normal;
        options.clock = clock.clone();
        let pool = PasswordPool::new(hasher.clone(), options).unwrap();
        let rig = Self { gate, pool, hasher, clock, started };
        // The test may rely only on threads that wait already.
        rig.until(|rig| rig.pool.stats().idle == layout.threads);
        rig
    }

    /// Submits a new password.
    pub(crate) fn hash(&self, name: &str) -> Submitted<PasswordHash> {
        let (pool, password) = (self.pool.clone(), Password::parse(name).unwrap());
        submitted(async move { pool.hash(password).await })
    }

    /// Submits a password to compare with a hash that can be computed together with others.
    pub(crate) fn verify(&self, name: &str) -> Submitted<Verdict> {
        self.verify_with(name, COMMON)
    }

    /// Submits a password to compare with this hash.
    pub(crate) fn verify_with(&self, name: &str, stored: &str) -> Submitted<Verdict> {
        let (pool, password) = (self.pool.clone(), Password::parse(name).unwrap());
        let stored = PasswordHash::new(stored.to_owned());
        submitted(async move { pool.verify(password, stored).await })
    }

    /// Submits a password that keeps one thread busy until the next command.
    pub(crate) fn busy(&self) -> Submitted<Verdict> {
        let job = self.verify("busy");
        assert_eq!(self.started(), ["busy"]);
        job
    }

    /// Waits for the next batch to start and returns its names, new passwords first.
    pub(crate) fn started(&self) -> Vec<String> {
        self.started.recv().unwrap()
    }

    pub(crate) fn go(&self, go: Go) {
        self.gate.send(go).unwrap();
    }

    /// Ends the running batch and returns the names of the next one.
    pub(crate) fn next(&self) -> Vec<String> {
        self.go(Go::On);
        self.started()
    }

    pub(crate) fn until(&self, reached: impl Fn(&Self) -> bool) {
        while !reached(self) {
            thread::yield_now();
        }
    }
}

/// Polls a job once, so that it is in the queue or refused.
fn submitted<T>(job: impl Future<Output = Result<T, HashingError>> + 'static) -> Submitted<T>
where
    T: 'static,
{
    let mut job: Submitted<T> = Box::pin(job);
    match job.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => job,
        Poll::Ready(result) => Box::pin(std::future::ready(result)),
    }
}
