//! The ready routes.

use std::future::ready;

use actix_web::http::StatusCode;
use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, guard};
use auth_http::{Answer, ClientAddress, Code, ErrorAnswer, MAX_BODY_BYTES, Operation, Route, RouteRequest, Routes};

use crate::head::Head;

/// Returns the operations on accounts, for `App::configure`: [`Route::ALL`], with the bodies, statuses and headers of
/// `auth-server`.
///
/// Without the address of the client, as on a Unix socket, registrations and logins are refused with 500, because nothing could
/// limit them by network. Behind a proxy, give [`Routes::trusted_proxies`], or put a [`ClientAddress`] into the extensions of each
/// request.
///
/// ```
/// use actix_web::web::{self, Data, ServiceConfig};
/// use auth_actix::{Auth, CurrentUser};
/// use auth_core::AuthService;
///
/// fn app(auth: &AuthService) -> impl FnOnce(&mut ServiceConfig) + use<> {
///     let auth = auth.clone();
///     move |app| {
///         app.service(web::resource("/profile").wrap(Auth::required(&auth)).get(profile))
///             .configure(auth_actix::routes(&auth))
///             .app_data(Data::new(auth));
///     }
/// }
///
/// async fn profile(CurrentUser(user): CurrentUser) -> String {
///     format!("you are {}", user.username)
/// }
/// ```
///
/// A path of these routes answers no other method, so an application that has a resource of its own at `/user/` registers it
/// elsewhere. A request that takes too long to arrive is not ended here. The [`ErrorAnswer`] of a refused request is in the
/// extensions of the response, for the log.
pub fn routes(routes: impl Into<Routes>) -> impl FnOnce(&mut ServiceConfig) {
    let routes = routes.into();
    move |app| {
        for route in Route::ALL {
            let routes = routes.clone();
            let method = match route.method {
                "GET" => guard::Any(guard::Get()).or(guard::Head()),
                "DELETE" => guard::Any(guard::Delete()),
                _ => guard::Any(guard::Post()),
            };
            let operation = web::route().guard(method).to(move |request: HttpRequest, payload: Payload| {
                answer(routes.clone(), route.operation, request, payload)
            });
            let otherwise = web::to(move || ready(response(route.method_not_allowed())));
            app.service(web::resource(route.path).route(operation).default_service(otherwise));
        }
    }
}

async fn answer(routes: Routes, operation: Operation, request: HttpRequest, payload: Payload) -> HttpResponse {
    let head = Head(&request);
    let client = request.extensions().get::<ClientAddress>().copied();
    let peer = request.peer_addr().map(|peer| peer.ip());
    let id = request.match_info().get("id");
    let request = RouteRequest::new(&head, request.uri().query(), peer).with_client(client).with_path_id(id);
    response(routes.answer(operation, request, read(payload)).await)
}

async fn read(payload: Payload) -> Result<Vec<u8>, ErrorAnswer> {
    match payload.to_bytes_limited(MAX_BODY_BYTES).await {
        Ok(Ok(body)) => Ok(body.into()),
        Ok(Err(_)) => Err(ErrorAnswer::malformed("The body ended too soon.")),
        Err(_) => Err(Code::PayloadTooLarge.into()),
    }
}

fn response(answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for header in answer.headers() {
        response.insert_header(header);
    }
    let (body, error) = answer.into_parts();
    if let Some(error) = error {
        response.extensions_mut().insert(error);
    }
    response.body(body)
}
