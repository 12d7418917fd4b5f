//! One form for every refusal, the framework's own and a panic's included.

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::blacklist::{LogPage, Position};
use auth_core::memory::MemoryStore;
use auth_core::throttle::MemoryAttempts;
use auth_core::{Claims, LEEWAY, Revocation, RevocationLog, RevocationSource, StoreError};
use auth_server::ServerStores;
use poem::Body;
use poem::http::HeaderValue;
use serde_json::json;
use time::OffsetDateTime;

use crate::support::{Door, assert_refused, body_of};

#[tokio::test]
async fn a_path_that_is_not_there_is_404() {
    let door = Door::open();
    for path in ["/nothing", "/user/a/b", "/auth", "/auth/login/"] {
        assert_refused(door.client.get(path).send().await, 404, "not_found").await;
    }
}

#[tokio::test]
async fn a_method_that_is_not_there_is_405_and_says_which_are() {
    let door = Door::open();
    for (path, allow) in [("/auth/login", "POST"), ("/user/", "GET, HEAD, POST"), ("/user", "GET, HEAD, POST")] {
        let answer = door.client.delete(path).send().await;
        answer.assert_header("allow", allow);
        assert_refused(answer, 405, "method_not_allowed").await;
    }
    let answer = door.client.post("/auth/verify").send().await;
    answer.assert_header("allow", "GET, HEAD");
    assert_refused(answer, 405, "method_not_allowed").await;
    let head_of_a_post = door.client.head("/auth/login").send().await;
    assert_refused(head_of_a_post, 405, "method_not_allowed").await;
}

#[tokio::test]
async fn a_body_that_is_not_declared_as_json_is_415() {
    let door = Door::open();
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("nonsense")] {
        let mut request = door.client.post("/auth/login").body(r#"{"email":"a@b.example","password":"x"}"#);
        if let Some(content_type) = content_type {
            request = request.content_type(content_type);
        }
        assert_refused(request.send().await, 415, "unsupported_media_type").await;
    }
}

#[tokio::test]
async fn broken_json_is_400() {
    let door = Door::open();
    for body in ["", "{", "nonsense", "[]", "null", "\"a\"", "{\"email\": NaN}", &"[".repeat(10_000), "{} {}"] {
        let request = door.client.post("/user/").content_type("application/json; charset=utf-8").body(body.to_owned());
        assert_refused(request.send().await, 400, "malformed_request").await;
    }
    let not_utf8 = door.client.post("/user/").content_type("application/json").body(b"{\"email\": \"\xff\"}".to_vec());
    assert_refused(not_utf8.send().await, 400, "malformed_request").await;
}

#[tokio::test]
async fn a_body_of_more_than_16_kib_is_413_whatever_it_says_of_its_length() {
    let door = Door::open();
    let large = json!({"email": "a@b.example", "username": "a", "password": "x".repeat(17_000)}).to_string();
    let declared = door.client.post("/user/").content_type("application/json").body(large.clone());
    assert_refused(declared.send().await, 413, "payload_too_large").await;
    let announced = door.client.post("/user/").content_type("application/json").header("Content-Length", "99999999");
    assert_refused(announced.send().await, 413, "payload_too_large").await;
    let streamed = Body::from_async_read(std::io::Cursor::new(large.into_bytes()));
    let chunked = door.client.post("/user/").content_type("application/json").body(streamed);
    assert_refused(chunked.send().await, 413, "payload_too_large").await;
    let just_fits = json!({"email": "a@b.example", "username": "a", "password": "x".repeat(16_000)}).to_string();
    let body = assert_refused(
        door.client.post("/user/").content_type("application/json").body(just_fits).send().await,
        400,
        "validation_failed",
    )
    .await;
    assert!(body["errors"]["password"].is_string());
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let door = Door::open();
    let request = door.client.post("/user/").body_json(&json!({"email": 5, "password": "hunter2\u{0}"}));
    let body = assert_refused(request.send().await, 400, "validation_failed").await;
    assert_eq!(body["message"], "Input payload validation failed");
    assert_eq!(body["errors"]["email"], "'email' is not of type 'string'");
    assert_eq!(body["errors"]["username"], "'username' is a required property");
    assert!(body["errors"]["password"].is_string());
    assert!(!body.to_string().contains("hunter2"));
    let short = json!({"email": "a@b.example", "username": "a", "password": "12345"});
    let body = assert_refused(door.client.post("/user").body_json(&short).send().await, 400, "validation_failed").await;
    assert_eq!(body["errors"]["password"], "'password' must have at least 6 characters");
}

