//! Listing sessions, and ending them: one's own, all others, and an admin's those of a user.

use std::time::Duration;

use auth_testing::databases::TestDatabase;
use auth_tests::{App, Request, Response, assert_refused};
use serde_json::{Value, json};

auth_testing::on_every_database!(
    a_user_sees_their_sessions_and_ends_one_on_every_node,
    a_user_logs_out_all_others,
    an_admin_sees_and_ends_the_sessions_of_a_user,
);

const MINUTE: Duration = Duration::from_mins(1);
const NO_ID: &str = "6f1c0a3e-52d7-4b8e-9c1d-2e3f4a5b6c7d";

async fn list(app: &App, path: &str, token: &str) -> Vec<Value> {
    let answer = app.get(path).bearer(token).send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    answer.json()["data"].as_array().unwrap().clone()
}

async fn own(app: &App, token: &str) -> Vec<Value> {
    list(app, "/user/me/sessions", token).await
}

async fn is_good(app: &App, token: &str) -> bool {
    app.get("/auth/verify").bearer(token).send().await.status == 200
}

/// The id of the session of a token.
async fn session_of(app: &App, token: &str) -> String {
    let current = own(app, token).await.into_iter().find(|session| session["current"] == true).unwrap();
    current["id"].as_str().unwrap().to_owned()
}

fn assert_ended(answer: &Response) {
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
}

#[tokio::test]
async fn a_session_is_shown_as_its_user_may_see_it() {
    let app = App::in_memory().await;
    app.register("ada").await;
    let login = json!({ "email": "ada@example.com", "password": App::PASSWORD, "session": "refresh" });
    let answer = app.post("/auth/login").header("User-Agent", "phone/1 \u{9b}31m").json(&login).send().await;
    app.advance(10 * MINUTE);
    let answer = app.refresh(&answer.text("refresh_token")).await;
    let here = answer.text("Authorization");
    let answer = app.get("/user/me/sessions").bearer(&here).send().await;
    insta::assert_json_snapshot!("sessions", answer.json(), { ".data[].id" => "[id]" });
}

#[tokio::test]
async fn what_a_login_said_of_itself_is_not_kept_where_that_is_switched_off() {
    let app = App::in_memory_with(&[("AUTH_SESSION_DETAILS", "off")]).await;
    app.register("ada").await;
    let login = json!({ "email": "ada@example.com", "password": App::PASSWORD });
    let answer = app.post("/auth/login").header("User-Agent", "phone/1").json(&login).send().await;
    for session in own(&app, &answer.text("Authorization")).await {
        assert_eq!((&session["user_agent"], &session["network"]), (&Value::Null, &Value::Null));
    }
}

#[tokio::test]
async fn a_list_shows_no_session_that_cannot_be_used() {
    let app = App::in_memory().await;
    app.register("ada").await;
    let (out, idle) = (app.login("ada").await, app.login_to_refresh("ada").await);
    assert_eq!(app.logout(&out).await.status, 200);
    assert_eq!(own(&app, &idle.text("Authorization")).await.len(), 2);
    app.advance(30 * 24 * 60 * MINUTE);
    let token = app.login("ada").await;
    assert_eq!(own(&app, &token).await.len(), 1);
    assert_eq!(app.post("/auth/logout-all").bearer(&token).send().await.status, 200);
    let after = app.login("ada").await;
    assert_eq!(own(&app, &after).await.len(), 1);
}

#[tokio::test]
async fn the_list_is_bounded_and_begins_with_what_was_used_last() {
    let app = App::in_memory().await;
    app.register("ada").await;
    for _ in 0..100 {
        app.login("ada").await;
    }
    app.advance(MINUTE);
    let latest = app.login("ada").await;
    let shown = own(&app, &latest).await;
    assert_eq!(shown.len(), 100);
    assert_eq!(shown[0]["current"], true);
    assert_eq!(app.post("/auth/logout-others").bearer(&latest).send().await.status, 200);
    assert_eq!(own(&app, &latest).await.len(), 1, "those that were not shown have ended too");
}

#[tokio::test]
async fn a_session_that_is_not_ones_own_is_not_found() {
    let app = App::in_memory().await;
    app.register("ada").await;
    app.register("bob").await;
    let (ada, bob) = (app.login("ada").await, app.login("bob").await);
    let of_bob = session_of(&app, &bob).await;
    for id in [of_bob.as_str(), NO_ID, "x", "1", "%20", "me%00"] {
        let answer = app.request("DELETE", &format!("/user/me/sessions/{id}")).bearer(&ada).send().await;
        assert_refused(&answer, 404, "session_not_found", id);
        assert_eq!(answer.text("message"), "Session not found.");
    }
    assert!(is_good(&app, &bob).await);
    let own_id = session_of(&app, &ada).await;
    let answer =
        app.request("DELETE", &format!("/user/me/sessions/{}", own_id.to_uppercase())).bearer(&ada).send().await;
    assert_ended(&answer);
    assert!(!is_good(&app, &ada).await, "one may end the session that one is in");
}

