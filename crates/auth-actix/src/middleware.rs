//! The middleware: which gate, and how it answers those it refuses.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::{AUTHORIZATION, COOKIE};
use actix_web::{Error, HttpMessage as _};
use auth_core::{Principal, TokenVerifier};
use auth_http::{CookieAuth, Gate, Passage, Refusal};
use pin_project_lite::pin_project;

use crate::Anonymous;
use crate::head::Head;
use crate::rejection::{JsonRefusal, Rejection, Respond};

/// Lets a request through with its [`Principal`] in the extensions, or refuses it. Cheap to clone. For `.wrap(…)` on an app,
/// a scope or a resource.
///
/// Which requests pass is chosen by the constructor, what the others are told by [`respond_with`](Self::respond_with).
#[derive(Debug, Clone)]
pub struct Auth<R = JsonRefusal> {
    gate: Gate,
    respond: R,
}

impl Auth {
    /// A good token of a user is needed.
    pub fn required(verifier: impl Into<TokenVerifier>) -> Self {
        Self::new(Gate::required(verifier))
    }

    /// A token is not needed; a token that is sent must be good all the same. Without one the extensions hold no
    /// [`Principal`].
    pub fn optional(verifier: impl Into<TokenVerifier>) -> Self {
        Self::new(Gate::optional(verifier))
    }

    /// A good token of an admin is needed.
    pub fn admin(verifier: impl Into<TokenVerifier>) -> Self {
        Self::new(Gate::admin(verifier))
    }

    fn new(gate: Gate) -> Self {
        Self { gate, respond: JsonRefusal }
    }
}

impl<R> Auth<R> {
    /// Lets only tokens pass that carry this role. The role `admin` is that of [`admin`](Self::admin). A second role is needed in
    /// addition. Refuses the others with 403 `role_required`.
    #[must_use]
    pub fn role(self, name: impl Into<Box<str>>) -> Self {
        Self { gate: self.gate.role(name), ..self }
    }

    /// Lets only tokens pass that carry this scope, those of clients too. A second scope is needed in addition. Refuses the others with
    /// 403 `insufficient_scope`.
    ///
    /// Without a scope the tokens of users pass, and those of clients do not.
    #[must_use]
    pub fn scope(self, name: impl Into<Box<str>>) -> Self {
        Self { gate: self.gate.scope(name), ..self }
    }

    /// Lets only the tokens of logins pass, for routes that change the account of the user. Refuses the tokens of clients and personal
    /// access tokens with 403 `insufficient_scope`, whatever their scopes.
    #[must_use]
    pub fn login_only(self) -> Self {
        Self { gate: self.gate.login_only(), ..self }
    }

    /// Accepts the cookie of a session as well, from requests without an `Authorization` header.
    ///
    /// A request whose method may change something is refused with 403 `csrf` unless a page of the same or an allowed origin sent it,
    /// with the CSRF token of the session in `X-CSRF-Token`.
    #[must_use]
    pub fn cookies(self, cookies: CookieAuth) -> Self {
        Self { gate: self.gate.with_cookies(cookies), ..self }
    }

    /// Answers refused requests with `respond`, often a closure. [`Rejection::response`] begins an answer with the right
    /// status and headers.
    pub fn respond_with<T>(self, respond: T) -> Auth<T> {
        Auth { gate: self.gate, respond }
    }
}

impl<S, R, B> Transform<S, ServiceRequest> for Auth<R>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    R: Respond + Clone + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type InitError = ();
    type Transform = AuthMiddleware<S, R>;
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(AuthMiddleware { inner: Rc::new(inner), auth: self.clone() }))
    }
}

/// A service behind an [`Auth`]. While memory answers for the blacklist it waits for nothing before the inner service is
/// called.
#[derive(Debug)]
pub struct AuthMiddleware<S, R> {
    inner: Rc<S>,
    auth: Auth<R>,
}

