//! Rate limits on guessed passwords, on registrations, on letters and on new personal tokens. A client over its limit has to wait, and
//! no hash is computed for it.
//!
//! A guess is counted *before* the password is compared, in one atomic step. It is taken back when it was right or was
//! never made. So a thousand guesses at once do not slip through before the first has failed. A refused attempt costs
//! no hash and is not counted.
//!
//! Four limits apply to a login. Each is a [`Counter`] under its own key:
//!
//! - **account and network**: after some failures in a row the waits double, up to a maximum. A success ends them.
//! - **account, strangers**: the guesses in an hour from all networks together from which the account never logged in.
//! - **account, known networks**: the same for the networks from which it did. Strangers cannot use this limit up, so
//!   an attacker elsewhere does not lock the owner out.
//! - **network**: the guesses in an hour from one network against accounts that never logged in from it.
//!
//! An operator can [unlock](Throttle::unlock) an account, which ends all its waits.
//!
//! An account that does not exist is limited in the same way as one that does.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use time::OffsetDateTime;

use crate::clock::Clock;
use crate::email::Email;
use crate::error::{StoreError, StoreErrorKind};
use crate::events;
use crate::ids::{ClientId, UserId};

mod counter;
mod letters;
mod limits;
mod memory;
mod network;
mod plan;
mod store;

use counter::Quota;
use limits::Rules;
use plan::{Limit, Plan, Receipt, Wait};

pub use counter::Counter;
pub use limits::{LimitsError, MAX_ACCOUNT_TRIES, ThrottleLimits};
pub use memory::MemoryAttempts;
pub use network::ClientNetwork;
pub use store::{AttemptKey, AttemptStore, Change, purge_counters};

/// Minimum wait. A client is told whole seconds.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// Rate limiter that decides which attempts may go on to the hash.
pub struct Throttle {
    store: Arc<dyn AttemptStore>,
    clock: Arc<dyn Clock>,
    rules: Rules,
    tally: Tally,
}

#[derive(Default)]
struct Tally {
    account: AtomicU64,
    network: AtomicU64,
    registration: AtomicU64,
    letters: AtomicU64,
    withheld_letters: AtomicU64,
    personal_tokens: AtomicU64,
    failures: AtomicU64,
}

