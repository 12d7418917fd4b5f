//! Pool of hashing threads. A hash takes a quarter of a second of a core, so it never runs on the threads that answer
//! requests.
//!
//! A job keeps its slot until it ends. A caller that goes away frees no slot whose job is being computed. A job whose
//! caller has gone is skipped before it starts. When too many jobs wait, or one waits past its limit, the result is
//! [`HashingError::Overloaded`] at once.
//!
//! A thread takes several waiting jobs at once when the hasher can compute them together, so that a backlog shrinks
//! several times as fast. Jobs are first spread over idle threads.
//!
//! Registrations hash and logins compare. Each of these kinds of job has a queue of its own, and the queues are served
//! in turn, so that a flood of one kind does not shut out the other.

mod job;
mod priority;
mod stats;
mod waiting;
mod yielding;

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_channel::oneshot;

use self::job::{Job, JobKind, JobRequest};
pub use self::priority::{PriorityOutcome, ThreadPriority};
pub use self::stats::{PoolStats, WaitStats};
use self::waiting::Waiting;
use self::yielding::CooperativeYield;
use async_trait::async_trait;
use auth_core::{AsyncPasswordHasher, BatchKey, HashingError, Password, PasswordHash, PasswordHasher, Pause, Verdict};
use auth_core::{Clock, SystemClock};

/// Maximum number of jobs that a thread computes at once.
pub const MAX_WIDTH: usize = 4;

/// Options of a [`PasswordPool`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PoolOptions {
    /// Number of hashing threads. Default: the number of cores.
    pub threads: NonZeroUsize,
    /// Maximum number of jobs that a thread computes at once, when that many wait and the hasher can: 1 to
    /// [`MAX_WIDTH`]. A higher value counts as [`MAX_WIDTH`]. Default: 4.
    pub width: NonZeroUsize,
    /// Maximum number of passwords that wait to be hashed, and of those that wait to be compared. Default: 64 of each
    /// for each thread.
    pub queue: usize,
    /// Maximum wait of a job before it is refused. Default: 10 seconds.
    pub max_wait: Duration,
    /// Priority of the threads. Default: [`ThreadPriority::Low`].
    pub priority: ThreadPriority,
    /// Clock that measures the wait.
    pub clock: Arc<dyn Clock>,
}

impl Default for PoolOptions {
    fn default() -> Self {
        let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            threads,
            width: NonZeroUsize::MIN.saturating_add(MAX_WIDTH - 1),
            queue: threads.get() * 64,
            max_wait: Duration::from_secs(10),
            priority: ThreadPriority::Low,
            clock: Arc::new(SystemClock),
        }
    }
}

/// Pool that runs a [`PasswordHasher`] on threads of its own. It works with any async runtime.
///
/// Dropping the last clone ends the threads once the jobs that are being computed are done.
#[derive(Clone)]
pub struct PasswordPool {
    owner: Arc<Owner>,
}

struct Owner {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    priority: PriorityOutcome,
}

struct Shared {
    hasher: Arc<dyn PasswordHasher>,
    options: PoolOptions,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Waiting,
    /// Number of threads that have nothing to do.
    idle: usize,
    closing: bool,
    /// Counts, except those that `waiting` and `idle` hold.
    stats: PoolStats,
    /// Mean time of one batch, smoothed over the last few.
    pace: Duration,
}

impl PasswordPool {
    /// Returns a pool whose threads have started.
    ///
    /// # Errors
    ///
    /// When the operating system cannot start a thread.
    pub fn new(hasher: Arc<dyn PasswordHasher>, options: PoolOptions) -> io::Result<Self> {
        let (count, priority) = (options.threads.get(), options.priority);
        let shared = Arc::new(Shared { hasher, options, state: Mutex::default(), wake: Condvar::new() });
        let outcome = PriorityOutcome::Set;
        let mut owner = Owner { shared: Arc::clone(&shared), threads: Vec::with_capacity(count), priority: outcome };
        let (report, outcomes) = mpsc::channel();
        for number in 0..count {
            let (shared, report) = (Arc::clone(&shared), report.clone());
            let run = move || {
                // An error means that the thread that started this one has gone.
                let _ = report.send(priority.apply());
                shared.run_jobs();
            };
            owner.threads.push(thread::Builder::new().name(format!("password-{number}")).spawn(run)?);
        }
        let unset = outcomes.iter().take(count).find(|outcome| *outcome != PriorityOutcome::Set);
        owner.priority = unset.unwrap_or(PriorityOutcome::Set);
        Ok(Self { owner: Arc::new(owner) })
    }

    /// Returns whether the threads got the priority that was asked for.
    #[must_use]
    pub fn priority(&self) -> PriorityOutcome {
        self.owner.priority
    }

    /// Returns the current state and the counts of the pool.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        let state = self.owner.shared.lock();
        PoolStats {
            hashes_queued: state.waiting.queue(JobKind::Hash).len(),
            verifies_queued: state.waiting.queue(JobKind::Verify).len(),
            idle: state.idle,
            ..state.stats
        }
    }
}

#[async_trait]
impl AsyncPasswordHasher for PasswordPool {
    fn hasher(&self) -> &dyn PasswordHasher {
        self.owner.shared.hasher.as_ref()
    }

    fn is_idle(&self) -> bool {
        self.stats().queued() == 0
    }

