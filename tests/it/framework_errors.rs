//! What the framework refuses is refused in our words too.

use auth_tests::{App, Response};
use serde_json::json;

#[tokio::test]
async fn a_wrong_path_is_not_found() {
    let app = App::in_memory().await;
    for path in ["/nowhere", "/auth", "/auth/login/x", "//", "/user/me/x", "/%00", "/docs/../etc/passwd"] {
        assert_envelope(&app.get(path).send().await, 404, "not_found", path);
    }
}

#[tokio::test]
async fn a_wrong_method_is_not_allowed() {
    let app = App::in_memory().await;
    for (method, path) in [
        ("GET", "/auth/login"),
        ("GET", "/auth/register"),
        ("PUT", "/auth/logout"),
        ("DELETE", "/user/me"),
        ("PATCH", "/user/"),
        ("POST", "/livez"),
        ("BREW", "/auth/login"),
    ] {
        let answer = app.request(method, path).send().await;
        assert_envelope(&answer, 405, "method_not_allowed", &format!("{method} {path}"));
        assert!(answer.header("Allow").is_some(), "{method} {path}: a 405 names the methods (RFC 9110 §15.5.6)");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_malformed() {
    let app = App::in_memory().await;
    for path in ["/auth/login", "/auth/register", "/user/"] {
        for body in ["{", "not json", "{\"email\": }", "\"", "{\"email\":\"a@b.c\"}}", "\u{0}"] {
            let answer = app.post(path).body("application/json", body.as_bytes()).send().await;
            assert_envelope(&answer, 400, "malformed_request", &format!("{path} {body:?}"));
        }
        let answer = app.post(path).body("application/json", b"{\"email\": \"\xff\"}").send().await;
        assert_envelope(&answer, 400, "malformed_request", path);
        let answer = app.post(path).body("application/json", deeply_nested().as_bytes()).send().await;
        assert_eq!(answer.status, 400);
    }
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    let app = App::in_memory().await;
    for body in ["[]", "7", "null", "\"x\"", "true"] {
        let answer = app.post("/auth/login").body("application/json", body.as_bytes()).send().await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.text("status"), "fail", "{body}");
        assert!(matches!(answer.text("code").as_str(), "malformed_request" | "validation_failed"), "{body}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_declared_as_json_is_unsupported() {
    let app = App::in_memory().await;
    let body = json!({ "email": "ada@example.com", "password": "123456" }).to_string();
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "nonsense"] {
        let answer = app.post("/auth/login").body(content_type, body.as_bytes()).send().await;
        assert_envelope(&answer, 415, "unsupported_media_type", content_type);
    }
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
    assert_envelope(&answer, 413, "payload_too_large", "with a length");

    let chunk = format!("{:x}\r\n{}\r\n0\r\n\r\n", 20_000, "x".repeat(20_000));
    let answer = app
        .post("/auth/login")
        .header("Content-Type", "application/json")
        .header("Transfer-Encoding", "chunked")
        .without_length(chunk.as_bytes())
        .send()
        .await;
    assert_envelope(&answer, 413, "payload_too_large", "in chunks");
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
    for bad in ["x".repeat(500), "a b".to_owned(), "a\"b".to_owned(), String::new(), "ä".to_owned()] {
        let answer = app.get("/livez").header("X-Request-Id", &bad).send().await;
        let id = answer.header("X-Request-Id").expect("a request id");
        assert!(id != bad && !id.is_empty(), "{bad:?} was kept");
    }
}

fn assert_envelope(answer: &Response, status: u16, code: &str, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.body);
    assert_eq!(answer.text("status"), "fail", "{what}");
    assert_eq!(answer.text("code"), code, "{what}");
    assert!(!answer.text("message").is_empty(), "{what}");
    assert!(answer.header("X-Request-Id").is_some(), "{what}");
}

fn deeply_nested() -> String {
    format!("{}{}", "[".repeat(8000), "]".repeat(8000))
}