impl Tally {
    fn withhold_letter(&self) {
        self.withheld_letters.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts of the refused attempts since the start, by limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThrottleStats {
    /// Guesses refused because of the account, and wrong secrets because of the client.
    pub account: u64,
    /// Guesses refused because of the network.
    pub network: u64,
    /// Registrations refused because of the network.
    pub registration: u64,
    /// Requests for letters refused because of the network.
    pub letters: u64,
    /// Letters that were not written because of their address.
    pub withheld_letters: u64,
    /// Personal tokens that were not made because their user has made too many.
    pub personal_tokens: u64,
    /// Calls of the store that failed.
    pub failures: u64,
}

/// Reason that an attempt was not admitted.
#[derive(Debug)]
pub(crate) enum AdmissionError {
    TooManyAttempts { retry_after: Duration },
    Store(StoreError),
}

impl Throttle {
    /// Returns a throttle with these limits over the counters in `store`.
    ///
    /// # Errors
    ///
    /// When the limits are out of their bounds.
    pub fn new(
        store: Arc<dyn AttemptStore>,
        limits: &ThrottleLimits,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LimitsError> {
        Ok(Self { store, clock, rules: limits.rules()?, tally: Tally::default() })
    }

    /// Returns the counts of the attempts that were refused so far.
    #[must_use]
    pub fn stats(&self) -> ThrottleStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ThrottleStats {
            account: read(&self.tally.account),
            network: read(&self.tally.network),
            registration: read(&self.tally.registration),
            letters: read(&self.tally.letters),
            withheld_letters: read(&self.tally.withheld_letters),
            personal_tokens: read(&self.tally.personal_tokens),
            failures: read(&self.tally.failures),
        }
    }

    /// Ends the waits of an account, for all networks, and makes its quotas whole. The waits of networks stay.
    ///
    /// The counters of account and network cannot be listed, because their keys are hashes. So the time of the unlock is stored with
    /// the quotas of the account, and failures before it count no more.
    ///
    /// # Errors
    ///
    /// When the store failed.
    pub async fn unlock(&self, email: &Email) -> Result<(), StoreError> {
        let now = self.now();
        let unlock = move |counters: &mut [Counter]| counters.iter_mut().for_each(|counter| counter.unlock(now));
        self.store.update(&plan::account_keys(email), Arc::new(unlock)).await.map(drop)
    }

    async fn admit(self: &Arc<Self>, mut plan: Plan) -> Result<Attempt, AdmissionError> {
        let (now, keys) = (self.now(), plan.keys());
        // This read finds most refusals, so that a flood takes no lock and writes nothing.
        let mut seen = self.answered(keys.len(), self.store.read(&keys).await)?;
        plan.narrow(&mut seen, now);
        self.judge(plan.charge(&mut seen, now))?;
        // A refused charge leaves the counters as they were.
        let charge = move |plan: &Plan, counters: &mut [Counter]| drop(plan.charge(counters, now));
        let mut counters = self.update(&plan, charge).await?;
        let receipt = self.judge(plan.charge(&mut counters, now))?;
        Ok(Attempt(Some(Charged { throttle: Arc::clone(self), plan, receipt })))
    }

    /// Charges a quota that stands alone.
    async fn spend(&self, key: AttemptKey, quota: Quota, limit: Limit) -> Result<(), AdmissionError> {
        let (key, now) = ([key], self.now());
        let judge = |counters: Vec<Counter>| match counters.iter().map(|counter| quota.wait(counter, now)).max() {
            Some(length) if !length.is_zero() => Err(self.refuse(Wait { limit, length })),
            _ => Ok(()),
        };
        // This read finds most refusals, so that a flood takes no lock and writes nothing.
        judge(self.answered(key.len(), self.store.read(&key).await)?)?;
        let charge = move |counters: &mut [Counter]| {
            for counter in counters.iter_mut().filter(|counter| quota.wait(counter, now).is_zero()) {
                quota.charge(counter, now);
            }
        };
        judge(self.answered(key.len(), self.store.update(&key, Arc::new(charge)).await)?)
    }

    /// Changes the counters of `plan` and returns them as they were before.
    async fn update(
        &self,
        plan: &Plan,
        change: impl Fn(&Plan, &mut [Counter]) + Send + Sync + 'static,
    ) -> Result<Vec<Counter>, AdmissionError> {
        let (keys, plan) = (plan.keys(), plan.clone());
        let wanted = keys.len();
        let change = move |counters: &mut [Counter]| {
            if counters.len() == wanted {
                change(&plan, counters);
            }
        };
        self.answered(wanted, self.store.update(&keys, Arc::new(change)).await)
    }

    fn judge(&self, verdict: Result<Receipt, Wait>) -> Result<Receipt, AdmissionError> {
        verdict.map_err(|wait| self.refuse(wait))
    }

    fn refuse(&self, wait: Wait) -> AdmissionError {
        let (limit, tally) = match wait.limit {
            Limit::Account => ("account", &self.tally.account),
            Limit::Network => ("network", &self.tally.network),
            Limit::Registration => ("registration", &self.tally.registration),
            Limit::Letters => ("letters", &self.tally.letters),
            Limit::PersonalTokens => ("personal_tokens", &self.tally.personal_tokens),
        };
        tally.fetch_add(1, Ordering::Relaxed);
        let retry_after = wait.length.max(SHORTEST_WAIT);
        events::throttled(limit, retry_after);
        AdmissionError::TooManyAttempts { retry_after }
    }

    fn answered(
        &self,
        wanted: usize,
        answer: Result<Vec<Counter>, StoreError>,
    ) -> Result<Vec<Counter>, AdmissionError> {
        let answer = answer.and_then(|counters| match counters.len() {
            found if found == wanted => Ok(counters),
            _ => Err(StoreError::new(StoreErrorKind::Internal, "the attempt store lost or made up counters")),
        });
        answer.map_err(|error| {
            self.tally.failures.fetch_add(1, Ordering::Relaxed);
            AdmissionError::Store(error)
        })
    }

    /// Returns the time in whole microseconds, which every store can keep.
    fn now(&self) -> OffsetDateTime {
        let now = self.clock.now();
        now.replace_nanosecond(now.nanosecond() / 1_000 * 1_000).unwrap_or(now)
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle").field("store", &self.store).field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// Admission of attempts: by a [`Throttle`], or without limits where there is none.
pub(crate) struct Admission(Option<Arc<Throttle>>);

impl Admission {
    pub(crate) fn new(throttle: Option<Arc<Throttle>>) -> Self {
        Self(throttle)
    }

    /// Counts a guess at the password of an account and returns the admitted attempt.
    pub(crate) async fn admit_guess(
        &self,
        email: &Email,
        network: Option<ClientNetwork>,
    ) -> Result<Attempt, AdmissionError> {
        match &self.0 {
            Some(throttle) => throttle.admit(Plan::guess(throttle.rules, email, network)).await,
            None => Ok(Attempt(None)),
        }
    }

    /// Ends the waits of an account.
    pub(crate) async fn unlock(&self, email: &Email) -> Result<(), StoreError> {
        match &self.0 {
            Some(throttle) => throttle.unlock(email).await,
            None => Ok(()),
        }
    }

    /// Counts a wrong secret of a client. An error says that too many were tried.
    pub(crate) async fn admit_wrong_secret(
        &self,
        client: ClientId,
        network: Option<ClientNetwork>,
    ) -> Result<(), AdmissionError> {
        match &self.0 {
            Some(throttle) => throttle.admit(Plan::wrong_secret(throttle.rules, client, network)).await.map(drop),
            None => Ok(()),
        }
    }

    /// Counts a registration and returns the admitted attempt.
    pub(crate) async fn admit_registration(
        &self,
        email: &Email,
        network: Option<ClientNetwork>,
    ) -> Result<Attempt, AdmissionError> {
        match &self.0 {
            Some(throttle) => throttle.admit(Plan::registration(throttle.rules, email, network)).await,
            None => Ok(Attempt(None)),
        }
    }

    /// Counts a personal token that a user makes.
    pub(crate) async fn admit_personal_token(&self, user: UserId) -> Result<(), AdmissionError> {
        let Some(throttle) = &self.0 else { return Ok(()) };
        let key = AttemptKey::new(&["personal tokens of a user", &user.to_string()]);
        throttle.spend(key, throttle.rules.personal_tokens, Limit::PersonalTokens).await
    }
}

/// An attempt that was admitted. A dropped attempt stays counted, because it failed or its result is unknown.
pub(crate) struct Attempt(Option<Charged>);

/// The counters that an attempt was charged to.
struct Charged {
    throttle: Arc<Throttle>,
    plan: Plan,
    receipt: Receipt,
}

impl Attempt {
    /// Takes the charge of a guess back and ends the waits of the client's network, which is known to the account from now on.
    pub(crate) async fn succeeded(self) {
        self.settle(Plan::succeed).await;
    }

    /// Takes the charge back, because the attempt was never made.
    pub(crate) async fn withdrawn(self) {
        self.settle(Plan::withdraw).await;
    }

    /// Changes the counters. An error of the store is ignored: the attempt stays counted, which is only too strict.
    async fn settle(self, change: fn(&Plan, &Receipt, &mut [Counter], OffsetDateTime)) {
        let Some(Charged { throttle, plan, receipt }) = self.0 else { return };
        let now = throttle.now();
        let settle = move |plan: &Plan, counters: &mut [Counter]| change(plan, &receipt, counters, now);
        drop(throttle.update(&plan, settle).await);
    }
}
