//! Parameters that an operation does not know are refused by name, on every route.

use auth_tests::{App, assert_refused};
use serde_json::json;

#[tokio::test]
async fn an_unknown_parameter_is_named_on_every_documented_route() {
    let app = App::in_memory_with(&[("AUTH_FEED", "on")]).await;
    let admin = app.admin("root").await;
    let follower = app.client_token("revocations").await;
    let me = app.get("/user/me").bearer(&admin).send().await.text("public_id");
    let of_browser = json!({ "email": "root@example.com", "password": App::PASSWORD, "session": "cookie" });
    let answer = app.post("/auth/login").json(&of_browser).send().await;
    let cookie = answer.header("Set-Cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie");
    let document = app.get("/openapi.json").send().await.json();
    let mut routes: Vec<(String, String)> = ["/docs", "/docs/", "/openapi.json", "/swagger.json", "/", "/user"]
        .map(|path| ("GET".to_owned(), path.to_owned()))
        .into();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{public_id}", &me);
        routes.extend(methods.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())));
    }
    for (method, path) in routes {
        let request = app.request(&method, &format!("{path}?colour=red"));
        // One operation is for browsers alone, and the feed for clients.
        let request = match path.as_str() {
            "/auth/csrf" => request.header("Cookie", cookie),
            path if path.starts_with("/auth/revocations") => request.bearer(&follower),
            _ => request.bearer(&admin),
        };
        let answer = request.send().await;
        let expected = json!({
            "status": "fail", "message": "Input payload validation failed", "code": "validation_failed",
            "errors": { "colour": "'colour' is not a parameter of this operation" },
        });
        assert_eq!((answer.status, answer.json()), (400, expected), "{method} {path}");
    }
    // None of the requests did anything: the token is still good.
    assert_eq!(app.get("/auth/verify").bearer(&admin).send().await.status, 200);
}

#[tokio::test]
async fn a_parameter_is_given_once() {
    let app = App::in_memory().await;
    let admin = app.admin("root").await;
    let answer = app.get("/user/?limit=1&limit=2&x").bearer(&admin).send().await;
    assert_eq!(answer.status, 400);
    let expected = json!({
        "limit": "'limit' is given more than once", "x": "'x' is not a parameter of this operation",
    });
    assert_eq!(answer.json()["errors"], expected);
    assert_eq!(app.get("/user/?limit=1").bearer(&admin).send().await.status, 200);
    assert_eq!(app.get("/livez?").send().await.status, 200, "an empty query has no parameter");
}

#[tokio::test]
async fn a_missing_token_is_told_before_an_unknown_parameter() {
    let app = App::in_memory().await;
    assert_eq!(app.get("/auth/verify?x=1").send().await.text("code"), "token_missing");
    assert_eq!(app.get("/user/me?access_token=x").send().await.text("code"), "token_missing");
}

#[tokio::test]
async fn a_gateway_may_append_the_path_it_asks_about_and_keep_the_method() {
    let app = App::in_memory().await;
    let token = app.register("ada").await.text("Authorization");
    for path in ["/auth/verify/", "/auth/verify/private/page", "/auth/verify//../user/%2e%2e"] {
        for method in ["GET", "POST", "DELETE", "OPTIONS"] {
            let what = format!("{method} {path}");
            let asked =
                |token: &str| app.request(method, path).bearer(token).body("text/plain", b"a body that nobody reads");
            let answer = asked(&token).send().await;
            assert_eq!((answer.status, answer.header("X-Auth-Admin")), (200, Some("false")), "{what}");
            assert_refused(&asked("no.token.ofours").send().await, 401, "token_invalid", &what);
        }
    }
    let elsewhere = app.post("/auth/verify").bearer(&token).send().await;
    assert_refused(&elsewhere, 405, "method_not_allowed", "the path alone");
}

#[tokio::test]
async fn a_gateway_may_append_the_query_it_asks_about() {
    let app = App::in_memory().await;
    let token = app.register("ada").await.text("Authorization");
    for path in ["/auth/verify/?a=1", "/auth/verify/for/private/page?a=1&a=2"] {
        assert_eq!(app.get(path).bearer(&token).send().await.status, 200, "{path}");
    }
}
