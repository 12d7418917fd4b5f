//! Removes rows that no check needs any more, and logs how many.

use auth_core::purge::{Purge, PurgeEvent};

use crate::metrics::Metrics;

/// The task that purges expired entries of the blacklist, old counters of attempts and old sessions.
pub(crate) struct PurgeTask {
    pub(crate) purge: Purge,
    pub(crate) metrics: Metrics,
}

impl PurgeTask {
    /// Purges at an interval. If this is cancelled the database still finishes the current batch.
    pub(crate) async fn run(self) {
        let Self { purge, metrics } = self;
        purge.run(tokio::time::sleep, move |event| log(&event, &metrics)).await;
    }
}

fn log(event: &PurgeEvent, metrics: &Metrics) {
    match event {
        PurgeEvent::Revocations(Ok(removed @ 1..)) => {
            metrics.purged(*removed);
            tracing::info!(removed, "expired entries were removed from the blacklist");
        }
        PurgeEvent::Revocations(Err(error)) => {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, "expired entries were not removed from the blacklist; trying again later");
        }
        PurgeEvent::Attempts(Ok(removed @ 1..)) => tracing::info!(removed, "old counters of attempts were removed"),
        PurgeEvent::Attempts(Err(error)) => {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, "old counters of attempts were not removed; trying again later");
        }
        PurgeEvent::Sessions(Ok(removed @ 1..)) => {
            metrics.sessions_purged(*removed);
            tracing::info!(removed, "old sessions were removed");
        }
        PurgeEvent::Sessions(Err(error)) => {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, "old sessions were not removed; trying again later");
        }
        _ => {}
    }
}
