//! The worker that sends the letters of an outbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use time::OffsetDateTime;

use super::letter::LetterKind;
use super::mailer::{Mailer, SendError};
use super::outbox::{LeaseId, Leased, LeasedLetter, Outbox};
use crate::clock::Clock;
use crate::error::{BoxError, StoreError, StoreErrorKind};
use crate::events;
use crate::ids::{LetterId, UserId};
use crate::join::join_all;
use crate::random::jittered;

/// Time for which a worker holds a letter. A mailer takes no longer than a fraction of it.
pub const LETTER_LEASE: Duration = Duration::from_secs(5 * 60);

/// Age from which on a letter that could not be sent is given up.
pub const MAX_LETTER_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Default number of letters that are sent at once.
pub const LETTER_BATCH: u32 = 16;

/// Default time between two looks at an empty outbox.
pub const DELIVERY_INTERVAL: Duration = Duration::from_secs(2);

const FIRST_DELAY: Duration = Duration::from_secs(60);
const LONGEST_DELAY: Duration = Duration::from_secs(60 * 60);

/// Worker that sends the letters of an [`Outbox`] by a [`Mailer`].
///
/// A letter is sent at least once: a worker that ends between the sending and the removal leaves it to the next lease. Every node
/// may run a worker, and one node may run several; no two of them send the same letter during one lease.
///
/// The clock of the outbox decides what is due, if it has one, or else that of this node.
#[derive(Debug)]
pub struct Delivery {
    outbox: Arc<dyn Outbox>,
    mailer: Arc<dyn Mailer>,
    clock: Arc<dyn Clock>,
    batch: u32,
    interval: Duration,
    sent: AtomicU64,
    delayed: AtomicU64,
    given_up: AtomicU64,
    unreadable: AtomicU64,
    failures: AtomicU64,
}

/// Counts of what happened to letters since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryStats {
    /// Letters that were sent.
    pub sent: u64,
    /// Attempts that failed and are made again later.
    pub delayed: u64,
    /// Letters that were removed without being sent: refused for good, too old, or with an expired link.
    pub given_up: u64,
    /// Leased rows that could not become a letter. One row counts with every lease.
    pub unreadable: u64,
    /// Calls of the outbox that failed.
    pub failures: u64,
}

/// What one [step](Delivery::step) did to the letters that it leased.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct DeliveryStep {
    /// Number of leased rows, decoys and unreadable ones included.
    pub leased: usize,
    /// Letters that were sent.
    pub sent: Vec<LetterId>,
    /// Letters whose attempt failed and is made again later.
    pub delayed: Vec<UnsentLetter>,
    /// Letters that were removed without being sent.
    pub given_up: Vec<UnsentLetter>,
    /// Rows that could not become a letter. They stay.
    pub unreadable: Vec<LetterId>,
    /// Failures of the outbox after the lease. The letters concerned are leased again, so one that was sent may be sent again.
    pub failures: Vec<StoreError>,
}

/// A letter that was not sent, and why.
#[derive(Debug)]
#[non_exhaustive]
pub struct UnsentLetter {
    /// The letter.
    pub id: LetterId,
    /// What the letter is about.
    pub kind: LetterKind,
    /// The user whose account it is about.
    pub user_id: UserId,
    /// Number of attempts so far.
    pub attempts: u32,
    /// Reason that the last attempt failed. `None` if none was made, because the letter is too old or its link has expired.
    pub error: Option<BoxError>,
}

/// Outcome of the work on one leased letter.
enum Outcome {
    Sent(LetterId),
    Decoy,
    Delayed(UnsentLetter),
    GivenUp(UnsentLetter),
}

impl Delivery {
    /// Creates a worker. Nothing is sent before [`run`](Self::run) or [`step`](Self::step) is called.
    #[must_use]
    pub fn new(outbox: Arc<dyn Outbox>, mailer: Arc<dyn Mailer>, clock: Arc<dyn Clock>) -> Self {
        Self {
            outbox,
            mailer,
            clock,
            batch: LETTER_BATCH,
            interval: DELIVERY_INTERVAL,
            sent: AtomicU64::default(),
            delayed: AtomicU64::default(),
            given_up: AtomicU64::default(),
            unreadable: AtomicU64::default(),
            failures: AtomicU64::default(),
        }
    }

    /// Sets the number of letters that are sent at once, at least 1. Default: [`LETTER_BATCH`].
    #[must_use]
    pub fn batch(self, batch: u32) -> Self {
        Self { batch: batch.max(1), ..self }
    }

