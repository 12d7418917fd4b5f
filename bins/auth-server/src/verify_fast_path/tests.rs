//! The fast path answers as the route does, and leaves everything else to it.

use std::collections::BTreeMap;
use std::time::Duration;

use auth_core::memory::MemoryStore;
use auth_core::{Context, Credentials, Email, ManualClock, NewAccount, Password, SessionKind, SignedIn, Username};
use http_body_util::{Empty, Full};
use hyper::body::Bytes;
use poem_openapi::types::{Example as _, ToJSON as _};
use time::macros::datetime;

use super::*;
use crate::config::{Config, Sources};
use crate::{App, ServerStores};

const PEER: &str = "127.0.0.1:9";

/// A server over stores in memory whose blacklist is loaded.
async fn app(max_staleness: &str) -> (App, Arc<ManualClock>) {
    let env = [("AUTH_ENV", "test"), ("AUTH_BLACKLIST_MAX_STALENESS", max_staleness)];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let config = Config::load(Sources { env, ..Sources::default() }).unwrap();
    let store = Arc::new(MemoryStore::new().unwrap());
    let stores = ServerStores::from(store);
    let clock = Arc::new(ManualClock::new(datetime!(2026-11-23 11:20 UTC)));
    let app = App::with_stores(&config, clock.clone(), stores).unwrap();
    app.log_follower().begin().await;
    (app, clock)
}

async fn token_of(app: &App, name: &str) -> String {
    let account = NewAccount {
        email: email(name),
        username: Username::parse(name).unwrap(),
        password: Password::parse("123456").unwrap(),
    };
    bearer(&app.service().register(account, &Context::default()).await.unwrap().signed_in().unwrap())
}

fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.org")).unwrap()
}

fn bearer(signed_in: &SignedIn) -> String {
    format!("Bearer {}", signed_in.token.expose_token())
}

fn head(method: Method, path: &str, headers: &[(&str, &str)]) -> hyper::http::request::Builder {
    let head = hyper::Request::builder().method(method).uri(path);
    headers.iter().fold(head, |head, (name, value)| head.header(*name, *value))
}

async fn parts(mut response: Response) -> (u16, BTreeMap<String, String>, String) {
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    (response.status().as_u16(), headers, response.take_body().into_string().await.unwrap())
}

/// The answer to `GET /auth/verify`, which is the same on both ways.
async fn answer_of_both(
    application: &impl Application,
    headers: &[(&str, &str)],
) -> (u16, BTreeMap<String, String>, String) {
    let request = head(Method::GET, "/auth/verify", headers).body(Empty::<Bytes>::new()).unwrap();
    let fast = application.answer_without_routing(&request, PEER.parse().unwrap()).expect("the fast path answers");
    let routed = Request::builder().uri_str("/auth/verify");
    let routed = headers.iter().fold(routed, |routed, (name, value)| routed.header(*name, *value));
    let routed = parts(application.call(routed.finish()).await.unwrap()).await;
    let fast = parts(fast).await;
    assert_eq!(fast, routed, "{headers:?}");
    fast
}

#[tokio::test]
async fn the_fast_path_takes_the_cookie_as_the_route_does() {
    let (app, clock) = app("2s").await;
    let other = token_of(&app, "bob").await;
    token_of(&app, "ada").await;
    let credentials = Credentials { email: email("ada"), password: Password::parse("123456").unwrap() };
    let renewable = Context::default().with_session_kind(SessionKind::Renewable);
    let signed_in = app.service().login(credentials, &renewable).await.unwrap().signed_in().unwrap();
    let refresh = &signed_in.refresh.as_ref().unwrap().token;
    let token = signed_in.token.expose_token();
    let cookie = refresh.expose_text(|refresh| format!("__Host-auth={token}~{refresh}"));
    let csrf_token = refresh.csrf_token().expose_text();
    let twice = format!("{cookie}; {cookie}");
    let application = app.endpoint();
    let (ours, id) = (("cookie", cookie.as_str()), ("x-request-id", "find-me"));
    let page = [("host", "a.example"), ("origin", "https://a.example"), ("x-csrf-token", &csrf_token)];
    let posts = ("x-forwarded-method", "POST");
    for (headers, status) in [
        (&[ours][..], 200),
        (&[ours, posts], 403),
        (&[&[ours, posts], &page[..]].concat(), 200),
        (&[ours, ("authorization", &other)], 200),
        (&[ours, ("authorization", "Bearer a.b.c")], 401),
        (&[ours, ("authorization", "")], 401),
        (&[("cookie", &twice)], 401),
        (&[("cookie", &cookie[..cookie.len() - 1])], 401),
        (&[("cookie", cookie.trim_start_matches("__Host-"))], 401),
    ] {
        let answer = answer_of_both(&application, &[headers, &[id]].concat()).await;
        assert_eq!(answer.0, status, "{headers:?}: {}", answer.2);
        let user = if headers.contains(&("authorization", &other)) { "bob" } else { "ada" };
        let user = app.service().find_by_email(&email(user)).await.unwrap();
        assert!(status != 200 || answer.2.contains(&user.id.to_string()), "{headers:?}: {}", answer.2);
    }
    clock.advance(Duration::from_secs(15 * 60 + 60));
    app.log_follower().begin().await;
    assert_eq!(answer_of_both(&application, &[ours, id]).await.0, 401, "the access token has expired");
}

