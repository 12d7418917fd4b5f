//! Writes that share a batch.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use group_commit::GroupCommit;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A writer that records its batches, and that can be held in the middle of the first one.
#[derive(Default)]
struct Writer {
    batches: Mutex<Vec<Vec<u32>>>,
    begun: AtomicUsize,
    gate: Notify,
    fails: Mutex<Option<String>>,
}

impl Writer {
    async fn write(&self, batch: Vec<u32>) -> Result<Vec<u32>, String> {
        if self.begun.fetch_add(1, Ordering::SeqCst) == 0 {
            self.gate.notified().await;
        }
        if let Some(error) = self.fails.lock().unwrap().clone() {
            return Err(error);
        }
        self.batches.lock().unwrap().push(batch.clone());
        Ok(batch.into_iter().map(|item| item + 100).collect())
    }

    async fn begun(&self) {
        while self.begun.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    }
}

struct Fixture {
    group: Arc<GroupCommit<u32, u32, String>>,
    writer: Arc<Writer>,
}

impl Fixture {
    fn new(max_batch: usize) -> Self {
        Self { group: Arc::new(GroupCommit::new(max_batch)), writer: Arc::default() }
    }

    fn submit(&self, item: u32) -> JoinHandle<Result<u32, String>> {
        let (group, writer) = (Arc::clone(&self.group), Arc::clone(&self.writer));
        tokio::spawn(async move {
            group
                .write(item, |batch| {
                    let writer = Arc::clone(&writer);
                    async move { writer.write(batch).await }
                })
                .await
        })
    }

    /// Submits the first item, which is held, and then the others.
    async fn submit_all(&self, items: std::ops::Range<u32>) -> Vec<JoinHandle<Result<u32, String>>> {
        let mut tasks = vec![self.submit(items.start)];
        self.writer.begun().await;
        for item in items.skip(1) {
            tasks.push(self.submit(item));
            tokio::task::yield_now().await;
        }
        tasks
    }
}

#[tokio::test]
async fn a_single_write_does_not_wait_and_those_that_come_meanwhile_share_the_next() {
    let fixture = Fixture::new(500);
    let tasks = fixture.submit_all(0..10).await;
    fixture.writer.gate.notify_one();
    for (item, task) in (0..).zip(tasks) {
        assert_eq!(task.await.unwrap(), Ok(item + 100));
    }
    let batches = fixture.writer.batches.lock().unwrap();
    assert_eq!(*batches, [vec![0], (1..10).collect()]);
}

#[tokio::test]
async fn a_batch_has_at_most_so_many_items() {
    let fixture = Fixture::new(4);
    let tasks = fixture.submit_all(0..10).await;
    fixture.writer.gate.notify_one();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let batches = fixture.writer.batches.lock().unwrap();
    assert_eq!(*batches, [vec![0], vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![9]]);
}

#[tokio::test]
async fn the_others_of_a_batch_whose_writer_goes_away_are_written() {
    let fixture = Fixture::new(500);
    let mut tasks = fixture.submit_all(0..6).await;
    tasks.remove(0).abort();
    for (item, task) in (1..).zip(tasks) {
        assert_eq!(task.await.unwrap(), Ok(item + 100));
    }
    assert_eq!(*fixture.writer.batches.lock().unwrap(), [(1..6).collect::<Vec<_>>()]);
}

#[tokio::test]
async fn an_error_is_reported_to_every_caller_of_its_batch_and_to_nobody_later() {
    let fixture = Fixture::new(500);
    *fixture.writer.fails.lock().unwrap() = Some("disk full".to_owned());
    let tasks = fixture.submit_all(0..3).await;
    fixture.writer.gate.notify_one();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Err("disk full".to_owned()));
    }
    *fixture.writer.fails.lock().unwrap() = None;
    assert_eq!(fixture.submit(7).await.unwrap(), Ok(107));
}
