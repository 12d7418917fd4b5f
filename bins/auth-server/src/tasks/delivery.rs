//! Sends the letters that wait in the outbox, and logs what becomes of them.

use std::sync::Arc;
use std::time::Duration;

use auth_core::letters::{DELIVERY_INTERVAL, Delivery, DeliveryStep};
use auth_core::{Clock, Mailer, Outbox, StoreError};
use auth_mail::DEFAULT_MAX_CONNECTIONS;
use tokio::sync::watch;

use crate::metrics::Metrics;

/// Number of letters that are sent at once: each has a connection to the mail server.
const BATCH: usize = DEFAULT_MAX_CONNECTIONS.get();

/// Least time between two counts of the letters that wait.
const COUNT_INTERVAL: Duration = Duration::from_secs(15);

/// The task that sends letters. Every node runs one.
pub(crate) struct DeliveryTask {
    delivery: Delivery,
    outbox: Arc<dyn Outbox>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    /// Time of the last count of the letters that wait, on the monotonic clock.
    counted_at: Option<Duration>,
}

impl DeliveryTask {
    pub(crate) fn new(
        outbox: Arc<dyn Outbox>,
        mailer: Arc<dyn Mailer>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Self {
        let batch = u32::try_from(BATCH).unwrap_or(u32::MAX);
        let delivery = Delivery::new(Arc::clone(&outbox), mailer, Arc::clone(&clock)).batch(batch);
        Self { delivery, outbox, clock, metrics, counted_at: None }
    }

    /// Sends letters until `stop` is true. Those that are being sent then are sent to the end, because a letter that was sent and is
    /// not removed is sent again.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let more_wait = self.step().await;
            if !more_wait {
                tokio::select! {
                    biased;
                    _ = stop.wait_for(|stop| *stop) => {}
                    () = tokio::time::sleep(DELIVERY_INTERVAL) => {}
                }
            }
        }
    }

    /// Sends the letters that are due, at most a batch. Returns whether more may be due.
    async fn step(&mut self) -> bool {
        let step = self.delivery.step().await;
        log(&step);
        self.metrics.observe_letters(self.delivery.stats());
        self.count().await;
        step.is_ok_and(|step| step.leased >= BATCH && step.failures.is_empty())
    }

    /// Counts the letters that wait, unless that was done a moment ago.
    async fn count(&mut self) {
        let now = self.clock.monotonic();
        if self.counted_at.is_some_and(|counted_at| now.saturating_sub(counted_at) < COUNT_INTERVAL) {
            return;
        }
        self.counted_at = Some(now);
        match self.outbox.stats().await {
            Ok(stats) => self.metrics.observe_outbox(stats, self.clock.now()),
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "the waiting letters were not counted");
            }
        }
    }
}

