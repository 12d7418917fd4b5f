//! Pages of other origins: allowed ones may read every answer, and no other page may read any.

use auth_tests::{App, Response, assert_refused};

const APP: &str = "https://app.example.com";
const SETTINGS: [(&str, &str); 1] = [("AUTH_CORS_ORIGINS", "https://app.example.com, http://localhost:8080")];

fn assert_readable(answer: &Response, origin: &str, what: &str) {
    assert_eq!(answer.header("Access-Control-Allow-Origin"), Some(origin), "{what}");
    assert_eq!(answer.header("Access-Control-Allow-Credentials"), Some("true"), "{what}");
    let exposed = answer.header("Access-Control-Expose-Headers");
    assert_eq!(exposed, Some("Retry-After, WWW-Authenticate, X-Request-Id"), "{what}");
    assert_eq!(answer.header("Vary"), Some("Origin"), "{what}");
}

fn assert_unreadable(answer: &Response, what: &str) {
    let permissions: Vec<_> = answer.headers.iter().filter(|(name, _)| name.starts_with("access-control-")).collect();
    assert_eq!(permissions, Vec::<&(String, String)>::new(), "{what}");
    assert_eq!(answer.header("Vary"), Some("Origin"), "{what}: caches must tell origins apart");
}

#[tokio::test]
async fn a_preflight_of_an_allowed_origin_is_answered() {
    let app = App::in_memory_with(&SETTINGS).await;
    for path in ["/auth/login", "/user/me", "/auth/verify", "/nowhere"] {
        let preflight = app
            .request("OPTIONS", path)
            .header("Origin", APP)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization,content-type,x-csrf-token");
        let answer = preflight.send().await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{path}");
        assert_readable(&answer, APP, path);
        let methods = answer.header("Access-Control-Allow-Methods").unwrap();
        assert!(methods.split(", ").any(|method| method == "POST"), "{methods}");
        let headers = answer.header("Access-Control-Allow-Headers");
        assert_eq!(headers, Some("Authorization, Content-Type, X-CSRF-Token, X-Request-Id"));
        assert_eq!(answer.header("Access-Control-Max-Age"), Some("7200"));
        assert!(answer.header("X-Request-Id").is_some());
    }
}

#[tokio::test]
async fn every_answer_to_an_allowed_origin_is_readable() {
    let app = App::in_memory_with(&SETTINGS).await;
    let token = app.register("ada").await.text("Authorization");
    for origin in [APP, "http://localhost:8080"] {
        let verified = app.get("/auth/verify").bearer(&token).header("Origin", origin).send().await;
        assert_eq!(verified.status, 200);
        assert_readable(&verified, origin, "the fast path");
        let refused = app.get("/auth/verify").header("Origin", origin).send().await;
        assert_refused(&refused, 401, "token_missing", "the fast path");
        assert_readable(&refused, origin, "a 401 of the fast path");
        let missing = app.get("/nowhere").header("Origin", origin).send().await;
        assert_refused(&missing, 404, "not_found", "no such path");
        assert_readable(&missing, origin, "a 404");
        let wrong = app.request("DELETE", "/auth/login").header("Origin", origin).send().await;
        assert_refused(&wrong, 405, "method_not_allowed", "a wrong method");
        assert_readable(&wrong, origin, "a 405");
        let large = app.post("/auth/login").header("Origin", origin).body("application/json", &vec![b' '; 20_000]);
        let large = large.send().await;
        assert_refused(&large, 413, "payload_too_large", "a large body");
        assert_readable(&large, origin, "a 413");
        let ambiguous = app.get("/livez").header("Host", "b.example").header("Origin", origin).send().await;
        assert_refused(&ambiguous, 400, "malformed_request", "two hosts");
        assert_readable(&ambiguous, origin, "a head that is refused");
    }
}

#[tokio::test]
async fn no_other_page_can_read_an_answer() {
    let app = App::in_memory_with(&SETTINGS).await;
    let token = app.register("ada").await.text("Authorization");
    for origin in [
        "https://evil.example",
        "http://app.example.com",
        "https://app.example.com:443",
        "https://app.example.com.evil.example",
        "https://x.app.example.com",
        "https://APP.example.com",
        "https://app.example.com/",
        "http://localhost",
        "http://localhost:8081",
        "null",
        "*",
        "",
    ] {
        let answer = app.get("/auth/verify").bearer(&token).header("Origin", origin).send().await;
        assert_eq!(answer.status, 200, "{origin}: a request is not refused for its origin");
        assert_unreadable(&answer, origin);
        let preflight = app.request("OPTIONS", "/auth/login").header("Origin", origin);
        let answer = preflight.header("Access-Control-Request-Method", "POST").send().await;
        assert_refused(&answer, 405, "method_not_allowed", origin);
        assert_unreadable(&answer, origin);
    }
    let twice = app.get("/livez").header("Origin", APP).header("Origin", APP).send().await;
    assert_unreadable(&twice, "two origins");
    assert_unreadable(&app.get("/livez").send().await, "no origin");
}

#[tokio::test]
async fn what_is_no_preflight_is_not_answered_as_one() {
    let app = App::in_memory_with(&SETTINGS).await;
    let without_method = app.request("OPTIONS", "/auth/login").header("Origin", APP).send().await;
    assert_refused(&without_method, 405, "method_not_allowed", "no Access-Control-Request-Method");
    // A gateway that keeps the method asks whether the request may pass, and takes a 2xx for a yes.
    let asked = app.request("OPTIONS", "/auth/verify/for/private/page").header("Origin", APP);
    let asked = asked.header("Access-Control-Request-Method", "POST").send().await;
    assert_refused(&asked, 401, "token_missing", "the preflight of another server");
}

#[tokio::test]
async fn without_origins_nothing_is_said_of_them() {
    let app = App::in_memory().await;
    let preflight = app.request("OPTIONS", "/auth/login").header("Origin", APP);
    let answer = preflight.header("Access-Control-Request-Method", "POST").send().await;
    assert_refused(&answer, 405, "method_not_allowed", "CORS is off");
    let other = app.get("/livez").header("Origin", APP).send().await;
    for answer in [answer, other] {
        assert_eq!(answer.header("Vary"), None);
        assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("access-control-")), "{:?}", answer.headers);
    }
}
