//! Sessions of browsers: the cookie, the pages that may use it, and what a page that may not is told.

mod lifetime;

use std::time::Duration;

use auth_tests::{App, Request, Response, assert_refused};
use serde_json::{Value, json};

const NAME: &str = "__Host-auth";
const APP: &str = "https://app.example.com";

/// A browser with one page of the server's own origin open.
struct Browser {
    /// Value of the cookie.
    cookie: String,
    csrf_token: String,
    origin: String,
}

impl Browser {
    /// Logs the user of this name in.
    async fn log_in(app: &App, name: &str) -> Self {
        let origin = own_origin(app);
        let answer = app.post("/auth/login").header("Origin", &origin).json(&login_body(name)).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Self { cookie: cookie_of(&answer), csrf_token: answer.text("csrf_token"), origin }
    }

    fn cookie(&self) -> String {
        format!("{NAME}={}", self.cookie)
    }

    /// Adds the cookie, as a browser does for every page.
    fn with_cookie(&self, request: Request) -> Request {
        request.header("Cookie", &self.cookie())
    }

    /// Adds what the page sends with a request that changes something.
    fn by_page(&self, request: Request) -> Request {
        self.with_cookie(request).header("Origin", &self.origin).header("X-CSRF-Token", &self.csrf_token)
    }

    async fn get(&self, app: &App, path: &str) -> Response {
        self.with_cookie(app.get(path)).send().await
    }

    async fn post(&self, app: &App, path: &str) -> Response {
        self.by_page(app.post(path)).send().await
    }

    /// Takes over the cookie of an answer.
    fn keep(&mut self, answer: &Response) {
        self.cookie = cookie_of(answer);
    }
}

/// The origin of the server's own pages, as a browser behind a proxy with TLS names it.
fn own_origin(app: &App) -> String {
    format!("https://{}", app.client().address())
}

fn login_body(name: &str) -> Value {
    json!({ "email": format!("{name}@example.com"), "password": App::PASSWORD, "session": "cookie" })
}

fn set_cookie(answer: &Response) -> Option<&str> {
    assert!(answer.headers.iter().filter(|(name, _)| name == "set-cookie").count() <= 1);
    answer.header("Set-Cookie")
}

/// The value of the cookie that an answer sets.
fn cookie_of(answer: &Response) -> String {
    let pair = set_cookie(answer).expect("a cookie").split(';').next().unwrap();
    pair.strip_prefix(&format!("{NAME}=")).expect("the name of the cookie").to_owned()
}

async fn app() -> App {
    let app = App::in_memory_with(&[("AUTH_CORS_ORIGINS", APP)]).await;
    app.register("ada").await;
    app
}

#[tokio::test]
async fn a_login_with_the_cookie_shows_no_token() {
    let app = app().await;
    let answer = app.post("/auth/login").json(&login_body("ada")).send().await;
    assert_eq!(answer.status, 200);
    let value = cookie_of(&answer);
    let attributes = "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=2592000";
    assert_eq!(set_cookie(&answer), Some(&*format!("{NAME}={value}; {attributes}")));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    let (access, refresh) = value.split_once('~').unwrap();
    let body = answer.json();
    let members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["status", "message", "expires_in", "public_id", "refresh_expires_in", "csrf_token"];
    assert_eq!(members.len(), expected.len(), "{body}");
    assert!(expected.iter().all(|member| members.contains(member)), "{body}");
    assert!(!answer.body.contains(access) && !answer.body.contains(refresh), "{body}");
    assert_eq!((body["expires_in"].as_u64(), body["refresh_expires_in"].as_u64()), (Some(900), Some(2_592_000)));

    let account =
        json!({ "email": "bob@example.com", "username": "bob", "password": App::PASSWORD, "session": "cookie" });
    for path in ["/auth/register", "/user/"] {
        let mut account = account.clone();
        account["email"] = json!(format!("bob{}@example.com", path.len()));
        account["username"] = json!(format!("bob{}", path.len()));
        let registered = app.post(path).json(&account).send().await;
        assert_eq!(registered.status, 201, "{}", registered.body);
        assert!(registered.json()["Authorization"].is_null() && !cookie_of(&registered).is_empty());
    }
}

