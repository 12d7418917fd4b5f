//! The extractors.

use auth_core::{AuthService, Principal, User};
use auth_http::{Demand, Refusal, RefusalKind};
use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;

use crate::Anonymous;
use crate::rejection::{JsonRefusal, Rejection, Respond as _};
use crate::service::ByExtractor;

/// The holder of a good token. As `Option<Authenticated>`, or nobody.
///
/// Refuses with 401 `token_missing` who came without a token, behind [`AuthLayer::optional`](crate::AuthLayer::optional), and with
/// 500 everybody where no layer stands before the route, also as `Option<Authenticated>`.
///
/// (Rust lets no crate but `auth-core` and axum's own make an extractor of [`Principal`] itself.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated(pub Principal);

/// The holder of a good token that says they are an admin. Refuses like [`Authenticated`], and with 403 `admin_required` who
/// is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin(pub Principal);

/// The user whose good token it is, as the store has them now: one read.
///
/// The state of the router must be an [`AuthService`], or hold one ([`FromRef`]). Refuses like [`Authenticated`]; with 403
/// `insufficient_scope` the token of a client; with 401 `token_invalid` where there is no such user any more; and with 503
/// `unavailable` where the store does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentUser(pub User);

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

impl<S> FromRequestParts<S> for CurrentUser
where
    S: Send + Sync,
    AuthService: FromRef<S>,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let Authenticated(principal) = <Authenticated as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        Demand::user().check(&principal)?;
        let user = AuthService::from_ref(state).current_user(&principal).await;
        user.map(Self).map_err(|error| Refusal::from(error).into())
    }
}

/// The answer of [`JsonRefusal`], which the layer before the route replaces by its own.
impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let mut response: Response = JsonRefusal.respond(&self);
        response.extensions_mut().insert(ByExtractor);
        response
    }
}

fn visitor(parts: &Parts) -> Result<Option<Principal>, Rejection> {
    match (parts.extensions.get::<Principal>(), parts.extensions.get::<Anonymous>()) {
        (Some(principal), _) => Ok(Some(principal.clone())),
        (None, Some(Anonymous)) => Ok(None),
        (None, None) => Err(Refusal::internal("no AuthLayer stands before this route").into()),
    }
}
