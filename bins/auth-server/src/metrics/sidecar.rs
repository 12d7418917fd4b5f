//! Metrics of `auth-server follow`.

use auth_follower::FollowerStats;
use prometheus::{Encoder, Gauge, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

use super::{raise_one, registered, set};

/// The metrics of a process that follows a server.
pub(crate) struct SidecarMetrics {
    registry: Registry,
    checks: IntCounterVec,
    bound: Gauge,
    age: Gauge,
    fresh: IntGauge,
    entries: IntGauge,
    lag: IntGauge,
    keys: IntGauge,
    steps: IntCounter,
    failures: IntCounter,
    snapshots: IntCounter,
    unanswered: IntCounter,
    key_fetches: IntCounter,
    key_failures: IntCounter,
}

impl SidecarMetrics {
    /// Creates the metrics with all values at zero.
    ///
    /// # Errors
    ///
    /// Two metrics have one name, which is a bug.
    pub(crate) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let whole = |name: &str, help: &str| registered(&registry, IntGauge::new(name, help));
        let gauge = |name: &str, help: &str| registered(&registry, Gauge::new(name, help));
        let counter = |name: &str, help: &str| registered(&registry, IntCounter::new(name, help));
        let checks = IntCounterVec::new(Opts::new("auth_token_checks_total", "Token checks by result"), &["result"]);
        let checks = registered(&registry, checks)?;
        Ok(Self {
            checks,
            bound: gauge(
                "auth_follow_bound_seconds",
                "Longest time from an acknowledged logout to its refusal here, the staleness of the server included",
            )?,
            age: gauge(
                "auth_follow_age_seconds",
                "Age of the copy of the revocations, the staleness of the server included; -1 before it was complete",
            )?,
            fresh: whole("auth_follow_fresh", "1 while the copy of the revocations is young enough to answer, else 0")?,
            entries: whole("auth_follow_entries", "Revoked tokens and users in memory")?,
            lag: whole("auth_follow_lag_entries", "Entries that the server has and that were not read yet")?,
            keys: whole("auth_follow_keys", "Public keys that are known")?,
            steps: counter("auth_follow_reads_total", "Requests for pages and snapshots")?,
            failures: counter("auth_follow_read_failures_total", "Requests for pages and snapshots that failed")?,
            snapshots: counter("auth_follow_snapshots_total", "Snapshots that were loaded")?,
            unanswered: counter(
                "auth_follow_unanswered_checks_total",
                "Checks without an answer: the copy was too old",
            )?,
            key_fetches: counter("auth_follow_key_fetches_total", "Requests for the public keys")?,
            key_failures: counter("auth_follow_key_fetch_failures_total", "Requests for the public keys that failed")?,
            registry,
        })
    }

    pub(crate) fn token_checked(&self, result: &str) {
        self.checks.with_label_values(&[result]).inc();
    }

    /// Returns all metrics in the text format of Prometheus.
    pub(crate) fn render(&self, stats: FollowerStats) -> prometheus::Result<String> {
        let FollowerStats { bound, blacklist, keys, .. } = stats;
        self.bound.set(bound.as_secs_f64());
        self.age.set(blacklist.age.map_or(-1.0, |age| age.as_secs_f64()));
        set(&self.fresh, u64::from(blacklist.fresh));
        set(&self.entries, (blacklist.index.tokens + blacklist.index.users) as u64);
        set(&self.lag, blacklist.head.0.saturating_sub(blacklist.position.0));
        set(&self.keys, keys.keys as u64);
        raise_one(&self.steps, blacklist.steps);
        raise_one(&self.failures, blacklist.failures);
        raise_one(&self.snapshots, blacklist.snapshots);
        raise_one(&self.unanswered, blacklist.unanswered);
        raise_one(&self.key_fetches, keys.fetches);
        raise_one(&self.key_failures, keys.failures);
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}
