//! Errors of the framework, of stores and of panics have the same form as all others.

use std::sync::Arc;

use auth_core::StoreError;
use auth_core::memory::MemoryStore;
use auth_server::ServerStores;
use auth_tests::{App, FailingLog, assert_refused};
use serde_json::json;

#[tokio::test]
async fn a_wrong_path_is_not_found() {
    let app = App::in_memory().await;
    for path in [
        "/nowhere",
        "/auth",
        "/auth/login/",
        "/auth/login/x",
        "//",
        "/user/me/x",
        "/user/a/b",
        "/%00",
        "/docs/../etc/passwd",
    ] {
        assert_refused(&app.get(path).send().await, 404, "not_found", path);
    }
}

#[tokio::test]
async fn a_wrong_method_is_not_allowed() {
    let app = App::in_memory().await;
    for (method, path) in [
        ("GET", "/auth/login"),
        ("GET", "/auth/register"),
        ("PUT", "/auth/logout"),
        ("PUT", "/user/me"),
        ("PATCH", "/user/"),
        ("POST", "/livez"),
        ("BREW", "/auth/login"),
    ] {
        let answer = app.request(method, path).send().await;
        assert_refused(&answer, 405, "method_not_allowed", &format!("{method} {path}"));
        assert!(answer.header("Allow").is_some(), "{method} {path}: a 405 names the methods (RFC 9110 §15.5.6)");
    }
    for (method, path, allow) in [
        ("DELETE", "/auth/login", "POST"),
        ("DELETE", "/user/", "GET, HEAD, POST"),
        ("DELETE", "/user", "GET, HEAD, POST"),
        ("POST", "/auth/verify", "GET, HEAD"),
    ] {
        let answer = app.request(method, path).send().await;
        assert_eq!(answer.header("Allow"), Some(allow), "{method} {path}");
        assert_refused(&answer, 405, "method_not_allowed", &format!("{method} {path}"));
    }
    let head_of_a_post = app.request("HEAD", "/auth/login").send().await;
    assert_eq!((head_of_a_post.status, head_of_a_post.header("Allow")), (405, Some("POST")));
    assert_eq!(head_of_a_post.header("Content-Type"), Some("application/json"));
    assert!(head_of_a_post.header("X-Request-Id").is_some());
}

#[tokio::test]
async fn the_head_of_a_get_is_answered_without_a_body() {
    let app = App::in_memory().await;
    let answer = app.request("HEAD", "/livez").send().await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
}

#[tokio::test]
async fn a_body_that_is_no_json_is_malformed() {
    let app = App::in_memory().await;
    for path in ["/auth/login", "/auth/register", "/user/"] {
        for body in [
            "",
            "{",
            "not json",
            "{\"email\": }",
            "{\"email\": NaN}",
            "\"",
            "{\"email\":\"a@b.c\"}}",
            "{} {}",
            "\u{0}",
            &"[".repeat(10_000),
        ] {
            for content_type in ["application/json", "application/json; charset=utf-8"] {
                let answer = app.post(path).body(content_type, body.as_bytes()).send().await;
                assert_refused(&answer, 400, "malformed_request", &format!("{path} {body:?}"));
            }
        }
        let answer = app.post(path).body("application/json", b"{\"email\": \"\xff\"}").send().await;
        assert_refused(&answer, 400, "malformed_request", path);
        let answer = app.post(path).body("application/json", deeply_nested().as_bytes()).send().await;
        assert_eq!(answer.status, 400);
    }
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    let app = App::in_memory().await;
    for body in ["[]", "7", "null", "\"x\"", "true"] {
        for path in ["/auth/login", "/user/"] {
            let answer = app.post(path).body("application/json", body.as_bytes()).send().await;
            assert_refused(&answer, 400, "malformed_request", &format!("{path} {body}"));
        }
    }
}

#[tokio::test]
async fn a_body_that_is_not_declared_as_json_is_unsupported() {
    let app = App::in_memory().await;
    let body = json!({ "email": "ada@example.com", "password": "123456" }).to_string();
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "nonsense"] {
        let answer = app.post("/auth/login").body(content_type, body.as_bytes()).send().await;
        assert_refused(&answer, 415, "unsupported_media_type", content_type);
    }
    let length = body.len().to_string();
    let undeclared = app.post("/auth/login").header("Content-Length", &length).without_length(body.as_bytes());
    assert_refused(&undeclared.send().await, 415, "unsupported_media_type", "no Content-Type");
}

