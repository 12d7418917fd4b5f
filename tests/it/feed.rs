//! The feed of revocations through HTTP: who may read it, what it says, and what a cache may keep.

use std::time::Duration;

use auth_testing::databases::TestDatabase;
use auth_tests::{App, Response, assert_refused};
use serde_json::Value;

auth_testing::on_every_database!(
    a_logout_on_one_node_is_in_the_feed_of_another,
    a_user_who_is_logged_out_everywhere_is_in_the_feed_without_a_reason,
);

const FEED: (&str, &str) = ("AUTH_FEED", "on");

const PAGES: &str = "/auth/revocations";
const SNAPSHOT: &str = "/auth/revocations/snapshot";

/// A server that has read its log, and a token for its feed.
async fn followed() -> (App, String) {
    let app = App::in_memory_with(&[FEED]).await;
    app.read_log().await;
    let token = app.client_token("revocations").await;
    (app, token)
}

/// The cursor of the present state, as the tag of the snapshot has it.
async fn cursor(app: &App, token: &str) -> String {
    let head = app.request("HEAD", SNAPSHOT).bearer(token).send().await;
    assert_eq!(head.status, 200);
    head.header("ETag").unwrap().trim_start_matches("W/").trim_matches('"').to_owned()
}

async fn page(app: &App, token: &str, query: &str) -> Response {
    app.get(&format!("{PAGES}?{query}")).bearer(token).send().await
}

