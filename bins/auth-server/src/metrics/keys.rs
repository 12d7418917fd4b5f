//! Metrics of managed keys, read whenever the metrics are scraped.

use std::sync::Arc;
use std::time::Duration;

use auth_jwt::ManagedKeys;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntCounter, IntGaugeVec, Opts};

use super::raise_one;

/// The metrics of [`ManagedKeys`].
pub(super) struct KeyMeters {
    keys: Arc<ManagedKeys>,
    states: IntGaugeVec,
    age: Gauge,
    next_change: Gauge,
    reads: IntCounter,
    failures: IntCounter,
}

impl KeyMeters {
    pub(super) fn new(keys: Arc<ManagedKeys>) -> prometheus::Result<Self> {
        Ok(Self {
            keys,
            states: IntGaugeVec::new(Opts::new("auth_signing_keys", "Managed keys by state"), &["state"])?,
            age: Gauge::new("auth_signing_key_age_seconds", "Time for which the present managed key has signed")?,
            next_change: Gauge::new(
                "auth_signing_key_next_change_seconds",
                "Time until another managed key signs, or until the next one is published if there is none yet",
            )?,
            reads: IntCounter::new("auth_signing_key_reads_total", "Reads of the managed keys")?,
            failures: IntCounter::new(
                "auth_signing_key_failures_total",
                "Reads of the managed keys that failed, or after which a key could not be used",
            )?,
        })
    }

    fn meters(&self) -> [&dyn Collector; 5] {
        [&self.states, &self.age, &self.next_change, &self.reads, &self.failures]
    }
}

impl Collector for KeyMeters {
    fn desc(&self) -> Vec<&Desc> {
        self.meters().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let stats = self.keys.stats();
        let seconds = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64();
        for (state, count) in stats.states {
            self.states.with_label_values(&[state.as_str()]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.age.set(seconds(stats.signing_for));
        self.next_change.set(seconds(stats.next_change));
        raise_one(&self.reads, stats.reads);
        raise_one(&self.failures, stats.failures);
        self.meters().into_iter().flat_map(Collector::collect).collect()
    }
}
