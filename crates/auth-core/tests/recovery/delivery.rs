use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::letters::{
    Delivery, DeliveryStep, LETTER_LEASE, LeaseId, Leased, LetterId, LetterKind, OutboxStats, QueuedLetter, SendError,
};
use auth_core::memory::MemoryStore;
use auth_core::{
    Clock as _, Letter, Mailer, ManualClock, OneTimeTokenStore as _, Outbox, SideEffects, StoreError, StoreErrorKind,
    UserId, Username,
};
use time::OffsetDateTime;

use crate::fixture::{DAY, Fixture, HOME, HOUR, MINUTE, at, email};

/// Answer of the mailer to one letter.
#[derive(Debug, Clone, Copy)]
enum Reply {
    Later,
    Never,
}

/// Mailer that answers as it is told, and then sends everything.
#[derive(Debug, Default)]
struct ScriptedMailer {
    replies: Mutex<VecDeque<Reply>>,
    sent: Mutex<Vec<LetterId>>,
    running: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait]
impl Mailer for ScriptedMailer {
    async fn send(&self, letter: &Letter) -> Result<(), SendError> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        let reply = self.replies.lock().unwrap().pop_front();
        match reply {
            Some(Reply::Later) => Err(SendError::Temporary("the server is busy".into())),
            Some(Reply::Never) => Err(SendError::Permanent("no such mailbox".into())),
            None => {
                self.sent.lock().unwrap().push(letter.id);
                Ok(())
            }
        }
    }
}

impl ScriptedMailer {
    fn replying(replies: impl IntoIterator<Item = Reply>) -> Arc<Self> {
        Arc::new(Self { replies: Mutex::new(replies.into_iter().collect()), ..Self::default() })
    }

    fn sent(&self) -> usize {
        self.sent.lock().unwrap().len()
    }
}

/// Outbox that fails to remove.
#[derive(Debug)]
struct StickyOutbox(Arc<MemoryStore>);

#[async_trait]
impl Outbox for StickyOutbox {
    async fn lease(
        &self,
        lease: LeaseId,
        now: OffsetDateTime,
        until: OffsetDateTime,
        limit: u32,
    ) -> Result<Leased, StoreError> {
        self.0.lease(lease, now, until, limit).await
    }
    async fn remove(&self, _: LetterId, _: LeaseId) -> Result<bool, StoreError> {
        Err(StoreError::new(StoreErrorKind::Unavailable, "no connection"))
    }
    async fn delay(&self, id: LetterId, lease: LeaseId, due_at: OffsetDateTime) -> Result<bool, StoreError> {
        self.0.delay(id, lease, due_at).await
    }
    async fn queue(&self, limit: u32) -> Result<Vec<QueuedLetter>, StoreError> {
        self.0.queue(limit).await
    }
    async fn of_user(&self, user_id: UserId) -> Result<Vec<QueuedLetter>, StoreError> {
        self.0.of_user(user_id).await
    }
    async fn stats(&self) -> Result<OutboxStats, StoreError> {
        Outbox::stats(self.0.as_ref()).await
    }
    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(None)
    }
}

struct Post {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    mailer: Arc<ScriptedMailer>,
    delivery: Delivery,
}

impl Post {
    fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let store = Arc::new(MemoryStore::new().unwrap());
        let clock = Arc::new(ManualClock::new(OffsetDateTime::UNIX_EPOCH + DAY * 20_000));
        let mailer = ScriptedMailer::replying(replies);
        let delivery = Delivery::new(store.clone(), mailer.clone(), clock.clone());
        Self { store, clock, mailer, delivery }
    }

    /// Writes notices to the outbox.
    async fn write(&self, number: usize) {
        let letter = || Letter {
            id: LetterId::generate().unwrap(),
            kind: LetterKind::PasswordChanged,
            user_id: UserId::generate(self.clock.now()).unwrap(),
            to: Some(email("ada")),
            username: Username::parse("ada").unwrap(),
            secret: None,
            language: auth_core::Language::default(),
            created_at: self.clock.now(),
        };
        let letters = (0..number).map(|_| letter()).collect();
        assert!(self.store.write(SideEffects { letters, ..SideEffects::default() }).await.unwrap());
    }

    async fn step(&self) -> DeliveryStep {
        self.delivery.step().await.unwrap()
    }

    async fn waiting(&self) -> u64 {
        Outbox::stats(self.store.as_ref()).await.unwrap().waiting
    }
}

