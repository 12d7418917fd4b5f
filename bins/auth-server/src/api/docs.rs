//! The OpenAPI document, and the page that shows it.

mod page;

use hyper::body::Bytes;
use poem::endpoint::{BoxEndpoint, make_sync};
use poem::http::{Method, StatusCode, header};
use poem::{EndpointExt, Response};
use poem_openapi::{OpenApi, OpenApiService};

use crate::http::route::RouteTable;

/// Adds the routes of the document of `service`. They are not in the document themselves.
pub(super) fn add_routes<A: OpenApi>(table: &mut RouteTable, service: &OpenApiService<A, ()>) {
    let mut get = |pattern: &str, endpoint: BoxEndpoint<'static>| {
        table.entry(pattern.to_owned()).or_default().insert(Method::GET, endpoint);
    };
    let document = service.spec();
    for path in ["/openapi.json", "/swagger.json"] {
        get(path, constant("application/json", document.clone()));
    }
    get("/docs/", constant("text/html; charset=utf-8", page::page(service, &document)));
    // The location is relative, because a proxy may have put a path before that of the server.
    let to_docs =
        make_sync(|_| Response::builder().status(StatusCode::FOUND).header(header::LOCATION, "docs").finish());
    get("/", to_docs.boxed());
}

/// Returns an endpoint that always answers with the same text. Its content security policy allows nothing from other origins:
/// the page contains its script and its style.
fn constant(content_type: &'static str, body: String) -> BoxEndpoint<'static> {
    const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' data:; \
                          connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
    let body = Bytes::from(body);
    make_sync(move |_| {
        Response::builder()
            .content_type(content_type)
            .header(header::CACHE_CONTROL, "no-cache")
            .header(header::CONTENT_SECURITY_POLICY, POLICY)
            .body(body.clone())
    })
    .boxed()
}
