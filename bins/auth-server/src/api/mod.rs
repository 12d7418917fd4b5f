//! HTTP: the routes, and what is around them.

pub mod auth;
mod client;
mod docs_page;
pub mod dto;
mod envelope;
pub mod error;
pub mod health;
mod json;
mod media_type;
mod operation;
mod page;
pub mod payload;
mod public_id;
mod query;
pub mod security;
pub mod users;
mod word;
mod written;

use std::collections::HashMap;
use std::sync::Arc;

use auth_blacklist::SyncedBlacklist;
use auth_core::{AuthService, Clock, Throttle};
use auth_jwt::JwtCodec;
use auth_storage::Database;
use hyper::body::Bytes;
use ipnet::IpNet;
use poem::endpoint::{BoxEndpoint, make_sync};
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, EndpointExt, Request, Response, Result, Route, RouteMethod};
use poem_openapi::{LicenseObject, OpenApi, OpenApiService, Tags};
use serde_json::Value;

use self::envelope::{Envelope, MatchedRoute};
use self::error::Failure;
use self::query::Documented;
use crate::clock_watch::ClockOffset;
use crate::metrics::{Metrics, RouteMeters};
use crate::readiness::Readiness;
use crate::server::Application;
use crate::telemetry;

/// What the handlers work with.
pub struct State {
    /// Who registers, logs in, checks and logs out.
    pub service: AuthService,
    /// What is counted.
    pub metrics: Metrics,
    /// Who limits guessing, if anybody does.
    pub throttle: Option<Arc<Throttle>>,
    /// What signs and reads tokens.
    pub codec: Arc<JwtCodec>,
    /// What is revoked.
    pub blacklist: Arc<SyncedBlacklist>,
    /// Whether memory may tell that a token is good, so that a check may be answered without waiting.
    pub checks_at_once: bool,
    /// The database, if the stores are in one.
    pub database: Option<Database>,
    /// The checks behind `GET /readyz`.
    pub readiness: Readiness,
    /// Offset of this clock from that of the database.
    pub(crate) clock_offset: Arc<ClockOffset>,
}

impl State {
    /// The state, for who has only the request.
    fn of(request: &Request) -> Result<&Arc<Self>, Failure> {
        request.data().ok_or_else(|| Failure::internal("the request carries no state"))
    }

    fn metrics_text(&self) -> std::result::Result<String, prometheus::Error> {
        self.metrics.observe_upgrades(self.service.upgrade_stats());
        self.metrics.observe_tokens(self.codec.cache_stats());
        self.metrics.observe_blacklist(self.blacklist.stats());
        if let Some(throttle) = &self.throttle {
            self.metrics.observe_throttle(throttle.stats());
        }
        if let Some(database) = &self.database {
            self.metrics.observe_database(database.pool_stats());
        }
        self.metrics.observe_log(telemetry::lost_lines());
        self.metrics.render()
    }
}

/// The groups of the document.
#[derive(Tags)]
enum Tag {
    /// Registering, logging in, checking a token, logging out.
    #[oai(rename = "auth")]
    Auth,
    /// Users.
    #[oai(rename = "user")]
    User,
    /// For those who run the server.
    #[oai(rename = "operations")]
    Operations,
}

type Api = (auth::AuthApi, users::UsersApi, health::HealthApi);

fn api() -> Api {
    (auth::AuthApi, users::UsersApi, health::HealthApi)
}

fn document() -> OpenApiService<Api, ()> {
    OpenApiService::new(api(), "Revocable authentication", env!("CARGO_PKG_VERSION"))
        .description(
            "Register, log in, check a token, log out — and a token that was logged out is refused. Every answer that is \
             not a success has the same form: `status`, `message`, a stable `code`, and `errors` by field where there are any.",
        )
        .license(LicenseObject::new("MIT OR Apache-2.0"))
}

/// The `OpenAPI` document as JSON.
#[must_use]
pub fn openapi_json() -> String {
    document().spec()
}

/// What the routes are built from.
pub(crate) struct Routes {
    pub(crate) state: Arc<State>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) docs: bool,
}

impl Routes {
    /// Everything the server answers, as one endpoint that never fails.
    pub(crate) fn endpoint(self) -> impl Application + use<> {
        let mut table = RouteTable::new();
        api().add_routes(&mut table);
        if self.docs {
            add_docs(&mut table);
        }
        self.serve(table)
    }

