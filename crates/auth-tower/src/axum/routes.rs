//! The ready routes.

use std::net::SocketAddr;

use auth_http::{Answer, ClientAddress, Code, ErrorAnswer, MAX_BODY_BYTES, Operation, Route, RouteRequest, Routes};
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequestParts as _, Request};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::head::Head;

/// Returns a router with the operations on accounts: [`Route::ALL`], with the bodies, statuses and headers of `auth-server`.
///
/// Serve the application with `into_make_service_with_connect_info::<SocketAddr>()`. Without the address of the client,
/// registrations and logins are refused with 500, because nothing could limit them by network. Behind a proxy, give
/// [`Routes::trusted_proxies`], or put a [`ClientAddress`] into the extensions of each request.
///
/// ```
/// use auth_core::AuthService;
/// use auth_tower::AuthLayer;
/// use auth_tower::axum::CurrentUser;
/// use axum::{Router, routing::get};
///
/// fn app(auth: &AuthService) -> Router {
///     Router::new()
///         .route("/profile", get(profile))
///         .layer(AuthLayer::required(auth))
///         .merge(auth_tower::axum::routes(auth))
///         .with_state(auth.clone())
/// }
///
/// async fn profile(CurrentUser(user): CurrentUser) -> String {
///     format!("you are {}", user.username)
/// }
/// ```
///
/// A request that takes too long to arrive is not ended here; put a timeout before the routes. The
/// [`ErrorAnswer`] of a refused request is in the extensions of the response, for the log.
pub fn routes<S>(routes: impl Into<Routes>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let routes = routes.into();
    Route::ALL.into_iter().fold(Router::new(), |router, route| {
        let routes = routes.clone();
        let method = match route.method {
            "GET" => MethodFilter::GET,
            "DELETE" => MethodFilter::DELETE,
            _ => MethodFilter::POST,
        };
        let answer = on(method, move |request: Request| answer(routes.clone(), route.operation, request));
        router.route(route.path, answer.fallback(method_not_allowed))
    })
}

async fn answer(routes: Routes, operation: Operation, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let peer = ConnectInfo::<SocketAddr>::from_request_parts(&mut parts, &()).await;
    let peer = peer.ok().map(|ConnectInfo(peer)| peer.ip());
    let head = Head { method: &parts.method, uri: &parts.uri, headers: &parts.headers };
    let client = parts.extensions.get::<ClientAddress>().copied();
    // `{id}` is the last segment wherever it occurs.
    let id = parts.uri.path().rsplit('/').next();
    let request = RouteRequest::new(&head, parts.uri.query(), peer).with_client(client).with_path_id(id);
    response(routes.answer(operation, request, read(body)).await)
}

async fn read(body: Body) -> Result<Vec<u8>, ErrorAnswer> {
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(Code::PayloadTooLarge.into()),
        Err(_) => Err(ErrorAnswer::malformed("The body ended too soon.")),
    }
}

/// The router lists the methods of the path itself, those of the application's own routes included.
async fn method_not_allowed() -> Response {
    response(ErrorAnswer::new(Code::MethodNotAllowed).into())
}

fn response(answer: Answer) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    let (body, error) = answer.into_parts();
    if let Some(error) = error {
        response.extensions_mut().insert(error);
    }
    response.map(|_| Body::from(body))
}
