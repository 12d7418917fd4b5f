//! A server over stores in memory, with a clock that stands still.

use std::collections::BTreeMap;
use std::sync::Arc;

use auth_core::ManualClock;
use auth_core::memory::MemoryStore;
use auth_core::throttle::MemoryAttempts;
use auth_server::config::{Config, Sources};
use auth_server::{App, ServerStores};
use poem::endpoint::BoxEndpoint;
use poem::http::StatusCode;
use poem::test::{TestClient, TestResponse};
use poem::{EndpointExt as _, Response};
use serde_json::{Value, json};
use time::OffsetDateTime;

pub(crate) struct Door {
    pub(crate) app: App,
    pub(crate) client: TestClient<BoxEndpoint<'static, Response>>,
    pub(crate) clock: Arc<ManualClock>,
}

pub(crate) fn config(extra: &[(&str, &str)]) -> Config {
    let env = [("AUTH_ENV", "test")].iter().chain(extra);
    let env: BTreeMap<String, String> = env.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::load(Sources { env, ..Sources::default() }).unwrap()
}

impl Door {
    pub(crate) fn open() -> Self {
        let store = Arc::new(MemoryStore::new().unwrap());
        Self::over(ServerStores { users: store.clone(), log: store, attempts: Arc::new(MemoryAttempts::default()) })
    }

    pub(crate) fn over(stores: ServerStores) -> Self {
        let clock = Arc::new(ManualClock::new(OffsetDateTime::from_unix_timestamp(1_790_000_000).unwrap()));
        let app = App::with_stores(&config(&[]), clock.clone(), stores).unwrap();
        let client = TestClient::new(app.endpoint().boxed());
        Self { app, client, clock }
    }

    pub(crate) async fn register(&self, name: &str) -> Value {
        let body = json!({"email": format!("{name}@example.org"), "username": name, "password": "123456"});
        let answer = self.client.post("/user/").body_json(&body).send().await;
        answer.assert_status(StatusCode::CREATED);
        body_of(answer).await
    }

    pub(crate) async fn login(&self, name: &str) -> String {
        let body = json!({"email": format!("{name}@example.org"), "password": "123456"});
        let answer = self.client.post("/auth/login").body_json(&body).send().await;
        answer.assert_status_is_ok();
        body_of(answer).await["Authorization"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> TestResponse {
        self.client.get(path).header("Authorization", format!("Bearer {token}")).send().await
    }

    pub(crate) async fn logout(&self, token: &str) -> TestResponse {
        self.client.post("/auth/logout").header("Authorization", format!("Bearer {token}")).send().await
    }
}

pub(crate) async fn body_of(answer: TestResponse) -> Value {
    let text = answer.0.into_body().into_string().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Checks what every refusal has in common, and its status and code.
pub(crate) async fn assert_refused(answer: TestResponse, status: u16, code: &str) -> Value {
    assert_eq!(answer.0.status().as_u16(), status, "the status of {code}");
    answer.assert_content_type("application/json");
    answer.assert_header_exist("x-request-id");
    let challenge = answer.0.header("www-authenticate").map(str::to_owned);
    let retry_after = answer.0.header("retry-after").map(str::to_owned);
    assert!(status != 401 || challenge.is_some(), "a 401 carries a challenge");
    assert!(!matches!(status, 429 | 503) || retry_after.is_some(), "a {status} says when to come back");
    let body = body_of(answer).await;
    assert_eq!(body["status"], "fail");
    assert_eq!(body["code"], code);
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()));
    body
}
