//! Which refusals an operation is documented with.

use std::fmt;
use std::marker::PhantomData;

use poem_openapi::ApiResponse;
use poem_openapi::registry::{
    MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::{ToJSON, Type};

use super::dto::ErrorBody;
use super::error::{Code, Failure};

/// A status that an operation may refuse with, and what that means.
pub(super) type Refusal = (Code, &'static str);

/// An operation and the ways in which it refuses.
pub trait Operation: Send + Sync + 'static {
    /// Each status it may refuse with, and what that means.
    const REFUSALS: &'static [Refusal];
}

/// How an operation that reads a body refuses one.
pub(super) const BAD_BODY: Refusal = (
    Code::ValidationFailed,
    "Fields are missing or wrong, or the query has a parameter that the operation does not know (`validation_failed`); or \
     the body is no JSON (`malformed_request`)",
);
/// The refusal of a query by every other operation.
const BAD_QUERY: Refusal = (Code::ValidationFailed, "The query has a parameter that the operation does not know");
/// A body past the limit.
pub(super) const BODY_TOO_LARGE: Refusal = (Code::PayloadTooLarge, "The body has more than 16 KiB");
/// A body of another type.
pub(super) const NO_JSON: Refusal = (Code::UnsupportedMediaType, "The body is not declared as JSON, or is compressed");
/// How an operation refuses that may only be tried so often.
pub(super) const TOO_MANY: Refusal = (Code::TooManyAttempts, "Too many attempts; no password was looked at");
/// How an operation that hashes a password refuses for now.
pub(super) const BUSY: Refusal =
    (Code::Overloaded, "Too much work is waiting (`overloaded`), or the database is unavailable (`unavailable`)");
/// The refusal of a request without a good token.
pub(super) const NO_GOOD_TOKEN: Refusal = (
    Code::TokenInvalid,
    "No token was sent (`token_missing`), or it is invalid (`token_invalid`), expired (`token_expired`) or revoked \
     (`token_revoked`)",
);
/// What may happen to every operation.
pub(super) const INTERNAL: Refusal = (Code::Internal, "Something went wrong on our side");

/// A [`Failure`] of the operation `O`. The type says what the document lists; at run time it is the failure.
pub struct Refused<O> {
    failure: Failure,
    operation: PhantomData<O>,
}

impl<O, E: Into<Failure> + Reason> From<E> for Refused<O> {
    fn from(error: E) -> Self {
        Self { failure: error.into(), operation: PhantomData }
    }
}

/// What a [`Refused`] is made from.
pub trait Reason {}

impl Reason for Failure {}
impl Reason for auth_core::RegisterError {}
impl Reason for auth_core::LoginError {}
impl Reason for auth_core::ChangePasswordError {}
impl Reason for auth_core::AccountError {}
impl Reason for auth_core::StoreError {}

impl<O> fmt::Debug for Refused<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure.fmt(f)
    }
}

impl<O> From<Refused<O>> for poem::Error {
    fn from(refused: Refused<O>) -> Self {
        refused.failure.into()
    }
}

impl<O: Operation> ApiResponse for Refused<O> {
    fn meta() -> MetaResponses {
        let refuses_a_query = O::REFUSALS.iter().any(|(code, _)| code.status() == BAD_QUERY.0.status());
        let bad_query = (!refuses_a_query).then_some(BAD_QUERY);
        let responses = bad_query.into_iter().chain(O::REFUSALS.iter().copied()).map(|(code, description)| {
            let status = code.status().as_u16();
            MetaResponse {
                description,
                status: Some(status),
                status_range: None,
                content: vec![MetaMediaType { content_type: "application/json", schema: example_of(code) }],
                headers: match status {
                    401 => vec![text_header("WWW-Authenticate", "The challenge of RFC 6750")],
                    429 | 503 => vec![text_header("Retry-After", "How many seconds to wait")],
                    _ => Vec::new(),
                },
            }
        });
        MetaResponses { responses: responses.collect() }
    }

    fn register(registry: &mut Registry) {
        ErrorBody::register(registry);
    }
}

/// The schema of every refusal, with the body of this one as its example.
fn example_of(code: Code) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(MetaSchema {
        all_of: vec![ErrorBody::schema_ref()],
        example: ErrorBody::example_of(code).to_json(),
        ..MetaSchema::ANY
    }))
}

fn text_header(name: &str, description: &str) -> MetaHeader {
    MetaHeader {
        name: name.into(),
        description: Some(description.into()),
        required: true,
        deprecated: false,
        schema: String::schema_ref(),
    }
}
