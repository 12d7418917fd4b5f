//! Limits on letters: by the network that asks for them, and by the address that they go to.
//!
//! A letter to nobody is not counted against its address. Otherwise a stranger could use up the letters of an address without
//! sending one, and its owner would get none. Every letter that is counted gives the owner what it is for.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::counter::Counter;
use super::network::ClientNetwork;
use super::plan::Limit;
use super::store::AttemptKey;
use super::{Admission, AdmissionError, Throttle};
use crate::email::Email;
use crate::recovery::OneTimeTokenPurpose;

impl Admission {
    /// Counts a request for a letter against its network. Without a network no limit applies.
    pub(crate) async fn admit_letter(&self, network: Option<ClientNetwork>) -> Result<(), AdmissionError> {
        let (Some(throttle), Some(network)) = (&self.0, network) else { return Ok(()) };
        let key = AttemptKey::new(&["letters of a network", &network.to_string()]);
        throttle.spend(key, throttle.rules.letters_network, Limit::Letters).await
    }

    /// Counts a letter against its address, unless it goes to nobody, and decides whether it may be written. Each case writes the
    /// same counter.
    ///
    /// Nothing that takes long may come between this and the write of the letter: a caller who goes away in between has used up a
    /// letter that is never written.
    pub(crate) async fn charge_letter(
        &self,
        to: &Email,
        purpose: OneTimeTokenPurpose,
        is_real: bool,
    ) -> Result<LetterPermit, AdmissionError> {
        let Some(throttle) = &self.0 else { return Ok(LetterPermit { is_granted: is_real, charged: None }) };
        let key = [AttemptKey::new(&["letters", purpose.as_str(), to.key()])];
        let (quota, now) = (throttle.rules.letters, throttle.now());
        let charge = move |counters: &mut [Counter]| {
            for counter in counters {
                if is_real && quota.wait(counter, now).is_zero() {
                    quota.charge(counter, now);
                }
                // No network is known to this counter. It changes so that each case writes.
                counter.known_until = counter.known_until.max(now) + Duration::from_micros(1);
            }
        };
        let mut counters = throttle.answered(key.len(), throttle.store.update(&key, Arc::new(charge)).await)?;
        let is_granted = is_real && quota.wait(&counters[0], now).is_zero();
        if is_real && !is_granted {
            throttle.tally.withhold_letter();
        }
        quota.charge(&mut counters[0], now);
        let charge = Charge { throttle: Arc::clone(throttle), key, mark: counters[0].spent_until };
        Ok(LetterPermit { is_granted, charged: is_granted.then_some(charge) })
    }
}

/// Decision whether a letter may be written.
#[must_use]
pub(crate) struct LetterPermit {
    is_granted: bool,
    charged: Option<Charge>,
}

struct Charge {
    throttle: Arc<Throttle>,
    key: [AttemptKey; 1],
    /// Value of `spent_until` that the charge left.
    mark: OffsetDateTime,
}

impl LetterPermit {
    pub(crate) fn is_granted(&self) -> bool {
        self.is_granted
    }

    /// Takes the charge back, because no letter was written. An error of the store is ignored.
    pub(crate) async fn withdrawn(self) {
        let Some(Charge { throttle, key, mark }) = self.charged else { return };
        let (quota, now) = (throttle.rules.letters, throttle.now());
        let refund = move |counters: &mut [Counter]| {
            for counter in counters {
                quota.refund(counter, mark, now);
            }
        };
        drop(throttle.store.update(&key, Arc::new(refund)).await);
    }
}