#[tokio::test]
async fn the_cookie_is_taken_where_a_token_is() {
    let app = app().await;
    let ada = Browser::log_in(&app, "ada").await;
    let verified = ada.get(&app, "/auth/verify").await;
    assert_eq!(verified.status, 200, "{}", verified.body);
    let id = verified.text("user_id");
    assert_eq!(verified.header("X-Auth-User-Id"), Some(&*id));
    // The same by the route, which the fast path leaves requests with a query to.
    let asked = ada.get(&app, "/auth/verify/for/page?x=1").await;
    assert_eq!((asked.status, asked.json()), (200, verified.json()));
    let me = ada.get(&app, "/user/me").await;
    assert_eq!((me.status, me.text("public_id")), (200, id));
    assert_eq!(set_cookie(&me), None);
    let among = app.get("/user/me").header("Cookie", &format!("a=1; {}; b=2", ada.cookie())).send().await;
    assert_eq!(among.status, 200);
    let apart = ada.with_cookie(app.get("/user/me").header("Cookie", "a=1")).send().await;
    assert_eq!(apart.status, 200);
}

#[tokio::test]
async fn every_login_is_another_session() {
    let app = app().await;
    let (one, two) = (Browser::log_in(&app, "ada").await, Browser::log_in(&app, "ada").await);
    assert_ne!(one.cookie, two.cookie);
    assert_ne!(one.csrf_token, two.csrf_token);
    let again = one.by_page(app.post("/auth/login")).json(&login_body("ada")).send().await;
    assert_ne!(cookie_of(&again), one.cookie);
    assert_ne!(again.text("csrf_token"), one.csrf_token);
}

#[tokio::test]
async fn a_page_asks_for_its_csrf_token_again() {
    let app = app().await;
    let ada = Browser::log_in(&app, "ada").await;
    app.advance(Duration::from_secs(3_600));
    assert_refused(&ada.get(&app, "/user/me").await, 401, "token_expired", "the access token is short");
    let answer = ada.get(&app, "/auth/csrf").await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "csrf_token": ada.csrf_token })));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    assert_refused(&app.get("/auth/csrf").send().await, 401, "token_missing", "no cookie");
    let bad = app.get("/auth/csrf").header("Cookie", "__Host-auth=x").send().await;
    assert_refused(&bad, 401, "token_invalid", "a malformed cookie");
    let query = ada.get(&app, "/auth/csrf?x=1").await;
    assert_refused(&query, 400, "validation_failed", "an unknown parameter");
}

#[tokio::test]
async fn a_change_needs_a_page_that_may_and_the_csrf_token() {
    let app = app().await;
    app.register("bob").await;
    let ada = Browser::log_in(&app, "ada").await;
    let other_session = Browser::log_in(&app, "ada").await.csrf_token;
    let other_user = Browser::log_in(&app, "bob").await.csrf_token;
    let own = ("Origin", ada.origin.as_str());
    let right = ("X-CSRF-Token", ada.csrf_token.as_str());
    let address = app.client().address();
    let (plain, port) =
        (format!("http://192.0.2.1:{}", address.port()), format!("https://127.0.0.1:{}", address.port() ^ 1));
    for headers in [
        &[][..],
        &[own],
        &[right],
        &[own, ("X-CSRF-Token", "")],
        &[own, ("X-CSRF-Token", "x")],
        &[own, ("X-CSRF-Token", &other_session)],
        &[own, ("X-CSRF-Token", &other_user)],
        &[own, right, right],
        &[("Origin", "null"), right],
        &[("Origin", "https://evil.example"), right],
        &[("Origin", &plain), right],
        &[("Origin", &port), right],
        &[own, own, right],
        &[("Sec-Fetch-Site", "cross-site"), right],
        &[("Sec-Fetch-Site", "same-site"), right],
        &[("Sec-Fetch-Site", "none"), right],
        &[own, ("Sec-Fetch-Site", "cross-site"), right],
        &[("Referer", &ada.origin), right],
    ] {
        for path in ["/auth/logout", "/auth/logout-all", "/auth/refresh", "/user/me/password"] {
            let request = ada.with_cookie(app.post(path));
            let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
            let answer = request.json(&json!({})).send().await;
            assert_refused(&answer, 403, "csrf", &format!("{path} {headers:?}"));
            assert_eq!(set_cookie(&answer), None);
        }
    }
    assert_eq!(ada.get(&app, "/user/me").await.status, 200, "nothing was changed");
    for headers in [&[own][..], &[("Origin", APP)], &[("Sec-Fetch-Site", "same-origin")]] {
        let ada = Browser::log_in(&app, "ada").await;
        let request = ada.with_cookie(app.post("/auth/logout")).header("X-CSRF-Token", &ada.csrf_token);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        assert_eq!(request.send().await.status, 200, "{headers:?}");
    }
}

