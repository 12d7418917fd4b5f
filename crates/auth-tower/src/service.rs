//! The service that a layer makes of another one.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use auth_core::Principal;
use auth_http::{Gate, Passage, Refusal};
use http::header::{AUTHORIZATION, COOKIE, Entry};
use http::{Extensions, HeaderMap, Request, Response};
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

impl<S, R, B, C> Service<Request<B>> for Auth<S, R>
where
    S: Service<Request<B>, Response = Response<C>> + Clone,
    R: Respond<Response<C>> + Clone,
{
    type Response = Response<C>;
    type Error = S::Error;
    type Future = ResponseFuture<S, R, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
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
                let asked = Asked { request, inner };
                State::Asking { answer: Box::pin(passage.settle()), asked: Some(asked) }
            }
            Err(refusal) => State::Refused { refusal: Some(refusal) },
        };
        ResponseFuture { state, respond: self.respond.clone() }
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
        state: State<S, B>,
        respond: R,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        Inner { #[pin] future: S::Future },
        Asking { answer: Settled, asked: Option<Asked<S, B>> },
        Refused { refusal: Option<Refusal> },
    }
}

/// What waits for the log's answer.
struct Asked<S, B> {
    request: Request<B>,
    inner: S,
}

/// Left in the extensions of a response that an extractor refused the request with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByExtractor;

/// Returns why an extractor behind the layer refused the request, if one did.
fn extractors_refusal<C>(response: &Response<C>) -> Option<Refusal> {
    let extensions = response.extensions();
    extensions.get::<ByExtractor>().and_then(|_| extensions.get::<Refusal>().cloned())
}

impl<S, R, B, C> Future for ResponseFuture<S, R, B>
where
    S: Service<Request<B>, Response = Response<C>>,
    R: Respond<Response<C>>,
{
    type Output = Result<Response<C>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        const ONCE: &str = "a future is not polled after it is ready";
        let this = self.project();
        let (mut state, respond) = (this.state, this.respond);
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Inner { future } => {
                    let response = ready!(future.poll(context))?;
                    // What an extractor refuses is answered as if the layer had refused it.
                    return Poll::Ready(Ok(match extractors_refusal(&response) {
                        Some(refusal) => respond.respond(&Rejection::from(refusal)),
                        None => response,
                    }));
                }
                StateProjection::Refused { refusal } => {
                    return Poll::Ready(Ok(respond.respond(&Rejection::from(refusal.take().expect(ONCE)))));
                }
                StateProjection::Asking { answer, asked } => {
                    let settled = ready!(answer.as_mut().poll(context));
                    let Asked { mut request, mut inner } = asked.take().expect(ONCE);
                    match settled {
                        Ok(principal) => {
                            admit(&mut request, principal);
                            State::Inner { future: inner.call(request) }
                        }
                        Err(refusal) => State::Refused { refusal: Some(refusal) },
                    }
                }
            };
            state.set(next);
        }
    }
}
