//! Threads, panics, runtimes and the end of a pool.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use auth_core::{AsyncPasswordHasher as _, HashingError, Password, PasswordHash, Verdict};
use auth_password::{BcryptHasher, PasswordPool, PoolOptions, PriorityOutcome, ThreadPriority};
use futures_executor::block_on;

use crate::rig::{Go, Layout, Rig};

const ONE_THREAD: Layout = Layout { threads: 1, width: 4, queue: 64 };

#[test]
fn a_panic_costs_the_answers_of_one_batch_and_no_thread() {
    let rig = Rig::new(&ONE_THREAD);
    let busy = rig.busy();
    let batch = (rig.hash("a"), rig.verify("b"), rig.verify("c"));
    rig.go(Go::Panic);
    assert!(matches!(block_on(busy), Err(HashingError::Lost)));
    assert_eq!(rig.started(), ["a", "b", "c"]);
    rig.go(Go::Panic);
    assert!(matches!(block_on(batch.0), Err(HashingError::Lost)));
    assert!(matches!(block_on(batch.1), Err(HashingError::Lost)));
    assert!(matches!(block_on(batch.2), Err(HashingError::Lost)));
    let next = rig.busy();
    rig.go(Go::On);
    assert_eq!(block_on(next).unwrap(), Verdict::Match, "the thread goes on");
    let stats = rig.pool.stats();
    assert_eq!((stats.lost, stats.completed, stats.running), (4, 1, 0));
}

#[test]
fn a_missing_result_of_the_hasher_leaves_no_caller_waiting() {
    let rig = Rig::new(&ONE_THREAD);
    let _busy = rig.busy();
    let batch = (rig.hash("a"), rig.verify("b"), rig.verify("c"));
    assert_eq!(rig.next(), ["a", "b", "c"]);
    rig.go(Go::Short);
    assert!(block_on(batch.0).is_ok() && block_on(batch.1).is_ok());
    assert!(matches!(block_on(batch.2), Err(HashingError::Lost)));
}

#[test]
fn dropping_the_pool_ends_its_threads() {
    let Rig { pool, hasher, .. } = Rig::new(&Layout { threads: 3, ..ONE_THREAD });
    drop(pool);
    assert_eq!(Arc::strong_count(&hasher), 1, "a thread still holds the hasher");
}

/// Waker that unparks a thread: the smallest possible runtime.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn park_until<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_pool_works_with_any_runtime() {
    fn pool() -> PasswordPool {
        PasswordPool::new(Arc::new(BcryptHasher::new(4).unwrap()), PoolOptions::default()).unwrap()
    }
    async fn story(pool: PasswordPool) -> (Verdict, Verdict) {
        let password = |text| Password::parse(text).unwrap();
        let hash: PasswordHash = pool.hash(password("right")).await.unwrap();
        let right = pool.verify(password("right"), hash.clone()).await.unwrap();
        (right, pool.verify(password("wrong"), hash).await.unwrap())
    }
    let expected = (Verdict::Match, Verdict::Mismatch);
    assert_eq!(park_until(story(pool())), expected);
    assert_eq!(block_on(story(pool())), expected);
    let one_thread = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(one_thread.block_on(story(pool())), expected);
    let many_threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    assert_eq!(many_threads.block_on(async { tokio::spawn(story(pool())).await.unwrap() }), expected);
}

#[test]
fn asking_for_normal_priority_changes_nothing() {
    assert_eq!(Rig::new(&ONE_THREAD).pool.priority(), PriorityOutcome::Set);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod on_linux {
    use super::*;
    use auth_core::{HashError, PasswordHasher};
    use rustix::process::getpriority_process;

    /// Hasher whose hashes name the nice value of the thread that made them.
    #[derive(Debug)]
    struct NicenessHasher;

    impl PasswordHasher for NicenessHasher {
        fn max_bytes(&self) -> usize {
            72
        }
        fn hash(&self, _password: &Password) -> Result<PasswordHash, HashError> {
            Ok(PasswordHash::new(getpriority_process(None).unwrap().to_string()))
        }
        fn verify(&self, _password: &Password, _hash: &PasswordHash) -> Result<Verdict, HashError> {
            Ok(Verdict::Mismatch)
        }
        fn dummy_hash(&self) -> Result<PasswordHash, HashError> {
            self.hash(&Password::parse("dummy_hash").unwrap())
        }
    }

    #[test]
    fn the_priority_is_that_of_the_hashing_threads_alone() {
        let own = getpriority_process(None).unwrap();
        for (priority, least) in [(ThreadPriority::Normal, own), (ThreadPriority::Low, 5), (ThreadPriority::Lowest, 19)]
        {
            let mut options = PoolOptions::default();
            options.priority = priority;
            let pool = PasswordPool::new(Arc::new(NicenessHasher), options).unwrap();
            assert_eq!(pool.priority(), PriorityOutcome::Set);
            let nice = block_on(pool.hash(Password::parse("x").unwrap())).unwrap();
            assert_eq!(nice.expose_hash(), own.max(least).to_string(), "{priority:?}");
            assert_eq!(getpriority_process(None).unwrap(), own, "the caller's own is untouched");
        }
    }
}