#[tokio::test]
async fn another_page_cannot_log_its_visitor_in() {
    let app = app().await;
    let account =
        json!({ "email": "eve@example.com", "username": "eve", "password": App::PASSWORD, "session": "cookie" });
    for headers in [
        &[("Origin", "https://evil.example")][..],
        &[("Origin", "null")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
    ] {
        for (path, body) in
            [("/auth/login", login_body("ada")), ("/auth/register", account.clone()), ("/user/", account.clone())]
        {
            let request = headers.iter().fold(app.post(path), |request, (name, value)| request.header(name, value));
            let answer = request.json(&body).send().await;
            assert_refused(&answer, 403, "csrf", &format!("{path} {headers:?}"));
            assert_eq!(set_cookie(&answer), None);
        }
    }
    let without_cookie = json!({ "email": "ada@example.com", "password": App::PASSWORD });
    let answer = app.post("/auth/login").header("Origin", "https://evil.example").json(&without_cookie).send().await;
    assert_eq!((answer.status, set_cookie(&answer)), (200, None), "a token in the body goes to nobody but the page");
    for headers in [&[][..], &[("Origin", APP)], &[("Origin", APP), ("Sec-Fetch-Site", "same-site")]] {
        let request =
            headers.iter().fold(app.post("/auth/login"), |request, (name, value)| request.header(name, value));
        assert_eq!(request.json(&login_body("ada")).send().await.status, 200, "{headers:?}");
    }
}

#[tokio::test]
async fn a_header_wins_over_the_cookie_and_a_bad_one_is_not_replaced() {
    let app = app().await;
    let bob = app.register("bob").await;
    let (bob_id, bob_token) = (bob.text("public_id"), bob.text("Authorization"));
    let ada = Browser::log_in(&app, "ada").await;
    for path in ["/auth/verify", "/auth/verify/for/page"] {
        let answer = ada.with_cookie(app.get(path)).bearer(&bob_token).send().await;
        assert_eq!((answer.status, answer.text("user_id")), (200, bob_id.clone()), "{path}");
        for (header, code) in [
            ("Bearer x.y.z", "token_invalid"),
            ("Basic dTpw", "token_invalid"),
            ("Bearer", "token_missing"),
            ("", "token_missing"),
        ] {
            let answer = ada.with_cookie(app.get(path)).header("Authorization", header).send().await;
            assert_refused(&answer, 401, code, &format!("{path} {header:?}"));
        }
    }
    // What the header authenticates needs no CSRF token, and the cookie stays.
    let answer = ada.with_cookie(app.post("/auth/logout")).bearer(&bob_token).send().await;
    assert_eq!((answer.status, set_cookie(&answer)), (200, None));
    assert_eq!(ada.get(&app, "/user/me").await.status, 200);
    // A refresh takes the token of the body first, and no cookie beside a header.
    let answer = ada.by_page(app.post("/auth/refresh")).json(&json!({ "refresh_token": "rar_x" })).send().await;
    assert_refused(&answer, 401, "session_ended", "a bad token in the body");
    let answer = ada.by_page(app.post("/auth/refresh")).bearer(&bob_token).send().await;
    assert_refused(&answer, 400, "validation_failed", "a header and a cookie");
}

#[tokio::test]
async fn a_cookie_that_is_not_exactly_ours_is_no_good_token() {
    let app = app().await;
    let ada = Browser::log_in(&app, "ada").await;
    let cookie = ada.cookie();
    let (access, refresh) = ada.cookie.split_once('~').unwrap();
    let long = format!("{NAME}={}~{refresh}", "a".repeat(4_090));
    for (what, headers, code) in [
        ("two cookies", vec![format!("{cookie}; {cookie}")], "token_invalid"),
        ("two headers", vec![cookie.clone(), cookie.clone()], "token_invalid"),
        ("a second, empty one", vec![format!("{cookie}; {NAME}=")], "token_invalid"),
        ("an oversized one", vec![long], "token_invalid"),
        ("cut", vec![cookie[..cookie.len() - 1].to_owned()], "token_invalid"),
        ("longer", vec![format!("{cookie}A")], "token_invalid"),
        ("without the refresh token", vec![format!("{NAME}={access}")], "token_invalid"),
        ("without the access token", vec![format!("{NAME}=~{refresh}")], "token_invalid"),
        ("another access token", vec![format!("{NAME}=a.b.c~{refresh}")], "token_invalid"),
        ("empty", vec![format!("{NAME}=")], "token_invalid"),
        ("quoted", vec![format!("{NAME}=\"{}\"", ada.cookie)], "token_invalid"),
        ("without the prefix", vec![format!("auth={}", ada.cookie)], "token_missing"),
        ("another prefix", vec![format!("__Secure-auth={}", ada.cookie)], "token_missing"),
        ("another case", vec![format!("__host-auth={}", ada.cookie)], "token_missing"),
    ] {
        for path in ["/auth/verify", "/auth/verify/for/page", "/user/me"] {
            let request = headers.iter().fold(app.get(path), |request, header| request.header("Cookie", header));
            assert_refused(&request.send().await, 401, code, &format!("{path}: {what}"));
        }
    }
    let bytes = app.get("/auth/verify").header_bytes("Cookie", b"__Host-auth=\xff\xfe~x").send().await;
    assert_refused(&bytes, 401, "token_invalid", "bytes that are no text");
}

#[tokio::test]
async fn a_changed_password_is_answered_with_a_cookie() {
    let app = app().await;
    let mut ada = Browser::log_in(&app, "ada").await;
    for session in ["token", "refresh", "cookie"] {
        let body = json!({ "current_password": App::PASSWORD, "new_password": App::PASSWORD, "session": session });
        let answer = ada.by_page(app.post("/user/me/password")).json(&body).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.json()["Authorization"].is_null() && answer.json()["refresh_token"].is_null(), "{session}");
        let before = ada.get(&app, "/user/me").await;
        assert_refused(&before, 401, "token_revoked", session);
        ada.keep(&answer);
        ada.csrf_token = answer.text("csrf_token");
        assert_eq!(ada.get(&app, "/user/me").await.status, 200);
    }
}