#[tokio::test]
async fn the_fast_path_answers_and_counts_as_the_route_does() {
    let (app, clock) = app("2s").await;
    let good = token_of(&app, "ada").await;
    token_of(&app, "root").await;
    let user = app.service().find_by_email(&email("root")).await.unwrap();
    app.service().promote(user.id).await.unwrap();
    let credentials = Credentials { email: email("root"), password: Password::parse("123456").unwrap() };
    let admin = bearer(&app.service().login(credentials, &Context::default()).await.unwrap().signed_in().unwrap());
    let revoked = token_of(&app, "bob").await;
    let principal = app.service().authenticate(revoked.trim_start_matches("Bearer ")).await.unwrap();
    app.service().logout(&principal).await.unwrap();
    let application = app.endpoint();
    let asked = async |authorization: Option<&str>| {
        let id = ("x-request-id", "find-me");
        let headers: Vec<_> = authorization.map(|value| ("authorization", value)).into_iter().chain([id]).collect();
        answer_of_both(&application, &headers).await
    };
    assert_eq!(asked(Some(&good)).await.1["x-auth-admin"], "false");
    assert_eq!(asked(Some(&admin)).await.1["x-auth-admin"], "true");
    assert_eq!(asked(Some(&good)).await.1["x-request-id"], "find-me");
    for (authorization, status) in [
        (None, 401),
        (Some("Basic YTpi"), 401),
        (Some("Bearer"), 401),
        (Some("Bearer a.b.c"), 401),
        (Some(&*revoked), 401),
    ] {
        assert_eq!(asked(authorization).await.0, status, "{authorization:?}");
    }
    clock.advance(Duration::from_secs(90 * 86_400));
    assert_eq!(asked(Some(&good)).await.0, 401);

    let metrics = application.call(Request::builder().uri_str("/metrics").finish()).await.unwrap();
    let metrics = parts(metrics).await.2;
    for counted in [
        r#"auth_http_requests_total{method="GET",route="/auth/verify",status="200"} 6"#,
        r#"auth_http_requests_total{method="GET",route="/auth/verify",status="401"} 12"#,
        r#"auth_token_checks_total{result="ok"} 6"#,
        r#"auth_token_checks_total{result="token_revoked"} 2"#,
        r#"auth_http_request_duration_seconds_count{route="/auth/verify"} 18"#,
        "auth_http_requests_in_flight 1",
    ] {
        assert!(metrics.lines().any(|line| line == counted), "{counted} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn every_other_request_is_left_to_the_routes() {
    let (app, clock) = app("2s").await;
    let bearer = token_of(&app, "ada").await;
    let application = app.endpoint();
    let peer = PEER.parse().unwrap();
    let headers = [("authorization", &*bearer)];
    for (method, path) in [
        (Method::HEAD, "/auth/verify"),
        (Method::POST, "/auth/verify"),
        (Method::GET, "/auth/verify/"),
        (Method::GET, "/auth/verify?x=1"),
        (Method::GET, "/auth/verify/private"),
        (Method::GET, "/auth/%76erify"),
        (Method::GET, "/user/me"),
    ] {
        let request = head(method.clone(), path, &headers).body(Empty::<Bytes>::new()).unwrap();
        assert!(application.answer_without_routing(&request, peer).is_none(), "{method} {path}");
    }
    let with_a_body = head(Method::GET, "/auth/verify", &headers).body(Full::<Bytes>::from("{}")).unwrap();
    assert!(application.answer_without_routing(&with_a_body, peer).is_none());

    let request = head(Method::GET, "/auth/verify", &headers).body(Empty::<Bytes>::new()).unwrap();
    assert!(application.answer_without_routing(&request, peer).is_some());
    // The last read of the log is too old.
    clock.advance(Duration::from_secs(3));
    assert!(application.answer_without_routing(&request, peer).is_none());
}

#[tokio::test]
async fn every_request_is_left_to_the_routes_if_each_check_reads_the_log() {
    let (app, _) = app("0s").await;
    let bearer = token_of(&app, "ada").await;
    for headers in [&[("authorization", &*bearer)][..], &[]] {
        let request = head(Method::GET, "/auth/verify", headers).body(Empty::<Bytes>::new()).unwrap();
        assert!(app.endpoint().answer_without_routing(&request, PEER.parse().unwrap()).is_none(), "{headers:?}");
    }
}

#[test]
fn the_claims_are_written_as_the_framework_writes_them() {
    for admin in [false, true] {
        let claims = || TokenClaims { admin, ..TokenClaims::example() };
        assert_eq!(String::from_utf8(json(&claims())), Ok(claims().to_json_string()));
    }
}
