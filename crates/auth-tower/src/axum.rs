//! Extractors and ready routes for axum.
//!
//! The extractors read what an [`AuthLayer`](crate::AuthLayer) around the route left in the request, and check no token
//! themselves: a route with an extractor and without a layer answers 500 and never lets anybody in. What they answer is what
//! the layer answers, [`respond_with`](crate::AuthLayer::respond_with) included.
//!
//! ```
//! use auth_tower::axum::{Admin, Authenticated, CurrentUser};
//!
//! async fn profile(Authenticated(principal): Authenticated) -> String {
//!     format!("you are {}", principal.user_id())
//! }
//!
//! async fn greeting(visitor: Option<Authenticated>) -> &'static str {
//!     if visitor.is_some() { "welcome back" } else { "welcome" }
//! }
//!
//! async fn letterhead(CurrentUser(user): CurrentUser) -> String {
//!     format!("{} <{}>", user.username, user.email)
//! }
//!
//! async fn shutdown(Admin(principal): Admin) -> String {
//!     format!("as {} wishes", principal.user_id())
//! }
//! ```
//!
//! [`routes()`] are whole operations: registering, logging in, logging out.

mod extract;
mod routes;

pub use self::extract::{Admin, Authenticated, CurrentUser};
pub use self::routes::routes;
