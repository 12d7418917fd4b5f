//! Metrics of personal access tokens: how many are remembered, looked up and removed.

use auth_core::personal::PersonalTokenStats;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::{raise, registered, set};

/// The metrics of the personal access tokens of one server.
#[derive(Clone)]
pub(super) struct PersonalTokenMeters {
    remembered: IntGauge,
    look_ups: IntCounterVec,
    pub(super) purged: IntCounter,
}

impl PersonalTokenMeters {
    /// Creates the metrics in `registry` with all values at zero.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let remembered =
            IntGauge::new("auth_personal_tokens_remembered", "Personal access tokens whose last look-up is in memory");
        let look_ups = Opts::new(
            "auth_personal_token_lookups_total",
            "Look-ups of personal access tokens in the database: found, refused, or failed, or shed because too many were waiting",
        );
        let look_ups = IntCounterVec::new(look_ups, &["result"]);
        let purged = IntCounter::new("auth_personal_tokens_purged_total", "Expired personal access tokens removed");
        Ok(Self {
            remembered: registered(registry, remembered)?,
            look_ups: registered(registry, look_ups)?,
            purged: registered(registry, purged)?,
        })
    }

    /// Updates the metrics.
    pub(super) fn observe(&self, stats: PersonalTokenStats) {
        let PersonalTokenStats { remembered, look_ups, refused, failed, .. } = stats;
        set(&self.remembered, remembered as u64);
        let found = look_ups.saturating_sub(refused).saturating_sub(failed);
        raise(&self.look_ups, [("ok", found), ("refused", refused), ("failed", failed)]);
    }
}
