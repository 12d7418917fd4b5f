//! The feed over HTTP.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::BoxError;
use auth_feed::Cursor;
use auth_feed::client::{Answer, FeedTransport};
use auth_feed::snapshot::MEDIA_TYPE;
use http::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue};

use crate::access::ClientAccess;
use crate::http::{Ask, HttpClient};

const PAGES: &str = "/auth/revocations";
const SNAPSHOT: &str = "/auth/revocations/snapshot";

const MAX_PAGE_BYTES: usize = 16 << 20;

/// Time that a snapshot may take: a gigabyte at a hundred megabits a second.
const SNAPSHOT_WITHIN: Duration = Duration::from_secs(90);
const MAX_SNAPSHOT_BYTES: usize = 1 << 30;

/// Error of an answer that is none of those that the feed has.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the auth server refused the token of the follower")]
    Token,
    #[error("the client may not read the feed: it needs the scope `revocations`")]
    Scope,
    #[error("the auth server has no feed; it is switched on with AUTH_FEED")]
    NoFeed,
    #[error("the auth server answered a request for the feed with status {0}")]
    Status(u16),
}

/// Asks the auth server with a token of a client.
#[derive(Debug)]
pub(crate) struct HttpTransport {
    http: Arc<HttpClient>,
    access: ClientAccess,
    /// Time that a page may take in addition to the wait for news.
    page_within: Duration,
}

impl HttpTransport {
    pub(crate) fn new(http: Arc<HttpClient>, access: ClientAccess, page_within: Duration) -> Self {
        Self { http, access, page_within }
    }

    async fn ask(
        &self,
        path: &str,
        accept: &'static str,
        within: Duration,
        max_bytes: usize,
    ) -> Result<Answer, BoxError> {
        let headers: Vec<(HeaderName, HeaderValue)> =
            vec![(AUTHORIZATION, self.access.bearer().await?), (ACCEPT, HeaderValue::from_static(accept))];
        let reply = self.http.ask(Ask { path, headers, form: None, within, max_bytes }).await?;
        match reply.status {
            200 => Ok(Answer::Body { age: reply.age(), bytes: reply.body.into() }),
            410 => Ok(Answer::Gone),
            401 => {
                self.access.forget().await;
                Err(Refused::Token.into())
            }
            403 => Err(Refused::Scope.into()),
            404 => Err(Refused::NoFeed.into()),
            status => Err(Refused::Status(status).into()),
        }
    }
}

#[async_trait]
impl FeedTransport for HttpTransport {
    async fn page(&self, after: &Cursor, wait: Duration) -> Result<Answer, BoxError> {
        let path = format!("{PAGES}?after={after}&wait={}", wait.as_secs());
        self.ask(&path, "application/json", wait + self.page_within, MAX_PAGE_BYTES).await
    }

    async fn snapshot(&self) -> Result<Answer, BoxError> {
        self.ask(SNAPSHOT, MEDIA_TYPE, SNAPSHOT_WITHIN, MAX_SNAPSHOT_BYTES).await
    }
}
