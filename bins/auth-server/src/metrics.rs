//! Metrics in the text format of Prometheus.
//!
//! Labels have few values: all paths that no route matches share one, and so do all unknown methods.

mod blacklist;
mod connections;
mod feed;
mod keys;
mod letters;
mod passwords;
mod personal_tokens;
mod sessions;
mod sidecar;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use auth_blacklist::SyncStats;
use auth_core::letters::{DeliveryStats, OutboxStats};
use auth_core::personal::PersonalTokenStats;
use auth_core::service::UpgradeStats;
use auth_core::session::SessionStats;
use auth_core::throttle::ThrottleStats;
use auth_feed::server::FeedServerStats;
use auth_jwt::{CacheStats, ManagedKeys};
use auth_password::{PasswordPool, PasswordSchemes};
use poem::http::{Method, StatusCode};
use prometheus::core::Collector;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use time::OffsetDateTime;

use self::blacklist::BlacklistMeters;
use self::connections::ConnectionMeters;
use self::feed::FeedMeters;
use self::keys::KeyMeters;
use self::letters::LetterMeters;
use self::passwords::PasswordMeters;
use self::personal_tokens::PersonalTokenMeters;
use self::sessions::SessionMeters;
pub(crate) use self::sidecar::SidecarMetrics;
use crate::server::Connections;

/// The label of a request that no route matches.
const UNMATCHED: &str = "unmatched";

/// Upper bounds of the latency histogram, in seconds: from a check in memory to a hash that waits in the queue.
const LATENCY_BUCKETS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The metrics of one server.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    latency: HistogramVec,
    in_flight: IntGauge,
    logins: IntCounterVec,
    registrations: IntCounterVec,
    upgrades: IntCounterVec,
    token_checks: IntCounterVec,
    tokens_good: IntCounter,
    token_cache_entries: IntGauge,
    token_cache_bytes: IntGauge,
    token_cache_lookups: IntCounterVec,
    purged: IntCounter,
    connections: IntGaugeVec,
    blacklist: BlacklistMeters,
    feed: FeedMeters,
    sessions: SessionMeters,
    personal_tokens: PersonalTokenMeters,
    letters: LetterMeters,
    clock_offset: prometheus::Gauge,
    throttled: IntCounterVec,
    log_lines_lost: IntCounter,
}

