//! Extractors. They read what the middleware left in the request, and what they answer is what the middleware answers.

use std::future::{Ready, ready};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use auth_core::{AuthService, Principal, User};
use auth_http::{Demand, Refusal, RefusalKind};

use crate::Anonymous;
use crate::rejection::Rejection;

/// The holder of a good token. As `Option<Authenticated>`, or nobody.
///
/// Refuses with 401 `token_missing` who came without a token, behind [`Auth::optional`](crate::Auth::optional), and with 500
/// everybody where no middleware stands before the route. As an `Option` it refuses nobody.
///
/// (Rust lets no crate but `auth-core` and actix-web make an extractor of [`Principal`] itself.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated(pub Principal);

/// The holder of a good token that says they are an admin. Refuses like [`Authenticated`], and with 403 `admin_required` who
/// is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin(pub Principal);

/// The user whose good token it is, as the store has them now: one read.
///
/// The application data must hold the service: `.app_data(Data::new(auth.clone()))`, with an [`AuthService`]. Refuses like
/// [`Authenticated`]; with 403 `insufficient_scope` the token of a client; with 401 `token_invalid` where there is no such user any
/// more; and with 503 `unavailable` where the store does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentUser(pub User);

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

impl FromRequest for CurrentUser {
    type Error = Rejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Rejection>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let principal = principal(request);
        let service = request.app_data::<Data<AuthService>>().cloned();
        Box::pin(async move {
            let principal = principal?;
            Demand::user().check(&principal)?;
            let service = service.ok_or_else(|| Refusal::internal("the application data has no Data<AuthService>"))?;
            let user = service.current_user(&principal).await;
            user.map(Self).map_err(|error| Refusal::from(error).into())
        })
    }
}

fn principal(request: &HttpRequest) -> Result<Principal, Rejection> {
    let extensions = request.extensions();
    match (extensions.get::<Principal>(), extensions.get::<Anonymous>()) {
        (Some(principal), _) => Ok(principal.clone()),
        (None, Some(Anonymous)) => Err(Refusal::from(RefusalKind::TokenMissing).into()),
        (None, None) => Err(Refusal::internal("no auth_actix::Auth stands before this route").into()),
    }
}
