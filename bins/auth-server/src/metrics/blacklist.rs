//! Metrics of the blacklist: its size in memory, its age, and the reads of the log.

use auth_blacklist::SyncStats;
use prometheus::{Gauge, IntCounter, IntGauge, Registry};

use super::{raise_one, registered, set};

/// The metrics of a `SyncedBlacklist`.
#[derive(Clone)]
pub(super) struct BlacklistMeters {
    tokens: IntGauge,
    users: IntGauge,
    partitions: IntGauge,
    bytes: IntGauge,
    lag: IntGauge,
    fresh: IntGauge,
    age: Gauge,
    lost: IntGauge,
    losses: IntCounter,
    restored: IntCounter,
    polls: IntCounter,
    failures: IntCounter,
    reloads: IntCounter,
    fallbacks: IntCounter,
}

impl BlacklistMeters {
    /// Creates the metrics in `registry` with all values at zero.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| registered(registry, IntGauge::new(name, help));
        let counter = |name: &str, help: &str| registered(registry, IntCounter::new(name, help));
        let age = Gauge::new(
            "auth_blacklist_age_seconds",
            "Age of the last successful read of the log of revocations; -1 before the first load",
        );
        Ok(Self {
            tokens: gauge("auth_blacklist_tokens", "Revoked tokens in memory")?,
            users: gauge("auth_blacklist_users", "Users in memory whose older tokens are revoked")?,
            partitions: gauge("auth_blacklist_partitions", "Partitions of the index of revoked tokens")?,
            bytes: gauge("auth_blacklist_bytes", "Memory that the index of revoked tokens takes")?,
            lag: gauge("auth_blacklist_lag_entries", "Entries of the log that this node has not read yet")?,
            fresh: gauge("auth_blacklist_fresh", "1 while memory is young enough to answer alone, else 0")?,
            age: registered(registry, age)?,
            lost: gauge(
                "auth_blacklist_loss_unacknowledged",
                "1 while the log is known to have lost entries and nobody has acknowledged it, else 0",
            )?,
            losses: counter("auth_blacklist_losses_total", "Times that this node found that the log lost entries")?,
            restored: counter("auth_blacklist_restored_entries_total", "Lost entries that this node appended again")?,
            polls: counter("auth_blacklist_polls_total", "Reads of the log of revocations")?,
            failures: counter("auth_blacklist_poll_failures_total", "Reads of the log of revocations that failed")?,
            reloads: counter("auth_blacklist_reloads_total", "Times that the log was read again from its beginning")?,
            fallbacks: counter("auth_blacklist_fallback_checks_total", "Token checks that had to ask the log")?,
        })
    }

    /// Updates the metrics.
    pub(super) fn observe(&self, stats: SyncStats) {
        set(&self.tokens, stats.index.tokens as u64);
        set(&self.users, stats.index.users as u64);
        set(&self.partitions, stats.index.partitions as u64);
        set(&self.bytes, stats.index.bytes as u64);
        set(&self.lag, stats.head.0.saturating_sub(stats.position.0));
        set(&self.fresh, u64::from(stats.fresh));
        self.age.set(stats.age.map_or(-1.0, |age| age.as_secs_f64()));
        set(&self.lost, u64::from(stats.lost.is_some()));
        raise_one(&self.losses, stats.losses);
        raise_one(&self.restored, stats.restored);
        raise_one(&self.polls, stats.polls);
        raise_one(&self.failures, stats.failures);
        raise_one(&self.reloads, stats.reloads);
        raise_one(&self.fallbacks, stats.fallbacks);
    }
}
