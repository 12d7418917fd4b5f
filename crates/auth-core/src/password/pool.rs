//! The threads that hash. Hashing takes a quarter of a second of a core, so it never runs where requests are answered.
//!
//! A job owns its slot: a caller that goes away frees nothing that is still being computed, and a job whose caller has
//! gone is skipped before it starts. A full queue, or a wait past its limit, is [`PoolError::Overloaded`] at once.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_channel::oneshot;

use super::{HashError, Password, PasswordHash, PasswordHasher, Verdict};
use crate::clock::{Clock, SystemClock};

/// How a [`PasswordPool`] is laid out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PoolOptions {
    /// How many threads hash. Default: as many as cores.
    pub threads: NonZeroUsize,
    /// How many jobs may wait. Default: 64 for each thread.
    pub queue: usize,
    /// How long a job may wait before it is refused. Default: 10 seconds.
    pub max_wait: Duration,
    /// The clock that measures the wait.
    pub clock: Arc<dyn Clock>,
}

impl Default for PoolOptions {
    fn default() -> Self {
        let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { threads, queue: threads.get() * 64, max_wait: Duration::from_secs(10), clock: Arc::new(SystemClock) }
    }
}

/// What a pool is doing and has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Jobs that wait.
    pub queued: usize,
    /// Jobs that are being computed.
    pub running: usize,
    /// Jobs computed so far.
    pub completed: u64,
    /// Jobs refused so far because the queue was full or the wait too long.
    pub shed: u64,
    /// Jobs skipped so far because nobody waited for them any more.
    pub abandoned: u64,
}

/// Why a job was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// More work is waiting than can be finished in time.
    #[error("too many password hashes are waiting")]
    Overloaded {
        /// When the present backlog will be done, by the pool's own pace.
        retry_after: Duration,
    },
    /// The hasher failed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The thread that had the job ended without an answer: the hasher panicked.
    #[error("the hashing thread gave no answer")]
    Lost,
}

/// Runs a [`PasswordHasher`] on threads of its own. Works with any async runtime. Dropping the last clone ends the
/// threads once the jobs being computed are done.
#[derive(Clone)]
pub struct PasswordPool {
    owner: Arc<Owner>,
}

struct Owner {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    hasher: Arc<dyn PasswordHasher>,
    options: PoolOptions,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    closing: bool,
    stats: PoolStats,
    /// The mean time of one job, smoothed over the last few.
    pace: Duration,
}

struct Job {
    enqueued: Duration,
    work: Work,
}

enum Work {
    Hash(Password, oneshot::Sender<Result<PasswordHash, PoolError>>),
    Verify(Password, PasswordHash, oneshot::Sender<Result<Verdict, PoolError>>),
}

impl PasswordPool {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// When the operating system cannot start a thread.
    pub fn new(hasher: Arc<dyn PasswordHasher>, options: PoolOptions) -> io::Result<Self> {
        let count = options.threads.get();
        let shared = Arc::new(Shared { hasher, options, state: Mutex::default(), wake: Condvar::new() });
        let mut owner = Owner { shared: Arc::clone(&shared), threads: Vec::with_capacity(count) };
        for number in 0..count {
            let shared = Arc::clone(&shared);
            let thread = thread::Builder::new().name(format!("password-{number}")).spawn(move || shared.work())?;
            owner.threads.push(thread);
        }
        Ok(Self { owner: Arc::new(owner) })
    }

    /// The hasher that the threads run.
    #[must_use]
    pub fn hasher(&self) -> &dyn PasswordHasher {
        self.owner.shared.hasher.as_ref()
    }

    /// Hashes a password.
    ///
    /// # Errors
    ///
    /// When there is too much work, or the hasher failed.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, PoolError> {
        let (answer, result) = oneshot::channel();
        self.owner.shared.enqueue(Work::Hash(password, answer))?;
        result.await.unwrap_or(Err(PoolError::Lost))
    }

    /// Compares a password with a hash.
    ///
    /// # Errors
    ///
    /// When there is too much work, or the hasher failed.
    pub async fn verify(&self, password: Password, hash: PasswordHash) -> Result<Verdict, PoolError> {
        let (answer, result) = oneshot::channel();
        self.owner.shared.enqueue(Work::Verify(password, hash, answer))?;
        result.await.unwrap_or(Err(PoolError::Lost))
    }

    /// What the pool is doing and has done.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        let state = self.owner.shared.lock();
        PoolStats { queued: state.queue.len(), ..state.stats }
    }
}

