//! Extractors for axum. They read what an [`AuthLayer`](crate::AuthLayer) around the route left in the request, and check
//! nothing themselves: a route with an extractor and without a layer answers 500 and never lets anybody in.
//!
//! ```
//! use auth_tower::axum::{Admin, Authenticated};
//!
//! async fn profile(Authenticated(principal): Authenticated) -> String {
//!     format!("you are {}", principal.user_id())
//! }
//!
//! async fn greeting(visitor: Option<Authenticated>) -> &'static str {
//!     if visitor.is_some() { "welcome back" } else { "welcome" }
//! }
//!
//! async fn shutdown(Admin(principal): Admin) -> String {
//!     format!("as {} wishes", principal.user_id())
//! }
//! ```

use auth_core::Principal;
use auth_http::{Refusal, RefusalKind};
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::Anonymous;
use crate::rejection::{JsonRefusal, Rejection, Respond as _};

/// The holder of a good token. As `Option<Authenticated>`, or nobody.
///
/// Refuses with 401 `token_missing` who came without a token, behind [`AuthLayer::optional`](crate::AuthLayer::optional), and with
/// 500 everybody where no layer stands before the route, also as `Option<Authenticated>`.
///
/// (Rust lets no crate but `auth-core` and axum's own make an extractor of [`Principal`] itself.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authenticated(pub Principal);

/// The holder of a good token that says they are an admin. Refuses like [`Authenticated`], and with 403 `admin_required` who
/// is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admin(pub Principal);

impl<S: Sync> FromRequestParts<S> for Authenticated {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        visitor(parts)?.map(Self).ok_or_else(|| Refusal::from(RefusalKind::TokenMissing).into())
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Authenticated {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        Ok(visitor(parts)?.map(Self))
    }
}

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let Authenticated(principal) = <Authenticated as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        Ok(Self(auth_http::admin(principal)?))
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        JsonRefusal.respond(&self)
    }
}

fn visitor(parts: &Parts) -> Result<Option<Principal>, Rejection> {
    match (parts.extensions.get::<Principal>(), parts.extensions.get::<Anonymous>()) {
        (Some(principal), _) => Ok(Some(*principal)),
        (None, Some(Anonymous)) => Ok(None),
        (None, None) => Err(Refusal::internal("no AuthLayer stands before this route").into()),
    }
}
