//! Metrics of the hashing threads, read from the pool whenever the metrics are scraped.

use std::collections::HashMap;
use std::sync::Arc;

use auth_password::{HashWork, PasswordPool, PasswordSchemes};
use auth_password::{PoolStats, WaitStats};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use crate::config::work_label;

const QUEUED: (&str, &str) =
    ("auth_password_jobs_queued", "Passwords that wait to be hashed (registrations) or compared (logins)");
const RUNNING: (&str, &str) = ("auth_password_jobs_running", "Password hashes being computed");
const JOBS: (&str, &str) = (
    "auth_password_jobs_total",
    "Password hashes computed, refused because too much was waiting, skipped because nobody waited, or lost in a panic",
);
const BATCHES: (&str, &str) =
    ("auth_password_batches_total", "Turns of a hashing thread by how many hashes it computed at once");
const WAIT: (&str, &str) = ("auth_password_wait_seconds", "How long password hashes waited that were started");

const LOGIN_ROUNDS: (&str, &str) = (
    "auth_password_login_bcrypt_rounds",
    "Rounds of bcrypt that every login computes, by the dearest hash that was met",
);
const LOGIN_BYTES: (&str, &str) = (
    "auth_password_login_argon2_bytes",
    "Memory that Argon2 fills at every login, all passes together, by the dearest hash that was met",
);

/// The metrics of a [`PasswordPool`].
pub(super) struct PasswordMeters {
    pool: PasswordPool,
    schemes: Arc<PasswordSchemes>,
    descriptions: Vec<Desc>,
}

impl PasswordMeters {
    pub(super) fn new(pool: PasswordPool, schemes: Arc<PasswordSchemes>) -> prometheus::Result<Self> {
        let describe = |(name, help): (&str, &str), label: Option<&str>| {
            Desc::new(name.to_owned(), help.to_owned(), label.into_iter().map(str::to_owned).collect(), HashMap::new())
        };
        let descriptions = vec![
            describe(QUEUED, Some("kind"))?,
            describe(RUNNING, None)?,
            describe(JOBS, Some("result"))?,
            describe(BATCHES, Some("width"))?,
            describe(WAIT, None)?,
            describe(LOGIN_ROUNDS, Some("level"))?,
            describe(LOGIN_BYTES, Some("level"))?,
        ];
        Ok(Self { pool, schemes, descriptions })
    }
}

impl Collector for PasswordMeters {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        families(&self.pool.stats(), &self.schemes.levels())
    }
}

#[expect(clippy::cast_precision_loss, reason = "the text format has no other numbers")]
fn families(stats: &PoolStats, levels: &[HashWork]) -> Vec<MetricFamily> {
    let gauge = |label: Option<(&str, &str)>, value: u64| {
        let mut gauge = Gauge::default();
        gauge.set_value(value as f64);
        let mut metric = labelled(label);
        metric.set_gauge(gauge);
        metric
    };
    let counter = |label: &str, value: &str, total: u64| {
        let mut counter = Counter::default();
        counter.set_value(total as f64);
        let mut metric = labelled(Some((label, value)));
        metric.set_counter(counter);
        metric
    };
    let queued = [("hash", stats.hashes_queued as u64), ("verify", stats.verifies_queued as u64)];
    let results =
        [("completed", stats.completed), ("shed", stats.shed), ("abandoned", stats.abandoned), ("lost", stats.lost)];
    let widths = (1..).zip(stats.batches).map(|(width, total): (usize, _)| (width.to_string(), total));
    let (mut rounds, mut bytes) = (Vec::new(), Vec::new());
    for level in levels {
        let (metrics, unit) = match level {
            HashWork::Bcrypt { .. } => (&mut rounds, 1),
            HashWork::Argon2 { .. } => (&mut bytes, 1024),
        };
        metrics.push(gauge(Some(("level", &work_label(*level))), level.units() * unit));
    }
    let mut wait = Metric::default();
    wait.set_histogram(histogram(&stats.waits));
    vec![
        family(QUEUED, MetricType::GAUGE, queued.map(|(kind, jobs)| gauge(Some(("kind", kind)), jobs)).into()),
        family(RUNNING, MetricType::GAUGE, vec![gauge(None, stats.running as u64)]),
        family(JOBS, MetricType::COUNTER, results.map(|(result, total)| counter("result", result, total)).into()),
        family(BATCHES, MetricType::COUNTER, widths.map(|(width, total)| counter("width", &width, total)).collect()),
        family(WAIT, MetricType::HISTOGRAM, vec![wait]),
        family(LOGIN_ROUNDS, MetricType::GAUGE, rounds),
        family(LOGIN_BYTES, MetricType::GAUGE, bytes),
    ]
}

fn family((name, help): (&str, &str), kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

fn labelled(label: Option<(&str, &str)>) -> Metric {
    let pair = label.map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    });
    Metric::from_label(pair.into_iter().collect())
}

fn histogram(waits: &WaitStats) -> Histogram {
    let mut so_far = 0;
    let buckets = WaitStats::BOUNDS.iter().zip(waits.counts).map(|(bound, count)| {
        so_far += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound.as_secs_f64());
        bucket.set_cumulative_count(so_far);
        bucket
    });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(waits.counts.iter().sum());
    histogram.set_sample_sum(waits.sum.as_secs_f64());
    histogram
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus::{Encoder, TextEncoder};

    use super::*;

    #[test]
    fn the_metrics_show_the_statistics_of_the_pool() {
        let mut stats = PoolStats::default();
        (stats.hashes_queued, stats.verifies_queued, stats.running) = (1, 2, 3);
        (stats.completed, stats.shed, stats.abandoned, stats.lost) = (4, 5, 6, 7);
        stats.batches = [8, 9, 10, 11];
        stats.waits.counts[0] = 2;
        stats.waits.counts[2] = 1;
        stats.waits.counts[WaitStats::BOUNDS.len()] = 1;
        stats.waits.sum = Duration::from_millis(7_500);
        let mut text = Vec::new();
        let levels = [HashWork::Bcrypt { cost: 12 }, HashWork::Argon2 { memory_kib: 19_456, passes: 2, lanes: 1 }];
        TextEncoder::new().encode(&families(&stats, &levels), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        for line in [
            r#"auth_password_jobs_queued{kind="hash"} 1"#,
            r#"auth_password_jobs_queued{kind="verify"} 2"#,
            "auth_password_jobs_running 3",
            r#"auth_password_jobs_total{result="completed"} 4"#,
            r#"auth_password_jobs_total{result="shed"} 5"#,
            r#"auth_password_jobs_total{result="abandoned"} 6"#,
            r#"auth_password_jobs_total{result="lost"} 7"#,
            r#"auth_password_batches_total{width="1"} 8"#,
            r#"auth_password_batches_total{width="4"} 11"#,
            r#"auth_password_wait_seconds_bucket{le="0.001"} 2"#,
            r#"auth_password_wait_seconds_bucket{le="0.1"} 3"#,
            r#"auth_password_wait_seconds_bucket{le="+Inf"} 4"#,
            "auth_password_wait_seconds_sum 7.5",
            "auth_password_wait_seconds_count 4",
            r#"auth_password_login_bcrypt_rounds{level="bcrypt:12"} 4096"#,
            r#"auth_password_login_argon2_bytes{level="argon2id:19456:2:1"} 39845888"#,
        ] {
            assert!(text.lines().any(|got| got == line), "{line} is not in:\n{text}");
        }
    }
}