impl Metrics {
    /// Creates the metrics with all values at zero.
    ///
    /// # Errors
    ///
    /// Two metrics have one name, which is a bug.
    pub(crate) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            registered(&registry, IntCounterVec::new(Opts::new(name, help), labels))
        };
        let latency = HistogramVec::new(
            HistogramOpts::new("auth_http_request_duration_seconds", "Time from the head of a request to its answer")
                .buckets(LATENCY_BUCKETS.to_vec()),
            &["route"],
        );
        let latency = registered(&registry, latency)?;
        let purged = IntCounter::new("auth_blacklist_purged_total", "Expired entries removed from the blacklist");
        let purged = registered(&registry, purged)?;
        let log_lines_lost = IntCounter::new(
            "auth_log_lines_lost_total",
            "Lines of the log that were lost because standard error failed or took nothing",
        );
        let log_lines_lost = registered(&registry, log_lines_lost)?;
        let gauge = |name: &str, help: &str| registered(&registry, IntGauge::new(name, help));
        let connections =
            IntGaugeVec::new(Opts::new("auth_database_connections", "Connections to the database"), &["state"]);
        let connections = registered(&registry, connections)?;
        let clock_offset = prometheus::Gauge::new(
            "auth_clock_offset_seconds",
            "How far the clock of this machine is ahead of that of the database; negative when it is behind",
        );
        let clock_offset = registered(&registry, clock_offset)?;
        let token_checks = counter("auth_token_checks_total", "Token checks by result", &["result"])?;
        Ok(Self {
            blacklist: BlacklistMeters::new(&registry)?,
            feed: FeedMeters::new(&registry)?,
            sessions: SessionMeters::new(&registry)?,
            personal_tokens: PersonalTokenMeters::new(&registry)?,
            letters: LetterMeters::new(&registry)?,
            clock_offset,
            throttled: counter(
                "auth_throttled_attempts_total",
                "Attempts refused because there were too many: for an account, from a network, of registrations, or of requests for \
                 letters; letters withheld from an address; and attempts that could not be counted",
                &["what"],
            )?,
            connections,
            log_lines_lost,
            requests: counter("auth_http_requests_total", "Requests answered", &["method", "route", "status"])?,
            logins: counter("auth_logins_total", "Logins by result", &["result"])?,
            registrations: counter("auth_registrations_total", "Registrations by result", &["result"])?,
            upgrades: counter(
                "auth_password_upgrades_total",
                "Old password hashes after a login: upgraded, shed for other work, superseded by a change, or failed",
                &["result"],
            )?,
            tokens_good: token_checks.with_label_values(&["ok"]),
            token_checks,
            token_cache_entries: gauge("auth_token_cache_entries", "Verified tokens that are remembered")?,
            token_cache_bytes: gauge(
                "auth_token_cache_bytes",
                "Length of the texts of the tokens that are remembered",
            )?,
            in_flight: gauge("auth_http_requests_in_flight", "Requests being answered")?,
            token_cache_lookups: counter(
                "auth_token_cache_lookups_total",
                "Token checks that found the token remembered, and those that verified its signature",
                &["result"],
            )?,
            registry,
            latency,
            purged,
        })
    }

    pub(crate) fn request_started(&self) -> InFlightGuard {
        self.in_flight.inc();
        InFlightGuard(self.in_flight.clone())
    }

    /// Returns the metrics of a route.
    pub(crate) fn route(&self, pattern: &str) -> RouteMeters {
        let latency = self.latency.with_label_values(&[pattern]);
        RouteMeters { pattern: pattern.into(), latency, ok: OnceLock::new() }
    }

    /// Returns the metrics of requests that no route matches.
    pub(crate) fn unmatched(&self) -> RouteMeters {
        self.route(UNMATCHED)
    }

    pub(crate) fn request_answered(&self, method: &Method, route: &RouteMeters, status: StatusCode, took: Duration) {
        route.latency.observe(took.as_secs_f64());
        if (method, status) == (&Method::GET, StatusCode::OK) {
            route.ok.get_or_init(|| self.requests.with_label_values(&["GET", &route.pattern, "200"])).inc();
            return;
        }
        let method = match *method {
            Method::GET
            | Method::POST
            | Method::HEAD
            | Method::PUT
            | Method::DELETE
            | Method::OPTIONS
            | Method::PATCH => method.as_str(),
            _ => "other",
        };
        self.requests.with_label_values(&[method, &route.pattern, status.as_str()]).inc();
    }

    /// Counts the results of logins and registrations, which have metrics of their own.
    pub(crate) fn outcome(&self, method: &Method, route: &str, result: &str) {
        match route {
            _ if method != Method::POST => {}
            "/auth/login" => self.logins.with_label_values(&[result]).inc(),
            "/auth/register" | "/user/" => self.registrations.with_label_values(&[result]).inc(),
            _ => {}
        }
    }

    pub(crate) fn token_checked(&self, result: &str) {
        if result == "ok" {
            return self.tokens_good.inc();
        }
        self.token_checks.with_label_values(&[result]).inc();
    }

    pub(crate) fn purged(&self, entries: u64) {
        self.purged.inc_by(entries);
    }

    pub(crate) fn sessions_purged(&self, sessions: u64) {
        self.sessions.purged.inc_by(sessions);
    }

    /// Adds the metrics of the hashing threads.
    pub(crate) fn watch_passwords(&self, pool: PasswordPool, schemes: Arc<PasswordSchemes>) -> prometheus::Result<()> {
        self.registry.register(Box::new(PasswordMeters::new(pool, schemes)?))
    }

    /// Adds the metrics of the connections of clients.
    pub(crate) fn watch_connections(&self, connections: Arc<Connections>) -> prometheus::Result<()> {
        self.registry.register(Box::new(ConnectionMeters::new(connections)?))
    }

    /// Adds the metrics of managed keys.
    pub(crate) fn watch_keys(&self, keys: Arc<ManagedKeys>) -> prometheus::Result<()> {
        self.registry.register(Box::new(KeyMeters::new(keys)?))
    }

    /// Updates the metrics of upgraded password hashes.
    pub(crate) fn observe_upgrades(&self, stats: UpgradeStats) {
        raise(
            &self.upgrades,
            [
                ("upgraded", stats.upgraded),
                ("shed", stats.shed),
                ("superseded", stats.superseded),
                ("failed", stats.failed),
            ],
        );
    }

    /// Updates the metrics of the cache of verified tokens.
    pub(crate) fn observe_tokens(&self, stats: CacheStats) {
        set(&self.token_cache_entries, stats.entries as u64);
        set(&self.token_cache_bytes, stats.bytes as u64);
        raise(&self.token_cache_lookups, [("hit", stats.hits), ("miss", stats.misses)]);
    }

    /// Updates the metrics of the blacklist.
    pub(crate) fn observe_blacklist(&self, stats: SyncStats) {
        self.blacklist.observe(stats);
    }

    /// Updates the metrics of the feed, which answers while its copy of the log is no older than `max_age`.
    pub(crate) fn observe_feed(&self, max_age: Duration, stats: FeedServerStats) {
        self.feed.observe(max_age, stats);
    }

    /// Updates the metrics of sessions.
    pub(crate) fn observe_sessions(&self, stats: SessionStats) {
        self.sessions.observe(stats);
    }

    /// Updates the metrics of personal access tokens.
    pub(crate) fn observe_personal_tokens(&self, stats: PersonalTokenStats) {
        self.personal_tokens.observe(stats);
    }

    /// Counts personal access tokens that were removed.
    pub(crate) fn personal_tokens_purged(&self, tokens: u64) {
        self.personal_tokens.purged.inc_by(tokens);
    }

    /// Updates the counts of the letters that this server sent.
    pub(crate) fn observe_letters(&self, stats: DeliveryStats) {
        self.letters.observe(stats);
    }

    /// Updates the number of letters that wait, and the age of the oldest.
    pub(crate) fn observe_outbox(&self, stats: OutboxStats, now: OffsetDateTime) {
        self.letters.observe_outbox(stats, now);
    }

    /// Counts one-time tokens that were removed.
    pub(crate) fn one_time_tokens_purged(&self, tokens: u64) {
        self.letters.tokens_purged.inc_by(tokens);
    }

    /// Updates the offset of this clock from that of the database.
    pub(crate) fn observe_clock(&self, offset: time::Duration) {
        self.clock_offset.set(offset.as_seconds_f64());
    }

    /// Updates the metrics of the rate limits.
    pub(crate) fn observe_throttle(&self, stats: ThrottleStats) {
        raise(
            &self.throttled,
            [
                ("account", stats.account),
                ("network", stats.network),
                ("registration", stats.registration),
                ("letters", stats.letters),
                ("withheld_letters", stats.withheld_letters),
                ("personal_tokens", stats.personal_tokens),
                ("uncounted", stats.failures),
            ],
        );
    }

    /// Updates the number of lost lines of the log.
    pub(crate) fn observe_log(&self, lost_lines: u64) {
        raise_one(&self.log_lines_lost, lost_lines);
    }

    /// Updates the metrics of the connections to the database.
    pub(crate) fn observe_database(&self, stats: auth_storage::PoolStats) {
        for (state, count) in [("open", stats.open), ("idle", stats.idle), ("max", stats.max)] {
            self.connections.with_label_values(&[state]).set(i64::from(count));
        }
    }

    /// Returns all metrics as text.
    ///
    /// # Errors
    ///
    /// A metric cannot be written, which is a bug.
    pub(crate) fn render(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Raises counters with one label to totals that were counted elsewhere.
fn raise<const N: usize>(counters: &IntCounterVec, totals: [(&str, u64); N]) {
    for (value, total) in totals {
        raise_one(&counters.with_label_values(&[value]), total);
    }
}

/// Registers a metric and returns it.
fn registered<M: Collector + Clone + 'static>(
    registry: &Registry,
    metric: prometheus::Result<M>,
) -> prometheus::Result<M> {
    let metric = metric?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// Raises a counter to a total that was counted elsewhere.
fn raise_one(counter: &IntCounter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

fn set(gauge: &IntGauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

/// The metrics of one route, so that a request need not look them up by their labels.
pub(crate) struct RouteMeters {
    pattern: Box<str>,
    latency: Histogram,
    /// Counter of `GET` answered with 200, created by the first one.
    ok: OnceLock<IntCounter>,
}

impl RouteMeters {
    /// Returns the pattern of the route as the OpenAPI document writes it.
    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }
}

/// Counts a request as active until it is dropped, also when the client goes away.
pub(crate) struct InFlightGuard(IntGauge);

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}