#[tokio::test]
async fn letters_are_sent_and_removed_and_decoys_are_removed_unsent() {
    let fixture = Fixture::new();
    fixture.register("ada").await;
    fixture.forgot("nobody").await.unwrap();
    let mailer = ScriptedMailer::replying([]);
    let delivery = Delivery::new(fixture.store.clone(), mailer.clone(), fixture.clock.clone());
    let step = delivery.step().await.unwrap();
    assert_eq!((step.leased, step.sent.len(), mailer.sent()), (2, 1, 1));
    assert_eq!(fixture.take_all().await, []);
    assert_eq!(delivery.step().await.unwrap().leased, 0);
    assert_eq!(delivery.stats().sent, 1);
}

#[tokio::test]
async fn a_letter_that_failed_for_now_is_tried_again_after_growing_delays() {
    let post = Post::new([Reply::Later; 9]);
    post.write(1).await;
    let mut minutes = Vec::new();
    for attempt in 1..=9 {
        let step = post.step().await;
        assert_eq!((step.delayed.len(), step.delayed[0].attempts), (1, attempt));
        let due_at = post.store.queue(1).await.unwrap()[0].due_at;
        let delay = Duration::try_from(due_at - post.clock.now()).unwrap();
        minutes.push(delay.as_secs_f64() / 60.0);
        post.clock.advance(delay.saturating_sub(Duration::from_secs(1)));
        assert_eq!(post.step().await.leased, 0, "not before it is due");
        post.clock.advance(Duration::from_secs(1));
    }
    for (delay, expected) in minutes.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]) {
        assert!((0.79 * expected..=1.21 * expected).contains(delay), "{minutes:?}");
    }
    assert_eq!(post.step().await.sent.len(), 1);
    assert_eq!((post.waiting().await, post.delivery.stats().delayed), (0, 9));
}

#[tokio::test]
async fn a_letter_that_is_refused_for_good_is_given_up_at_once() {
    let post = Post::new([Reply::Never]);
    post.write(1).await;
    let step = post.step().await;
    assert_eq!((step.given_up.len(), step.sent.len()), (1, 0));
    assert_eq!(step.given_up[0].error.as_ref().unwrap().to_string(), "no such mailbox");
    assert_eq!((post.waiting().await, post.delivery.stats().given_up), (0, 1));
}

#[tokio::test]
async fn a_letter_is_given_up_after_a_day_of_failures() {
    let post = Post::new([Reply::Later; 100]);
    post.write(1).await;
    let start = post.clock.now();
    while post.waiting().await > 0 {
        assert!(post.clock.now() - start < DAY + HOUR * 2, "it is never given up");
        post.step().await;
        post.clock.advance(MINUTE * 10);
    }
    assert!(post.clock.now() - start >= DAY);
    assert_eq!((post.delivery.stats().given_up, post.mailer.sent()), (1, 0));
}

#[tokio::test]
async fn a_letter_that_no_worker_looked_at_for_a_day_is_tried_once() {
    let post = Post::new([Reply::Later]);
    post.write(2).await;
    post.clock.advance(DAY * 2);
    let step = post.step().await;
    assert_eq!((step.sent.len(), step.given_up.len()), (1, 1));
}

