//! The errors that each operation documents.

use std::fmt;
use std::marker::PhantomData;

use auth_http::Code;
use poem_openapi::ApiResponse;
use poem_openapi::registry::{
    MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::{ToJSON, Type};

use super::body::ErrorBody;
use super::error::ApiError;

/// An error as the OpenAPI document describes it: its code, which decides the status, and a sentence.
pub(crate) type DocumentedError = (Code, &'static str);

/// An operation of the API, as a type, with the errors that it documents.
pub(crate) trait Operation: Send + Sync + 'static {
    /// One error for each status that the operation may answer with besides success.
    const ERRORS: &'static [DocumentedError];
}

/// The body or the query is wrong: for operations that read a body.
pub(crate) const BAD_BODY: DocumentedError = (
    Code::ValidationFailed,
    "Fields are missing or wrong, or the query has a parameter that the operation does not know (`validation_failed`); or \
     the body is no JSON (`malformed_request`)",
);
/// The query is wrong: added to every operation that documents no other 400.
const BAD_QUERY: DocumentedError =
    (Code::ValidationFailed, "The query has a parameter that the operation does not know");
/// The body is larger than the limit.
pub(crate) const BODY_TOO_LARGE: DocumentedError = (Code::PayloadTooLarge, "The body has more than 16 KiB");
/// The body has another media type than JSON.
pub(crate) const NO_JSON: DocumentedError =
    (Code::UnsupportedMediaType, "The body is not declared as JSON, or is compressed");
/// A rate limit is exceeded.
pub(crate) const TOO_MANY: DocumentedError = (Code::TooManyAttempts, "Too many attempts; no password was looked at");
/// The queue of password hashes is full: for operations that hash a password.
pub(crate) const BUSY: DocumentedError =
    (Code::Overloaded, "Too much work is waiting (`overloaded`), or the database is unavailable (`unavailable`)");
/// The request has no valid token: for every protected operation.
pub(crate) const NO_GOOD_TOKEN: DocumentedError = (
    Code::TokenInvalid,
    "No token was sent (`token_missing`), or it is invalid (`token_invalid`), expired (`token_expired`) or revoked \
     (`token_revoked`)",
);
/// A page that may not act for the user sent the cookie: for operations that may change something.
pub(crate) const FOREIGN_PAGE: DocumentedError = (
    Code::Csrf,
    "The cookie came from a page of another origin, or without the right `X-CSRF-Token`; with the cookie alone and no token",
);
/// The token is that of a client: for operations that users' programs may ask for and that change nothing.
pub(crate) const NO_USERS_TOKEN: DocumentedError =
    (Code::InsufficientScope, "The token is a client's, and does not have a scope for the operation");
/// The token is not that of a login: for operations on the account that change nothing.
pub(crate) const NO_LOGIN: DocumentedError =
    (Code::InsufficientScope, "The token is not that of a login, but a personal access token or a client's");
/// The token is not that of a login: for operations that may change the account.
pub(crate) const NO_LOGIN_OR_FOREIGN_PAGE: DocumentedError = (
    Code::InsufficientScope,
    "The token is not that of a login, but a personal access token or a client's (`insufficient_scope`); or the cookie came from a \
     page of another origin, or without the right `X-CSRF-Token` (`csrf`)",
);
/// A page of another origin asked for the cookie: for operations that may set it.
pub(crate) const FOREIGN_LOGIN: DocumentedError =
    (Code::Csrf, "A page of another origin asked for a session in the cookie");
/// The queue of password hashes is full, or no letters are sent: for operations that hash and write a letter.
pub(crate) const BUSY_OR_NO_MAIL: DocumentedError = (
    Code::MailUnconfigured,
    "The server sends no letters (`mail_unconfigured`), too much work is waiting (`overloaded`), or the database is unavailable \
     (`unavailable`)",
);
/// The user of the token does not exist any more.
pub(crate) const USER_GONE: DocumentedError = (Code::UserNotFound, "The user is gone");
/// The user in the path does not exist.
pub(crate) const NO_USER: DocumentedError = (Code::UserNotFound, "There is no such user");
/// The token is not that of an admin: for operations of admins that change nothing.
pub(crate) const NO_ADMIN: DocumentedError =
    (Code::AdminRequired, "The token is not an admin's (`admin_required`), or a client's (`insufficient_scope`)");
/// The token is not that of the login of an admin: for operations of admins that show sessions or personal access tokens.
pub(crate) const NO_ADMIN_LOGIN: DocumentedError = (
    Code::AdminRequired,
    "The token is not an admin's (`admin_required`), or not that of a login (`insufficient_scope`)",
);
/// The token is not that of the login of an admin: for operations of admins that may change something.
pub(crate) const NO_ADMIN_LOGIN_OR_FOREIGN_PAGE: DocumentedError = (
    Code::AdminRequired,
    "The token is not an admin's (`admin_required`), or not that of a login (`insufficient_scope`); or the cookie came from a page of \
     another origin, or without the right `X-CSRF-Token` (`csrf`)",
);
/// The token is not that of a client that may follow revocations.
pub(crate) const NO_FOLLOWER: DocumentedError =
    (Code::InsufficientScope, "The token is not that of a client with the scope `revocations`");
/// The database cannot be read.
pub(crate) const UNREAD: DocumentedError = (Code::Unavailable, "The database is unavailable");
/// The database cannot be written.
pub(crate) const UNWRITTEN: DocumentedError = (Code::Unavailable, "Nothing could be written; try again");
/// An unexpected error: for every operation.
pub(crate) const INTERNAL: DocumentedError = (Code::Internal, "Something went wrong on our side");

/// An [`ApiError`] of the operation `O`. The type parameter is for the OpenAPI document and has no effect at run time.
pub(crate) struct OperationError<O> {
    error: ApiError,
    operation: PhantomData<O>,
}

impl<O, E: Into<ApiError> + ErrorSource> From<E> for OperationError<O> {
    fn from(error: E) -> Self {
        Self { error: error.into(), operation: PhantomData }
    }
}

/// Marks the errors from which `?` makes an [`OperationError`]. Without it the conversion would overlap that of `T` from `T`.
pub(crate) trait ErrorSource {}

impl ErrorSource for ApiError {}
impl ErrorSource for auth_http::ErrorAnswer {}
impl ErrorSource for auth_core::RegisterError {}
impl ErrorSource for auth_core::LoginError {}
impl ErrorSource for auth_core::RefreshError {}
impl ErrorSource for auth_core::ChangePasswordError {}
impl ErrorSource for auth_core::AccountError {}
impl ErrorSource for auth_core::ChangeEmailError {}
impl ErrorSource for auth_core::CreatePersonalTokenError {}
impl ErrorSource for auth_core::GiveRoleError {}
impl ErrorSource for auth_core::DeleteAccountError {}
impl ErrorSource for auth_core::RecoveryError {}
impl ErrorSource for auth_core::RenameError {}
impl ErrorSource for auth_core::StoreError {}

impl<O> fmt::Debug for OperationError<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<O> From<OperationError<O>> for poem::Error {
    fn from(error: OperationError<O>) -> Self {
        error.error.into()
    }
}

impl<O: Operation> ApiResponse for OperationError<O> {
    fn meta() -> MetaResponses {
        let documents_a_400 = O::ERRORS.iter().any(|(code, _)| code.status() == BAD_QUERY.0.status());
        let bad_query = (!documents_a_400).then_some(BAD_QUERY);
        let responses = bad_query.into_iter().chain(O::ERRORS.iter().copied()).map(|(code, description)| {
            let status = code.status();
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

/// Returns the schema of all error bodies, with the body of this code as its example.
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
