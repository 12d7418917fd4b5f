//! Metrics of sessions: how many were opened, refreshed, ended and removed.

use auth_core::session::SessionStats;
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

use super::{raise, registered};

/// The metrics of the sessions of one server.
#[derive(Clone)]
pub(super) struct SessionMeters {
    opened: IntCounterVec,
    refreshes: IntCounterVec,
    ended: IntCounterVec,
    pub(super) purged: IntCounter,
}

impl SessionMeters {
    /// Creates the metrics in `registry` with all values at zero.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str, label: &str| {
            registered(registry, IntCounterVec::new(Opts::new(name, help), &[label]))
        };
        let purged = IntCounter::new("auth_sessions_purged_total", "Sessions removed because nothing needs them");
        Ok(Self {
            opened: counter(
                "auth_sessions_opened_total",
                "Sessions opened: with one access token, or with a refresh token",
                "kind",
            )?,
            refreshes: counter(
                "auth_session_refreshes_total",
                "Refresh tokens presented: exchanged, repeated within the grace, reused after it, or refused",
                "result",
            )?,
            ended: counter(
                "auth_sessions_ended_total",
                "Sessions ended before their time: by a logout, from elsewhere, or because a refresh token was used again",
                "reason",
            )?,
            purged: registered(registry, purged)?,
        })
    }

    /// Updates the metrics.
    pub(super) fn observe(&self, stats: SessionStats) {
        raise(&self.opened, [("token", stats.opened_single), ("refresh", stats.opened_renewable)]);
        raise(
            &self.refreshes,
            [
                ("ok", stats.refreshed),
                ("repeated", stats.repeated),
                ("reused", stats.reused),
                ("refused", stats.refused),
            ],
        );
        raise(
            &self.ended,
            [("logout", stats.logged_out), ("session_ended", stats.ended_elsewhere), ("refresh_reuse", stats.reused)],
        );
    }
}
