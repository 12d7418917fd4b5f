//! Metrics of letters: how many were sent, delayed and given up, and how many wait.

use auth_core::letters::{DeliveryStats, OutboxStats};
use prometheus::{Gauge, IntCounter, IntGauge, Registry};
use time::OffsetDateTime;

use super::{raise_one, registered, set};

/// The metrics of the letters of one server.
#[derive(Clone)]
pub(super) struct LetterMeters {
    sent: IntCounter,
    delayed: IntCounter,
    given_up: IntCounter,
    unreadable: IntCounter,
    waiting: IntGauge,
    oldest: Gauge,
    pub(super) tokens_purged: IntCounter,
}

impl LetterMeters {
    /// Creates the metrics in `registry` with all values at zero.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| registered(registry, IntCounter::new(name, help));
        let waiting =
            IntGauge::new("auth_mail_waiting_letters", "Letters that wait to be sent, for all servers together");
        let oldest = Gauge::new("auth_mail_oldest_seconds", "Age of the oldest letter that waits; 0 if none does");
        Ok(Self {
            sent: counter("auth_mail_sent_total", "Letters that this server sent")?,
            delayed: counter("auth_mail_delayed_total", "Attempts to send a letter that are made again later")?,
            given_up: counter("auth_mail_given_up_total", "Letters removed without being sent")?,
            unreadable: counter("auth_mail_unreadable_total", "Rows of the outbox that could not become a letter")?,
            waiting: registered(registry, waiting)?,
            oldest: registered(registry, oldest)?,
            tokens_purged: counter("auth_one_time_tokens_purged_total", "Expired one-time tokens removed")?,
        })
    }

    /// Updates the counts of what this server did.
    pub(super) fn observe(&self, stats: DeliveryStats) {
        raise_one(&self.sent, stats.sent);
        raise_one(&self.delayed, stats.delayed);
        raise_one(&self.given_up, stats.given_up);
        raise_one(&self.unreadable, stats.unreadable);
    }

    /// Updates what waits in the outbox.
    pub(super) fn observe_outbox(&self, stats: OutboxStats, now: OffsetDateTime) {
        set(&self.waiting, stats.waiting);
        let age = stats.oldest.map_or(0.0, |oldest| (now - oldest).as_seconds_f64().max(0.0));
        self.oldest.set(age);
    }
}
