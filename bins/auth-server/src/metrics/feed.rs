//! Metrics of the feed of revocations: who follows it, what it sends, and how old it may be.

use std::time::Duration;

use auth_feed::server::FeedServerStats;
use prometheus::{Gauge, IntCounter, IntGauge, Registry};

use super::{raise_one, registered, set};

/// The metrics of a `FeedServer`.
#[derive(Clone)]
pub(super) struct FeedMeters {
    followers: IntGauge,
    pages: IntCounter,
    page_bytes: IntCounter,
    snapshots: IntCounter,
    snapshot_bytes: IntGauge,
    age: Gauge,
    max_age: Gauge,
}

impl FeedMeters {
    /// Creates the metrics in `registry` with all values at zero.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let whole = |name: &str, help: &str| registered(registry, IntGauge::new(name, help));
        let gauge = |name: &str, help: &str| registered(registry, Gauge::new(name, help));
        let counter = |name: &str, help: &str| registered(registry, IntCounter::new(name, help));
        Ok(Self {
            followers: whole("auth_feed_followers", "Followers that are waiting for a page of the feed")?,
            pages: counter("auth_feed_pages_total", "Pages of the feed that were answered")?,
            page_bytes: counter("auth_feed_page_bytes_total", "Size of the pages of the feed that were answered")?,
            snapshots: counter("auth_feed_snapshots_total", "Snapshots of the feed that were built")?,
            snapshot_bytes: whole("auth_feed_snapshot_bytes", "Size of the latest snapshot of the feed")?,
            age: gauge(
                "auth_feed_age_seconds",
                "Age of the copy of the log that the feed is served from; -1 before the first load",
            )?,
            max_age: gauge(
                "auth_feed_max_age_seconds",
                "Age of the copy of the log up to which the feed is served; 0 if it is switched off",
            )?,
        })
    }

    /// Updates the metrics.
    pub(super) fn observe(&self, max_age: Duration, stats: FeedServerStats) {
        set(&self.followers, stats.followers as u64);
        raise_one(&self.pages, stats.pages);
        raise_one(&self.page_bytes, stats.page_bytes);
        raise_one(&self.snapshots, stats.snapshots);
        set(&self.snapshot_bytes, stats.snapshot_bytes);
        self.age.set(stats.age.map_or(-1.0, |age| age.as_secs_f64()));
        self.max_age.set(max_age.as_secs_f64());
    }
}
