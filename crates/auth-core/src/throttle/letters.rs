//! Limits on letters: by the address that they go to, and by the network that asks for them.
//!
//! A letter to nobody is not counted against its address. Otherwise a stranger could use up the letters of an address without
//! sending one, and its owner would get none. Every letter that is counted gives the owner what it is for.

use std::sync::Arc;

use time::OffsetDateTime;

use super::counter::Counter;
use super::network::ClientNetwork;
use super::plan::{Limit, Wait};
use super::store::AttemptKey;
use super::{Admission, AdmissionError, Throttle};
use crate::email::Email;
use crate::recovery::OneTimeTokenPurpose;

impl Admission {
    /// Admits a request for a letter, unless its network has asked too often. It is counted when it is
    /// [charged](LetterRequest::charge).
    pub(crate) async fn admit_letter(
        &self,
        to: &Email,
        purpose: OneTimeTokenPurpose,
        network: Option<ClientNetwork>,
    ) -> Result<LetterRequest, AdmissionError> {
        let Some(throttle) = &self.0 else { return Ok(LetterRequest(None)) };
        let request = CountedRequest::new(throttle, to, purpose, network);
        let seen = throttle.answered(request.keys.len(), throttle.store.read(&request.keys).await)?;
        request.judge_network(&seen, throttle.now())?;
        Ok(LetterRequest(Some(request)))
    }

    /// Counts a letter that no network has to be limited for.
    pub(crate) async fn charge_letter(
        &self,
        to: &Email,
        purpose: OneTimeTokenPurpose,
    ) -> Result<LetterPermit, AdmissionError> {
        let request = self.0.as_ref().map(|throttle| CountedRequest::new(throttle, to, purpose, None));
        LetterRequest(request).charge(true).await
    }
}

/// Request for a letter that is not yet counted.
pub(crate) struct LetterRequest(Option<CountedRequest>);

struct CountedRequest {
    throttle: Arc<Throttle>,
    /// Key of the address, and then that of the network.
    keys: Vec<AttemptKey>,
}

/// Decision whether a letter may be written.
#[must_use]
pub(crate) struct LetterPermit {
    is_granted: bool,
    /// The request, and the value of `spent_until` that its charge left in the counter of the address.
    charged: Option<(CountedRequest, OffsetDateTime)>,
}

impl LetterRequest {
    /// Counts the request, and decides whether the letter may be written. A letter that is not `real` goes to nobody and is not
    /// counted against its address. Both cases write the same counters.
    pub(crate) async fn charge(self, is_real: bool) -> Result<LetterPermit, AdmissionError> {
        let Some(request) = self.0 else { return Ok(LetterPermit { is_granted: is_real, charged: None }) };
        let (throttle, now) = (&request.throttle, request.throttle.now());
        let (letters, of_network) = (throttle.rules.letters, throttle.rules.letters_network);
        let wanted = request.keys.len();
        let charge = move |counters: &mut [Counter]| {
            let [address, rest @ ..] = counters else { return };
            if rest.iter().any(|network| !of_network.wait(network, now).is_zero()) {
                return;
            }
            rest.iter_mut().for_each(|network| of_network.charge(network, now));
            if is_real && letters.wait(address, now).is_zero() {
                letters.charge(address, now);
            }
            // This has no meaning and no effect. It makes every request write the same counters.
            address.known_until = now;
        };
        let before = throttle.answered(wanted, throttle.store.update(&request.keys, Arc::new(charge)).await)?;
        request.judge_network(&before, now)?;
        if !is_real {
            return Ok(LetterPermit { is_granted: false, charged: None });
        }
        let mut address = before[0];
        if !letters.wait(&address, now).is_zero() {
            throttle.tally.withhold_letter();
            return Ok(LetterPermit { is_granted: false, charged: None });
        }
        letters.charge(&mut address, now);
        Ok(LetterPermit { is_granted: true, charged: Some((request, address.spent_until)) })
    }
}

impl CountedRequest {
    fn new(throttle: &Arc<Throttle>, to: &Email, purpose: OneTimeTokenPurpose, network: Option<ClientNetwork>) -> Self {
        let address = AttemptKey::new(&["letters", purpose.as_str(), to.key()]);
        let network = network.map(|network| AttemptKey::new(&["letters of a network", &network.to_string()]));
        let keys = std::iter::once(address).chain(network).collect();
        Self { throttle: Arc::clone(throttle), keys }
    }

    fn judge_network(&self, counters: &[Counter], now: OffsetDateTime) -> Result<(), AdmissionError> {
        let quota = self.throttle.rules.letters_network;
        let longest = counters[1..].iter().map(|network| quota.wait(network, now)).max().unwrap_or_default();
        let wait = Wait { limit: Limit::Letters, length: longest };
        if longest.is_zero() { Ok(()) } else { Err(self.throttle.refuse(wait)) }
    }
}

impl LetterPermit {
    pub(crate) fn is_granted(&self) -> bool {
        self.is_granted
    }

    /// Takes the charge of the address back, because no letter was written. An error of the store is ignored.
    pub(crate) async fn withdrawn(self) {
        let Some((CountedRequest { throttle, keys }, mark)) = self.charged else { return };
        let (letters, now) = (throttle.rules.letters, throttle.now());
        let refund = move |counters: &mut [Counter]| {
            if let [address, ..] = counters {
                letters.refund(address, mark, now);
            }
        };
        drop(throttle.store.update(&keys[..1], Arc::new(refund)).await);
    }
}