#[tokio::test]
async fn a_letter_whose_link_has_expired_is_not_sent() {
    let fixture = Fixture::new();
    fixture.register_verified("ada").await;
    fixture.forgot("ada").await.unwrap();
    fixture.clock.advance(HOUR);
    let mailer = ScriptedMailer::replying([]);
    let delivery = Delivery::new(fixture.store.clone(), mailer.clone(), fixture.clock.clone());
    let step = delivery.step().await.unwrap();
    assert_eq!((step.given_up.len(), mailer.sent()), (1, 0));
    assert!(step.given_up[0].error.is_none());
}

#[tokio::test]
async fn a_step_sends_a_batch_at_once_and_no_more() {
    let post = Post::new([]);
    post.write(20).await;
    let delivery = Delivery::new(post.store.clone(), post.mailer.clone(), post.clock.clone()).batch(8);
    for left in [12, 4, 0] {
        delivery.step().await.unwrap();
        assert_eq!(post.waiting().await, left);
    }
    assert_eq!(post.mailer.most.load(Ordering::SeqCst), 8);
}

#[tokio::test]
async fn one_bad_letter_keeps_no_other_from_being_sent() {
    let post = Post::new([Reply::Never, Reply::Later]);
    post.write(5).await;
    let step = post.step().await;
    assert_eq!((step.sent.len(), step.delayed.len(), step.given_up.len()), (3, 1, 1));
}

#[tokio::test]
async fn a_letter_that_could_not_be_removed_is_sent_once_in_a_lease() {
    let post = Post::new([]);
    post.write(1).await;
    let delivery = Delivery::new(Arc::new(StickyOutbox(post.store.clone())), post.mailer.clone(), post.clock.clone());
    let step = delivery.step().await.unwrap();
    assert_eq!((step.sent.len(), step.failures.len(), delivery.stats().failures), (1, 1, 1));
    post.clock.advance(LETTER_LEASE.saturating_sub(Duration::from_secs(1)));
    assert_eq!(delivery.step().await.unwrap().leased, 0);
    post.clock.advance(Duration::from_secs(1));
    let again = delivery.step().await.unwrap();
    assert_eq!(again.sent, step.sent, "the same letter, by which a reader's server recognises it");
}

#[tokio::test]
async fn workers_share_the_letters() {
    let post = Arc::new(Post::new([]));
    post.write(100).await;
    let workers = (0..5).map(|_| {
        let post = Arc::clone(&post);
        tokio::spawn(async move { while post.step().await.leased > 0 {} })
    });
    futures_util::future::join_all(workers).await;
    let mut sent = post.mailer.sent.lock().unwrap().clone();
    assert_eq!(sent.len(), 100);
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), 100, "each letter once");
}

#[tokio::test]
async fn a_run_empties_the_outbox_and_sleeps_only_when_there_is_no_more() {
    let post = Arc::new(Post::new([]));
    post.write(40).await;
    let (slept, sleeping) = tokio::sync::oneshot::channel();
    let slept = Mutex::new(Some(slept));
    let sleep = |_: Duration| {
        let is_first = slept.lock().unwrap().take().map(|slept| slept.send(()).unwrap()).is_some();
        async move {
            assert!(is_first);
            std::future::pending::<()>().await;
        }
    };
    let mut steps = Vec::new();
    {
        let run = std::pin::pin!(post.delivery.run(sleep, |step| steps.push(step.unwrap().leased)));
        futures_util::future::select(run, sleeping).await;
    }
    assert_eq!(steps, [16, 16, 8]);
    assert_eq!(post.waiting().await, 0);
}

#[tokio::test]
async fn a_letter_of_a_deleted_user_is_not_sent() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    fixture.auth.forgot_password(&email("ada"), &at(HOME)).await.unwrap();
    fixture.auth.delete_user(ada.user.id).await.unwrap();
    let mailer = ScriptedMailer::replying([]);
    let delivery = Delivery::new(fixture.store.clone(), mailer.clone(), fixture.clock.clone());
    assert_eq!((delivery.step().await.unwrap().leased, mailer.sent()), (0, 0));
}
