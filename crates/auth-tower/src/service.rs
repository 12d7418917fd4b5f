//! The service that a layer makes of another one.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use auth_core::Principal;
use auth_http::{Gate, Passage, Refusal};
use http::header::{AUTHORIZATION, COOKIE, Entry};
use http::{Extensions, HeaderMap, Request};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::Anonymous;
use crate::head::Head;
use crate::rejection::{Rejection, Respond};

/// A service behind an [`AuthLayer`](crate::AuthLayer).
///
/// While memory answers for the blacklist, nothing is allocated but what the extensions of a request need to hold a
/// principal. The inner service is cloned only when the log has to be asked.
#[derive(Debug, Clone)]
pub struct Auth<S, R> {
    pub(crate) inner: S,
    pub(crate) gate: Gate,
    pub(crate) respond: R,
}

impl<S, R, B> Service<Request<B>> for Auth<S, R>
where
    S: Service<Request<B>> + Clone,
    R: Respond<S::Response> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, R, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let respond = &self.respond;
        let state = match self.gate.check_request(&Head::from(&request)) {
            Ok(Passage::Admitted(principal)) => {
                admit(&mut request, principal);
                State::Inner { future: self.inner.call(request) }
            }
            Ok(Passage::Anonymous) => {
                let_in_nobody(request.extensions_mut());
                State::Inner { future: self.inner.call(request) }
            }
            Ok(Passage::Unsettled(passage)) => {
                // The service that was polled until it was ready is the one to be called.
                let next = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, next);
                let asked = Asked { request, inner, respond: respond.clone() };
                State::Asking { answer: Box::pin(passage.settle()), asked: Some(asked) }
            }
            Err(refusal) => State::Refused { response: Some(respond.respond(&Rejection::from(refusal))) },
        };
        ResponseFuture { state }
    }
}

/// Nobody is somebody else's principal, also where one layer stands before another.
pub(crate) fn let_in_nobody(extensions: &mut Extensions) {
    extensions.remove::<Principal>();
    extensions.insert(Anonymous);
}

fn admit<B>(request: &mut Request<B>, principal: Principal) {
    hide(request.headers_mut());
    request.extensions_mut().insert(principal);
}

/// What prints a request shows no token.
pub(crate) fn hide(headers: &mut HeaderMap) {
    if let Some(value) = headers.get_mut(AUTHORIZATION) {
        value.set_sensitive(true);
    } else if let Entry::Occupied(mut cookies) = headers.entry(COOKIE) {
        cookies.iter_mut().for_each(|value| value.set_sensitive(true));
    }
}

type Settled = Pin<Box<dyn Future<Output = Result<Principal, Refusal>> + Send>>;

pin_project! {
    /// The answer of an [`Auth`], to come. Its error is the inner service's: a refusal is an answer. Polled after it is ready it
    /// may panic, like any future.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, R, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, R, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, R, B>
    where
        S: Service<Request<B>>,
    {
        Inner { #[pin] future: S::Future },
        Asking { answer: Settled, asked: Option<Asked<S, R, B>> },
        Refused { response: Option<S::Response> },
    }
}

/// What waits for the log's answer.
struct Asked<S, R, B> {
    request: Request<B>,
    inner: S,
    respond: R,
}

impl<S, R, B> Future for ResponseFuture<S, R, B>
where
    S: Service<Request<B>>,
    R: Respond<S::Response>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        const ONCE: &str = "a future is not polled after it is ready";
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Inner { future } => return future.poll(context),
                StateProjection::Refused { response } => return Poll::Ready(Ok(response.take().expect(ONCE))),
                StateProjection::Asking { answer, asked } => {
                    let settled = ready!(answer.as_mut().poll(context));
                    let Asked { mut request, mut inner, respond } = asked.take().expect(ONCE);
                    match settled {
                        Ok(principal) => {
                            admit(&mut request, principal);
                            State::Inner { future: inner.call(request) }
                        }
                        Err(refusal) => State::Refused { response: Some(respond.respond(&Rejection::from(refusal))) },
                    }
                }
            };
            state.set(next);
        }
    }
}
