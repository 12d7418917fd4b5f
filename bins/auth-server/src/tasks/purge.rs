//! Removes rows that no check needs any more, and logs how many.

use auth_core::purge::{Purge, PurgeEvent};

use crate::metrics::Metrics;

/// The task that purges expired entries of the blacklist, old counters of attempts, old sessions, expired one-time tokens and
/// expired personal access tokens.
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
        PurgeEvent::OneTimeTokens(Ok(removed @ 1..)) => {
            metrics.one_time_tokens_purged(*removed);
            tracing::info!(removed, "expired one-time tokens were removed");
        }
        PurgeEvent::OneTimeTokens(Err(error)) => {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, "expired one-time tokens were not removed; trying again later");
        }
        PurgeEvent::PersonalTokens(Ok(removed @ 1..)) => {
            metrics.personal_tokens_purged(*removed);
            tracing::info!(removed, "expired personal access tokens were removed");
        }
        PurgeEvent::PersonalTokens(Err(error)) => {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, "expired personal access tokens were not removed; trying again later");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use auth_core::memory::MemoryStore;
    use auth_core::session::{Session, StoredSession};
    use auth_core::{Clock as _, Generation, ManualClock, SessionId, SessionStore as _, UserId};
    use time::macros::datetime;

    use crate::config::{Config, Sources};
    use crate::{App, ServerStores};

    #[tokio::test(start_paused = true)]
    async fn sessions_that_nothing_needs_are_removed_and_counted() {
        let env = [("AUTH_ENV".to_owned(), "test".to_owned())].into();
        let config = Config::load(Sources { env, ..Sources::default() }).unwrap();
        let (store, clock) =
            (Arc::new(MemoryStore::new().unwrap()), Arc::new(ManualClock::new(datetime!(2026-11-27 00:00 UTC))));
        let session = |lasts: Duration| {
            let now = clock.now();
            let (id, user_id) = (SessionId::generate().unwrap(), UserId::generate(now).unwrap());
            let session = Session {
                id,
                user_id,
                generation: Generation::default(),
                created_at: now,
                last_used_at: now,
                idle_until: now + lasts,
                ends_at: now + lasts,
                user_agent: None,
                network: None,
                ended: None,
            };
            StoredSession { access_expires_at: now + lasts, session, refresh: None }
        };
        let (old, live) = (session(Duration::from_hours(1)), session(Duration::from_hours(48)));
        for new in [&old, &live] {
            store.insert(new.clone()).await.unwrap();
        }
        let stores = ServerStores::from(store.clone());
        let app = App::with_stores(&config, clock.clone(), stores).unwrap();
        clock.advance(Duration::from_hours(24));
        let purge = app.purge();
        let metrics = purge.metrics.clone();
        tokio::time::timeout(Duration::from_hours(1), purge.run()).await.unwrap_err();
        assert_eq!(store.find(old.session.id).await.unwrap(), None);
        assert!(store.find(live.session.id).await.unwrap().is_some());
        assert!(metrics.render().unwrap().contains("\nauth_sessions_purged_total 1\n"));
    }
}