#[tokio::test]
async fn sessions_need_a_token_and_those_of_others_an_admins() {
    let app = App::in_memory().await;
    let ada = app.register("ada").await.text("public_id");
    let bob = app.register("bob").await;
    let token = bob.text("Authorization");
    let of_ada = [
        ("GET", format!("/user/{ada}/sessions")),
        ("DELETE", format!("/user/{ada}/sessions")),
        ("DELETE", format!("/user/{ada}/sessions/{NO_ID}")),
    ];
    let own = [
        ("GET", "/user/me/sessions".to_owned()),
        ("DELETE", format!("/user/me/sessions/{NO_ID}")),
        ("POST", "/auth/logout-others".to_owned()),
    ];
    for (method, path) in of_ada.iter().chain(&own) {
        assert_refused(&app.request(method, path).send().await, 401, "token_missing", path);
        let answer = app.request(method, &format!("{path}?x=1")).bearer(&token).send().await;
        let (status, code) = if path.contains(&ada) { (403, "admin_required") } else { (400, "validation_failed") };
        assert_refused(&answer, status, code, path);
    }
    for (method, path) in &of_ada {
        assert_refused(&app.request(method, path).bearer(&token).send().await, 403, "admin_required", path);
    }
    let me = format!("/user/{}/sessions", bob.text("public_id"));
    assert_refused(&app.get(&me).bearer(&token).send().await, 403, "admin_required", "one's own by id");
}

async fn a_user_sees_their_sessions_and_ends_one_on_every_node(database: TestDatabase) {
    let (near, far) = (App::start(&database).await, App::start(&database).await);
    near.register("ada").await;
    let (here, there) = (near.login("ada").await, near.login_to_refresh("ada").await);
    let lost = there.text("Authorization");
    let id = session_of(&far, &lost).await;
    let seen = own(&far, &here).await;
    assert_eq!(seen.len(), 3, "with that of the registration: {seen:?}");
    assert_eq!(seen.iter().filter(|session| session["current"] == true).count(), 1);
    assert!(seen.iter().any(|session| session["id"] == id && session["current"] == false));

    let ending = |app: &App| app.request("DELETE", &format!("/user/me/sessions/{id}")).bearer(&here).send();
    assert_ended(&ending(&near).await);
    for node in [&near, &far] {
        assert!(!is_good(node, &lost).await && is_good(node, &here).await);
        assert_refused(&node.refresh(&there.text("refresh_token")).await, 401, "session_ended", "ended");
        assert_eq!(own(node, &here).await.len(), 2);
    }
    assert_ended(&ending(&far).await);
}

async fn a_user_logs_out_all_others(database: TestDatabase) {
    let (near, far) = (App::start(&database).await, App::start(&database).await);
    near.register("ada").await;
    let bob = near.register("bob").await.text("Authorization");
    let (single, renewable) = (far.login("ada").await, far.login_to_refresh("ada").await);
    let here = near.login_to_refresh("ada").await;
    let answer = near.post("/auth/logout-others").bearer(&here.text("Authorization")).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({ "status": "success", "message": "Successfully logged out all other sessions." }));
    for node in [&near, &far] {
        for ended in [&single, &renewable.text("Authorization")] {
            assert!(!is_good(node, ended).await);
        }
        assert!(is_good(node, &here.text("Authorization")).await && is_good(node, &bob).await);
    }
    assert_refused(&far.refresh(&renewable.text("refresh_token")).await, 401, "session_ended", "ended");
    let next = far.refresh(&here.text("refresh_token")).await;
    assert_eq!(own(&far, &next.text("Authorization")).await.len(), 1);
}

async fn an_admin_sees_and_ends_the_sessions_of_a_user(database: TestDatabase) {
    let app = App::start(&database).await;
    let ada = app.register("ada").await.text("public_id");
    let root = app.admin("root").await;
    let bearing = |request: Request| request.bearer(&root).send();
    let path = format!("/user/{ada}/sessions");
    let (one, other) = (app.login("ada").await, app.login_to_refresh("ada").await);
    let seen = list(&app, &path, &root).await;
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|session| session["current"] == false));

    let id = session_of(&app, &one).await;
    assert_ended(&bearing(app.request("DELETE", &format!("{path}/{id}"))).await);
    assert!(!is_good(&app, &one).await);
    let root_id = session_of(&app, &root).await;
    for (path, code) in [
        (format!("{path}/{root_id}"), "session_not_found"),
        (format!("{path}/{NO_ID}"), "session_not_found"),
        (format!("{path}/x"), "session_not_found"),
        (format!("/user/{NO_ID}/sessions/{id}"), "session_not_found"),
        (format!("/user/x/sessions/{id}"), "session_not_found"),
        (format!("/user/{NO_ID}/sessions"), "user_not_found"),
        ("/user/x/sessions".to_owned(), "user_not_found"),
    ] {
        assert_refused(&bearing(app.request("DELETE", &path)).await, 404, code, &path);
    }
    for path in [format!("/user/{NO_ID}/sessions"), "/user/x/sessions".to_owned()] {
        assert_refused(&bearing(app.get(&path)).await, 404, "user_not_found", &path);
    }

    assert_ended(&bearing(app.request("DELETE", &path)).await);
    assert!(!is_good(&app, &other.text("Authorization")).await && is_good(&app, &root).await);
    assert_refused(&app.refresh(&other.text("refresh_token")).await, 401, "session_ended", "ended by an admin");
    assert_eq!(list(&app, &path, &root).await, Vec::<Value>::new());
    let again = app.login("ada").await;
    assert_eq!(own(&app, &again).await.len(), 1);
}
