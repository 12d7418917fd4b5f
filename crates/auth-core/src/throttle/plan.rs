//! Which counters an attempt is about, and what it does to them.

use std::time::Duration;

use time::OffsetDateTime;

use super::counter::{Backoff, Counter, Quota};
use super::limits::Rules;
use super::network::ClientNetwork;
use super::store::AttemptKey;
use crate::email::Email;

/// What limited an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Account,
    Network,
    Registration,
}

/// How long an attempt has to wait, and what for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) limit: Limit,
    pub(super) length: Duration,
}

/// The counters of one attempt: that of account and network first, then the quotas.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    kind: Kind,
    place: AttemptKey,
    shares: Vec<Share>,
    rules: Rules,
    /// Whether a success vouches for where it came from: only a place that has a name can be known.
    vouches: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Guess,
    Registration,
}

/// A quota and who draws on it.
#[derive(Debug, Clone, Copy)]
struct Share {
    key: AttemptKey,
    quota: Quota,
    limit: Limit,
    drawn_by: Drawers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drawers {
    Known,
    Strangers,
    All,
}

/// What a charge left in `spent_until` of each quota.
pub(super) type Receipt = Vec<OffsetDateTime>;

impl Plan {
    /// A guess at the password of an account.
    pub(super) fn guess(rules: Rules, email: &Email, network: Option<ClientNetwork>) -> Self {
        let mut plan = Self::new(Kind::Guess, rules, email, network);
        plan.add(&["strangers", email.key()], rules.strangers, Limit::Account, Drawers::Strangers);
        plan.add(&["known networks", email.key()], rules.known, Limit::Account, Drawers::Known);
        if let Some(network) = network {
            plan.add(&["network", &network.to_string()], rules.network, Limit::Network, Drawers::Strangers);
        }
        plan
    }

    /// A registration. Without a network there is nothing to count it by.
    pub(super) fn registration(rules: Rules, email: &Email, network: Option<ClientNetwork>) -> Self {
        let mut plan = Self::new(Kind::Registration, rules, email, network);
        if let Some(network) = network {
            let key = ["registrations", &network.to_string()];
            plan.add(&key, rules.registrations, Limit::Registration, Drawers::All);
        }
        plan
    }

    fn new(kind: Kind, rules: Rules, email: &Email, network: Option<ClientNetwork>) -> Self {
        let place = network.map(|network| network.to_string()).unwrap_or_default();
        let place = AttemptKey::new(&["account and network", email.key(), &place]);
        Self { kind, place, shares: Vec::new(), rules, vouches: network.is_some() }
    }

    fn add(&mut self, key: &[&str], quota: Quota, limit: Limit, drawn_by: Drawers) {
        self.shares.push(Share { key: AttemptKey::new(key), quota, limit, drawn_by });
    }

    /// The keys of the counters. Wherever counters are given, they are those of these keys, one for one.
    pub(super) fn keys(&self) -> Vec<AttemptKey> {
        std::iter::once(self.place).chain(self.shares.iter().map(|share| share.key)).collect()
    }

    /// Keeps the quotas that are drawn on by this account from this network, and their counters.
    pub(super) fn narrow(&mut self, counters: &mut Vec<Counter>, now: OffsetDateTime) {
        let known = counters[0].is_known(now);
        let drawn: Vec<bool> = self.shares.iter().map(|share| share.drawn_by.includes(known)).collect();
        let mut keep = drawn.iter().copied();
        self.shares.retain(|_| keep.next().unwrap_or_default());
        let mut keep = std::iter::once(true).chain(drawn);
        counters.retain(|_| keep.next().unwrap_or_default());
    }

    /// Charges every counter; or none of them, and says how long to wait.
    pub(super) fn charge(&self, counters: &mut [Counter], now: OffsetDateTime) -> Result<Receipt, Wait> {
        let mut longest = Wait { limit: Limit::Account, length: Duration::ZERO };
        if self.kind == Kind::Guess {
            longest.length = self.rules.streak.wait(&counters[0], now);
        }
        for (share, counter) in self.shares.iter().zip(&counters[1..]) {
            let length = share.quota.wait(counter, now);
            if length > longest.length {
                longest = Wait { limit: share.limit, length };
            }
        }
        if !longest.length.is_zero() {
            return Err(longest);
        }
        if self.kind == Kind::Guess {
            self.rules.streak.charge(&mut counters[0], now);
        }
        let charge = |(share, counter): (&Share, &mut Counter)| {
            share.quota.charge(counter, now);
            counter.spent_until
        };
        Ok(self.shares.iter().zip(&mut counters[1..]).map(charge).collect())
    }

    /// The attempt was right. A right guess is none; a registration counts all the same.
    pub(super) fn succeed(&self, receipt: &Receipt, counters: &mut [Counter], now: OffsetDateTime) {
        if self.kind == Kind::Guess {
            Backoff::reset(&mut counters[0]);
            self.refund(receipt, counters, now);
        }
        if self.vouches {
            counters[0].known_until = now + self.rules.known_for;
        }
    }

    /// The attempt was never made.
    pub(super) fn withdraw(&self, receipt: &Receipt, counters: &mut [Counter], now: OffsetDateTime) {
        if self.kind == Kind::Guess {
            self.rules.streak.refund(&mut counters[0], now);
        }
        self.refund(receipt, counters, now);
    }

    fn refund(&self, receipt: &Receipt, counters: &mut [Counter], now: OffsetDateTime) {
        for ((share, counter), mark) in self.shares.iter().zip(&mut counters[1..]).zip(receipt) {
            share.quota.refund(counter, *mark, now);
        }
    }
}

impl Drawers {
    fn includes(self, known: bool) -> bool {
        match self {
            Self::Known => known,
            Self::Strangers => !known,
            Self::All => true,
        }
    }
}
