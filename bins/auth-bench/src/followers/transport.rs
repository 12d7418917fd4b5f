//! Ways to a feed: to one in this process, and to that of a real server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::BoxError;
use auth_feed::Cursor;
use auth_feed::client::{Answer, FeedTransport};
use auth_feed::server::{FeedError, FeedServer, PageRequest};
use tokio::sync::Mutex;

use crate::Failure;
use crate::load::{Connection, Request};
use crate::server::{Server, bearer};

/// Calls of a feed in this process.
#[derive(Debug)]
pub(super) struct LocalTransport(pub(super) Arc<FeedServer>);

#[async_trait]
impl FeedTransport for LocalTransport {
    async fn page(&self, after: &Cursor, _wait: Duration) -> Result<Answer, BoxError> {
        match self.0.page(&PageRequest::parse(&after.to_string(), None, None)?).await {
            Ok(page) => Ok(Answer::Body { bytes: page.body, age: Duration::ZERO }),
            Err(FeedError::Gone) => Ok(Answer::Gone),
            Err(error) => Err(error.into()),
        }
    }

    async fn snapshot(&self) -> Result<Answer, BoxError> {
        Ok(Answer::Body { bytes: self.0.snapshot().await?.body.to_vec(), age: Duration::ZERO })
    }
}

/// Requests to a server, over a connection that is kept alive.
#[derive(Debug)]
pub(super) struct HttpTransport {
    feed: FeedRequests,
    connection: Mutex<Option<Connection>>,
}

impl HttpTransport {
    pub(super) fn new(feed: FeedRequests) -> Self {
        Self { feed, connection: Mutex::default() }
    }

    async fn get(&self, request: &Request) -> Result<Answer, BoxError> {
        let mut held = self.connection.lock().await;
        let mut connection = match held.take() {
            Some(open) => open,
            None => Connection::open(request).await?,
        };
        let (status, bytes) = connection.ask_for_bytes(request).await?;
        *held = Some(connection);
        match status {
            200 => Ok(Answer::Body { bytes, age: Duration::ZERO }),
            410 => Ok(Answer::Gone),
            _ => Err(format!("the feed was answered with {status}").into()),
        }
    }
}

#[async_trait]
impl FeedTransport for HttpTransport {
    async fn page(&self, after: &Cursor, wait: Duration) -> Result<Answer, BoxError> {
        self.get(&self.feed.page(after, wait)?).await
    }

    async fn snapshot(&self) -> Result<Answer, BoxError> {
        self.get(&self.feed.snapshot()?).await
    }
}

/// Requests for the feed of a server, with the token of a client.
#[derive(Debug, Clone)]
pub(super) struct FeedRequests {
    base: url::Url,
    authorization: String,
}

impl FeedRequests {
    /// Creates a client of this server that may read the feed, and gets a token for it.
    pub(super) async fn of(server: &Server) -> Result<Self, Failure> {
        let token = server.client_token("revocations").await?;
        Ok(Self::new(server.url("/")?, bearer(&token)))
    }

    /// Returns the requests to the server at `base` with this header.
    pub(super) fn new(base: url::Url, authorization: String) -> Self {
        Self { base, authorization }
    }

    /// Returns what [`new`](Self::new) takes, for a command line.
    pub(super) fn arguments(&self) -> [&str; 2] {
        [self.base.as_str(), &self.authorization]
    }

    pub(super) fn page(&self, after: &Cursor, wait: Duration) -> Result<Request, Failure> {
        self.get(&format!("/auth/revocations?after={after}&wait={}", wait.as_secs()))
    }

    pub(super) fn snapshot(&self) -> Result<Request, Failure> {
        self.get("/auth/revocations/snapshot")
    }

    fn get(&self, path: &str) -> Result<Request, Failure> {
        Request::get(&self.base.join(path)?, std::slice::from_ref(&self.authorization))
    }
}