#[tokio::test]
async fn json_is_json_with_a_charset_too() {
    let app = App::in_memory().await;
    app.register("ada").await;
    let body = json!({ "email": "ada@example.com", "password": App::PASSWORD }).to_string();
    for content_type in ["application/json; charset=utf-8", "application/json;charset=UTF-8"] {
        let answer = app.post("/auth/login").body(content_type, body.as_bytes()).send().await;
        assert_eq!(answer.status, 200, "{content_type}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_body_of_more_than_16_kib_is_too_large() {
    let app = App::in_memory().await;
    let fits = json!({ "email": "ada@example.com", "password": "x".repeat(16 * 1024 - 60) });
    assert_eq!(app.post("/auth/login").json(&fits).send().await.status, 401);
    let large = json!({ "email": "ada@example.com", "password": "x".repeat(16 * 1024) });
    let answer = app.post("/auth/login").json(&large).send().await;
    assert_refused(&answer, 413, "payload_too_large", "with a length");
    let announced = app.post("/user/").body("application/json", b"").header("Content-Length", "99999999");
    assert_refused(&announced.send().await, 413, "payload_too_large", "with a length that is announced alone");
    let long_password = |length| json!({ "email": "a@b.example", "username": "a", "password": "x".repeat(length) });
    let answer = app.post("/user/").json(&long_password(17_000)).send().await;
    assert_refused(&answer, 413, "payload_too_large", "of a registration");
    let answer = app.post("/user/").json(&long_password(16_000)).send().await;
    assert_refused(&answer, 400, "validation_failed", "a password that is too long in a body that is not");
    assert!(answer.json()["errors"]["password"].is_string());

    let chunk = format!("{:x}\r\n{}\r\n0\r\n\r\n", 20_000, "x".repeat(20_000));
    let answer = app
        .post("/auth/login")
        .header("Content-Type", "application/json")
        .header("Transfer-Encoding", "chunked")
        .without_length(chunk.as_bytes())
        .send()
        .await;
    assert_refused(&answer, 413, "payload_too_large", "in chunks");
}

#[tokio::test]
async fn an_id_that_is_none_is_an_error_in_the_envelope() {
    let app = App::in_memory().await;
    let token = app.register("ada").await.text("Authorization");
    for id in ["x", "1", "00000000", "%20", "%FF", "me%00"] {
        let answer = app.get(&format!("/user/{id}")).bearer(&token).send().await;
        assert!(matches!(answer.status, 400 | 404), "{id}: {}", answer.status);
        assert_eq!(answer.text("status"), "fail", "{id}");
        assert!(answer.json()["code"].is_string(), "{id}");
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_keeps_a_decent_one() {
    let app = App::in_memory().await;
    for path in ["/livez", "/nowhere", "/user/me", "/openapi.json"] {
        let (one, other) = (app.get(path).send().await, app.get(path).send().await);
        let ids = [one, other].map(|answer| answer.header("X-Request-Id").expect("a request id").to_owned());
        assert_ne!(ids[0], ids[1], "{path}");
    }
    let kept = app.get("/livez").header("X-Request-Id", "order-7").send().await;
    assert_eq!(kept.header("X-Request-Id"), Some("order-7"));
    assert_eq!(kept.header("Cache-Control"), Some("no-store"));
    let replaced = app.get("/livez").header("X-Request-Id", "a b").send().await;
    assert_eq!(replaced.header("X-Request-Id").map(str::len), Some(36), "a UUID");
    for bad in ["x".repeat(500), "a b".to_owned(), "a\"b".to_owned(), String::new(), "ä".to_owned()] {
        let answer = app.get("/livez").header("X-Request-Id", &bad).send().await;
        let id = answer.header("X-Request-Id").expect("a request id");
        assert!(id != bad && !id.is_empty(), "{bad:?} was kept");
    }
}

#[tokio::test]
async fn a_check_that_cannot_be_made_is_503_and_reveals_nothing() {
    let app = App::over(with_log(FailingLog(|| StoreError::unavailable("dial db.internal:5432")))).await;
    app.register("ada").await;
    let token = app.login("ada").await;
    for answer in [app.get("/auth/verify").bearer(&token).send().await, app.logout(&token).await] {
        assert_refused(&answer, 503, "unavailable", "a log that cannot be reached");
        assert!(!answer.body.contains("db.internal"), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_panic_is_500_and_the_next_request_is_answered() {
    let app = App::over(with_log(FailingLog(|| panic!("secret thoughts")))).await;
    app.register("ada").await;
    let token = app.login("ada").await;
    let answer = app.get("/auth/verify").bearer(&token).send().await;
    assert_refused(&answer, 500, "internal", "a panic");
    assert!(!answer.body.contains("thoughts"), "{}", answer.body);
    assert_eq!(app.get("/livez").send().await.status, 200);
}

#[tokio::test]
async fn the_answer_after_a_panic_can_be_read_by_a_page_of_an_allowed_origin() {
    const APP: &str = "https://app.example.com";
    let stores = with_log(FailingLog(|| panic!("secret thoughts")));
    let app = App::over_with(stores, &[("AUTH_CORS_ORIGINS", APP)]).await;
    let token = app.register("ada").await.text("Authorization");
    for request in [app.get("/auth/verify"), app.get("/user/me")] {
        let answer = request.bearer(&token).header("Origin", APP).send().await;
        assert_refused(&answer, 500, "internal", "a panic");
        assert_eq!(answer.header("Access-Control-Allow-Origin"), Some(APP));
    }
}

fn with_log(log: FailingLog) -> ServerStores {
    let users = Arc::new(MemoryStore::new().unwrap());
    let log = Arc::new(log);
    ServerStores { log: log.clone(), sessions: log, ..ServerStores::from(users) }
}

fn deeply_nested() -> String {
    format!("{}{}", "[".repeat(8000), "]".repeat(8000))
}