    /// Sets the time between two looks at an empty outbox. Default: [`DELIVERY_INTERVAL`]. Each wait is up to a fifth shorter or
    /// longer.
    #[must_use]
    pub fn interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// Returns the counts so far.
    #[must_use]
    pub fn stats(&self) -> DeliveryStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        DeliveryStats {
            sent: read(&self.sent),
            delayed: read(&self.delayed),
            given_up: read(&self.given_up),
            unreadable: read(&self.unreadable),
            failures: read(&self.failures),
        }
    }

    /// Sends letters for as long as the future is polled; it never ends by itself. Works with any runtime: `sleep` is the timer of
    /// yours. `observe` gets the outcome of each step that leased something or failed.
    ///
    /// Dropping the future loses no letter. One that is being sent is sent again when its lease has ended.
    ///
    /// ```
    /// # async fn example(
    /// #     outbox: std::sync::Arc<dyn auth_core::Outbox>,
    /// #     mailer: std::sync::Arc<dyn auth_core::Mailer>,
    /// # ) {
    /// use std::sync::Arc;
    /// use auth_core::SystemClock;
    /// use auth_core::letters::Delivery;
    ///
    /// let delivery = Delivery::new(outbox, mailer, Arc::new(SystemClock));
    /// tokio::spawn(async move { delivery.run(tokio::time::sleep, |_| {}).await });
    /// # }
    /// ```
    pub async fn run<S: Future<Output = ()>>(
        &self,
        sleep: impl Fn(Duration) -> S,
        mut observe: impl FnMut(Result<DeliveryStep, StoreError>),
    ) {
        loop {
            let step = self.step().await;
            let is_full =
                step.as_ref().is_ok_and(|step| step.leased >= self.batch as usize && step.failures.is_empty());
            if step.as_ref().map_or(true, |step| step.leased > 0) {
                observe(step);
            }
            if !is_full {
                sleep(jittered(self.interval)).await;
            }
        }
    }

    /// Leases the letters that are due, at most a [batch](Self::batch), and sends them at once.
    ///
    /// # Errors
    ///
    /// When no letter could be leased.
    pub async fn step(&self) -> Result<DeliveryStep, StoreError> {
        let (lease, leased, now) = match self.lease().await {
            Ok(leased) => leased,
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                events::outbox_failed(&error);
                return Err(error);
            }
        };
        let mut step =
            DeliveryStep { leased: leased.letters.len() + leased.unreadable.len(), ..DeliveryStep::default() };
        self.unreadable.fetch_add(leased.unreadable.len() as u64, Ordering::Relaxed);
        leased.unreadable.iter().for_each(|id| events::unreadable_letter(*id));
        step.unreadable = leased.unreadable;
        for outcome in join_all(leased.letters.into_iter().map(|letter| self.deliver(letter, lease, now))).await {
            let (outcome, written) = outcome;
            if let Err(error) = written {
                self.failures.fetch_add(1, Ordering::Relaxed);
                events::outbox_failed(&error);
                step.failures.push(error);
            }
            match outcome {
                Outcome::Sent(id) => {
                    self.sent.fetch_add(1, Ordering::Relaxed);
                    step.sent.push(id);
                }
                Outcome::Decoy => {}
                Outcome::Delayed(letter) => {
                    self.delayed.fetch_add(1, Ordering::Relaxed);
                    events::letter_delayed(letter.id, letter.kind.as_str(), letter.user_id, letter.attempts);
                    step.delayed.push(letter);
                }
                Outcome::GivenUp(letter) => {
                    self.given_up.fetch_add(1, Ordering::Relaxed);
                    events::letter_given_up(letter.id, letter.kind.as_str(), letter.user_id, letter.attempts);
                    step.given_up.push(letter);
                }
            }
        }
        Ok(step)
    }

    async fn lease(&self) -> Result<(LeaseId, Leased, OffsetDateTime), StoreError> {
        let lease = LeaseId::generate().map_err(|error| StoreError::new(StoreErrorKind::Internal, error))?;
        let now = self.outbox.now().await?.unwrap_or_else(|| self.clock.now());
        let leased = self.outbox.lease(lease, now, now + LETTER_LEASE, self.batch).await?;
        Ok((lease, leased, now))
    }

    /// Sends one letter, and removes or delays it. `now` is the time of the lease.
    async fn deliver(
        &self,
        leased: LeasedLetter,
        lease: LeaseId,
        now: OffsetDateTime,
    ) -> (Outcome, Result<bool, StoreError>) {
        let LeasedLetter { letter, attempts } = leased;
        if letter.to.is_none() {
            return (Outcome::Decoy, self.outbox.remove(letter.id, lease).await);
        }
        let unsent =
            |error| UnsentLetter { id: letter.id, kind: letter.kind, user_id: letter.user_id, attempts, error };
        let is_useless = letter.secret.as_ref().is_some_and(|secret| secret.expires_at <= now);
        let is_too_old = now - letter.created_at > MAX_LETTER_AGE;
        if is_useless || (is_too_old && attempts > 1) {
            return (Outcome::GivenUp(unsent(None)), self.outbox.remove(letter.id, lease).await);
        }
        match self.mailer.send(&letter).await {
            Ok(()) => (Outcome::Sent(letter.id), self.outbox.remove(letter.id, lease).await),
            Err(SendError::Temporary(error)) if !is_too_old => {
                let due_at = now + jittered(delay_after(attempts));
                (Outcome::Delayed(unsent(Some(error))), self.outbox.delay(letter.id, lease, due_at).await)
            }
            Err(SendError::Temporary(error) | SendError::Permanent(error)) => {
                (Outcome::GivenUp(unsent(Some(error))), self.outbox.remove(letter.id, lease).await)
            }
        }
    }
}

/// Returns the delay after this many attempts: one minute, doubled with each attempt, at most one hour.
fn delay_after(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1);
    2_u32.checked_pow(doublings).map_or(LONGEST_DELAY, |factor| FIRST_DELAY.saturating_mul(factor).min(LONGEST_DELAY))
}