    async fn hash(&self, password: Password) -> Result<PasswordHash, HashingError> {
        let (reply, result) = oneshot::channel();
        let key = self.hasher().batch_key(None);
        self.owner.shared.enqueue(JobRequest::Hash(password, reply), key)?;
        result.await.unwrap_or(Err(HashingError::Lost))
    }

    async fn verify(&self, password: Password, hash: PasswordHash) -> Result<Verdict, HashingError> {
        let (reply, result) = oneshot::channel();
        let key = self.hasher().batch_key(Some(&hash));
        self.owner.shared.enqueue(JobRequest::Verify(password, hash, reply), key)?;
        result.await.unwrap_or(Err(HashingError::Lost))
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
            // A panic of the hasher was reported to its caller as `Lost` already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn width(&self) -> usize {
        self.options.width.get().min(MAX_WIDTH)
    }

    fn enqueue(&self, request: JobRequest, key: Option<BatchKey>) -> Result<(), HashingError> {
        let job = Job { enqueued: self.options.clock.monotonic(), key, request };
        let kind = job.kind();
        let mut state = self.lock();
        if state.waiting.queue(kind).len() >= self.options.queue {
            state.stats.abandoned += state.waiting.drop_abandoned(kind);
        }
        let wait = self.backlog(&state, kind);
        if state.waiting.queue(kind).len() >= self.options.queue || wait > self.options.max_wait {
            state.stats.shed += 1;
            return Err(overloaded(wait));
        }
        state.waiting.push(job);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// Estimates the time until the jobs before a new one of this kind are done, from the duration of the last batches.
    fn backlog(&self, state: &State, kind: JobKind) -> Duration {
        let batches = u32::try_from(state.waiting.batches_before(kind, self.width())).unwrap_or(u32::MAX);
        let threads = u32::try_from(self.options.threads.get()).unwrap_or(u32::MAX);
        state.pace.saturating_mul(batches) / threads
    }

    fn run_jobs(&self) {
        while let Some(jobs) = self.next_batch() {
            let clock = self.options.clock.as_ref();
            let started = clock.monotonic();
            let cooperative = CooperativeYield::new(clock, self.options.priority, started);
            let pause = || cooperative.yield_if_due();
            // A panic of the hasher ends the jobs, but not the thread.
            let run = AssertUnwindSafe(|| Job::run(&jobs, self.hasher.as_ref(), Pause::new(&pause)));
            let results = catch_unwind(run);
            let took = clock.monotonic().saturating_sub(started);
            let mut state = self.lock();
            state.stats.running -= jobs.len();
            let outcome = if results.is_ok() { &mut state.stats.completed } else { &mut state.stats.lost };
            *outcome += jobs.len() as u64;
            state.pace = if state.pace.is_zero() { took } else { (state.pace * 7 + took) / 8 };
            drop(state);
            if let Ok(results) = results {
                Job::answer(jobs, results);
            }
        }
    }

    /// Waits for jobs whose callers still wait. Returns `None` when the pool closes.
    fn next_batch(&self) -> Option<Vec<Job>> {
        let mut state = self.lock();
        while !state.closing {
            let now = self.options.clock.monotonic();
            let expired = state.waiting.expire(now.checked_sub(self.options.max_wait));
            state.stats.abandoned += expired.abandoned;
            state.stats.shed += expired.late.len() as u64;
            if !expired.late.is_empty() {
                let refusals: Vec<_> =
                    expired.late.into_iter().map(|job| (self.backlog(&state, job.kind()), job)).collect();
                drop(state);
                for (wait, job) in refusals {
                    job.refuse(overloaded(wait));
                }
                state = self.lock();
                continue;
            }

            let share = fair_share(state.waiting.len(), state.idle, self.width());
            let jobs = state.waiting.take(share);
            if jobs.is_empty() {
                state.idle += 1;
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            }
            state.stats.running += jobs.len();
            state.stats.batches[jobs.len() - 1] += 1;
            for job in &jobs {
                state.stats.waits.add(now.saturating_sub(job.enqueued));
            }
            if state.waiting.len() > 0 && state.idle > 0 {
                self.wake.notify_one();
            }
            return Some(jobs);
        }
        None
    }
}

/// Returns the maximum number of jobs that a thread takes, so that `idle` other threads without work get their share.
fn fair_share(waiting: usize, idle: usize, width: usize) -> usize {
    waiting.div_ceil(idle + 1).clamp(1, width)
}

fn overloaded(wait: Duration) -> HashingError {
    HashingError::Overloaded { retry_after: wait.max(Duration::from_secs(1)) }
}

#[cfg(test)]
mod tests {
    use super::fair_share;

    #[test]
    fn idle_threads_get_their_share_before_one_takes_more() {
        assert_eq!([0, 1, 2, 3, 4, 9].map(|waiting| fair_share(waiting, 0, 4)), [1, 1, 2, 3, 4, 4]);
        assert_eq!([1, 2, 3, 4, 7, 9].map(|waiting| fair_share(waiting, 1, 4)), [1, 1, 2, 2, 4, 4]);
        assert_eq!([1, 3, 4, 6].map(|waiting| fair_share(waiting, 2, 4)), [1, 1, 2, 2]);
        assert_eq!(fair_share(9, 0, 1), 1);
    }
}
