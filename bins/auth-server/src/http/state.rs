//! The state that the handlers share.

use std::sync::Arc;

use auth_blacklist::SyncedBlacklist;
use auth_core::{AuthService, Language, RefreshError, RefreshToken, SignedIn, Throttle};
use auth_feed::server::FeedServer;
use auth_http::CookieAuth;
use auth_storage::Database;
use poem::Request;

use super::error::ApiError;
use crate::codec::Codec;
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::tasks::ClockOffset;
use crate::telemetry;

/// The parts of one server that its handlers use. Every request carries it.
pub(crate) struct State {
    /// Registers, logs in, checks tokens and logs out.
    pub(crate) service: AuthService,
    pub(crate) metrics: Metrics,
    /// The cookie of browsers, and the origins whose pages may use it.
    pub(crate) cookies: CookieAuth,
    /// The languages of letters. The first is the default.
    pub(crate) languages: Vec<Language>,
    /// The rate limits of guesses, registrations and letters, if they are on.
    pub(crate) throttle: Option<Arc<Throttle>>,
    /// The issuer (`iss`) of the tokens.
    pub(crate) issuer: String,
    /// The audience (`aud`) of the tokens.
    pub(crate) audience: String,
    /// Signs and reads tokens.
    pub(crate) codec: Codec,
    pub(crate) blacklist: Arc<SyncedBlacklist>,
    /// The feed of revocations, if followers may read it.
    pub(crate) feed: Option<Arc<FeedServer>>,
    /// True if a token may be accepted without reading the log, false if every check reads it.
    pub(crate) checks_in_memory: bool,
    /// The database, unless the stores are elsewhere.
    pub(crate) database: Option<Database>,
    /// The checks of `GET /readyz`.
    pub(crate) readiness: Readiness,
    /// Offset of this machine's clock from that of the database.
    pub(crate) clock_offset: Arc<ClockOffset>,
}

impl State {
    /// Returns the state that the request carries.
    ///
    /// # Errors
    ///
    /// [`Code::Internal`](auth_http::Code::Internal) if the request did not pass through the envelope.
    pub(crate) fn of(request: &Request) -> Result<&Arc<Self>, ApiError> {
        request.data().ok_or_else(|| ApiError::internal("the request carries no state"))
    }

    /// Renews a session, and reports a refresh token that was used a second time.
    ///
    /// # Errors
    ///
    /// Those of the service.
    pub(crate) async fn refresh(&self, unverified_token: &RefreshToken) -> Result<SignedIn, RefreshError> {
        let refreshed = self.service.refresh(unverified_token).await;
        if let Err(RefreshError::Reused { user_id, session_id }) = &refreshed {
            tracing::warn!(%user_id, %session_id, "a refresh token was used a second time; its session was ended");
        }
        refreshed
    }

    /// Returns all metrics in the text format of Prometheus.
    pub(crate) fn metrics_text(&self) -> Result<String, prometheus::Error> {
        self.metrics.observe_upgrades(self.service.upgrade_stats());
        self.metrics.observe_sessions(self.service.session_stats());
        self.metrics.observe_personal_tokens(self.service.personal_token_stats());
        self.metrics.observe_tokens(self.codec.cache_stats());
        self.metrics.observe_blacklist(self.blacklist.stats());
        if let Some(feed) = &self.feed {
            self.metrics.observe_feed(feed.max_age(), feed.stats());
        }
        if let Some(throttle) = &self.throttle {
            self.metrics.observe_throttle(throttle.stats());
        }
        if let Some(database) = &self.database {
            self.metrics.observe_database(database.pool_stats());
        }
        self.metrics.observe_log(telemetry::lost_lines());
        self.metrics.render()
    }
}