/// Logs what became of letters, without addresses.
fn log(step: &Result<DeliveryStep, StoreError>) {
    let step = match step {
        Ok(step) => step,
        Err(error) => {
            let error = error as &dyn std::error::Error;
            return tracing::warn!(error, "the letters that wait cannot be read; trying again in a moment");
        }
    };
    for letter in &step.sent {
        tracing::debug!(%letter, "a letter was sent");
    }
    for unsent in &step.delayed {
        let (letter, kind, user, attempts) = (unsent.id, unsent.kind.as_str(), unsent.user_id, unsent.attempts);
        let error = unsent.error.as_deref().map(|error| error as &dyn std::error::Error);
        tracing::warn!(%letter, kind, %user, attempts, error, "a letter could not be sent; trying again later");
    }
    for unsent in &step.given_up {
        let (letter, kind, user, attempts) = (unsent.id, unsent.kind.as_str(), unsent.user_id, unsent.attempts);
        let error = unsent.error.as_deref().map(|error| error as &dyn std::error::Error);
        tracing::error!(%letter, kind, %user, attempts, error, "a letter was given up");
    }
    for letter in &step.unreadable {
        tracing::error!(%letter, "a waiting letter cannot be read; delete its row, or upgrade this server");
    }
    for error in &step.failures {
        let error = error as &dyn std::error::Error;
        tracing::warn!(error, "what became of a letter was not recorded; it may be sent again");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use auth_core::letters::{Letter, LetterId, LetterKind, SendError};
    use auth_core::memory::MemoryStore;
    use auth_core::{Email, Language, ManualClock, OneTimeTokenStore as _, SideEffects, UserId, Username};
    use time::macros::datetime;
    use tokio::sync::Semaphore;

    use super::*;

    /// A mailer that waits for a permit before each letter, and says when it has begun one.
    #[derive(Debug)]
    struct GatedMailer {
        begun: Semaphore,
        gate: Semaphore,
        answers: Mutex<Vec<Result<(), SendError>>>,
    }

    #[async_trait]
    impl Mailer for GatedMailer {
        async fn send(&self, _: &Letter) -> Result<(), SendError> {
            self.begun.add_permits(1);
            self.gate.acquire().await.unwrap().forget();
            self.answers.lock().unwrap().pop().unwrap_or(Ok(()))
        }
    }

    struct Rig {
        store: Arc<MemoryStore>,
        clock: Arc<ManualClock>,
        mailer: Arc<GatedMailer>,
        metrics: Metrics,
    }

    impl Rig {
        fn new(answers: Vec<Result<(), SendError>>) -> Self {
            let gate = (Semaphore::new(0), Semaphore::new(0));
            Self {
                store: Arc::new(MemoryStore::new().unwrap()),
                clock: Arc::new(ManualClock::new(datetime!(2026-11-27 00:00 UTC))),
                mailer: Arc::new(GatedMailer { begun: gate.0, gate: gate.1, answers: Mutex::new(answers) }),
                metrics: Metrics::new().unwrap(),
            }
        }

        async fn write_letter(&self) {
            let now = self.clock.now();
            let letter = Letter {
                id: LetterId::generate().unwrap(),
                kind: LetterKind::PasswordChanged,
                user_id: UserId::generate(now).unwrap(),
                to: Some(Email::parse("ada@example.org").unwrap()),
                username: Username::parse("ada").unwrap(),
                secret: None,
                language: Language::default(),
                created_at: now,
            };
            let effects = SideEffects { letters: vec![letter], ..SideEffects::default() };
            assert!(self.store.write(effects).await.unwrap());
        }

        fn task(&self) -> DeliveryTask {
            let (store, mailer, clock) = (self.store.clone(), self.mailer.clone(), self.clock.clone());
            DeliveryTask::new(store, mailer, clock, self.metrics.clone())
        }

        async fn waiting(&self) -> u64 {
            self.store.stats().await.unwrap().waiting
        }

        fn shows(&self, line: &str) -> bool {
            self.metrics.render().unwrap().lines().any(|shown| shown == line)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_letter_that_is_being_sent_at_the_stop_is_sent_to_the_end_and_removed() {
        let rig = Rig::new(Vec::new());
        rig.write_letter().await;
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(rig.task().run(stopped));
        rig.mailer.begun.acquire().await.unwrap().forget();
        stop.send_replace(true);
        assert_eq!(rig.waiting().await, 1);
        rig.mailer.gate.add_permits(1);
        running.await.unwrap();
        assert_eq!(rig.waiting().await, 0);
        assert!(rig.shows("auth_mail_sent_total 1"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_wait_for_the_next_letter_at_once() {
        let rig = Rig::new(Vec::new());
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(rig.task().run(stopped.clone()));
        tokio::time::sleep(Duration::from_secs(60)).await;
        let began = tokio::time::Instant::now();
        stop.send_replace(true);
        running.await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
        rig.write_letter().await;
        rig.task().run(stopped).await;
        assert_eq!(rig.waiting().await, 1, "nothing is sent after the stop");
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_and_what_failed_is_in_the_metrics() {
        let refused = SendError::Permanent("550 no such user".into());
        let later = SendError::Temporary("421 try again".into());
        let rig = Rig::new(vec![Err(refused), Err(later)]);
        rig.mailer.gate.add_permits(2);
        rig.write_letter().await;
        rig.clock.advance(Duration::from_secs(90));
        let mut task = rig.task();
        task.step().await;
        assert!(rig.shows("auth_mail_delayed_total 1"));
        assert!(rig.shows("auth_mail_waiting_letters 1") && rig.shows("auth_mail_oldest_seconds 90"));
        rig.clock.advance(Duration::from_secs(3_600));
        task.step().await;
        assert!(rig.shows("auth_mail_given_up_total 1"));
        assert!(rig.shows("auth_mail_waiting_letters 0") && rig.shows("auth_mail_oldest_seconds 0"));
    }
}