impl<S, R, B> Service<ServiceRequest> for AuthMiddleware<S, R>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    R: Respond + Clone + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = ResponseFuture<S, R, B>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let respond = self.auth.respond.clone();
        let passage = self.auth.gate.check_request(&Head(request.request()));
        let state = match passage {
            Ok(Passage::Admitted(principal)) => State::Inner { future: self.inner.call(admitted(request, principal)) },
            Ok(Passage::Anonymous) => State::Inner { future: self.inner.call(nobody(request)) },
            Ok(Passage::Unsettled(passage)) => {
                let asked = Asked { request, inner: Rc::clone(&self.inner) };
                State::Asking { answer: Box::pin(passage.settle()), asked: Some(asked) }
            }
            Err(refusal) => State::refused(request, refusal, &respond),
        };
        ResponseFuture { state, respond }
    }
}

fn admitted(mut request: ServiceRequest, principal: Principal) -> ServiceRequest {
    // What prints the request shows no token.
    let headers = request.headers_mut();
    if let Some(value) = headers.get_mut(AUTHORIZATION) {
        value.set_sensitive(true);
    } else {
        let cookies: Vec<_> = headers.remove(COOKIE).collect();
        for mut value in cookies {
            value.set_sensitive(true);
            headers.append(COOKIE, value);
        }
    }
    request.extensions_mut().insert(principal);
    request
}

/// Nobody is somebody else's principal, also where one middleware stands before another.
fn nobody(request: ServiceRequest) -> ServiceRequest {
    request.extensions_mut().remove::<Principal>();
    request.extensions_mut().insert(Anonymous);
    request
}

type Settled = Pin<Box<dyn Future<Output = Result<Principal, Refusal>>>>;

pin_project! {
    /// The answer of an [`AuthMiddleware`], to come. Its error is the inner service's: a refusal is an answer. Polled after it is
    /// ready it may panic, like any future.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, R, B>
    where
        S: Service<ServiceRequest>,
    {
        #[pin]
        state: State<S, B>,
        respond: R,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B>
    where
        S: Service<ServiceRequest>,
    {
        Inner { #[pin] future: S::Future },
        Asking { answer: Settled, asked: Option<Asked<S>> },
        Refused { response: Option<ServiceResponse<EitherBody<B>>> },
    }
}

/// What waits for the log's answer.
struct Asked<S> {
    request: ServiceRequest,
    inner: Rc<S>,
}

impl<S, B> State<S, B>
where
    S: Service<ServiceRequest>,
{
    fn refused(request: ServiceRequest, refusal: Refusal, respond: &impl Respond) -> Self {
        let response = respond.respond(&Rejection::from(refusal));
        Self::Refused { response: Some(request.into_response(response).map_into_right_body()) }
    }
}

impl<S, R, B> Future for ResponseFuture<S, R, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    R: Respond,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<EitherBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        const ONCE: &str = "a future is not polled after it is ready";
        let this = self.project();
        let (mut state, respond) = (this.state, this.respond);
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Inner { future } => {
                    let response = ready!(future.poll(context))?;
                    // What an extractor refuses is answered as if the middleware had refused it.
                    let by_extractor = response.response().error().and_then(Error::as_error::<Rejection>);
                    return Poll::Ready(Ok(match by_extractor.map(|rejection| respond.respond(rejection)) {
                        Some(answer) => response.into_response(answer).map_into_right_body(),
                        None => response.map_into_left_body(),
                    }));
                }
                StateProjection::Refused { response } => return Poll::Ready(Ok(response.take().expect(ONCE))),
                StateProjection::Asking { answer, asked } => {
                    let settled = ready!(answer.as_mut().poll(context));
                    let Asked { request, inner } = asked.take().expect(ONCE);
                    match settled {
                        Ok(principal) => State::Inner { future: inner.call(admitted(request, principal)) },
                        Err(refusal) => State::refused(request, refusal, respond),
                    }
                }
            };
            state.set(next);
        }
    }
}