async fn entries(app: &App, token: &str, after: &str) -> Vec<Value> {
    let answer = page(app, token, &format!("after={after}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["entries"].as_array().unwrap().clone()
}

/// The names of the members, sorted.
fn members(entry: &Value) -> Vec<&str> {
    let mut members: Vec<_> = entry.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    members
}

async fn a_logout_on_one_node_is_in_the_feed_of_another(database: TestDatabase) {
    let (near, far) = (App::start(&database).await, App::start_with(&database, &[FEED]).await);
    far.read_log().await;
    let follower = far.client_token("revocations").await;
    let before = cursor(&far, &follower).await;
    near.register("ada").await;
    let token = near.login("ada").await;
    assert_eq!(near.logout(&token).await.status, 200);
    assert_eq!(entries(&far, &follower, &before).await, Vec::<Value>::new(), "before the poll of the other node");
    far.read_log().await;
    let entries = entries(&far, &follower, &before).await;
    assert_eq!(entries.len(), 1);
    assert_eq!(members(&entries[0]), ["exp", "mark", "position", "token"], "only what a checker needs");
}

async fn a_user_who_is_logged_out_everywhere_is_in_the_feed_without_a_reason(database: TestDatabase) {
    let app = App::start_with(&database, &[FEED]).await;
    app.read_log().await;
    let follower = app.client_token("revocations").await;
    let before = cursor(&app, &follower).await;
    let registered = app.register("ada").await;
    let token = registered.text("Authorization");
    let id = app.get("/auth/verify").bearer(&token).send().await.json()["data"]["user_id"].clone();
    app.disable("ada").await;
    app.read_log().await;
    let entries = entries(&app, &follower, &before).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(members(&entries[0]), ["below", "exp", "mark", "position", "user"]);
    assert!(entries[0]["user"].is_string() && (id.is_null() || entries[0]["user"] == id), "{entries:?} {id}");
}

#[tokio::test]
async fn only_a_client_with_the_scope_reads_the_feed() {
    let (app, _) = followed().await;
    let user = app.register("ada").await.text("Authorization");
    let admin = app.admin("root").await;
    let other = app.client_token("introspect").await;
    for path in [PAGES, SNAPSHOT] {
        let answer = app.get(path).send().await;
        assert_refused(&answer, 401, "token_missing", path);
        for (what, token) in [("a user", &user), ("an admin", &admin), ("another client", &other)] {
            let answer = app.get(path).bearer(token).send().await;
            assert_refused(&answer, 403, "insufficient_scope", &format!("{what} {path}"));
            let challenge = answer.header("WWW-Authenticate").unwrap();
            assert!(challenge.contains("insufficient_scope") && challenge.contains("revocations"), "{challenge}");
        }
    }
}

#[tokio::test]
async fn without_the_setting_there_is_no_feed() {
    let app = App::in_memory().await;
    let token = app.client_token("revocations").await;
    for path in [PAGES, SNAPSHOT] {
        assert_refused(&app.get(path).bearer(&token).send().await, 404, "not_found", path);
    }
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let (app, token) = followed().await;
    let cursor = cursor(&app, &token).await;
    for (query, name) in [
        (String::new(), "after"),
        ("after=7".to_owned(), "after"),
        (format!("after={cursor}&wait=26"), "wait"),
        (format!("after={cursor}&wait=-1"), "wait"),
        (format!("after={cursor}&limit=0"), "limit"),
        (format!("after={cursor}&limit=10001"), "limit"),
        (format!("after={cursor}&since=1"), "since"),
    ] {
        let answer = page(&app, &token, &query).await;
        assert_refused(&answer, 400, "validation_failed", &query);
        assert!(answer.json()["errors"][name].is_string(), "{query}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_cursor_of_another_log_is_gone_and_an_old_copy_is_no_answer() {
    let (app, token) = followed().await;
    let cursor = cursor(&app, &token).await;
    let (_, position) = cursor.split_once(':').unwrap();
    let other = format!("after=67e55044-10b1-426f-9247-bb680e5fe0c8:{position}");
    assert_refused(&page(&app, &token, &other).await, 410, "feed_gone", "another epoch");
    app.advance(Duration::from_millis(2_001));
    assert_refused(&page(&app, &token, &format!("after={cursor}")).await, 503, "unavailable", "a page");
    assert_refused(&app.get(SNAPSHOT).bearer(&token).send().await, 503, "unavailable", "the snapshot");
    app.read_log().await;
    assert_eq!(page(&app, &token, &format!("after={cursor}")).await.status, 200);
}

#[tokio::test]
async fn a_request_that_waits_is_answered_with_the_next_logout() {
    let (app, token) = followed().await;
    let user = app.register("ada").await.text("Authorization");
    let query = format!("after={}&wait=25", cursor(&app, &token).await);
    let (waited, ()) = tokio::join!(page(&app, &token, &query), async {
        while !app.get("/metrics").send().await.body.contains("\nauth_feed_followers 1\n") {}
        assert_eq!(app.logout(&user).await.status, 200);
        app.read_log().await;
    });
    assert_eq!(waited.status, 200);
    assert_eq!(waited.json()["entries"].as_array().unwrap().len(), 1);
    let metrics = app.get("/metrics").send().await.body;
    for line in ["auth_feed_followers 0", "auth_feed_pages_total 1", "auth_feed_max_age_seconds 2"] {
        assert!(metrics.contains(&format!("\n{line}\n")), "{line} is not in {metrics}");
    }
}

#[tokio::test]
async fn a_server_that_stops_answers_those_who_wait() {
    let (app, token) = followed().await;
    let query = format!("{PAGES}?after={}&wait=25", cursor(&app, &token).await);
    let waiting = app.get(&query).bearer(&token);
    let waiting = tokio::spawn(waiting.send());
    while !app.get("/metrics").send().await.body.contains("\nauth_feed_followers 1\n") {}
    app.end_waits();
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status, answer.json()["entries"].as_array().unwrap().len()), (200, 0));
    app.stop().await;
}

#[tokio::test]
async fn caches_may_keep_a_page_for_a_second_and_a_snapshot_for_ten() {
    let (app, token) = followed().await;
    let query = format!("after={}", cursor(&app, &token).await);
    let answer = page(&app, &token, &query).await;
    assert_eq!(answer.header("Cache-Control"), Some("public, max-age=1"));
    let snapshot = app.request("HEAD", SNAPSHOT).bearer(&token).send().await;
    assert_eq!(snapshot.header("Content-Type"), Some("application/vnd.revocable-auth.snapshot"));
    let (tag, kept) = (snapshot.header("ETag").unwrap(), Some("public, max-age=10"));
    assert!(tag.starts_with("W/\""), "{tag}");
    assert_eq!(snapshot.header("Cache-Control"), kept);
    for known in [tag.to_owned(), format!("\"x\", {tag}"), tag.trim_start_matches("W/").to_owned(), "*".to_owned()] {
        let answer = app.get(SNAPSHOT).bearer(&token).header("If-None-Match", &known).send().await;
        assert_eq!((answer.status, answer.body.as_str()), (304, ""), "{known}");
        assert_eq!((answer.header("ETag"), answer.header("Cache-Control")), (Some(tag), kept));
    }
    let refused = app.get(PAGES).bearer(&token).send().await;
    assert_eq!(refused.header("Cache-Control"), Some("no-store"), "an error is not kept");
}