    /// The operations for operators that need no token, and nothing else.
    pub(crate) fn health_endpoint(self) -> impl Application + use<> {
        let mut table = RouteTable::new();
        health::HealthApi.add_routes(&mut table);
        health::HealthOnly(self.serve(table))
    }

    fn serve(self, table: RouteTable) -> impl Application + use<> {
        let document = serde_json::from_str(&openapi_json()).unwrap_or_default();
        let routes = table.into_iter().fold(Route::new(), |route, (pattern, methods)| {
            let answers = Arc::new(Answers::new(&self.state.metrics, &document, &pattern, methods));
            // Half of the world writes the collection without its slash.
            match pattern.strip_suffix('/') {
                Some(bare) if !bare.is_empty() => route.at(bare, Arc::clone(&answers)).at(pattern, answers),
                _ if pattern == VERIFY => {
                    route.at(format!("{VERIFY}/*asked_about"), ForGateways(Arc::clone(&answers))).at(pattern, answers)
                }
                _ => route.at(pattern, answers),
            }
        });
        Envelope::around(routes, self.state, self.clock, self.trusted_proxies)
    }
}

type RouteTable = HashMap<String, HashMap<Method, BoxEndpoint<'static>>>;

fn add_docs(table: &mut RouteTable) {
    let mut get = |pattern: &str, endpoint: BoxEndpoint<'static>| {
        table.entry(pattern.to_owned()).or_default().insert(Method::GET, endpoint);
    };
    let spec = openapi_json();
    for path in ["/openapi.json", "/swagger.json"] {
        get(path, text("application/json", spec.clone()));
    }
    get("/docs/", text("text/html; charset=utf-8", docs_page::page(&document(), &spec)));
    // Relative to what the client asked for, which a proxy may have put below a path of its own.
    let to_docs =
        make_sync(|_| Response::builder().status(StatusCode::FOUND).header(header::LOCATION, "docs").finish());
    get("/", to_docs.boxed());
}

/// A text that never changes. The page brings its own script and style, so nothing from elsewhere is let in.
fn text(content_type: &'static str, body: String) -> BoxEndpoint<'static> {
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

/// The methods of one path. Says which one it was, and which there are when it is none of them.
struct Answers {
    meters: Arc<RouteMeters>,
    allow: HeaderValue,
    /// The methods it answers, each with what the document says of it.
    allowed: Vec<(Method, Documented)>,
    methods: RouteMethod,
}

impl Answers {
    fn new(metrics: &Metrics, document: &Value, pattern: &str, methods: HashMap<Method, BoxEndpoint<'static>>) -> Self {
        let path = documented(pattern);
        let find = |method: &Method| Documented::find(document, &path, method);
        let mut allowed: Vec<_> = methods.keys().map(|method| (method.clone(), find(method))).collect();
        if methods.contains_key(&Method::GET) {
            allowed.push((Method::HEAD, find(&Method::GET)));
        }
        allowed.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        let names: Vec<&str> = allowed.iter().map(|(method, _)| method.as_str()).collect();
        Self {
            meters: Arc::new(metrics.route(&path)),
            allow: HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static("")),
            methods: methods
                .into_iter()
                .fold(RouteMethod::new(), |route, (method, endpoint)| route.method(method, endpoint)),
            allowed,
        }
    }
}

impl Answers {
    fn set_route(&self, request: &Request) {
        if let Some(route) = request.data::<MatchedRoute>() {
            route.set(Arc::clone(&self.meters));
        }
    }
}

impl Endpoint for Answers {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        self.set_route(&request);
        let allowed = self.allowed.iter().find(|(method, _)| method == request.method());
        let (_, operation) = allowed.ok_or_else(|| Failure::method_not_allowed(self.allow.clone()))?;
        operation.check(&mut request)?;
        self.methods.call(request).await
    }
}

/// Where tokens are checked.
const VERIFY: &str = "/auth/verify";

/// Answers whatever is asked below [`VERIFY`] as `GET` there: Envoy's `ext_authz` keeps the method of the request that it
/// asks about and appends its path and its query, which is none of ours.
struct ForGateways(Arc<Answers>);

impl Endpoint for ForGateways {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        request.set_method(Method::GET);
        self.0.set_route(&request);
        self.0.methods.call(request).await
    }
}

/// The pattern as the document writes it: the router's own names for parameters mean nothing to a reader of metrics.
fn documented(pattern: &str) -> String {
    pattern.replace(":param0", "{public_id}")
}
