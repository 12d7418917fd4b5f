//! Bodies of requests, through the routes of the server.

use std::collections::BTreeMap;
use std::sync::Arc;

use auth_core::SystemClock;
use auth_server::app::App;
use auth_server::config::{Config, Sources};
use poem::http::{Method, StatusCode, header};
use poem::{Endpoint, Request, Response};
use proptest::prelude::*;
use serde_json::Value;

use crate::mutation::fuzz;

/// The routes to which anybody may send a body.
const ROUTES: [&str; 3] = ["/auth/register", "/auth/login", "/auth/refresh"];

#[test]
fn a_body_is_accepted_or_refused_as_the_fault_of_the_client_in_the_form_of_the_contract() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let app = runtime.block_on(async { App::build(&config(), Arc::new(SystemClock)).await.unwrap() });
    let endpoint = app.endpoint();
    let words = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "\\u0000",
        "\\ud800",
        "null",
        "true",
        "-0",
        "1e999",
        "\"email\":",
        "\"username\":",
        "\"password\":",
        "\"session\":",
        "\"refresh\"",
        "\"cookie\"",
        "\"refresh_token\":",
        "\"public_id\":",
        "\u{0}",
        "\u{feff}",
        "\u{e9}",
        "\u{202e}",
        "ada@example.com",
    ];
    fuzz("body", &words, |body| {
        for route in ROUTES {
            let (status, answer) = runtime.block_on(send(&endpoint, route, body));
            let answer: Value =
                serde_json::from_str(&answer).map_err(|_| TestCaseError::fail("the answer is no JSON"))?;
            if status.is_success() {
                prop_assert_eq!(&answer["status"], "success");
                prop_assert!(
                    serde_json::from_slice::<Value>(body).is_ok_and(|body| body.is_object()),
                    "accepted no object"
                );
            } else {
                prop_assert!(status.is_client_error(), "{}: {}", status, answer);
                prop_assert_eq!(&answer["status"], "fail");
                prop_assert!(answer["code"].is_string() && answer["message"].is_string(), "{}", answer);
            }
        }
        Ok(())
    });
}

async fn send(endpoint: &impl Endpoint<Output = Response>, route: &str, body: &[u8]) -> (StatusCode, String) {
    let request = Request::builder()
        .method(Method::POST)
        .uri(route.parse().unwrap())
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.to_owned());
    let answer = endpoint.call(request).await.unwrap();
    (answer.status(), answer.into_body().into_string().await.unwrap())
}

fn config() -> Config {
    let settings = [("AUTH_ENV", "test")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    Config::load(Sources { env: BTreeMap::from(settings), ..Sources::default() }).unwrap()
}
