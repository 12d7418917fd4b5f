//! Extractors. They read what the middleware left in the request.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use auth_core::Principal;
use auth_http::{Refusal, RefusalKind};

use crate::Anonymous;
use crate::rejection::Rejection;

/// The holder of a good token. As `Option<Authenticated>`, or nobody.
///
/// Refuses with 401 `token_missing` who came without a token, behind [`Auth::optional`](crate::Auth::optional), and with 500
/// everybody where no middleware stands before the route. As an `Option` it refuses nobody.
///
/// (Rust lets no crate but `auth-core` and actix-web make an extractor of [`Principal`] itself.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authenticated(pub Principal);

/// The holder of a good token that says they are an admin. Refuses like [`Authenticated`], and with 403 `admin_required` who
/// is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admin(pub Principal);

impl FromRequest for Authenticated {
    type Error = Rejection;
    type Future = Ready<Result<Self, Rejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(principal(request).map(Self))
    }
}

impl FromRequest for Admin {
    type Error = Rejection;
    type Future = Ready<Result<Self, Rejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let admin = principal(request).and_then(|principal| Ok(auth_http::admin(principal)?));
        ready(admin.map(Self))
    }
}

fn principal(request: &HttpRequest) -> Result<Principal, Rejection> {
    let extensions = request.extensions();
    match (extensions.get::<Principal>(), extensions.get::<Anonymous>()) {
        (Some(principal), _) => Ok(*principal),
        (None, Some(Anonymous)) => Err(Refusal::from(RefusalKind::TokenMissing).into()),
        (None, None) => Err(Refusal::internal("no auth_actix::Auth stands before this route").into()),
    }
}