#[tokio::test]
async fn every_way_to_be_wrong_with_the_header_has_its_answer() {
    let door = Door::open();
    for path in ["/auth/verify", "/user/me", "/user/", "/user"] {
        let none = door.client.get(path).send().await;
        let body = assert_refused(none, 401, "token_missing").await;
        assert_eq!(body["message"], "Provide a valid auth token.");
        for (header, status, code) in [
            ("", 401, "token_missing"),
            ("Bearer", 401, "token_missing"),
            ("Bearer ", 401, "token_missing"),
            ("Bearer nonsense", 401, "token_invalid"),
            ("Bearer a b", 401, "token_invalid"),
            ("Basic dTpw", 401, "token_invalid"),
            ("nonsense", 401, "token_invalid"),
            ("Bearer \u{fc}\u{fc}", 401, "token_invalid"),
        ] {
            let value = HeaderValue::from_bytes(header.as_bytes()).unwrap();
            let answer = door.client.get(path).header("Authorization", value).send().await;
            if status == 401 {
                let challenge = answer.0.header("www-authenticate").unwrap();
                assert!(challenge.starts_with("Bearer realm="));
                assert_eq!(challenge.contains("error=\"invalid_token\""), code == "token_invalid", "{header}");
            }
            assert_refused(answer, status, code).await;
        }
        let two = door.client.get(path).header("Authorization", "Bearer a").header("Authorization", "Bearer b");
        assert_refused(two.send().await, 401, "token_invalid").await;
    }
    let login = door.client.post("/auth/login").body_json(&json!({"email": "no@b.example", "password": "x"}));
    let answer = login.send().await;
    answer.assert_header("www-authenticate", "Bearer realm=\"auth\"");
    let body = assert_refused(answer, 401, "invalid_credentials").await;
    assert_eq!(body["message"], "email or password does not match.");
}

#[tokio::test]
async fn an_expired_token_is_told_so() {
    let door = Door::open();
    door.register("ada").await;
    let token = door.login("ada").await;
    door.clock.advance(std::time::Duration::from_secs(86_400) + LEEWAY);
    let body = assert_refused(door.get("/auth/verify", &token).await, 401, "token_expired").await;
    assert_eq!(body["message"], "Signature expired. Please log in again.");
}

#[tokio::test]
async fn a_request_id_is_answered_and_an_odd_one_is_replaced() {
    let door = Door::open();
    let answer = door.client.get("/livez").header("X-Request-Id", "abc-1").send().await;
    answer.assert_header("x-request-id", "abc-1");
    answer.assert_header("cache-control", "no-store");
    let answer = door.client.get("/livez").header("X-Request-Id", "a b").send().await;
    assert_eq!(answer.0.header("x-request-id").unwrap().len(), 36);
}

/// A log of revocations that fails in a way of its own.
#[derive(Debug)]
pub(crate) struct Broken(pub(crate) fn() -> StoreError);

#[async_trait]
impl RevocationSource for Broken {
    async fn read_after(&self, _: Position, _: u32) -> Result<LogPage, StoreError> {
        Err(self.0())
    }
    async fn covers(&self, _: &Claims) -> Result<bool, StoreError> {
        Err(self.0())
    }
}

#[async_trait]
impl RevocationLog for Broken {
    async fn append(&self, _: &[Revocation]) -> Result<u64, StoreError> {
        Err(self.0())
    }
    async fn purge(&self, _: OffsetDateTime, _: u32) -> Result<u64, StoreError> {
        Err(self.0())
    }
    async fn mark_loss(&self, _: Option<OffsetDateTime>) -> Result<(), StoreError> {
        Err(self.0())
    }
    async fn now(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Err(self.0())
    }
}

#[tokio::test]
async fn a_check_that_cannot_be_made_is_503_and_tells_nothing() {
    let users = Arc::new(MemoryStore::new().unwrap());
    let door = Door::over(ServerStores {
        users,
        log: Arc::new(Broken(|| StoreError::unavailable("dial db.internal:5432"))),
        attempts: Arc::new(MemoryAttempts::default()),
    });
    door.register("ada").await;
    let token = door.login("ada").await;
    for answer in [door.get("/auth/verify", &token).await, door.logout(&token).await] {
        let body = assert_refused(answer, 503, "unavailable").await;
        assert!(!body.to_string().contains("db.internal"));
    }
}

#[tokio::test]
async fn a_panic_is_500_and_the_next_request_is_answered() {
    let users = Arc::new(MemoryStore::new().unwrap());
    let door = Door::over(ServerStores {
        users,
        log: Arc::new(Broken(|| panic!("secret thoughts"))),
        attempts: Arc::new(MemoryAttempts::default()),
    });
    door.register("ada").await;
    let token = door.login("ada").await;
    let body = assert_refused(door.get("/auth/verify", &token).await, 500, "internal").await;
    assert!(!body.to_string().contains("thoughts"));
    door.client.get("/livez").send().await.assert_status_is_ok();
}

#[tokio::test]
async fn the_metrics_count_by_route_and_result_with_few_labels() {
    let door = Door::open();
    door.register("ada").await;
    let token = door.login("ada").await;
    let me = body_of(door.get("/user/me", &token).await).await;
    door.get(&format!("/user/{}", me["public_id"].as_str().unwrap()), &token).await.assert_status_is_ok();
    for path in ["/a", "/b", "/c"] {
        door.client.get(path).send().await.assert_status(poem::http::StatusCode::NOT_FOUND);
    }
    let text = door.client.get("/metrics").send().await.0.into_body().into_string().await.unwrap();
    for line in [
        r#"auth_http_requests_total{method="GET",route="unmatched",status="404"} 3"#,
        r#"auth_http_requests_total{method="GET",route="/user/{public_id}",status="200"} 1"#,
        r#"auth_logins_total{result="ok"} 1"#,
        r#"auth_registrations_total{result="ok"} 1"#,
        r#"auth_token_checks_total{result="ok"} 2"#,
        r#"auth_password_jobs_total{result="completed"} 2"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
