//! Plan of an attempt: the counters that it is charged to, and its effect on them.

use std::time::Duration;

use time::OffsetDateTime;

use super::counter::{Backoff, Counter, Quota};
use super::limits::Rules;
use super::network::ClientNetwork;
use super::store::AttemptKey;
use crate::email::Email;
use crate::ids::ClientId;

/// Limit that refused an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Account,
    Network,
    Registration,
    Letters,
    PersonalTokens,
}

/// Time that a refused attempt has to wait, with the limit that refused it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) limit: Limit,
    pub(super) length: Duration,
}

/// Counters of one attempt: first that of account and network, then the quotas.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    kind: AttemptKind,
    /// Key of the counter of account and network.
    streak_key: AttemptKey,
    quotas: Vec<PlannedQuota>,
    rules: Rules,
    /// Whether the network is given. A success makes only a given network known to the account.
    has_network: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AttemptKind {
    Guess,
    Registration,
}

/// Quota of a plan, with the networks that it limits.
#[derive(Debug, Clone, Copy)]
struct PlannedQuota {
    key: AttemptKey,
    quota: Quota,
    limit: Limit,
    scope: QuotaScope,
}

/// Networks that a quota limits, by whether they are known to the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QuotaScope {
    Known,
    Strangers,
    All,
}

/// Values of `spent_until` that a charge left, one for each quota.
pub(super) type Receipt = Vec<OffsetDateTime>;

impl Plan {
    /// Returns the plan of a guess at the password of an account.
    pub(super) fn guess(rules: Rules, email: &Email, network: Option<ClientNetwork>) -> Self {
        let mut plan = Self::new(AttemptKind::Guess, rules, ["account and network", email.key()], network);
        let [strangers, known] = account_keys(email);
        plan.add(strangers, rules.strangers, Limit::Account, QuotaScope::Strangers);
        plan.add(known, rules.known, Limit::Account, QuotaScope::Known);
        if let Some(network) = network {
            let key = AttemptKey::new(&["network", &network.to_string()]);
            plan.add(key, rules.network, Limit::Network, QuotaScope::Strangers);
        }
        plan
    }

    /// Returns the plan of a registration. Without a network no quota applies.
    pub(super) fn registration(rules: Rules, email: &Email, network: Option<ClientNetwork>) -> Self {
        let mut plan = Self::new(AttemptKind::Registration, rules, ["account and network", email.key()], network);
        if let Some(network) = network {
            let key = AttemptKey::new(&["registrations", &network.to_string()]);
            plan.add(key, rules.registrations, Limit::Registration, QuotaScope::All);
        }
        plan
    }

    /// Returns the plan of a wrong secret of a client. It shares no counter with passwords, so that a client with an old secret keeps
    /// no user behind the same address from logging in.
    pub(super) fn wrong_secret(rules: Rules, client: ClientId, network: Option<ClientNetwork>) -> Self {
        let id = client.to_string();
        let mut plan = Self::new(AttemptKind::Guess, rules, ["client and network", &id], network);
        if let Some(network) = network {
            let key = AttemptKey::new(&["wrong secrets of a network", &network.to_string()]);
            plan.add(key, rules.network, Limit::Network, QuotaScope::All);
        }
        plan
    }

    fn new(kind: AttemptKind, rules: Rules, subject: [&str; 2], network: Option<ClientNetwork>) -> Self {
        let network_name = network.map(|network| network.to_string()).unwrap_or_default();
        let streak_key = AttemptKey::new(&[subject[0], subject[1], &network_name]);
        Self { kind, streak_key, quotas: Vec::new(), rules, has_network: network.is_some() }
    }

    fn add(&mut self, key: AttemptKey, quota: Quota, limit: Limit, scope: QuotaScope) {
        self.quotas.push(PlannedQuota { key, quota, limit, scope });
    }

    /// Returns the keys of the counters. Every list of counters that a method takes is in the order of these keys.
    pub(super) fn keys(&self) -> Vec<AttemptKey> {
        std::iter::once(self.streak_key).chain(self.quotas.iter().map(|planned| planned.key)).collect()
    }

    /// Keeps the quotas whose scope includes this network, and their counters.
    pub(super) fn narrow(&mut self, counters: &mut Vec<Counter>, now: OffsetDateTime) {
        let known = counters[0].is_known(now);
        let limited: Vec<bool> = self.quotas.iter().map(|planned| planned.scope.includes(known)).collect();
        let mut keep = limited.iter().copied();
        self.quotas.retain(|_| keep.next().unwrap_or_default());
        let mut keep = std::iter::once(true).chain(limited);
        counters.retain(|_| keep.next().unwrap_or_default());
    }

    /// Charges every counter. If a limit refuses the attempt, it charges none and returns the longest wait.
    pub(super) fn charge(&self, counters: &mut [Counter], now: OffsetDateTime) -> Result<Receipt, Wait> {
        let mut longest = Wait { limit: Limit::Account, length: Duration::ZERO };
        let mut streak = counters[0].since_unlock(self.unlocked_at(counters), now);
        if self.kind == AttemptKind::Guess {
            longest.length = self.rules.streak.wait(&streak, now);
        }
        for (planned, counter) in self.quotas.iter().zip(&counters[1..]) {
            let length = planned.quota.wait(counter, now);
            if length > longest.length {
                longest = Wait { limit: planned.limit, length };
            }
        }
        if !longest.length.is_zero() {
            return Err(longest);
        }
        if self.kind == AttemptKind::Guess {
            self.rules.streak.charge(&mut streak, now);
            counters[0] = streak;
        }
        let charge = |(planned, counter): (&PlannedQuota, &mut Counter)| {
            planned.quota.charge(counter, now);
            counter.spent_until
        };
        Ok(self.quotas.iter().zip(&mut counters[1..]).map(charge).collect())
    }

    /// Returns the instant of the last unlock of the account.
    fn unlocked_at(&self, counters: &[Counter]) -> Option<OffsetDateTime> {
        let of_account = self.quotas.iter().zip(&counters[1..]).filter(|(planned, _)| planned.limit == Limit::Account);
        of_account.filter_map(|(_, counter)| counter.unlocked_at()).max()
    }

    /// Settles an attempt that was right. A right guess is not counted. A registration stays counted.
    pub(super) fn succeed(&self, receipt: &Receipt, counters: &mut [Counter], now: OffsetDateTime) {
        if self.kind == AttemptKind::Guess {
            Backoff::reset(&mut counters[0]);
            self.refund(receipt, counters, now);
        }
        if self.has_network {
            counters[0].known_until = now + self.rules.known_for;
        }
    }

    /// Settles an attempt that was never made.
    pub(super) fn withdraw(&self, receipt: &Receipt, counters: &mut [Counter], now: OffsetDateTime) {
        if self.kind == AttemptKind::Guess {
            self.rules.streak.refund(&mut counters[0], now);
        }
        self.refund(receipt, counters, now);
    }

    fn refund(&self, receipt: &Receipt, counters: &mut [Counter], now: OffsetDateTime) {
        for ((planned, counter), mark) in self.quotas.iter().zip(&mut counters[1..]).zip(receipt) {
            planned.quota.refund(counter, *mark, now);
        }
    }
}

/// Returns the keys of the quotas of an account: that of strangers, and that of known networks.
pub(super) fn account_keys(email: &Email) -> [AttemptKey; 2] {
    ["strangers", "known networks"].map(|kind| AttemptKey::new(&[kind, email.key()]))
}

impl QuotaScope {
    fn includes(self, known: bool) -> bool {
        match self {
            Self::Known => known,
            Self::Strangers => !known,
            Self::All => true,
        }
    }
}
