//! A middleware for poem.

use auth_http::Passage;
use poem::{Body, Endpoint, IntoResponse, Middleware, Request, Response, ResponseParts, Result};

use crate::head::Head;
use crate::layer::AuthLayer;
use crate::rejection::{JsonRefusal, Rejection, Respond};
use crate::service::{hide, let_in_nobody};

/// A poem endpoint behind an [`AuthLayer`]. Handlers take the principal as `Data<&Principal>`.
///
/// (Poem can put a tower layer before an endpoint, but the services it makes for that cannot be cloned, and sit behind a
/// channel. A tower service behind a layer becomes a poem endpoint with poem's `TowerCompatExt`.)
#[derive(Debug)]
pub struct Guarded<E, R> {
    inner: E,
    layer: AuthLayer<R>,
}

impl<E, R> Middleware<E> for AuthLayer<R>
where
    E: Endpoint,
    R: Respond<Response> + Clone + Send + Sync,
{
    type Output = Guarded<E, R>;

    fn transform(&self, inner: E) -> Guarded<E, R> {
        Guarded { inner, layer: self.clone() }
    }
}

impl<E, R> Endpoint for Guarded<E, R>
where
    E: Endpoint,
    R: Respond<Response> + Send + Sync,
{
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let head = Head { method: request.method(), uri: request.uri(), headers: request.headers() };
        let passage = match self.layer.gate.check_request(&head) {
            Ok(Passage::Unsettled(passage)) => passage.settle().await.map(Passage::Admitted),
            passage => passage,
        };
        match passage {
            Ok(Passage::Admitted(principal)) => {
                hide(request.headers_mut());
                request.extensions_mut().insert(principal);
            }
            Ok(_) => let_in_nobody(request.extensions_mut()),
            Err(refusal) => return Ok(self.layer.respond.respond(&Rejection::from(refusal))),
        }
        Ok(self.inner.call(request).await?.into_response())
    }
}

impl Respond<Response> for JsonRefusal {
    fn respond(&self, rejection: &Rejection) -> Response {
        rejection.poem_response(rejection.kind().json()).with_content_type("application/json").into_response()
    }
}

impl Rejection {
    /// As [`response`](Self::response), with this body, for poem.
    pub fn poem_response(&self, body: impl Into<Body>) -> Response {
        let (http::response::Parts { status, version, headers, extensions, .. }, body) =
            self.response(body.into()).into_parts();
        Response::from_parts(ResponseParts { status, version, headers, extensions }, body)
    }
}
