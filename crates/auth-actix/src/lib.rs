#![doc = include_str!("../README.md")]

mod extract;
mod head;
mod middleware;
mod rejection;
mod routes;

pub use extract::{Admin, Authenticated, CurrentUser};
pub use middleware::{Auth, AuthMiddleware, ResponseFuture};
pub use rejection::{JsonRefusal, Rejection, Respond};
pub use routes::routes;

/// What a middleware made with [`Auth::optional`] leaves in the extensions of a request without a token, so that it can be
/// told from a request that no middleware looked at.
#[derive(Debug, Clone, Copy)]
struct Anonymous;