#[tokio::test]
async fn a_gateway_is_answered_for_the_method_that_it_asks_about() {
    let app = app().await;
    let ada = Browser::log_in(&app, "ada").await;
    let address = app.client().address();
    for method in ["POST", "DELETE", "PATCH"] {
        // As nginx and Traefik ask, through the fast path; as Envoy does, with the method of the request.
        let forwarded = || app.get("/auth/verify").header("X-Forwarded-Method", method);
        let twice = || app.get("/auth/verify").header("X-Forwarded-Method", "GET").header("X-Forwarded-Method", method);
        let kept = || app.request(method, "/auth/verify/for/private/page");
        let hidden = || app.request(method, "/auth/verify/for/private/page").header("X-Forwarded-Method", "GET");
        let requests = [&forwarded as &dyn Fn() -> Request, &twice, &kept, &hidden];
        for (number, request) in requests.into_iter().enumerate() {
            let what = format!("{method} {number}");
            assert_refused(&ada.with_cookie(request()).send().await, 403, "csrf", &what);
            let answer = ada.by_page(request()).send().await;
            assert_eq!((answer.status, answer.header("X-Auth-Admin")), (200, Some("false")), "{what} {address}");
        }
    }
    for method in ["GET", "HEAD"] {
        let answer = ada.with_cookie(app.get("/auth/verify")).header("X-Forwarded-Method", method).send().await;
        assert_eq!(answer.status, 200, "{method}");
    }
}

#[tokio::test]
async fn the_development_profile_has_a_cookie_for_plain_http() {
    let app = App::in_memory_with(&[("AUTH_ENV", "dev"), ("AUTH_DATABASE_URL", "sqlite::memory:")]).await;
    app.register("ada").await;
    let origin = format!("http://{}", app.client().address());
    let answer = app.post("/auth/login").header("Origin", &origin).json(&login_body("ada")).send().await;
    let set = set_cookie(&answer).unwrap();
    assert!(set.starts_with("auth=") && !set.contains("Secure"), "{set}");
    let cookie = set.split(';').next().unwrap();
    assert_eq!(app.get("/auth/verify").header("Cookie", cookie).send().await.status, 200);
    let prefixed = app.get("/auth/verify").header("Cookie", &format!("__Host-{cookie}")).send().await;
    assert_refused(&prefixed, 401, "token_missing", "another name");
    let logout = app.post("/auth/logout").header("Cookie", cookie).header("Origin", &origin);
    let logout = logout.header("X-CSRF-Token", &answer.text("csrf_token")).send().await;
    assert_eq!((logout.status, set_cookie(&logout)), (200, Some("auth=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0")));
}

#[tokio::test]
async fn with_an_authorization_header_no_csrf_token_is_given_out() {
    let app = app().await;
    let browser = Browser::log_in(&app, "ada").await;
    for header in ["Bearer x", "Basic eA==", ""] {
        let answer = browser.with_cookie(app.get("/auth/csrf")).header("Authorization", header).send().await;
        assert_refused(&answer, 401, "token_missing", header);
    }
}