impl fmt::Debug for PasswordPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordPool").field("hasher", &self.owner.shared.hasher).finish_non_exhaustive()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            // A hasher that panicked was reported to its caller as `Lost` already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, work: Work) -> Result<(), PoolError> {
        let mut state = self.lock();
        if state.queue.len() >= self.options.queue {
            state.queue.retain(|job| !job.work.is_abandoned());
        }
        if state.queue.len() >= self.options.queue || self.backlog(&state) > self.options.max_wait {
            state.stats.shed += 1;
            return Err(self.overloaded(&state));
        }
        state.queue.push_back(Job { enqueued: self.options.clock.monotonic(), work });
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// How long the jobs that wait will take, by the pace of the last jobs.
    fn backlog(&self, state: &State) -> Duration {
        let waiting = u32::try_from(state.queue.len()).unwrap_or(u32::MAX);
        let threads = u32::try_from(self.options.threads.get()).unwrap_or(u32::MAX);
        state.pace.saturating_mul(waiting) / threads
    }

    fn overloaded(&self, state: &State) -> PoolError {
        PoolError::Overloaded { retry_after: self.backlog(state).max(Duration::from_secs(1)) }
    }

    fn work(&self) {
        while let Some(job) = self.next_job() {
            let started = self.options.clock.monotonic();
            // A panic of the hasher drops the job's answer, which its caller sees as `Lost`; the thread lives on.
            let run = std::panic::AssertUnwindSafe(|| job.work.run(self.hasher.as_ref()));
            let answer = std::panic::catch_unwind(run);
            let took = self.options.clock.monotonic().saturating_sub(started);
            let mut state = self.lock();
            state.stats.running -= 1;
            state.stats.completed += 1;
            state.pace = if state.pace.is_zero() { took } else { (state.pace * 7 + took) / 8 };
            drop(state);
            if let Ok(answer) = answer {
                answer.give();
            }
        }
    }

    /// Waits for a job that somebody still waits for; `None` when the pool closes.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.closing {
                return None;
            }
            match state.queue.pop_front() {
                None => state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(job) if job.work.is_abandoned() => state.stats.abandoned += 1,
                Some(job) => {
                    if self.options.clock.monotonic().saturating_sub(job.enqueued) > self.options.max_wait {
                        state.stats.shed += 1;
                        job.work.refuse(self.overloaded(&state));
                    } else {
                        state.stats.running += 1;
                        return Some(job);
                    }
                }
            }
        }
    }
}

impl Work {
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Hash(_, answer) => answer.is_canceled(),
            Self::Verify(_, _, answer) => answer.is_canceled(),
        }
    }

    fn run(self, hasher: &dyn PasswordHasher) -> Answer {
        match self {
            Self::Hash(password, to) => Answer::Hash(to, hasher.hash(&password).map_err(PoolError::from)),
            Self::Verify(password, hash, to) => {
                Answer::Verify(to, hasher.verify(&password, &hash).map_err(PoolError::from))
            }
        }
    }

    fn refuse(self, error: PoolError) {
        match self {
            Self::Hash(_, to) => Answer::Hash(to, Err(error)),
            Self::Verify(_, _, to) => Answer::Verify(to, Err(error)),
        }
        .give();
    }
}

/// A result on its way to who waits for it.
enum Answer {
    Hash(oneshot::Sender<Result<PasswordHash, PoolError>>, Result<PasswordHash, PoolError>),
    Verify(oneshot::Sender<Result<Verdict, PoolError>>, Result<Verdict, PoolError>),
}

impl Answer {
    /// One that nobody waits for any more is dropped: the caller hung up while we computed.
    fn give(self) {
        match self {
            Self::Hash(to, result) => drop(to.send(result)),
            Self::Verify(to, result) => drop(to.send(result)),
        }
    }
}
