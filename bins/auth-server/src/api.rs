//! The operations of the API, one module a topic, each with its handlers and the bodies that they read and write.
//!
//! To add a topic: write a module with a type that implements `OpenApi`, and add the type to `Topics`.

mod account;
mod auth;
mod docs;
mod example;
mod feed;
mod health;
mod oauth;
mod personal_tokens;
mod recovery;
mod roles;
mod sessions;
mod users;
mod wellknown;

use std::sync::Arc;

use auth_core::Clock;
use ipnet::IpNet;
use poem::Route;
use poem::http::Method;
use poem_openapi::{LicenseObject, OpenApi, OpenApiService, Tags};

pub(crate) use self::auth::{TokenClaims, VERIFY};
pub(crate) use self::wellknown::WellKnown;
use crate::http::cors::Cors;
use crate::http::envelope::Envelope;
use crate::http::route::{AsGet, RouteEndpoint, RouteTable};
use crate::http::state::State;
use crate::pages;

/// The groups of operations in the OpenAPI document.
#[derive(Tags)]
enum Tag {
    /// Registering, logging in, checking a token, logging out.
    #[oai(rename = "auth")]
    Auth,
    /// Letters: confirming an address, setting a forgotten password.
    #[oai(rename = "recovery")]
    Recovery,
    /// Users.
    #[oai(rename = "user")]
    User,
    /// Listing and ending sessions.
    #[oai(rename = "session")]
    Session,
    /// Tokens that users make for their programs.
    #[oai(rename = "personal token")]
    PersonalToken,
    /// For services that check tokens without the database.
    #[oai(rename = "feed")]
    Feed,
    /// For those who run the server.
    #[oai(rename = "operations")]
    Operations,
}

type Topics = (
    auth::AuthApi,
    recovery::RecoveryApi,
    users::UsersApi,
    account::AccountApi,
    roles::RolesApi,
    sessions::SessionsApi,
    personal_tokens::PersonalTokensApi,
    feed::FeedApi,
    health::HealthApi,
);

fn topics() -> Topics {
    (
        auth::AuthApi,
        recovery::RecoveryApi,
        users::UsersApi,
        account::AccountApi,
        roles::RolesApi,
        sessions::SessionsApi,
        personal_tokens::PersonalTokensApi,
        feed::FeedApi,
        health::HealthApi,
    )
}

fn document() -> OpenApiService<Topics, ()> {
    OpenApiService::new(topics(), "Revocable authentication", env!("CARGO_PKG_VERSION"))
        .description(
            "Register, log in, check a token, log out — and a token that was logged out is refused. Every answer that is \
             not a success has the same form: `status`, `message`, a stable `code`, and `errors` by field where there are any.",
        )
        .license(LicenseObject::new("MIT OR Apache-2.0"))
}

/// Returns the OpenAPI document as JSON.
#[must_use]
pub fn openapi_json() -> String {
    document().spec()
}

/// Builds the endpoints of a server.
pub(crate) struct Routes {
    pub(crate) state: Arc<State>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// True if the OpenAPI document and the page that shows it are served.
    pub(crate) docs: bool,
    /// True if the pages that links in letters open are served.
    pub(crate) pages: bool,
    /// What is published about the server.
    pub(crate) well_known: Arc<WellKnown>,
}

impl Routes {
    /// Returns the endpoint with all routes.
    pub(crate) fn endpoint(self) -> Envelope<Route> {
        let mut table = RouteTable::new();
        topics().add_routes(&mut table);
        if self.state.feed.is_none() {
            table.retain(|path, _| ![feed::PAGES, feed::SNAPSHOT].contains(&path.as_str()));
        }
        if self.docs {
            docs::add_routes(&mut table, &document());
        }
        let mut undocumented = if self.pages { pages::routes() } else { RouteTable::new() };
        undocumented.extend(oauth::routes());
        undocumented.extend(wellknown::routes(&self.well_known));
        let methods = table.values().flat_map(|methods| methods.keys());
        let cors = Cors::new(self.state.cookies.allowed(), methods.chain([&Method::HEAD]), VERIFY);
        self.envelope(table, undocumented, cors)
    }

    /// Returns the endpoint with the routes of the topic [`health`] alone, none of which needs a token.
    pub(crate) fn health_endpoint(self) -> Envelope<Route> {
        let mut table = RouteTable::new();
        health::HealthApi.add_routes(&mut table);
        self.envelope(table, RouteTable::new(), None)
    }

    /// `undocumented` has the routes that are not in the OpenAPI document: the pages, and those that a standard documents.
    fn envelope(self, table: RouteTable, undocumented: RouteTable, cors: Option<Cors>) -> Envelope<Route> {
        let document = serde_json::from_str(&openapi_json()).unwrap_or_default();
        let routes = table.into_iter().fold(Route::new(), |route, (pattern, methods)| {
            let endpoint = Arc::new(RouteEndpoint::new(&self.state.metrics, &document, &pattern, methods));
            // Clients write the path of a collection with and without its last slash.
            match pattern.strip_suffix('/') {
                Some(bare) if !bare.is_empty() => route.at(bare, Arc::clone(&endpoint)).at(pattern, endpoint),
                _ if pattern == VERIFY => {
                    route.at(format!("{VERIFY}/*asked_about"), AsGet(Arc::clone(&endpoint))).at(pattern, endpoint)
                }
                _ => route.at(pattern, endpoint),
            }
        });
        let routes = undocumented.into_iter().fold(routes, |route, (pattern, methods)| {
            let endpoint = RouteEndpoint::undocumented(&self.state.metrics, &pattern, methods);
            route.at(pattern, endpoint)
        });
        Envelope::new(routes, self.state, self.clock, self.trusted_proxies, cors)
    }
}
