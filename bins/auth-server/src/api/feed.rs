//! The feed of revocations: for services that check tokens without the database. Its form and its rules are in `docs/FOLLOWERS.md`.

mod payload;

use std::sync::Arc;

use auth_feed::server::{BadParameter, FeedError, FeedServer, MAX_LIMIT, MAX_WAIT, PageRequest, SNAPSHOT_MAX_AGE};
use auth_http::{Code, ErrorAnswer};
use poem::Request;
use poem::web::Data;
use poem_openapi::registry::MetaSchema;
use poem_openapi::{ApiResponse, OpenApi};
use serde_json::Value;

use self::payload::{PageBody, SnapshotBody};
use super::Tag;
use crate::http::bearer::FollowerBearer;
use crate::http::conditional::is_known;
use crate::http::error::ApiError;
use crate::http::operation::{DocumentedError, INTERNAL, NO_FOLLOWER, NO_GOOD_TOKEN, Operation, OperationError};
use crate::http::query_parameter::query_parameter;
use crate::http::state::State;

/// Path of the pages.
pub(super) const PAGES: &str = "/auth/revocations";
/// Path of the snapshot.
pub(super) const SNAPSHOT: &str = "/auth/revocations/snapshot";

/// The operations of followers.
pub(crate) struct FeedApi;

#[OpenApi(tag = "Tag::Feed")]
impl FeedApi {
    /// Read what was revoked
    ///
    /// For clients with the scope `revocations`. The entries after the cursor `after`, the oldest first. Without any the server waits
    /// up to `wait` seconds for one. Take the first cursor from the snapshot, and the next one from the `next` of each page.
    #[oai(path = "/auth/revocations", method = "get", operation_id = "readRevocations")]
    async fn page(
        &self,
        state: Data<&Arc<State>>,
        _follower: FollowerBearer,
        /// The cursor: `EPOCH:POSITION:MARK`
        after: After,
        /// How many whole seconds to wait for an entry if there is none
        wait: Wait,
        /// How many entries at most
        limit: Limit,
    ) -> Result<Page, OperationError<ReadRevocations>> {
        let after = after.0.ok_or_else(|| required("after"))?;
        let request = PageRequest::parse(&after, wait.0.as_deref(), limit.0.as_deref()).map_err(wrong)?;
        let answer = feed(&state)?.page(&request).await.map_err(unanswered)?;
        let cache_control = answer.cache_control().to_owned();
        Ok(Page::Ok(PageBody(answer.body), cache_control))
    }

    /// Take the snapshot of all that is revoked
    ///
    /// For clients with the scope `revocations`. Sorted and compact, with the cursor of the first page that follows it.
    #[oai(path = "/auth/revocations/snapshot", method = "get", operation_id = "takeSnapshot")]
    async fn snapshot(
        &self,
        request: &Request,
        state: Data<&Arc<State>>,
        _follower: FollowerBearer,
    ) -> Result<Snapshot, OperationError<TakeSnapshot>> {
        let answer = feed(&state)?.snapshot().await.map_err(unanswered)?;
        let cache_control = format!("public, max-age={}", SNAPSHOT_MAX_AGE.as_secs());
        if is_known(request.headers(), &answer.etag) {
            return Ok(Snapshot::Unchanged(cache_control, answer.etag));
        }
        Ok(Snapshot::Ok(SnapshotBody(answer.body), cache_control, answer.etag))
    }
}

/// Returns the feed. The routes exist only where there is one.
fn feed(state: &State) -> Result<&FeedServer, ApiError> {
    state.feed.as_deref().ok_or_else(|| Code::NotFound.into())
}

fn required(name: &str) -> ErrorAnswer {
    ErrorAnswer::validation([(name.to_owned(), format!("'{name}' is a required parameter"))].into())
}

fn wrong(BadParameter { name, rule }: BadParameter) -> ErrorAnswer {
    ErrorAnswer::validation([(name.to_owned(), format!("'{name}' {rule}"))].into())
}

fn unanswered(error: FeedError) -> ErrorAnswer {
    match error {
        FeedError::Gone => Code::FeedGone.into(),
        FeedError::NotFresh => ErrorAnswer::unavailable(error),
        error => ErrorAnswer::internal(error),
    }
}

query_parameter!(
    /// The unchecked parameter `after`.
    After,
    MetaSchema::new("string")
);
query_parameter!(
    /// The unchecked parameter `wait`.
    Wait,
    MetaSchema {
        minimum: Some(0.0),
        maximum: Some(MAX_WAIT.as_secs_f64()),
        default: Some(Value::from(0)),
        ..MetaSchema::new("integer")
    }
);
query_parameter!(
    /// The unchecked parameter `limit`.
    Limit,
    MetaSchema {
        minimum: Some(1.0),
        maximum: Some(f64::from(MAX_LIMIT)),
        ..MetaSchema::new("integer")
    }
);

#[derive(ApiResponse)]
enum Page {
    /// The page.
    #[oai(status = 200)]
    Ok(
        PageBody,
        /// How long a cache may answer with it
        #[oai(header = "Cache-Control")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Snapshot {
    /// The snapshot.
    #[oai(status = 200)]
    Ok(
        SnapshotBody,
        /// How long a cache may answer with it
        #[oai(header = "Cache-Control")]
        String,
        /// The tag of this state of the log
        #[oai(header = "ETag")]
        String,
    ),
    /// Nothing was revoked since the snapshot with the tag in `If-None-Match`.
    #[oai(status = 304)]
    Unchanged(
        /// How long a cache may answer with it
        #[oai(header = "Cache-Control")]
        String,
        /// The tag of this state of the log
        #[oai(header = "ETag")]
        String,
    ),
}

const GONE: DocumentedError =
    (Code::FeedGone, "The cursor is too old, or of another log: take the snapshot, and keep what you know");
const NOT_FRESH: DocumentedError = (Code::Unavailable, "This server has not read the log of revocations lately");

struct ReadRevocations;

impl Operation for ReadRevocations {
    const ERRORS: &'static [DocumentedError] = &[
        (Code::ValidationFailed, "A parameter is missing, wrong or unknown"),
        NO_GOOD_TOKEN,
        NO_FOLLOWER,
        GONE,
        NOT_FRESH,
        INTERNAL,
    ];
}

struct TakeSnapshot;

impl Operation for TakeSnapshot {
    const ERRORS: &'static [DocumentedError] = &[NO_GOOD_TOKEN, NO_FOLLOWER, NOT_FRESH, INTERNAL];
}
