//! HTTP as every topic of the API speaks it: the envelope around each request, the errors and their statuses, request bodies,
//! query parameters, and the token of a request.
//!
//! The operations themselves are in [`api`](crate::api), which is built on this module.

pub(crate) mod bearer;
pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod conditional;
pub(crate) mod cookie;
pub(crate) mod cors;
pub(crate) mod envelope;
pub(crate) mod error;
pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod operation;
pub(crate) mod paging;
pub(crate) mod path_id;
pub(crate) mod query;
pub(crate) mod query_parameter;
pub(crate) mod request_body;
pub(crate) mod request_id;
pub(crate) mod route;
pub(crate) mod state;
pub(crate) mod string_enum;
